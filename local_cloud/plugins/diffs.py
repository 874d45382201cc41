"""Differences between a resource's state and its new inputs, in the words of the plugin protocol."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pulumi.runtime.proto import provider_pb2

from local_cloud.plugins.values import UNKNOWN, Values, has_unknown, is_empty, reveal, without_marks

if TYPE_CHECKING:
    from local_cloud.plugins.resource import Input, Resource


@dataclass(frozen=True)
class Change:
    """One changed path: kind ADD, UPDATE or DELETE, and whether it takes a new resource."""

    kind: str
    replaces: bool = False


@dataclass(frozen=True)
class Diff:
    """All changes of a resource by path, e.g. `labels.role`.

    touched: computed outputs that change along. fixed: properties that keep their value for the resource's life.
    detailed: whether the plugin reports paths at all. delete_first: the old one must go before the new one comes.
    """

    changes: Mapping[str, Change]
    touched: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    detailed: bool = True
    delete_first: bool = False

    def changes_of(self, key: str) -> dict[str, Change]:
        """Return the changed paths of one property."""
        return {path: change for path, change in self.changes.items() if top(path) == key}

    def message(self) -> provider_pb2.DiffResponse:
        """Return the answer to the engine."""
        kinds = provider_pb2.PropertyDiff
        changed = {top(path) for path in self.changes}
        replaces = sorted({top(path) for path, change in self.changes.items() if change.replaces})
        detailed = {
            path: kinds(kind=kinds.Kind.Value(change.kind + ("_REPLACE" if change.replaces else "")))
            for path, change in self.changes.items()
        }
        answer = provider_pb2.DiffResponse
        return answer(
            changes=answer.DIFF_SOME if changed else answer.DIFF_NONE,
            diffs=sorted(changed | set(self.touched if changed and not replaces else ())),
            replaces=replaces,
            stables=sorted(set(self.fixed) - set(replaces)),
            detailedDiff=detailed if self.detailed else {},
            hasDetailedDiff=self.detailed,
            deleteBeforeReplace=self.delete_first and bool(replaces),
        )


def top(path: str) -> str:
    """Return the property that a path lies in."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def compare(key: str, declared: Input, old: Any, new: Any) -> dict[str, str]:
    """Return the changed paths of one input, each with its kind."""
    old, new = without_marks(reveal(old)), without_marks(reveal(new))
    if new is None:
        if declared.filled:
            return {}
        new = declared.default
    if declared.same is not None and declared.same(old, new):
        return {}
    if declared.unordered:
        old, new = _sorted(old, declared.nested), _sorted(new, declared.nested)
    paths = _walk(key, old, new, declared.nested)
    return {key: _kind(old, new)} if paths and declared.whole else paths


def _sorted(value: Any, nested: frozenset[str]) -> Any:
    if not isinstance(value, list):
        return value
    return sorted(value, key=lambda item: json.dumps(_significant(item, nested), sort_keys=True))


def _significant(value: Any, nested: frozenset[str]) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: item for key, item in value.items() if not is_empty(item) and key not in nested}


def _walk(path: str, old: Any, new: Any, nested: frozenset[str]) -> dict[str, str]:
    if old == new or (is_empty(old) and is_empty(new)):
        return {}
    if isinstance(old, dict) and isinstance(new, dict):
        found: dict[str, str] = {}
        for key in sorted(old.keys() | new.keys()):
            if not (key in nested and new.get(key) in (None, "")):
                found |= _walk(f"{path}.{key}", old.get(key), new.get(key), nested)
        return found
    if isinstance(old, list) and isinstance(new, list) and old and new:
        found = {}
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else None
            after = new[index] if index < len(new) else None
            found |= _walk(f"{path}[{index}]", before, after, nested)
        return found
    return {path: _kind(old, new)}


def _kind(old: Any, new: Any) -> str:
    if old is None:
        return "ADD"
    return "DELETE" if new is None else "UPDATE"


def foretell(resource: Resource, inputs: Values, olds: Values | None) -> Values:
    """Return the outputs that a preview shows: inputs, and computed ones as far as they are known."""
    plain = without_marks(inputs)
    outputs: Values = dict(olds or {})
    for key, declared in resource.inputs.items():
        value = plain.get(key)
        if value is None and declared.filled:
            value = outputs.get(key, UNKNOWN)
        outputs[key] = declared.default if value is None else value
    for key in resource.computed:
        if olds is None or key in resource.touched:
            outputs[key] = UNKNOWN
    if olds is None:
        outputs["id"] = UNKNOWN
    return {
        key: UNKNOWN if isinstance(v, list) and v and all(map(has_unknown, v)) and not isinstance(v[0], dict) else v
        for key, v in outputs.items()
    }
