"""The firewalls that the API holds, as one nftables ruleset of the network in which the hosts live.

Meaning as in the real cloud (its documentation, "Firewalls: FAQ"): a server without a firewall is open; with some, the
union of their rules counts. In: only what a rule allows. Out: everything, unless there is a rule for out. Stateful, so
answers always pass. Names, DHCP and metadata are always there. Only the public side is filtered. What becomes of
connections when a rule goes is documented nowhere; here they stay, as with every filter that follows connections.

Where packets are judged: between two hosts in `forward`, first by the sender's rules for out, then by the receiver's
for in; from a host to a service of the cloud in `input`; from a service to a host in `output`. Whatever comes from
WORLD was judged before by `allowed`, with the address of the real client. Ranges are written with public addresses
(127.90.x.y), packets between hosts carry inside ones: a rule means both.
"""

import ipaddress
from collections.abc import Iterator
from typing import NamedTuple

from ..hetzner import labels
from ..store import Doc, Store
from . import addresses
from .rulesets import FAMILIES, NEIGHBOURS, Network, hook, meant, ports

PROTOCOLS = {  # of a rule -> of a packet, by IP version
    "tcp": {4: "tcp", 6: "tcp"},
    "udp": {4: "udp", 6: "udp"},
    "icmp": {4: "icmp", 6: "ipv6-icmp"},
    "esp": {4: "esp", 6: "esp"},
    "gre": {4: "gre", 6: "gre"},
}
PEERS = {"in": ("saddr", "source_ips"), "out": ("daddr", "destination_ips")}  # the other end: in a packet, in a rule


class Guarded(NamedTuple):
    """A server with at least one firewall, with its addresses on the public side."""

    server: int
    networks: list[Network]
    firewalls: list[Doc]


def ruleset(store: Store) -> str:
    """Everything that `rulesets.apply` needs; it takes the place of what was there in one step."""
    guarded = list(_guarded(store))
    used = {firewall["id"]: firewall for one in guarded for firewall in one.firewalls}
    senders, receivers = _verdicts(guarded, "out", "saddr"), _verdicts(guarded, "in", "daddr")
    always_to = [
        f"{NEIGHBOURS} accept",
        "udp dport 67 accept",
        f"ip daddr {addresses.METADATA} tcp dport 80 accept",
        f"ip daddr {addresses.RESOLVER} meta l4proto {{ tcp, udp }} th dport 53 accept",
    ]
    always_from = [f"ip saddr {addresses.WORLD} accept", f"{NEIGHBOURS} accept", "udp sport 67 udp dport 68 accept"]
    lines = [
        "table inet cloud {}",  # made first, since a table that is not there cannot be deleted
        "delete table inet cloud",
        "table inet cloud {",
        *(line for firewall in used.values() for line in _chains_of_firewall(firewall)),
        *(line for one in guarded for line in _chains_of_server(one)),
        # Two chains in one hook: what the first accepts goes on to the second.
        *hook("forward_out", "forward", 0, senders),
        *hook("forward_in", "forward", 1, receivers),
        *hook("input", "input", 0, always_to + senders),
        *hook("output", "output", 0, always_from + receivers),
        "}",
    ]
    return "\n".join(lines) + "\n"


def allowed(store: Store, server_id: int, protocol: str, port: int, client: str) -> bool:
    """Whether the server's firewalls let a client outside reach this port ("tcp" or "udp")."""
    for project in store.counts():
        server = store.get("server", project, server_id)
        if server is not None:
            guards = _guards(server, store.all("firewall", project))
            rules = [rule for firewall in guards for rule in firewall["rules"]]
            return not guards or any(_lets_in(rule, protocol, port, client) for rule in rules)
    return False


def _lets_in(rule: Doc, protocol: str, port: int, client: str) -> bool:
    if rule["direction"] != "in" or rule["protocol"] != protocol:
        return False
    first, last = _ports(rule["port"])
    address = ipaddress.ip_address(client)
    return first <= port <= last and any(address in ipaddress.ip_network(text) for text in rule["source_ips"])


def _ports(text: str) -> tuple[int, int]:
    first, _, last = ("0-65535" if text == "any" else text).partition("-")
    return int(first), int(last or first)


def _guarded(store: Store) -> Iterator[Guarded]:
    for project in store.counts():
        firewalls = store.all("firewall", project)
        for server in store.all("server", project):
            guards = _guards(server, firewalls)
            if guards:
                yield Guarded(server["id"], _networks(store, project, server), guards)


def _guards(server: Doc, firewalls: list[Doc]) -> list[Doc]:
    return [
        firewall
        for firewall in firewalls
        if firewall["id"] in server["firewalls"]
        or any(labels.matches(selector, server["labels"]) for selector in firewall["selectors"])
    ]


def _networks(store: Store, project: str, server: Doc) -> list[Network]:
    numbers = [number for number in (server["ipv4"], server["ipv6"]) if number is not None]
    return [
        ipaddress.ip_network(addresses.inside(address["ip"]) if address["type"] == "ipv4" else address["ip"])
        for address in store.some("primary_ip", project, numbers)
    ]


def _verdicts(guarded: list[Guarded], direction: str, field: str) -> list[str]:
    """One look-up for each IP version: from a server's address to its chain."""
    lines = []
    for version, family in FAMILIES:
        entries = [
            f"{network} : goto server_{one.server}_{direction}"
            for one in guarded
            for network in one.networks
            if network.version == version
        ]
        if entries:
            lines.append(f"{family} {field} vmap {{ {', '.join(entries)} }}")
    return lines


def _chains_of_server(one: Guarded) -> Iterator[str]:
    """Whatever none of the firewalls accepts is dropped; without any rule for out, that is all accepted."""
    for direction in PEERS:
        yield f"chain server_{one.server}_{direction} {{"
        if direction == "in" or any(rule["direction"] == "out" for f in one.firewalls for rule in f["rules"]):
            yield from (f"jump firewall_{firewall['id']}_{direction}" for firewall in one.firewalls)
            yield "drop"
        yield "}"


def _chains_of_firewall(firewall: Doc) -> Iterator[str]:
    for direction, (field, ranges) in PEERS.items():
        yield f"chain firewall_{firewall['id']}_{direction} {{"
        for rule in [rule for rule in firewall["rules"] if rule["direction"] == direction]:
            for version, family in FAMILIES:
                found = ", ".join(map(str, meant(rule[ranges], version)))
                if found:
                    yield f"{family} {field} {{ {found} }} {_matched(rule, version)} accept"
        yield "}"


def _matched(rule: Doc, version: int) -> str:
    protocol = PROTOCOLS[rule["protocol"]][version]
    if rule["protocol"] not in ("tcp", "udp") or rule["port"] == "any":
        return f"meta l4proto {protocol}"
    return ports(protocol, *_ports(rule["port"]))
