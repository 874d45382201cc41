"""Private addresses: which are free in a network, and which one a server gets.

Reserved: of each subnet the network's, the first and the last address; the first of the whole network; 172.31.1.1.
"""

import ipaddress
from collections.abc import Iterable

from ..call import Call
from ..store import Doc
from . import catalogue
from .errors import ApiError, invalid
from .validation import ipv4

Address = ipaddress.IPv4Address


def taken_addresses(call: Call, network: Doc) -> set[Address]:
    """Addresses in use in the network, those of attachments that are still running included."""
    return {
        Address(text)
        for server in call.store.all("server", call.project)
        for interface in server["networks"]
        if interface["network"] == network["id"]
        for text in [interface["ip"], *interface["alias_ips"]]
    }


def inside(subnet: ipaddress.IPv4Network, addresses: Iterable[Address]) -> bool:
    return any(address in subnet for address in addresses)


def choose(call: Call, network: Doc, location: str, ip: object, ip_range: object) -> Address:
    """The address for a new interface: the one asked for, or the first free one."""
    zone = catalogue.ZONES[location]
    subnets = [s for s in network["subnets"] if s["network_zone"] == zone and ip_range in (None, s["ip_range"])]
    if ip_range is not None and not any(s["ip_range"] == ip_range for s in network["subnets"]):
        raise invalid("ip_range", "is not a subnet of the network")
    taken = taken_addresses(call, network)
    if ip is not None:
        return _asked_for(network, subnets, taken, ipv4(ip, "ip"))
    for subnet in subnets:
        part = ipaddress.IPv4Network(subnet["ip_range"])
        reserved = _reserved(network, part)
        for number in range(int(part.network_address) + 2, int(part.broadcast_address)):
            if Address(number) not in taken and Address(number) not in reserved:
                return Address(number)
    raise ApiError(422, "no_subnet_available", f"no subnet with a free IP in network zone {zone} is available")


def aliases(
    call: Call, network: Doc, wanted: object, own: Iterable[str], promised: Iterable[Address] = ()
) -> list[str]:
    """Alias addresses, checked; `own` are those that the server may keep, `promised` those that it gets otherwise."""
    if not isinstance(wanted, list):
        raise invalid("alias_ips", "must be a list of addresses")
    taken = (taken_addresses(call, network) - {Address(text) for text in own}).union(promised)
    chosen: list[str] = []
    for text in wanted:
        address = _asked_for(network, network["subnets"], taken, ipv4(text, "alias_ips"))
        taken.add(address)
        chosen.append(str(address))
    return chosen


def _asked_for(network: Doc, subnets: list[Doc], taken: set[Address], address: Address) -> Address:
    parts = [ipaddress.IPv4Network(subnet["ip_range"]) for subnet in subnets]
    home = next((part for part in parts if address in part), None)
    if home is None:
        raise ApiError(422, "no_subnet_available", f"IP {address} is in no subnet that this server can use")
    if address in taken or address in _reserved(network, home):
        raise ApiError(422, "ip_not_available", f"IP {address} is not available")
    return address


def _reserved(network: Doc, subnet: ipaddress.IPv4Network) -> set[Address]:
    first_of_all = ipaddress.IPv4Network(network["ip_range"]).network_address + 1
    ends = {subnet.network_address, subnet.network_address + 1, subnet.broadcast_address}
    return ends | {first_of_all, Address("172.31.1.1")}
