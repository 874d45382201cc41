"""Spread placement groups: at most 10 servers in one, 50 in a project."""

from ..call import Answer, Call, Routes
from ..store import Doc
from . import labels, listing
from .actions import stamp
from .common import insert, renamed
from .errors import ApiError, invalid, limit
from .validation import name, stored

MOST_SERVERS = 10
MOST_GROUPS = 50


def view(call: Call, group: Doc) -> Doc:
    members = [
        server["id"] for server in call.store.all("server", call.project) if server["placement_group"] == group["id"]
    ]
    return {**group, "servers": members}


def room(call: Call, number: int) -> Doc:
    """The group, if one more server fits into it; a server leaves only when its deletion has ended."""
    group = view(call, stored(call, "placement_group", number))
    if len(group["servers"]) >= MOST_SERVERS:
        raise ApiError(422, "placement_error", f"placement group is full: it holds {MOST_SERVERS} servers")
    return group


def create(call: Call) -> Answer:
    if call.body.get("type") != "spread":
        raise invalid("type", "must be 'spread'")
    if call.store.count("placement_group", call.project) >= MOST_GROUPS:
        raise limit("placement group limit exceeded", "placement_group_limit")
    doc = {
        "name": name(call.body.get("name")),
        "labels": labels.checked(call.body.get("labels")),
        "type": "spread",
        "created": stamp(call.now),
    }
    return Answer(201, {"placement_group": view(call, insert(call, "placement_group", doc)), "action": None})


def several(call: Call) -> Answer:
    groups = call.store.all("placement_group", call.project)
    return listing.page(call, "placement_groups", groups, lambda group: view(call, group))


def one(call: Call) -> Answer:
    return Answer(200, {"placement_group": view(call, stored(call, "placement_group"))})


def update(call: Call) -> Answer:
    return Answer(200, {"placement_group": view(call, renamed(call, "placement_group"))})


def delete(call: Call) -> Answer:
    """Servers in the group stay and belong to none."""
    group = stored(call, "placement_group")
    for server in call.store.all("server", call.project):
        if server["placement_group"] == group["id"]:
            call.store.put("server", call.project, {**server, "placement_group": None})
    call.store.delete("placement_group", call.project, group["id"])
    return Answer(204)


ROUTES: Routes = [
    ("GET", "/placement_groups", several),
    ("POST", "/placement_groups", create),
    ("GET", "/placement_groups/{id}", one),
    ("PUT", "/placement_groups/{id}", update),
    ("DELETE", "/placement_groups/{id}", delete),
]
