"""Domain names as people write them, brought to the one form that DNS, XMPP and the providers compare by.

That form is lower case, without a trailing dot, and with letters beyond ASCII in punycode (IDNA 2008, after the
mapping of UTS 46): Cloudflare answers with it, and anything else would look like drift at every refresh.
"""

import re
from ipaddress import ip_address

import idna

# RFC 1035 counts 255 octets on the wire, which is 253 characters of text.
MAX_LENGTH = 253
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def normalise(text: str) -> str:
    """The canonical form of `text`; ValueError says which rule it breaks and what to write instead."""
    if "://" in text or "/" in text or "@" in text:
        raise ValueError("is not a plain host name; write the name alone, without https://, path or user")
    if "*" in text:
        raise ValueError("is a wildcard; write one name, the hosts get names of their own below it")
    if "_" in text:
        raise ValueError("has an underscore, which host names and certificates must not have; use a hyphen")
    if _is_address(text):
        raise ValueError("is an IP address; certificates and records need a name, such as meet.example.org")
    if any(label[2:4] == "--" and not label.lower().startswith("xn--") for label in text.split(".")):
        raise ValueError(
            "has a label with hyphens in its third and fourth place, which are kept for punycode (xn--): authorities "
            "sign no such name; take one hyphen away"
        )
    name = _ascii(text).removesuffix(".")
    labels = name.split(".")
    if len(labels) < 2:
        raise ValueError("has one label only; write the full name, such as meet.example.org")
    for label in labels:
        _check_label(label)
    if labels[-1].isdigit():
        raise ValueError("ends in a number, so resolvers take it for an IP address; end it in a top-level domain")
    if len(name) > MAX_LENGTH:
        raise ValueError(f"has {len(name)} characters; DNS allows {MAX_LENGTH}, choose a shorter name")
    return name


def is_within(name: str, zone: str) -> bool:
    """Whether `name` is the zone's apex or below it; both in canonical form."""
    return name == zone or name.endswith(f".{zone}")


def with_room(domain: str, zone: str | None, most: int) -> str:
    """The domain, if it lies in its zone and has room for names below it; both in canonical form."""
    if zone is not None and not is_within(domain, zone):
        raise ValueError(
            f"{domain} is outside the zone {zone}; records for it would never be found. "
            f"Write a name that ends in .{zone}, or the zone that {domain} lies in"
        )
    if len(domain) > most:
        raise ValueError(
            f"has {len(domain)} characters; {most} leave room for the names of the hosts below it. Shorten it"
        )
    return domain


def _is_address(text: str) -> bool:
    try:
        ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _ascii(text: str) -> str:
    if text.isascii():
        return text.lower()
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise ValueError(
            "is no domain name by IDNA 2008 (a forbidden character, or a label too long); check the spelling"
        ) from None


def _check_label(label: str) -> None:
    if not label:
        raise ValueError("has an empty label (two dots in a row, or a dot at the start); remove the extra dot")
    if len(label) > 63:
        raise ValueError(f"has a label of {len(label)} characters; DNS allows 63, shorten it")
    if not _LABEL.fullmatch(label):
        raise ValueError(
            "has a label with other characters than letters, digits and inner hyphens; write one such as meet-2"
        )
    if label.startswith("xn--"):
        try:
            idna.decode(label)
        except (idna.IDNAError, UnicodeError):
            raise ValueError(
                "has a label in punycode (xn--) that stands for no valid name; write it in its own letters"
            ) from None
