"""What rulesets of nftables for different clouds have in common, and how one is put into force."""

import asyncio
import ipaddress
from collections.abc import Iterable, Iterator

from ..hetzner import primary_ips
from . import addresses

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PUBLIC = ipaddress.IPv4Network((int(primary_ips.FIRST_IPV4), 16))
NEIGHBOURS = (
    "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report }"
)

FAMILIES = ((4, "ip"), (6, "ip6"))  # IP version, and how nft calls it


class RulesetError(Exception):
    """nft refused a ruleset; the one before still holds."""


async def apply(text: str, namespace: str | None = None) -> None:
    """Put a ruleset into force in a network namespace, that of this process if None, or raise RulesetError."""
    pipe = asyncio.subprocess.PIPE
    where = ("ip", "netns", "exec", namespace) if namespace else ()
    nft = await asyncio.create_subprocess_exec(*where, "nft", "-f", "-", stdin=pipe, stdout=pipe, stderr=pipe)
    _, errors = await nft.communicate(text.encode())
    if nft.returncode:
        raise RulesetError(errors.decode(errors="replace").strip())


def hook(name: str, hook: str, order: int, rules: list[str]) -> list[str]:
    """A chain where the kernel decides on packets; of several in one hook each has its say."""
    begin = f"type filter hook {hook} priority filter + {order}; policy accept;"
    return [f"chain {name} {{", begin, "ct state established,related accept", *rules, "}"]


def ports(protocol: str, first: int, last: int) -> str:
    """Packets to these ports, both ends counted."""
    return f"{protocol} dport {first}" + (f"-{last}" if last > first else "")


def meant(ranges: Iterable[str], version: int) -> Iterator[Network]:
    """The ranges of one IP version, with the inside addresses of the public ones; none overlaps another."""
    if version == 6:
        found = [ipaddress.IPv6Network(text) for text in ranges if ":" in text]
        # Only numbers: Python takes any text after a "%" for the name of an interface.
        plain = [ipaddress.IPv6Network((int(network.network_address), network.prefixlen)) for network in found]
        return ipaddress.collapse_addresses(plain)
    written = [ipaddress.IPv4Network(text) for text in ranges if ":" not in text]
    public = [network if network.subnet_of(PUBLIC) else PUBLIC for network in written if network.overlaps(PUBLIC)]
    inside = [
        ipaddress.IPv4Network((addresses.inside(str(network.network_address)), network.prefixlen)) for network in public
    ]
    return ipaddress.collapse_addresses(written + inside)
