"""Labels and label selectors."""

import re

from ..store import Doc
from .errors import ApiError, invalid

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z")
PREFIX = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\Z")
SET = re.compile(r"(\S+)\s+(in|notin)\s*\(([^)]*)\)\Z")


def checked(value: object) -> dict[str, str]:
    """The labels of a request, or invalid_input."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid("labels", "must be an object")
    for key, text in value.items():
        prefix, slash, name = key.rpartition("/")
        if not NAME.match(name) or (slash and (len(prefix) > 253 or not PREFIX.match(prefix))):
            raise invalid("labels", f"label key '{key}' is not correctly formatted")
        if prefix == "hetzner.cloud":
            raise invalid("labels", f"label key '{key}' uses a reserved prefix")
        if not isinstance(text, str) or (text and not NAME.match(text)):
            raise invalid("labels", f"label value of '{key}' is not correctly formatted")
    return value


def matches(selector: str, labels: dict[str, str]) -> bool:
    return all(_holds(part.strip(), labels) for part in _parts(selector))


def chosen(selector: str, docs: list[Doc]) -> list[Doc]:
    return [doc for doc in docs if matches(selector, doc["labels"])]


def _parts(selector: str) -> list[str]:
    return [part for part in re.split(r",(?![^(]*\))", selector) if part.strip()]


def _holds(term: str, labels: dict[str, str]) -> bool:
    if found := SET.match(term):
        key, word, values = found.groups()
        return (labels.get(key) in [value.strip() for value in values.split(",")]) is (word == "in")
    if "!=" in term:
        key, value = term.split("!=", 1)
        return labels.get(key.strip()) != value.strip()
    if "=" in term:
        key, value = re.split("==?", term, maxsplit=1)
        return labels.get(key.strip()) == value.strip()
    if not NAME.match(term.lstrip("!").rpartition("/")[2]):
        raise ApiError(422, "invalid_input", f"label selector '{term}' is not correctly formatted")
    return term.lstrip("!") not in labels if term.startswith("!") else term in labels
