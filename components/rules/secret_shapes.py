"""Recognises secrets by their shape, so that one pasted into a plain setting is refused and never printed.

It does not prove that a value is harmless: it knows private keys and the shapes of provider tokens, no passwords.
"""

import json
import re
from collections.abc import Iterator

MAX_SHOWN = 60  # characters of a value that a message repeats
_PRIVATE_KEY = re.compile(r"PRIVATE KEY|PuTTY-User-Key-File|BEGIN PGP PRIVATE")
_LONG_TOKEN = re.compile(r"[A-Za-z0-9]{64}")
# Other providers' tokens have 40 characters and more, and mix cases and digits. Names and Git commits of that length
# do not. The body of a public SSH key does too, but always starts with AAAA.
_TOKEN = re.compile(r"(?!AAAA)(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])[A-Za-z0-9_+/-]{40,80}=*")
_BETWEEN_WORDS = re.compile(r"[\s\"'=:,;\[\]{}()<>]+")


def looks_like_secret(raw: str) -> bool:
    """Whether `raw` (a text, or JSON of texts) has a private key or a token in it."""
    if _PRIVATE_KEY.search(raw):
        return True
    return any(
        _LONG_TOKEN.fullmatch(word) or _TOKEN.fullmatch(word)
        for text in _texts(_decoded(raw))
        for word in _BETWEEN_WORDS.split(text)
    )


def shown(value: object) -> str:
    """`value` as a message may repeat it: one line, printable, short; nothing of what looks like a secret."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if looks_like_secret(text):
        return "(a value that looks like a secret)"
    text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
    if not text.strip():
        return "(an empty value)"
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _decoded(raw: str) -> object:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *_texts(item))
