"""What PUT does in every family: a new name, new labels."""

from collections.abc import Callable

from ..call import Call
from ..store import Doc, NameTakenError
from . import labels
from .errors import taken
from .validation import name, stored


def insert(call: Call, kind: str, doc: Doc) -> Doc:
    """Store a new named resource; its name must be free in the project."""
    try:
        return call.store.insert(kind, call.project, doc["name"], doc)
    except NameTakenError as error:
        raise taken(f"{kind} name") from error


def renamed(call: Call, kind: str, check: Callable[[object], str] = name) -> Doc:
    """Apply `name` and `labels` of the body to the resource in the path."""
    doc = stored(call, kind)
    if call.body.get("name") is not None:
        doc["name"] = check(call.body["name"])
    if call.body.get("labels") is not None:
        doc["labels"] = labels.checked(call.body["labels"])
    try:
        call.store.put(kind, call.project, doc, doc["name"])
    except NameTakenError as error:
        raise taken(f"{kind} name") from error
    return doc
