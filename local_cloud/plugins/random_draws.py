"""What the random provider draws, from the operating system's source: strings by character class, and ids.

bcrypt comes from the system's libcrypt by ctypes: the only thing that needs it is one output that few programs read,
which is not worth a dependency.
"""

from __future__ import annotations

import base64
import ctypes
import ctypes.util
import secrets
import threading
from collections.abc import Mapping
from typing import Any

LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = LOWER.upper()
NUMERIC = "0123456789"
SPECIAL = "!@#$%&*()-_=+[]{}<>:?"

BCRYPT_COST = 10
_BCRYPT_ALPHABET = "./" + UPPER + LOWER + NUMERIC
_LOCK = threading.Lock()


def text(plan: Mapping[str, Any]) -> str:
    """A string of `length` characters with at least the asked-for number of each class, in random order."""
    classes = {
        "Lower": LOWER if plan["lower"] else "",
        "Upper": UPPER if plan["upper"] else "",
        "Numeric": NUMERIC if plan["numeric"] else "",
        "Special": (plan.get("overrideSpecial") or SPECIAL) if plan["special"] else "",
    }
    drawn = [
        secrets.choice(characters)
        for name, characters in classes.items()
        for _ in range(int(plan[f"min{name}"]) if characters else 0)
    ]
    alphabet = "".join(classes.values())
    drawn += [secrets.choice(alphabet) for _ in range(int(plan["length"]) - len(drawn))]
    secrets.SystemRandom().shuffle(drawn)
    return "".join(drawn)


def identifier(byte_length: int, prefix: str) -> dict[str, str]:
    """The forms of a random id, by their Pulumi names; the prefix is part of all but `id`."""
    raw = secrets.token_bytes(byte_length)
    url = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return {
        "id": url,
        "b64Url": prefix + url,
        "b64Std": prefix + base64.b64encode(raw).decode(),
        "hex": prefix + raw.hex(),
        "dec": prefix + str(int.from_bytes(raw)),
    }


def bcrypt(password: str) -> str:
    """A bcrypt hash of the first 72 bytes, as bcrypt takes no more. Raises OSError where libcrypt has none."""
    library = ctypes.CDLL(ctypes.util.find_library("crypt") or "libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    salt = "".join(secrets.choice(_BCRYPT_ALPHABET) for _ in range(21)) + secrets.choice(".Oeu")
    # crypt() answers in one static buffer, so one call at a time.
    with _LOCK:
        hashed = library.crypt(password.encode()[:72], f"$2a${BCRYPT_COST:02d}${salt}".encode())
    if not hashed or not hashed.startswith(b"$2a$"):
        raise OSError("this system's libcrypt makes no bcrypt hashes")
    return bytes(hashed).decode()
