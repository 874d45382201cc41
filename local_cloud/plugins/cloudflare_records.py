"""A DNS record between the program's spelling (the provider's arguments and outputs) and Cloudflare's API."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from local_cloud.plugins.framework import meta, without_none
from local_cloud.plugins.values import Values


def body(plan: Values) -> Values:
    """The record as the API takes it: without the zone, names in its own spelling."""
    return {_snake(key): _respelled(value, _snake) for key, value in plan.items() if key != "zoneId"}


def seen(olds: Values, record: Values, zone: str) -> Values:
    """The arguments as a refresh finds them; of `data` the keys that were set, of a new import all."""
    kept = ("type", "name", "ttl", "content", "proxied", "comment")
    plan = {"zoneId": zone, **{key: record.get(key) for key in kept}}
    data, old = _respelled(record.get("data") or {}, _camel), olds.get("data")
    if old or (data and not olds):
        plan["data"] = {key: value for key, value in data.items() if not old or key in old} or old
    if "priority" in olds:
        plan["priority"] = record.get("priority", olds["priority"])
    return without_none(plan)


def state(plan: Values, record: Mapping[str, Any]) -> Values:
    """All outputs: the arguments as planned, the rest as the API answered."""
    stamps = {key: _seconds(record.get(_snake(key))) for key in ("createdOn", "modifiedOn")}
    optional = {key: _seconds(record.get(_snake(key))) for key in ("commentModifiedOn", "tagsModifiedOn")}
    answered = {
        "id": record["id"],
        "content": record.get("content"),
        "proxiable": record.get("proxiable"),
        "meta": json.dumps(record.get("meta") or {}, separators=(",", ":"), sort_keys=True),
        "settings": without_none(_respelled(record.get("settings") or {}, _camel)),
        "tags": record.get("tags") or [],
    }
    return without_none({**answered, **stamps, **optional, **plan, "__meta": meta(500)})


def _seconds(stamp: str | None) -> str | None:
    """A time without its fraction, as the provider prints it."""
    return re.sub(r"\.\d+", "", stamp) if stamp else None


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def _respelled(value: Any, spell: Callable[[str], str]) -> Any:
    return {spell(key): item for key, item in value.items()} if isinstance(value, dict) else value
