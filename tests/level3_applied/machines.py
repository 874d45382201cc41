"""What the tests of level 3 ask of the cloud where a stack's machines are, behind the same names for each cloud.

Only what the two differ in is here: how a stack is configured for it, who is there, how its calls and resources are
called, and how it fails.
"""

import functools
import re
import secrets
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import hcloud

from local_cloud.process import LocalCloud
from tests.ec2 import REGION, Keys


@dataclass(frozen=True)
class Machine:
    """One server: its logical name, the cloud's id of it, where it is, of which type, and its labels."""

    name: str
    instance: str
    location: str
    type: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Words:
    """How a cloud and its plugin call what the tests speak of."""

    server: str
    """The kind of resource."""
    per_bridge: Mapping[str, int]
    """Resources that come and go with a bridge, next to its share of a placement group."""
    per_group: int
    locations: tuple[str, str]
    types: tuple[str, str]
    """A small type and a larger one for bridges; neither is the default."""
    make: tuple[str, str]
    """Method and pattern of the path of the call that makes a server."""
    made: tuple[str, str, int]
    """Method, path and status of that call when it was done."""
    look_ups: frozenset[str]
    """Kinds of calls that a run without a change makes, too."""
    never: tuple[str, ...]
    """Parts of the kinds of calls that change a running server."""


class Machines(Protocol):
    """One account of one cloud."""

    words: Words

    def configuration(self) -> dict[str, Any]:
        """The provider's keys in a stack file."""
        ...

    def secrets(self) -> dict[str, str]:
        """What of them nobody else may know, by a name for messages."""
        ...

    def settings(self) -> dict[str, Any]:
        """What the program must be told for this cloud."""
        ...

    def all(self) -> list[Machine]:
        """The servers that there are, in the order in which they were made."""
        ...

    def left(self) -> list[str]:
        """Names of everything that the cloud holds of stacks."""
        ...

    def groups(self) -> list[str]:
        """Logical names of the placement groups, sorted."""
        ...

    def delete(self, instance: str) -> None:
        """Delete a server by hand, and wait until it has gone."""
        ...

    def gone(self, instance: str) -> tuple[str, str]:
        """Method and pattern, for the whole path and query, of the call that deletes this server."""
        ...


@dataclass
class HetznerMachines:
    cloud: LocalCloud
    token: str = field(default_factory=lambda: secrets.token_hex(32))
    words = Words(
        server="Server",
        per_bridge={"Server": 1, "Stash": 1, "ServerNetwork": 1, "DnsRecord": 4},
        per_group=5,
        locations=("fsn1", "nbg1"),
        types=("ccx23", "ccx33"),
        make=("POST", "/servers$"),
        made=("POST", "/servers", 201),
        look_ups=frozenset(),
        never=("change_type", "poweroff"),
    )

    @property
    def client(self) -> hcloud.Client:
        return hcloud.Client(token=self.token, api_endpoint=self.cloud.hetzner_url)

    def configuration(self) -> dict[str, Any]:
        return {"hcloud:endpoint": self.cloud.hetzner_url, "hcloud:token": self.token}

    def secrets(self) -> dict[str, str]:
        return {"token hetzner": self.token}

    def settings(self) -> dict[str, Any]:
        return {}

    def all(self) -> list[Machine]:
        return [
            Machine(
                name=str(server.name).rpartition("-")[0],
                instance=str(server.id),
                location=str(server.location.name) if server.location else "",
                type=str(server.server_type.name) if server.server_type else "",
                labels=server.labels or {},
            )
            for server in sorted(self.client.servers.get_all(), key=lambda server: int(server.id or 0))
        ]

    def left(self) -> list[str]:
        families = ("servers", "networks", "firewalls", "placement_groups", "ssh_keys")
        return [item.name for family in families for item in getattr(self.client, family).get_all()]

    def groups(self) -> list[str]:
        return sorted(str(group.name).rpartition("-")[0] for group in self.client.placement_groups.get_all())

    def delete(self, instance: str) -> None:
        server = self.client.servers.get_by_id(int(instance))
        server.delete().wait_until_finished()

    def gone(self, instance: str) -> tuple[str, str]:
        return "DELETE", f"/servers/{instance}"


@dataclass
class AwsMachines:
    cloud: LocalCloud
    keys: Keys = field(default_factory=Keys)
    words = Words(
        server="Instance",
        per_bridge={"Instance": 1, "Stash": 1, "DnsRecord": 4},
        per_group=3,
        locations=(f"{REGION}a", f"{REGION}b"),
        types=("c7i.large", "c7i.2xlarge"),
        make=("POST", "^/RunInstances$"),
        made=("POST", "/RunInstances", 200),
        look_ups=frozenset({"POST /DescribeImages"}),
        never=("StopInstances", "StartInstances", "ModifyInstance"),
    )

    @functools.cached_property
    def client(self) -> Any:
        return self.keys.client(self.cloud)

    def configuration(self) -> dict[str, Any]:
        return {
            "aws:region": REGION,
            "aws:accessKey": self.keys.access,
            "aws:secretKey": self.keys.secret,
            "aws:endpoints": [{"ec2": self.cloud.ec2_url}],
            "aws:skipCredentialsValidation": "true",
            "aws:skipRequestingAccountId": "true",
            "aws:maxRetries": "2",
        }

    def secrets(self) -> dict[str, str]:
        return {"key aws": self.keys.secret}

    def settings(self) -> dict[str, Any]:
        return {"cloud": "aws", "locations": [self.words.locations[0]]}

    def all(self) -> list[Machine]:
        return [
            Machine(
                name=_logical(tags),
                instance=instance["InstanceId"],
                location=instance["Placement"]["AvailabilityZone"],
                type=instance["InstanceType"],
                labels=tags,
            )
            for instance in self._instances()
            for tags in [_tags(instance)]
        ]

    def _instances(self) -> list[dict[str, Any]]:
        found = self.client.describe_instances()["Reservations"]
        there = [instance for reservation in found for instance in reservation["Instances"]]
        return [instance for instance in there if instance["State"]["Name"] not in ("shutting-down", "terminated")]

    def left(self) -> list[str]:
        """What was there before any stack, the default VPC with all that it has, is left out."""
        client = self.client
        own = [{"Name": "is-default", "Values": ["false"]}]
        vpcs = [vpc["VpcId"] for vpc in client.describe_vpcs(Filters=own)["Vpcs"]]
        inside = [{"Name": "vpc-id", "Values": vpcs or ["none"]}]
        things = [
            *self._instances(),
            *client.describe_vpcs(Filters=own)["Vpcs"],
            *client.describe_subnets(Filters=inside)["Subnets"],
            *client.describe_internet_gateways()["InternetGateways"],
            *client.describe_addresses()["Addresses"],
            *client.describe_placement_groups()["PlacementGroups"],
            *client.describe_key_pairs()["KeyPairs"],
            *(
                g
                for g in client.describe_security_groups(Filters=inside)["SecurityGroups"]
                if g["GroupName"] != "default"
            ),
            *(t for t in client.describe_route_tables(Filters=inside)["RouteTables"] if _tags(t)),
        ]
        return [_tags(thing).get("Name") or str(thing) for thing in things]

    def groups(self) -> list[str]:
        found = self.client.describe_placement_groups()["PlacementGroups"]
        return sorted(str(group["GroupName"]).rpartition("-")[0] for group in found)

    def delete(self, instance: str) -> None:
        client = self.client
        client.terminate_instances(InstanceIds=[instance])
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            (found,) = client.describe_instances(InstanceIds=[instance])["Reservations"]
            if found["Instances"][0]["State"]["Name"] == "terminated":
                return
            time.sleep(0.02)
        raise AssertionError(f"{instance} does not end")

    def gone(self, instance: str) -> tuple[str, str]:
        return "POST", rf"/TerminateInstances\?.*{instance}"


CLOUDS: Sequence[str] = ("hetzner", "aws")


def machines(name: str, cloud: LocalCloud) -> Machines:
    return AwsMachines(cloud) if name == "aws" else HetznerMachines(cloud)


def kinds(steps: Sequence[tuple[str, str, str]]) -> Counter[str]:
    """How many resources of each kind the steps were done to."""
    return Counter(kind for _, kind, _ in steps)


def _tags(thing: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags") or []}


def _logical(tags: Mapping[str, str]) -> str:
    """A server's logical name: its tag Name begins with the cluster's."""
    return re.sub(f"^{re.escape(tags.get('cluster', ''))}-", "", tags.get("Name", ""))
