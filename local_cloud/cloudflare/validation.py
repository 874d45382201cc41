"""What a valid DNS record is, and how its fields are normalised: name, content, data, ttl, comment."""

import ipaddress
import re

from ..store import Doc
from .errors import invalid

LABEL = re.compile(r"(\*|[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)\Z")
ADDRESSES = ("A", "AAAA", "CNAME")
DATA = {  # type -> the fields of its data, in the order of its content
    "SRV": ("weight", "port", "target"),
    "CAA": ("flags", "tag", "value"),
}
TYPES = (*ADDRESSES, *DATA, "TXT", "MX", "NS")
LARGEST_COMMENT = 100  # characters, on a free plan


def full_name(value: object, zone: str) -> str:
    """The name in lower case with the zone; '@' is the zone itself; a name of another zone gets this one's appended."""
    text = str(value or "").lower().rstrip(".")
    name = zone if text in ("@", zone) else text if text.endswith("." + zone) else f"{text}.{zone}"
    if not text or len(name) > 253 or not _is_name(name):
        raise invalid(9000, "DNS name is invalid.")
    return name


def _is_name(name: str) -> bool:
    return all(LABEL.match(label) for label in name.split("."))


def checked(body: Doc, zone: str) -> Doc:
    """The part of a record that a client sets, whole and normal."""
    kind = str(body.get("type", "")).upper()
    if kind not in TYPES:
        raise invalid(9004, f"DNS record type {kind!r} is invalid (or not emulated).")
    proxied = bool(body.get("proxied", False))
    if proxied and kind not in ADDRESSES:
        raise invalid(9004, f"This record type cannot be proxied: {kind}.")
    record: Doc = {"name": full_name(body.get("name"), zone), "type": kind, "proxied": proxied}
    record.update(_from_data(kind, body) if kind in DATA else {"content": _content(kind, body.get("content"))})
    if proxied and kind != "CNAME" and ipaddress.ip_address(record["content"]).is_private:
        raise invalid(9003, f"Target {record['content']} is not allowed for a proxied record.")
    if kind == "MX":
        record["priority"] = _number(body.get("priority"), "priority", 65535)
    return {
        **record,
        "ttl": _ttl(body.get("ttl", 1), proxied),
        "comment": _comment(body.get("comment")),
        "tags": list(body.get("tags") or []),
        "settings": dict(body.get("settings") or {}),
    }


def _content(kind: str, value: object) -> str:
    text = value if isinstance(value, str) else ""
    if kind in ("A", "AAAA"):
        version = 4 if kind == "A" else 6
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            address = None
        if address is None or address.version != version:
            raise invalid(
                9005 if version == 4 else 9006, f"Content for {kind} record must be a valid IPv{version} address."
            )
        return str(address)
    if kind == "TXT":
        if not text or len(text) > 4096:
            raise invalid(9207, "Content for TXT record is invalid.")
        return text
    target = text.lower().rstrip(".")
    if not target or not _is_name(target):
        raise invalid(9007, f"Content for {kind} record is invalid.")
    return target


def _from_data(kind: str, body: Doc) -> Doc:
    data = body.get("data")
    if not isinstance(data, dict):
        raise invalid(9101, f"data is required for a {kind} record.")
    if kind == "CAA":
        flags = _number(data.get("flags", 0), "flags", 255)
        tag, value = data.get("tag"), data.get("value")
        if tag not in ("issue", "issuewild", "iodef") or not isinstance(value, str):
            raise invalid(9101, "data.tag and data.value of a CAA record are invalid.")
        return {"data": {"flags": flags, "tag": tag, "value": value}, "content": f'{flags} {tag} "{value}"'}
    numbers = {field: _number(data.get(field), field, 65535) for field in ("priority", "weight", "port")}
    target = str(data.get("target", "")).lower()
    if target != "." and not _is_name(target.rstrip(".")):
        raise invalid(9101, "data.target of an SRV record is invalid.")
    content = f"{numbers['weight']} {numbers['port']} {target}"
    return {"data": {**numbers, "target": target}, "content": content, "priority": numbers["priority"]}


def _number(value: object, field: str, largest: int) -> int:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value <= largest
        or value != int(value)
    ):
        raise invalid(9101, f"{field} must be a number between 0 and {largest}.")
    return int(value)


def _ttl(value: object, proxied: bool) -> int:
    number = _number(value, "ttl", 2**31)
    if number != 1 and not 60 <= number <= 86400:
        raise invalid(9021, "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.")
    return 1 if proxied else number


def _comment(value: object) -> str | None:
    if value is not None and (not isinstance(value, str) or len(value) > LARGEST_COMMENT):
        raise invalid(9306, f"Comment must be a text of at most {LARGEST_COMMENT} characters.")
    return value or None
