"""What is done to a server: power, rebuild, change of type, backups, protection, placement group."""

import secrets
from collections.abc import Callable

from ..call import Answer, Call, Handler, Routes
from ..store import Doc, Store
from . import actions, catalogue, placement_groups
from .actions import EFFECTS
from .errors import ApiError, invalid
from .validation import integer, stored

POWER = {  # route -> (command of the action, status at its end)
    "poweron": ("start_server", "running"),
    "poweroff": ("stop_server", "off"),
    "shutdown": ("shutdown_server", "off"),
    "reboot": ("reboot_server", "running"),
    "reset": ("reset_server", "running"),
}


def _free(call: Call) -> Doc:
    """The server in the path, unless an action is running on it."""
    server = stored(call, "server")
    actions.free(call, "server", server["id"])
    return server


def _stopped(call: Call) -> Doc:
    server = _free(call)
    if server["status"] != "off":
        raise ApiError(422, "server_not_stopped", "the server must be stopped for this action")
    return server


def _start(call: Call, command: str, server: Doc, **changes: object) -> Answer:
    """Start an action that, when it ends well, changes these fields of the server."""
    return actions.started(call, actions.start(call, command, ("server", server["id"]), changes=changes))


def _power(route: str) -> Handler:
    command, status = POWER[route]

    def handler(call: Call) -> Answer:
        return _start(call, command, _free(call), status=status)

    return handler


def rebuild(call: Call) -> Answer:
    server = _free(call)
    if server["protection"]["rebuild"]:
        raise ApiError(423, "protected", "server rebuild is protected")
    image = catalogue.find(catalogue.IMAGES, call.body.get("image"))
    if image is None:
        raise invalid("image", f"image '{call.body.get('image')}' not found")
    answer = _start(call, "rebuild_server", server, status="running", image=image["id"])
    password = None if server["ssh_keys"] else secrets.token_urlsafe(12)
    return Answer(201, {**answer.body, "root_password": password})


def change_type(call: Call) -> Answer:
    server = _stopped(call)
    new = catalogue.find(catalogue.SERVER_TYPES, call.body.get("server_type"))
    old = catalogue.find(catalogue.SERVER_TYPES, server["server_type"])
    if new is None or old is None:
        raise invalid("server_type", f"server type '{call.body.get('server_type')}' not found")
    fits = new["architecture"] == old["architecture"] and new["disk"] >= server["primary_disk_size"] and new != old
    if not fits:
        raise ApiError(422, "invalid_server_type", f"server type {new['name']} does not fit this server")
    if server["location"] not in [place["name"] for place in new["locations"]]:
        raise ApiError(422, "invalid_server_type", f"server type {new['name']} is not sold in {server['location']}")
    disk = new["disk"] if call.body.get("upgrade_disk") else server["primary_disk_size"]
    return _start(call, "change_server_type", server, server_type=new["name"], primary_disk_size=disk)


def enable_backup(call: Call) -> Answer:
    return _start(call, "enable_backup", _free(call), backup_window="22-02")


def disable_backup(call: Call) -> Answer:
    return _start(call, "disable_backup", _free(call), backup_window=None)


def change_protection(call: Call) -> Answer:
    server = _free(call)
    old = server["protection"]
    new = {field: bool(call.body.get(field, old[field])) for field in ("delete", "rebuild")}
    if new["delete"] != new["rebuild"]:
        raise invalid("rebuild", "delete and rebuild protection must be the same")
    return _start(call, "change_protection", server, protection=new)


def add_to_placement_group(call: Call) -> Answer:
    server = _stopped(call)
    if server["placement_group"] is not None:
        raise ApiError(422, "already_in_placement_group", "the server is already part of a placement group")
    group = placement_groups.room(call, integer(call.body.get("placement_group"), "placement_group"))
    server["placement_group"] = group["id"]
    call.store.put("server", call.project, server)
    return _start(call, "add_to_placement_group", server)


def remove_from_placement_group(call: Call) -> Answer:
    server = _free(call)
    if server["placement_group"] is None:
        raise ApiError(422, "not_in_placement_group", "the server is in no placement group")
    return _start(call, "remove_from_placement_group", server, placement_group=None)


def _changed(store: Store, project: str, action: Doc) -> None:
    server = store.get("server", project, action["resources"][0]["id"])
    changes = action["_arguments"].get("changes")
    if server is not None and changes and not action["error"]:
        store.put("server", project, {**server, **changes})


COMMANDS = (
    *(command for command, _ in POWER.values() if command != "start_server"),
    *("rebuild_server", "change_server_type", "enable_backup", "disable_backup"),
    *("change_protection", "add_to_placement_group", "remove_from_placement_group"),
)
HANDLERS: dict[str, Callable[[Call], Answer]] = {
    **{route: _power(route) for route in POWER},
    "rebuild": rebuild,
    "change_type": change_type,
    "enable_backup": enable_backup,
    "disable_backup": disable_backup,
    "change_protection": change_protection,
    "add_to_placement_group": add_to_placement_group,
    "remove_from_placement_group": remove_from_placement_group,
}

EFFECTS.update(dict.fromkeys(COMMANDS, _changed))

ROUTES: Routes = [("POST", f"/servers/{{id}}/actions/{route}", handler) for route, handler in HANDLERS.items()]
