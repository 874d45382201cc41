"""What several families check in the same way: names, ids, addresses, known fields."""

import ipaddress
import re

from ..call import Call
from ..store import Doc
from .errors import invalid, not_found

HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\Z"
)


def name(value: object, longest: int = 128) -> str:
    if not isinstance(value, str) or not value.strip():
        raise invalid("name", "is required")
    if len(value) > longest:
        raise invalid("name", "is too long")
    return value


def host_name(value: object) -> str:
    text = name(value, 253)
    if not HOST_NAME.match(text):
        raise invalid("name", "is not a valid hostname")
    return text


def integer(value: object, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(field, "must be an integer")
    return value


def text(value: object, field: str) -> str:
    if not isinstance(value, str) or not value:
        raise invalid(field, "is required")
    return value


def items(value: object, field: str) -> list[Doc]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise invalid(field, "must be a list of objects")
    return value


def ipv4_network(value: object, field: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(text(value, field))
    except ValueError as error:
        raise invalid(field, "is not a valid IPv4 network in CIDR notation") from error


def ipv4(value: object, field: str) -> ipaddress.IPv4Address:
    try:
        return ipaddress.IPv4Address(text(value, field))
    except ValueError as error:
        raise invalid(field, "is not a valid IPv4 address") from error


def key(call: Call, what: str, param: str = "id") -> int:
    """The id in the path; anything but a number names nothing."""
    value = call.params[param]
    if not value.isdecimal():
        raise not_found(what, value)
    return int(value)


def stored(call: Call, kind: str, key_: int | None = None) -> Doc:
    """The resource that the path, or a field, names; raises not_found."""
    wanted = key(call, kind) if key_ is None else key_
    doc = call.store.get(kind, call.project, wanted)
    if doc is None:
        raise not_found(kind, wanted)
    return doc
