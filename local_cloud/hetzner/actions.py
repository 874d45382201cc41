"""Actions: what takes time.

An action runs for the server's --action-seconds. Its effect is stored as data (a command and its arguments) and applied
by the first call after its end, before anything else of that call; so a restart in between loses nothing.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from ..call import Answer, Call, Routes
from ..store import WAITS, Doc, Store
from . import listing
from .errors import ApiError, not_found
from .validation import key

Effect = Callable[[Store, str, Doc], None]  # store, project, action
EFFECTS: dict[str, Effect] = {}  # by command; commands that are not here change nothing at their end


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def start(call: Call, command: str, *resources: tuple[str, int], parts: float = 1, **arguments: object) -> Doc:
    """Start an action that ends after `parts` times the action time; `arguments` are for its effect."""
    due = WAITS if command in call.by_hosts else call.now + call.action_seconds * parts
    doc = {
        "command": command,
        "status": "running",
        "progress": 0,
        "started": stamp(call.now),
        "finished": None,
        "resources": [{"type": kind, "id": number} for kind, number in resources],
        "error": None,
        "_arguments": arguments,
        "_fails": call.action_error,
        "_from": call.now,
        "_due": due,
    }
    action = call.store.insert("action", call.project, None, doc)
    call.store.run(action["id"], due)
    return action


def settle(store: Store, now: float) -> None:
    """End every action whose time has come and apply its effect."""
    for project, action in store.ended(now):
        failure = action["_fails"]
        action.update(
            status="error" if failure else "success", progress=100, finished=stamp(action["_due"]), error=failure
        )
        store.put("action", project, action)
        effect = EFFECTS.get(action["command"])
        if effect:
            effect(store, project, action)


def view(call: Call) -> Callable[[Doc], Doc]:
    def shown(action: Doc) -> Doc:
        public = {field: value for field, value in action.items() if not field.startswith("_")}
        if action["status"] == "running":
            expected = call.action_seconds if action["_due"] == WAITS else action["_due"] - action["_from"]
            public["progress"] = min(99, int(100 * (call.now - action["_from"]) / max(expected, 0.001)))
        return public

    return shown


def started(call: Call, action: Doc, status: int = 201) -> Answer:
    return Answer(status, {"action": view(call)(action)})


def running_on(call: Call, kind: str, number: int) -> list[Doc]:
    """The actions that are running on a resource."""
    found = call.store.running(call.project)
    return [action for action in found if {"type": kind, "id": number} in action["resources"]]


def free(call: Call, kind: str, number: int) -> None:
    """Raise `locked` while another action runs on the resource."""
    if running_on(call, kind, number):
        raise ApiError(423, "locked", f"{kind} is locked: an action is running on it")


def _about(call: Call, kind: str) -> list[Doc]:
    docs = call.store.all("action", call.project)
    number = key(call, kind) if "id" in call.params else None
    return [a for a in docs if any(r["type"] == kind and number in (None, r["id"]) for r in a["resources"])]


def many(call: Call) -> Answer:
    """GET /actions: the actions of the ids asked for; without ids the API refuses since 2025."""
    ids = call.query.getlist("id")
    if not ids:
        raise ApiError(422, "invalid_input", "invalid input in field 'id': is required")
    numbers = [int(value) for value in dict.fromkeys(ids) if value.isdecimal()]
    return listing.page(call, "actions", call.store.some("action", call.project, numbers), view(call))


def one(call: Call) -> Answer:
    number = key(call, "action", "action_id")
    action = call.store.get("action", call.project, number)
    if action is None:
        raise not_found("action", number)
    return Answer(200, {"action": view(call)(action)})


def routes_of(family: str, kind: str) -> Routes:
    """The action routes that every family has."""

    def several(call: Call) -> Answer:
        return listing.page(call, "actions", _about(call, kind), view(call))

    return [
        ("GET", f"/{family}/actions", several),
        ("GET", f"/{family}/actions/{{action_id}}", one),
        ("GET", f"/{family}/{{id}}/actions", several),
        ("GET", f"/{family}/{{id}}/actions/{{action_id}}", one),
    ]


ROUTES: Routes = [("GET", "/actions", many), ("GET", "/actions/{action_id}", one)]
