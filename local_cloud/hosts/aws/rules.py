"""What a VPC's router lets through, and under which addresses: security groups, the 1:1 mapping of public addresses.

Meaning as at AWS (VPC user guide, "Security groups", "Internet gateways"): what no rule allows is dropped, in and out,
also between neighbours of a subnet; the rules of all groups of an instance count; a rule may name a group, which means
the private addresses of its members; answers always pass; DHCP, names and metadata are not filtered. A host sends from
its own address only. Without a route to the internet gateway, or a public address, nothing goes out or comes in.

Where packets are judged: in `forward`, first by the sender's rules, then by the receiver's. What comes from WORLD was
judged before by `allowed`, with the address of the real client.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping

from ...store import Doc
from .. import addresses
from ..rulesets import FAMILIES, hook, meant, ports

EVERYTHING = "-1"
PEER = {"in": "saddr", "out": "daddr"}
GATEWAY = "igw"  # the router's interface towards the site
SERVICES = f"{{ {addresses.METADATA}, {addresses.RESOLVER} }}"  # of the cloud, which nothing keeps a host from
ICMP = {"icmp": ("ip", "icmp"), "icmpv6": ("ip6", "ipv6-icmp")}  # as rules name it -> family, as packets do


def ruleset(found: list[Doc], groups: Mapping[str, Doc], asks_as: Mapping[int, str]) -> str:
    """For the router of one VPC, whose instances these are; it takes the place of what was there in one step.

    `asks_as`: the address under which each, by number, is known to the cloud's own services.
    """
    used = {id: groups[id] for doc in found for id in doc["security_groups"] if id in groups}
    named = {rule["group"] for group in used.values() for way in PEER for rule in group[way] if rule["group"]}
    always = f"ip daddr {SERVICES} accept"
    answering = f"ip saddr {{ {addresses.METADATA}, {addresses.RESOLVER}, {addresses.WORLD} }} accept"
    senders = [
        *_map("ip saddr", ((doc["private_ipv4"], _chain(doc, "out")) for doc in found)),
        *_map("ip6 saddr", ((address, _chain(doc, "out")) for doc in found for address in doc["ipv6"])),
    ]
    receivers = [
        *_map("ip daddr", ((doc["private_ipv4"], _chain(doc, "in")) for doc in found)),
        *_map("ip6 daddr", ((address, _chain(doc, "in")) for doc in found for address in doc["ipv6"])),
    ]
    lines = [
        "table inet vpc {}",  # made first, since a table that is not there cannot be deleted
        "delete table inet vpc",
        "table inet vpc {",
        *(line for id in sorted(named) for line in _sets_of_members(id, found)),
        *(line for group in used.values() for line in _chains_of_group(group)),
        *(line for doc in found for line in _chains_of_instance(doc, used)),
        # Of the chains in one hook each has its say. The first one also sees answers: no host sends as another one.
        "chain own {",
        "type filter hook forward priority filter - 1; policy accept;",
        f'iifname "{GATEWAY}" oifname "{GATEWAY}" drop',
        f'iifname "{GATEWAY}" accept',
        *_own_addresses(found),
        "drop",
        "}",
        *hook("senders", "forward", 0, [f'iifname "{GATEWAY}" accept', always, *senders, "drop"]),
        *hook("receivers", "forward", 1, [f'oifname "{GATEWAY}" accept', answering, *receivers, "drop"]),
        *_way_out(found),
        "}",
        *_mapping(found, asks_as),
    ]
    return "\n".join(lines) + "\n"


def _own_addresses(found: list[Doc]) -> Iterator[str]:
    for family, pairs in (
        ("ip", [f"{doc['mac']} . {doc['private_ipv4']}" for doc in found]),
        ("ip6", [f"{doc['mac']} . {address}" for doc in found for address in doc["ipv6"]]),
    ):
        if pairs:
            yield f"ether saddr . {family} saddr {{ {', '.join(pairs)} }} accept"


def mapped(doc: Doc) -> bool:
    """Whether its public address leads to it."""
    return bool(doc["public_ipv4"]) and "0.0.0.0/0" in doc["network"]["internet"]


def allowed(doc: Doc, groups: Mapping[str, Doc], protocol: str, port: int, client: str) -> bool:
    """Whether its groups let a client outside reach this port ("tcp" or "udp")."""
    rules = (rule for id in doc["security_groups"] for rule in groups.get(id, {"in": []})["in"])
    return any(_lets_in(rule, protocol, port, client) for rule in rules)


def _lets_in(rule: Doc, protocol: str, port: int, client: str) -> bool:
    if rule["protocol"] not in (protocol, EVERYTHING) or not rule["cidr_ipv4"]:
        return False
    fits = rule["protocol"] == EVERYTHING or rule["from"] <= port <= rule["to"]
    return fits and ipaddress.ip_address(client) in ipaddress.ip_network(rule["cidr_ipv4"])


def _chain(doc: Doc, direction: str) -> str:
    return f"instance_{doc['id']}_{direction}"


def _map(field: str, entries: Iterable[tuple[str, str]]) -> list[str]:
    """One look-up, from addresses to chains."""
    found = ", ".join(f"{key} : goto {chain}" for key, chain in entries)
    return [f"{field} vmap {{ {found} }}"] if found else []


def _name(group: str) -> str:
    return group.replace("-", "_")


def _chains_of_instance(doc: Doc, groups: Mapping[str, Doc]) -> Iterator[str]:
    for direction in PEER:
        yield f"chain {_chain(doc, direction)} {{"
        yield from (f"jump {_name(id)}_{direction}" for id in doc["security_groups"] if id in groups)
        yield "drop"
        yield "}"


def _sets_of_members(group: str, found: list[Doc]) -> Iterator[str]:
    """The addresses of its members, for rules that name it."""
    members = [doc for doc in found if group in doc["security_groups"]]
    ipv4, ipv6 = [doc["private_ipv4"] for doc in members], [address for doc in members for address in doc["ipv6"]]
    for version, kind, own in ((4, "ipv4_addr", ipv4), (6, "ipv6_addr", ipv6)):
        elements = f" elements = {{ {', '.join(own)} }};" if own else ""
        yield f"set {_name(group)}_members_{version} {{ type {kind};{elements} }}"


def _chains_of_group(group: Doc) -> Iterator[str]:
    for direction, field in PEER.items():
        yield f"chain {_name(group['group'])}_{direction} {{"
        for rule in group[direction]:
            for version, family in FAMILIES:
                peers, what = _peers(rule, version), _what(rule, family)
                if peers is not None and what is not None:
                    yield f"{family} {field} {peers} {what} accept"
        yield "}"


def _peers(rule: Doc, version: int) -> str | None:
    """The other end in one family; None where the rule does not speak of that."""
    if rule["group"]:
        return f"@{_name(rule['group'])}_members_{version}"
    cidr = rule["cidr_ipv4"] if version == 4 else rule["cidr_ipv6"]
    return f"{{ {', '.join(map(str, meant([cidr], version)))} }}" if cidr else None


def _what(rule: Doc, family: str) -> str | None:
    """Protocol and ports; None where the family has no such protocol."""
    protocol, first, last = rule["protocol"], rule["from"], rule["to"]
    if protocol == EVERYTHING:
        return ""
    if protocol in ICMP:
        of, name = ICMP[protocol]
        kind = "" if first in (None, -1) else f" {protocol} type {first}"
        return f"meta l4proto {name}{kind}" if of == family else None
    if protocol in ("tcp", "udp"):
        return ports(protocol, first, last)
    return f"meta l4proto {int(protocol)}"


def _way_out(found: list[Doc]) -> list[str]:
    """Who may leave towards the internet; the cloud's own services are no part of it."""
    ipv4 = [doc["private_ipv4"] for doc in found if mapped(doc)]
    ipv6 = [address for doc in found if "::/0" in doc["network"]["internet"] for address in doc["ipv6"]]
    may = [
        *([f"ip saddr {{ {', '.join(ipv4)} }} accept"] if ipv4 else []),
        *([f"ip6 saddr {{ {', '.join(ipv6)} }} accept"] if ipv6 else []),
    ]
    return [
        "chain way_out {",
        "type filter hook forward priority filter + 2; policy accept;",
        f'oifname != "{GATEWAY}" accept',
        f"ip daddr {SERVICES} accept",
        *may,
        "drop",
        "}",
    ]


def _mapping(found: list[Doc], asks_as: Mapping[int, str]) -> list[str]:
    """Public addresses, one to one, and those under which the cloud's services know who asks."""
    public = [(addresses.inside(doc["public_ipv4"]), doc["private_ipv4"]) for doc in found if mapped(doc)]
    asking = [(doc["private_ipv4"], asks_as[doc["id"]]) for doc in found if doc["id"] in asks_as]
    resolvers = {str(addresses.VPC_RESOLVER), *(second(doc["network"]["vpc_ipv4"]) for doc in found)}
    arriving = [
        f"ip daddr {{ {', '.join(sorted(resolvers))} }} meta l4proto {{ tcp, udp }} th dport 53 dnat to "
        f"{addresses.RESOLVER}"
    ]
    leaving = []
    if asking:
        leaving.append(f'oifname "{GATEWAY}" ip daddr {SERVICES} snat to ip saddr map {{ {_pairs(asking)} }}')
    if public:
        arriving.append(f'iifname "{GATEWAY}" dnat to ip daddr map {{ {_pairs(public)} }}')
        reverse = [(private, outside) for outside, private in public]
        leaving.append(f'oifname "{GATEWAY}" snat to ip saddr map {{ {_pairs(reverse)} }}')
    return [
        "table ip vpc_nat {",
        "chain arriving { type nat hook prerouting priority dstnat; }",
        "chain leaving { type nat hook postrouting priority srcnat; }",
        "}",
        "flush table ip vpc_nat",
        *(f"add rule ip vpc_nat arriving {rule}" for rule in arriving),
        *(f"add rule ip vpc_nat leaving {rule}" for rule in leaving),
    ]


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{key} : {value}" for key, value in pairs)


def second(network: str) -> str:
    """Where a VPC's resolver answers: its base address and two."""
    return str(ipaddress.ip_network(network)[2])
