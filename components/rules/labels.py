"""Labels that the cloud's resources carry, by a syntax that every cloud takes."""

import re

from components.rules.secret_shapes import shown
from components.rules.setting_types import text

OWN_LABELS = ("cluster", "role")  # what the program finds its own servers by
_WORD = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_SYNTAX = "letters, digits, inner `-`, `_` and `.`, 63 at most"


def key(value: object) -> str:
    """A label's key: a word, with the prefix of a domain and a slash before it or not."""
    label = text(value)
    prefix, slash, word = label.rpartition("/")
    if label in OWN_LABELS:
        raise ValueError(f"{label} is a label of the program, by which it finds its servers; choose another key")
    if not _WORD.fullmatch(word) or (slash and not _PREFIX.fullmatch(prefix)):
        raise ValueError(
            f"{shown(label)} is not a label's key ({_SYNTAX}; before it may stand a domain and a slash); "
            "write one such as team"
        )
    return label


def value(value: object) -> str:
    """A label's value: a word, or nothing."""
    if value == "":
        return ""
    label = text(value)
    if not _WORD.fullmatch(label):
        raise ValueError(f"{shown(label)} is not a label's value ({_SYNTAX}); write one such as operations")
    return label
