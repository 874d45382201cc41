"""Firewall rules: what a valid one is."""

import ipaddress
import re

from ..store import Doc
from .errors import invalid
from .validation import items

MOST_RULES = 50
MOST_RANGES = 100
PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?\Z")


def checked(value: object) -> list[Doc]:
    rules = items(value, "rules")
    if len(rules) > MOST_RULES:
        raise invalid("rules", f"a firewall holds at most {MOST_RULES} rules")
    return [_rule(rule) for rule in rules]


def _rule(rule: Doc) -> Doc:
    direction, protocol, port = rule.get("direction"), rule.get("protocol"), rule.get("port")
    if direction not in ("in", "out"):
        raise invalid("rules.direction", "must be one of 'in', 'out'")
    if protocol not in ("tcp", "udp", "icmp", "esp", "gre"):
        raise invalid("rules.protocol", "must be one of 'tcp', 'udp', 'icmp', 'esp', 'gre'")
    if protocol in ("tcp", "udp"):
        _check_port(port)
    elif port:
        raise invalid("rules.port", f"must not be set for protocol {protocol}")
    sources, targets = (
        _ranges(rule.get("source_ips"), "source_ips"),
        _ranges(rule.get("destination_ips"), "destination_ips"),
    )
    if direction == "in" and not sources:
        raise invalid("rules.source_ips", "is required for direction 'in'")
    if direction == "out" and not targets:
        raise invalid("rules.destination_ips", "is required for direction 'out'")
    description = rule.get("description")
    if description is not None and (not isinstance(description, str) or len(description) > 255):
        raise invalid("rules.description", "must be a text of at most 255 characters")
    return {
        "description": description,
        "direction": direction,
        "source_ips": sources,
        "destination_ips": targets,
        "protocol": protocol,
        "port": port,
    }


def _check_port(port: object) -> None:
    if port == "any":
        return
    found = PORTS.match(port) if isinstance(port, str) else None
    ends = [int(end) for end in found.groups() if end] if found else []
    if not ends or ends != sorted(ends) or not all(1 <= end <= 65535 for end in ends):
        raise invalid("rules.port", "must be a port, a range of ports or 'any'")


def _ranges(value: object, field: str) -> list[str]:
    ranges = value or []
    if not isinstance(ranges, list) or len(ranges) > MOST_RANGES:
        raise invalid(f"rules.{field}", f"must be a list of at most {MOST_RANGES} ranges")
    for text in ranges:
        try:
            ipaddress.ip_network(text)
        except (ValueError, TypeError) as error:
            raise invalid(f"rules.{field}", f"'{text}' is not a network in CIDR notation") from error
        if "/" not in text or "%" in text:  # with a scope it is an address of one machine's
            raise invalid(f"rules.{field}", f"'{text}' is not a network in CIDR notation")
    return ranges
