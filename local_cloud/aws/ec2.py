"""One call of EC2: who makes it, which action, the answer; and the addresses that moto would draw at random."""

import hashlib
import ipaddress
import os
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.sax.saxutils import escape

from ..call import Answer
from ..hetzner import primary_ips
from ..store import Doc, Store
from . import instances

os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # read when moto is imported

from moto.core.request import Request
from moto.ec2.models import ec2_backends, elastic_ip_addresses, elastic_network_interfaces, subnets, vpcs

from .responses import GONE, Responses, end, set_state

XML = {"content-type": "text/xml;charset=UTF-8"}
STATUS = {"InsufficientInstanceCapacity": 500, "InternalError": 500, "RequestLimitExceeded": 503, "Unavailable": 503}
"""HTTP status by code, where it is not 400 (AWS's documentation of EC2's error codes)."""
CREDENTIAL = re.compile(r"Credential=(\w+)/\d+/[\w-]+/ec2/")
FIRST_IPV6 = ipaddress.IPv6Address("2001:db8:8000::")
UNLOGGED = ("Action", "Version", "UserData", "PublicKeyMaterial", "ClientToken")
READING = ("Describe", "Get")


class Ec2:
    """EC2 of all accounts: each access key is one of its own."""

    def __init__(self, store: Store, action_seconds: float) -> None:
        self.store = store
        with store.transaction():
            instances.forget(store)
        Responses.action_seconds = action_seconds
        elastic_network_interfaces.random_public_ip = self._public_address  # type: ignore[attr-defined]
        elastic_ip_addresses.random_ip = self._public_address  # type: ignore[attr-defined]
        vpcs.random_ipv6_cidr = self._ipv6_block  # type: ignore[attr-defined]
        subnets.Subnet.ipv6_cidr_block_association_set = property(_ipv6_blocks)  # type: ignore[assignment]

    def answer(self, headers: dict[str, str], body: bytes, account: str, fails: dict[str, str] | None) -> Answer:
        """Serve one call; `fails` is the reason for which the instances that it launches end at once."""
        sent = headers | {"x-moto-account-id": account}
        response = Responses()
        response.fails = fails
        try:
            status, found, text = response._dispatch(Request.from_primitives("POST", "http://127.0.0.1/", sent, body))
        except NotImplementedError as error:
            return refusal(None, "InvalidAction", f"not part of the embedded cloud: {error}")
        if response.turned or not response._get_action().startswith(READING):
            with self.store.transaction():
                instances.write(self.store, project(account), ec2_backends[account][response.region])
        kind = str(found.get("Content-Type", XML["content-type"]))
        return Answer(status, text, {"content-type": kind})

    def leave_to_hosts(self) -> None:
        """From now on instances begin, stop and end when their hosts have, who then say so by `became`."""
        Responses.by_hosts = True

    def became(self, owner: str, document: Doc, state: str, reason: str = "") -> None:
        """An instance's host is now running, stopped or gone; `reason` is given where nobody asked for that."""
        backend = ec2_backends[document["owner"]][document["region"]]
        if all(instance.id != document["instance"] for instance in backend.all_instances()):
            return  # a reset meanwhile
        instance = backend.get_instance(document["instance"])
        if reason:
            if state == "terminated" and instance.state not in GONE:
                end(instance)
            elif state == "stopped":
                instance.stop()
            instance.state_reason.code, instance.state_reason.message = reason.partition(":")[0], reason
        set_state(instance, state)
        with self.store.transaction():
            instances.write(self.store, owner, backend)

    def reset(self) -> None:
        """Forget everything."""
        for account in list(ec2_backends):
            for backend in ec2_backends[account].values():
                backend.reset()

    def _public_address(self) -> str:
        return primary_ips.free_ipv4(self.store)

    def _ipv6_block(self) -> str:
        number = self.store.next("ec2_ipv6_block")
        return str(ipaddress.IPv6Network((int(FIRST_IPV6) + (number << 72), 56)))


def _ipv6_blocks(subnet: subnets.Subnet) -> list[dict[str, Any]]:
    """As moto's own, which writes the state as text of a Python object."""
    blocks = subnet.ipv6_cidr_block_associations.values()
    return [block for block in blocks if block["ipv6CidrBlockState"]["State"] == "associated"]


def account_of(authorization: str) -> str | None:
    """The account of a signed call: twelve digits that follow from its access key. The signature is not looked at."""
    found = CREDENTIAL.search(authorization)
    return str(int(hashlib.sha256(found[1].encode()).hexdigest(), 16))[-12:] if found else None


def project(account: str) -> str:
    return f"aws-{account}"


def parameters(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode(errors="replace")))


def logged(sent: dict[str, str]) -> str:
    """What the log keeps of a call: neither keys nor user-data."""
    return urlencode({key: value for key, value in sent.items() if key not in UNLOGGED})


def refusal(status: int | None, code: str, message: str) -> Answer:
    """An error in EC2's form."""
    text = f"<Errors><Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error></Errors>"
    identity = f"<RequestID>{os.urandom(16).hex()}</RequestID>"
    return Answer(status or STATUS.get(code, 400), f"<?xml version='1.0'?><Response>{text}{identity}</Response>", XML)
