"""What a subnet or a route of a network must satisfy."""

import ipaddress

from ..store import Doc
from . import catalogue
from .errors import invalid, limit
from .validation import ipv4, ipv4_network

MOST_SUBNETS, MOST_ROUTES = 50, 100


def subnet(network: Doc, wanted: Doc) -> Doc:
    """The subnet that a request asks for, checked against the network."""
    if len(network["subnets"]) >= MOST_SUBNETS:
        raise limit("subnet limit exceeded", "subnet_limit")
    if wanted.get("type") not in ("cloud", "server"):
        raise invalid("type", "must be one of 'cloud', 'server' (vswitch is not emulated)")
    if wanted.get("network_zone") not in catalogue.ZONES.values():
        raise invalid("network_zone", "is not a network zone")
    whole, used = ipaddress.IPv4Network(network["ip_range"]), _ranges(network)
    if wanted.get("ip_range") is None:
        free = (p for p in whole.subnets(new_prefix=24) if not any(p.overlaps(other) for other in used))
        found = next(free, None)
        if found is None:
            raise invalid("ip_range", "no free range is left")
        part = found
    else:
        part = ipv4_network(wanted["ip_range"], "ip_range")
    if part.prefixlen > 30:
        raise invalid("ip_range", "must be at least /30")
    if not part.subnet_of(whole):
        raise invalid("ip_range", "is not part of the network's ip_range")
    if any(part.overlaps(other) for other in used):
        raise invalid("ip_range", "overlaps with another subnet or route")
    return {
        "type": wanted["type"],
        "ip_range": str(part),
        "network_zone": wanted["network_zone"],
        "gateway": str(whole.network_address + 1),
        "vswitch_id": None,
    }


def route(network: Doc, wanted: Doc) -> Doc:
    if len(network["routes"]) >= MOST_ROUTES:
        raise limit("route limit exceeded", "route_limit")
    destination, gateway = (
        ipv4_network(wanted.get("destination"), "destination"),
        ipv4(wanted.get("gateway"), "gateway"),
    )
    if any(destination.overlaps(other) for other in _ranges(network)):
        raise invalid("destination", "overlaps with a subnet or another route")
    if gateway not in ipaddress.IPv4Network(network["ip_range"]):
        raise invalid("gateway", "is not part of the network's ip_range")
    return {"destination": str(destination), "gateway": str(gateway)}


def _ranges(network: Doc) -> list[ipaddress.IPv4Network]:
    texts = [s["ip_range"] for s in network["subnets"]] + [r["destination"] for r in network["routes"]]
    return [ipaddress.IPv4Network(text) for text in texts]
