"""Lists: filters by id, name, label; sorting; pages with meta.pagination."""

from collections.abc import Callable

from ..call import Answer, Call
from ..store import Doc
from . import labels
from .errors import invalid

LARGEST_PAGE = 50


def page(call: Call, key: str, docs: list[Doc], view: Callable[[Doc], Doc] = lambda doc: doc) -> Answer:
    """The page of `docs` that the query asks for, under `key`."""
    wanted = _sorted(call, _filtered(call, docs))
    number, size = _number(call, "page", 1), min(_number(call, "per_page", 25), LARGEST_PAGE)
    last = max(1, -(-len(wanted) // size))
    shown = wanted[(number - 1) * size : number * size]
    pagination = {
        "page": number,
        "per_page": size,
        "previous_page": number - 1 if number > 1 else None,
        "next_page": number + 1 if number < last else None,
        "last_page": last,
        "total_entries": len(wanted),
    }
    return Answer(200, {key: [view(doc) for doc in shown], "meta": {"pagination": pagination}})


def _number(call: Call, field: str, default: int) -> int:
    value = call.query.get(field, str(default))
    if not value.isdecimal() or int(value) < 1:
        raise invalid(field, "must be a positive integer")
    return int(value)


def _filtered(call: Call, docs: list[Doc]) -> list[Doc]:
    for field in ("id", "name", "status", "type", "architecture", "fingerprint", "ip"):
        values = call.query.getlist(field)
        if values:
            docs = [doc for doc in docs if str(doc.get(field)) in values]
    if selector := call.query.get("label_selector"):
        docs = labels.chosen(selector, docs)
    return docs


def _sorted(call: Call, docs: list[Doc]) -> list[Doc]:
    for term in reversed(call.query.getlist("sort")):
        field, _, order = term.partition(":")
        if field not in ("id", "name", "created", "status", "command", "progress", "started", "finished", "type"):
            raise invalid("sort", f"'{field}' is not a field to sort by")
        docs = sorted(docs, key=lambda doc: (doc.get(field) is not None, doc.get(field)), reverse=order == "desc")
    return docs
