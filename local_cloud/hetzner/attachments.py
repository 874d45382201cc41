"""A server's interfaces in private networks. An interface is visible, and holds its address, as `pending` says."""

from ..call import Answer, Call, Routes
from ..store import Doc, Store
from . import actions, addresses
from .actions import EFFECTS
from .errors import ApiError, limit
from .validation import integer, stored

MOST_MEMBERS = 100  # servers in one network
MOST_NETWORKS = 3  # networks of one server


def private_net(server: Doc) -> list[Doc]:
    fields = ("network", "ip", "alias_ips", "mac_address")
    return [{field: i[field] for field in fields} for i in server["networks"] if not i["pending"]]


def attach(call: Call, server: Doc, wanted: Doc, *, pending: bool) -> Doc:
    """Add an interface to the server's document and return the network."""
    network = stored(call, "network", integer(wanted.get("network"), "network"))
    if any(interface["network"] == network["id"] for interface in server["networks"]):
        raise ApiError(422, "server_already_attached", "the server is already attached to the network")
    if len(server["networks"]) >= MOST_NETWORKS:
        raise limit("network limit of the server exceeded", "networks_per_server_limit")
    others = call.store.all("server", call.project)
    if sum(any(i["network"] == network["id"] for i in other["networks"]) for other in others) >= MOST_MEMBERS:
        raise limit(f"a network holds at most {MOST_MEMBERS} servers", "servers_per_network_limit")
    ip = addresses.choose(call, network, server["location"], wanted.get("ip"), wanted.get("ip_range"))
    number = int(ip)
    interface = {
        "network": network["id"],
        "ip": str(ip),
        "alias_ips": addresses.aliases(call, network, wanted.get("alias_ips") or [], [], {ip}),
        "mac_address": "86:00:" + ":".join(f"{(number >> shift) & 255:02x}" for shift in (24, 16, 8, 0)),
        "pending": pending,
    }
    server["networks"].append(interface)
    return network


def attach_to_network(call: Call) -> Answer:
    server = stored(call, "server")
    actions.free(call, "server", server["id"])
    network = attach(call, server, call.body, pending=True)
    call.store.put("server", call.project, server)
    return _started(call, "attach_to_network", server, network)


def detach_from_network(call: Call) -> Answer:
    server, network, _ = _interface(call)
    return _started(call, "detach_from_network", server, network)


def change_alias_ips(call: Call) -> Answer:
    server, network, interface = _interface(call)
    wanted = call.body.get("alias_ips")
    interface["alias_ips"] = addresses.aliases(call, network, wanted, interface["alias_ips"])
    call.store.put("server", call.project, server)
    return _started(call, "change_alias_ips", server, network)


def _interface(call: Call) -> tuple[Doc, Doc, Doc]:
    server = stored(call, "server")
    actions.free(call, "server", server["id"])
    network = stored(call, "network", integer(call.body.get("network"), "network"))
    for interface in server["networks"]:
        if interface["network"] == network["id"]:
            return server, network, interface
    raise ApiError(404, "not_found", "the server is not attached to the network")


def _started(call: Call, command: str, server: Doc, network: Doc) -> Answer:
    resources = (("server", server["id"]), ("network", network["id"]))
    return actions.started(call, actions.start(call, command, *resources))


def _ended(store: Store, project: str, action: Doc) -> None:
    """An interface whose attachment failed, or whose removal worked, is gone; else it is there."""
    server = store.get("server", project, action["resources"][0]["id"])
    if server is None:
        return
    network = action["resources"][1]["id"]
    gone = (action["command"] == "attach_to_network") is bool(action["error"])
    for interface in [interface for interface in server["networks"] if interface["network"] == network]:
        interface["pending"] = False
        if gone:
            server["networks"].remove(interface)
    store.put("server", project, server)


EFFECTS.update({"attach_to_network": _ended, "detach_from_network": _ended})

ROUTES: Routes = [
    ("POST", "/servers/{id}/actions/attach_to_network", attach_to_network),
    ("POST", "/servers/{id}/actions/detach_from_network", detach_from_network),
    ("POST", "/servers/{id}/actions/change_alias_ips", change_alias_ips),
]
