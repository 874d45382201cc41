"""Level: the real nft, and real packets through a router of a VPC that the tests make.

`world` stands for the site behind the internet gateway, with all that is there.
"""

import asyncio
import contextlib
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from local_cloud.hosts import addresses, rulesets
from local_cloud.hosts.aws import rules
from local_cloud.store import Doc

from .instances import EVERYTHING_OUT, group, instance, rule
from .namespaces import Namespace, needs_namespaces
from .probes import PATIENCE, SILENCE, TCP, UDP, V4, V6, ping

pytestmark = needs_namespaces

ASKING = {1: "198.19.0.1", 2: "198.19.0.2", 3: "198.19.0.3"}
DOOR = 4443


class Vpc:
    """A router with three hosts; what a host answers on is made for each question."""

    def __init__(self) -> None:
        self.router, self.world = Namespace(), Namespace()
        self.docs = [instance(number, f"10.80.16.{number + 3}") for number in (1, 2, 3)]
        self.hosts = {doc["id"]: Namespace() for doc in self.docs}
        services = (addresses.METADATA, addresses.RESOLVER, addresses.WORLD, addresses.ACME)
        self.world.ip(
            f"link add w type veth peer name {rules.GATEWAY} netns {self.router.pid}",
            "addr add 198.19.255.254/32 dev w",
            "addr add fe80::1/64 dev w nodad",
            "link set w up",
            "route add 198.18.0.0/16 via 198.19.128.1 dev w onlink",
            "route add 198.19.0.0/24 via 198.19.128.1 dev w onlink",
            "route add 2001:db8:8000::/56 via fe80::2 dev w",
            *(f"addr add {service}/32 dev lo" for service in services),
            "addr add 2001:db8:ffff::1/128 dev lo nodad",
        )
        self.router.ip(
            "addr add 198.19.128.1/32 dev igw",
            "addr add fe80::2/64 dev igw nodad",
            "link set igw up",
            "route add default via 198.19.255.254 dev igw onlink",
            "route add default via fe80::1 dev igw",
        )
        for doc in self.docs:
            self._plug(doc)
        for namespace in (self.router, self.world):
            namespace.run(_forward)

    def _plug(self, doc: Doc) -> None:
        number, host = doc["id"], self.hosts[doc["id"]]
        self.router.ip(
            f"link add s{number} type veth peer name ens5 address {doc['mac']} netns {host.pid}",
            f"link set s{number} up",
            f"addr add fe80::1/64 dev s{number} nodad",
            f"addr add 10.80.16.1/32 dev s{number}",
            f"route add {doc['private_ipv4']}/32 dev s{number}",
            f"route add {doc['ipv6'][0]}/128 dev s{number}",
        )
        host.ip(
            "link set ens5 up",
            f"addr add {doc['private_ipv4']}/32 dev ens5",
            f"addr add {doc['ipv6'][0]}/128 dev ens5 nodad",
            "route add 10.80.16.1/32 dev ens5",
            "route add default via 10.80.16.1 dev ens5",
            "route add default via fe80::1 dev ens5",
        )

    def enforce(self, groups: dict[str, Doc], **changes: dict[str, Any]) -> None:
        """`changes`: of documents, by "one", "two", "three"."""
        docs = [doc | changes.get(name, {}) for doc, name in zip(self.docs, ("one", "two", "three"), strict=True)]
        text = rules.ruleset(docs, groups, ASKING)
        self.router.run(lambda: asyncio.run(rulesets.apply(text)))

    def tcp(self, source: Namespace, target: int, address: str, port: int = DOOR, bound: str = "") -> str | None:
        """Whom the target sees on a connection to `address`; None where it does not come to be."""
        family = V6 if ":" in address else V4
        with closing(self.hosts[target].socket(family, TCP)) as listener, closing(source.socket(family, TCP)) as client:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("::" if family == V6 else "0.0.0.0", port))  # noqa: S104 - in a namespace of its own
            listener.listen()
            client.settimeout(PATIENCE if self.patient else SILENCE)
            if bound:
                client.bind((bound, 0))
            try:
                client.connect((address, port))
            except TimeoutError:
                return None
            listener.settimeout(PATIENCE)
            accepted, peer = listener.accept()
            accepted.close()
            return str(peer[0])

    patient = True

    def dropped(self, source: Namespace, target: int, address: str, port: int = DOOR, bound: str = "") -> bool:
        self.patient = False
        try:
            return self.tcp(source, target, address, port, bound) is None
        finally:
            self.patient = True

    def close(self) -> None:
        for namespace in (self.router, self.world, *self.hosts.values()):
            namespace.close()


def _forward() -> None:
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        subprocess.run(["sysctl", "-qw", f"{name}=1"], check=True)


@pytest.fixture(scope="module")
def vpc() -> Iterator[Vpc]:
    made = Vpc()
    yield made
    made.close()


def private(number: int) -> str:
    return f"10.80.16.{number + 3}"


def test_a_group_without_rules_for_in_is_closed_also_to_neighbours(vpc: Vpc) -> None:
    vpc.enforce(group("sg-1", []))
    assert vpc.dropped(vpc.hosts[2], 1, private(1))
    assert vpc.dropped(vpc.hosts[2], 1, "2001:db8:8000:10::1")
    assert not ping(vpc.hosts[2], vpc.hosts[1], private(1), patience=SILENCE)


def test_a_rule_that_names_a_group_means_the_private_addresses_of_its_members(vpc: Vpc) -> None:
    groups = group("sg-1", [rule("tcp", DOOR, group="sg-2")]) | group("sg-2", []) | group("sg-3", [])
    two, three = {"security_groups": ["sg-2"]}, {"security_groups": ["sg-3"]}
    vpc.enforce(groups, two=two, three=three)
    assert vpc.tcp(vpc.hosts[2], 1, private(1)) == private(2)
    assert vpc.tcp(vpc.hosts[2], 1, "2001:db8:8000:10::1") == "2001:db8:8000:10::2"
    assert vpc.dropped(vpc.hosts[3], 1, private(1))
    assert vpc.dropped(vpc.hosts[2], 1, private(1), port=DOOR + 1)
    assert vpc.dropped(vpc.hosts[2], 1, "198.18.250.1"), "over the public side it comes from its public address"
    vpc.enforce(groups, two=three, three=two)
    assert vpc.dropped(vpc.hosts[2], 1, private(1)), "membership changes while hosts run"
    assert vpc.tcp(vpc.hosts[3], 1, private(1)) == private(3)


def test_a_rule_may_name_a_group_without_members(vpc: Vpc) -> None:
    vpc.enforce(group("sg-1", [rule("tcp", DOOR, group="sg-of-nobody")]))
    assert vpc.dropped(vpc.hosts[2], 1, private(1))


def test_public_addresses_are_mapped_one_to_one_in_both_directions(vpc: Vpc) -> None:
    vpc.enforce(group("sg-1", [rule("tcp", DOOR, cidr_ipv4="0.0.0.0/0")]))
    assert vpc.tcp(vpc.world, 1, "198.18.250.1", bound=addresses.ACME) == addresses.ACME
    assert vpc.tcp(vpc.hosts[2], 1, "198.18.250.1") == "198.18.250.2", "also between neighbours"
    with closing(vpc.world.socket(V4, UDP)) as server, closing(vpc.hosts[1].socket(V4, UDP)) as client:
        server.bind((addresses.ACME, 53))
        server.settimeout(PATIENCE)
        client.sendto(b"?", (addresses.ACME, 53))
        assert server.recvfrom(10)[1][0] == "198.18.250.1"


def test_without_a_public_address_or_a_route_nothing_goes_out_but_names_and_metadata_are_there(vpc: Vpc) -> None:
    everybody = group("sg-1", [rule("tcp", DOOR, cidr_ipv4="0.0.0.0/0")])
    network = {"network": {**vpc.docs[1]["network"], "internet": []}}
    vpc.enforce(everybody, one={"public_ipv4": None}, two=network)
    for number in (1, 2):
        assert vpc.dropped(vpc.world, number, f"198.18.250.{number}", bound=addresses.ACME)
        with closing(vpc.world.socket(V4, TCP)) as server, closing(vpc.hosts[number].socket(V4, TCP)) as client:
            server.bind((addresses.ACME, 443))
            server.listen()
            client.settimeout(SILENCE)
            with pytest.raises(TimeoutError):
                client.connect((addresses.ACME, 443))
        assert told(vpc, number, addresses.METADATA, 80) == ASKING[number]
        assert told(vpc, number, addresses.RESOLVER, 53, asked=addresses.VPC_RESOLVER) == ASKING[number]
        assert told(vpc, number, addresses.RESOLVER, 53, asked="10.80.0.2") == ASKING[number]
    assert vpc.tcp(vpc.hosts[2], 1, private(1)) == private(2), "neighbours need no gateway"


def told(vpc: Vpc, number: int, service: str, port: int, asked: str = "") -> str:
    """As whom a host is known to a service that it asks."""
    with closing(vpc.world.socket(V4, TCP)) as server, closing(vpc.hosts[number].socket(V4, TCP)) as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((service, port))
        server.listen()
        client.settimeout(PATIENCE)
        client.connect((asked or service, port))
        with closing(server.accept()[0]) as accepted:
            return str(accepted.getpeername()[0])


def test_without_rules_for_out_nothing_leaves_but_answers(vpc: Vpc) -> None:
    vpc.enforce(group("sg-1", [rule("tcp", DOOR, cidr_ipv4="0.0.0.0/0")], out=[rule("tcp", 1, cidr_ipv4="0.0.0.0/0")]))
    assert vpc.dropped(vpc.hosts[2], 1, private(1))
    assert vpc.tcp(vpc.world, 1, "198.18.250.1", bound=addresses.ACME) == addresses.ACME
    assert told(vpc, 2, addresses.METADATA, 80) == ASKING[2]


def test_a_host_sends_from_its_own_address_only(vpc: Vpc) -> None:
    vpc.enforce(group("sg-1", [rule("udp", DOOR, cidr_ipv4="0.0.0.0/0")]))
    vpc.hosts[2].ip(f"addr add {private(3)}/32 dev ens5")
    try:
        with closing(vpc.hosts[1].socket(V4, UDP)) as server, closing(vpc.hosts[2].socket(V4, UDP)) as client:
            server.bind((private(1), DOOR))
            for bound, arrives in (("", True), (private(3), False)):
                if bound:
                    client.close()
                    client = vpc.hosts[2].socket(V4, UDP)
                    client.bind((bound, 0))
                client.sendto(b"?", (private(1), DOOR))
                server.settimeout(PATIENCE if arrives else SILENCE)
                with contextlib.nullcontext() if arrives else pytest.raises(TimeoutError):
                    server.recv(10)
    finally:
        vpc.hosts[2].ip(f"addr del {private(3)}/32 dev ens5")


def test_the_forwarder_comes_in_since_it_has_judged_by_itself(vpc: Vpc) -> None:
    groups = group("sg-1", [rule("tcp", DOOR, cidr_ipv4="127.0.0.1/32"), rule("udp", 1, 9, group="sg-1")])
    vpc.enforce(groups)
    assert vpc.tcp(vpc.world, 1, "198.18.250.1", bound=addresses.WORLD) == addresses.WORLD
    assert vpc.dropped(vpc.world, 1, "198.18.250.1", bound=addresses.ACME)
    doc = vpc.docs[0]
    assert rules.allowed(doc, groups, "tcp", DOOR, "127.0.0.1")
    assert not rules.allowed(doc, groups, "tcp", DOOR, "127.0.0.2")
    assert not rules.allowed(doc, groups, "udp", 5, "127.0.0.1"), "a group is no address of the world"
    assert rules.allowed(doc, group("sg-1", EVERYTHING_OUT), "udp", 5, "127.0.0.9"), "every protocol and port"


def test_ping_and_path_mtu_have_rules_of_their_own(vpc: Vpc) -> None:
    icmp = [rule("icmp", -1, cidr_ipv4="0.0.0.0/0"), rule("icmpv6", -1, cidr_ipv6="::/0")]
    vpc.enforce(group("sg-1", icmp))
    assert ping(vpc.hosts[2], vpc.hosts[1], private(1))
    assert ping(vpc.hosts[2], vpc.hosts[1], "2001:db8:8000:10::1")
    assert vpc.dropped(vpc.hosts[2], 1, private(1))


def test_nft_takes_every_kind_of_rule(vpc: Vpc) -> None:
    kinds = [("-1", None), ("tcp", 0), ("udp", 65535), ("icmp", 8), ("icmpv6", 128), ("50", None), ("icmp", -1)]
    peers: list[dict[str, str]] = [
        {"cidr_ipv4": "127.90.1.2/32"},
        {"cidr_ipv4": "10.0.0.0/8"},
        {"cidr_ipv6": "2001:db8::/32"},
        {"group": "sg-1"},
    ]
    every = [rule(kind, port, port, **peer) for kind, port in kinds for peer in peers]
    vpc.enforce(group("sg-1", every, out=every))
    vpc.enforce(group("sg-1", [], out=[]), one={"ipv6": [], "public_ipv4": None})
