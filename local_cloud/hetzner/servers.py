"""Servers as resources: create, read, rename, delete. What is done to one by actions is in server_actions.py."""

import secrets

from ..call import Answer, Call, Routes
from ..store import Doc, Store
from . import actions, attachments, catalogue, firewalls, labels, listing, order, placement_groups, primary_ips
from .actions import EFFECTS, stamp
from .common import insert, renamed
from .errors import invalid, protected
from .validation import host_name, integer, stored


def view(call: Call, server: Doc) -> Doc:
    """A server as the API shows it."""
    kind = catalogue.find(catalogue.SERVER_TYPES, server["server_type"]) or {}
    group = call.store.get("placement_group", call.project, server["placement_group"] or 0)
    traffic = next((p["included_traffic"] for p in kind["prices"] if p["location"] == server["location"]), 0)
    return {
        "id": server["id"],
        "name": server["name"],
        "status": server["status"],
        "created": server["created"],
        "public_net": primary_ips.public_net(call, server, firewalls.guarding(call, server)),
        "private_net": attachments.private_net(server),
        "server_type": kind,
        "location": catalogue.find(catalogue.LOCATIONS, server["location"]),
        "image": catalogue.find(catalogue.IMAGES, server["image"]),
        "iso": None,
        "rescue_enabled": False,
        "locked": bool(actions.running_on(call, "server", server["id"])),
        "backup_window": server["backup_window"],
        "outgoing_traffic": 0,
        "ingoing_traffic": 0,
        "included_traffic": traffic,
        "protection": server["protection"],
        "labels": server["labels"],
        "volumes": [],
        "load_balancers": [],
        "primary_disk_size": server["primary_disk_size"],
        "placement_group": placement_groups.view(call, group) if group else None,
    }


def create(call: Call) -> Answer:
    body = call.body
    name, wanted_labels = host_name(body.get("name")), labels.checked(body.get("labels"))
    kind, image, location = order.kind(body), order.image(body), order.location(body)
    if image["architecture"] != kind["architecture"]:
        raise invalid("image", f"image architecture {image['architecture']} does not fit the server type")
    order.sold_in(kind, location)
    user_data = order.user_data(body)
    keys = [order.ssh_key(call, key) for key in body.get("ssh_keys") or []]
    group = body.get("placement_group")
    if group is not None:
        placement_groups.room(call, integer(group, "placement_group"))
    starts = body.get("start_after_create", True)
    server = insert(
        call,
        "server",
        {
            "name": name,
            "status": "initializing",
            "created": stamp(call.now),
            "labels": wanted_labels,
            "server_type": kind["name"],
            "location": location,
            "image": image["id"],
            "protection": {"delete": False, "rebuild": False},
            "backup_window": None,
            "firewalls": [],
            "placement_group": group,
            "networks": [],
            "ipv4": None,
            "ipv6": None,
            "primary_disk_size": kind["disk"],
            "ssh_keys": keys,
        },
    )
    _connect(call, server)
    call.store.insert("user_data", call.project, str(server["id"]), {"text": user_data})
    begun = actions.start(call, "create_server", ("server", server["id"]), starts=bool(starts))
    following = [actions.start(call, "start_server", ("server", server["id"]), parts=1.5)] if starts else []
    answer = {
        "server": view(call, server),
        "action": actions.view(call)(begun),
        "next_actions": [actions.view(call)(action) for action in following],
        "root_password": None if keys else secrets.token_urlsafe(12),
    }
    return Answer(201, answer)


def _connect(call: Call, server: Doc) -> None:
    """Public addresses, firewalls and inline networks of a new server."""
    public = call.body.get("public_net") or {}
    if public.get("ipv4") or public.get("ipv6"):
        raise invalid("public_net", "existing primary IPs are not emulated")
    if public.get("enable_ipv4", True):
        server["ipv4"] = primary_ips.create(call, "ipv4", server)["id"]
    if public.get("enable_ipv6", True):
        server["ipv6"] = primary_ips.create(call, "ipv6", server)["id"]
    networks = call.body.get("networks") or []
    if not networks and server["ipv4"] is None and server["ipv6"] is None:
        raise invalid("public_net", "a server without public addresses needs a network")
    call.store.put("server", call.project, server)
    for entry in call.body.get("firewalls") or []:
        number = integer((entry or {}).get("firewall"), "firewalls")
        firewalls.attach(call, stored(call, "firewall", number), server)
    for number in networks:
        attachments.attach(call, server, {"network": number}, pending=False)
    call.store.put("server", call.project, server)


def several(call: Call) -> Answer:
    return listing.page(call, "servers", call.store.all("server", call.project), lambda doc: view(call, doc))


def one(call: Call) -> Answer:
    return Answer(200, {"server": view(call, stored(call, "server"))})


def update(call: Call) -> Answer:
    return Answer(200, {"server": view(call, renamed(call, "server", host_name))})


def delete(call: Call) -> Answer:
    server = stored(call, "server")
    actions.free(call, "server", server["id"])
    if server["protection"]["delete"]:
        raise protected("server")
    was = server["status"]
    call.store.put("server", call.project, {**server, "status": "deleting"})
    return actions.started(call, actions.start(call, "delete_server", ("server", server["id"]), was=was), 200)


def _created(store: Store, project: str, action: Doc) -> None:
    starts = not action["error"] and action["_arguments"]["starts"]
    _status(store, project, action, "starting" if starts else "off")


def _started(store: Store, project: str, action: Doc) -> None:
    _status(store, project, action, "off" if action["error"] else "running")


def _status(store: Store, project: str, action: Doc, status: str) -> None:
    server = store.get("server", project, action["resources"][0]["id"])
    if server is not None:
        store.put("server", project, {**server, "status": status})


def _deleted(store: Store, project: str, action: Doc) -> None:
    server = store.get("server", project, action["resources"][0]["id"])
    if server is None:
        return
    if action["error"]:
        store.put("server", project, {**server, "status": action["_arguments"]["was"]})
        return
    primary_ips.leave(store, project, server)
    store.delete("server", project, server["id"])
    kept = store.named("user_data", project, str(server["id"]))
    if kept:
        store.delete("user_data", project, kept["id"])


EFFECTS.update({"create_server": _created, "start_server": _started, "delete_server": _deleted})

ROUTES: Routes = [
    ("GET", "/servers", several),
    ("POST", "/servers", create),
    *actions.routes_of("servers", "server"),
    ("GET", "/servers/{id}", one),
    ("PUT", "/servers/{id}", update),
    ("DELETE", "/servers/{id}", delete),
]
