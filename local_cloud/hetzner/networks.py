"""Networks, their subnets and routes. A change of subnets or routes takes time and excludes another (409 conflict)."""

import ipaddress

from ..call import Answer, Call, Routes
from ..store import Doc, Store
from . import actions, labels, listing, subnets
from .actions import EFFECTS, stamp
from .addresses import inside, taken_addresses
from .common import insert, renamed
from .errors import ApiError, invalid, limit, protected
from .validation import ipv4_network, items, name, stored

PRIVATE = [ipaddress.IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
MOST_NETWORKS = 50
CHANGES = ("add_subnet", "delete_subnet", "add_route", "delete_route")


def view(call: Call, network: Doc) -> Doc:
    """The stored network with the servers in it."""
    servers = call.store.all("server", call.project)
    members = [
        s["id"] for s in servers if any(i["network"] == network["id"] and not i["pending"] for i in s["networks"])
    ]
    return {**network, "servers": members, "load_balancers": []}


def create(call: Call) -> Answer:
    if call.store.count("network", call.project) >= MOST_NETWORKS:
        raise limit("network limit exceeded", "network_limit")
    whole = ipv4_network(call.body.get("ip_range"), "ip_range")
    if whole.prefixlen > 24 or not any(whole.subnet_of(private) for private in PRIVATE):
        raise invalid("ip_range", "must be a private IPv4 range (RFC 1918) of at least /24")
    doc: Doc = {
        "name": name(call.body.get("name")),
        "ip_range": str(whole),
        "subnets": [],
        "routes": [],
        "protection": {"delete": False},
        "labels": labels.checked(call.body.get("labels")),
        "created": stamp(call.now),
        "expose_routes_to_vswitch": bool(call.body.get("expose_routes_to_vswitch", False)),
    }
    for wanted in items(call.body.get("subnets") or [], "subnets"):
        doc["subnets"].append(subnets.subnet(doc, wanted))
    for wanted in items(call.body.get("routes") or [], "routes"):
        doc["routes"].append(subnets.route(doc, wanted))
    return Answer(201, {"network": view(call, insert(call, "network", doc))})


def several(call: Call) -> Answer:
    return listing.page(call, "networks", call.store.all("network", call.project), lambda doc: view(call, doc))


def one(call: Call) -> Answer:
    return Answer(200, {"network": view(call, stored(call, "network"))})


def update(call: Call) -> Answer:
    network = renamed(call, "network")
    if "expose_routes_to_vswitch" in call.body:
        network["expose_routes_to_vswitch"] = bool(call.body["expose_routes_to_vswitch"])
        call.store.put("network", call.project, network)
    return Answer(200, {"network": view(call, network)})


def delete(call: Call) -> Answer:
    """Servers in the network are detached by it."""
    network = stored(call, "network")
    if network["protection"]["delete"]:
        raise protected("network")
    for server in call.store.all("server", call.project):
        kept = [interface for interface in server["networks"] if interface["network"] != network["id"]]
        if len(kept) < len(server["networks"]):
            call.store.put("server", call.project, {**server, "networks": kept})
    call.store.delete("network", call.project, network["id"])
    return Answer(204)


def _unchanging(call: Call) -> Doc:
    """The network in the path, unless a change of it is being performed."""
    network = stored(call, "network")
    if any(action["command"] in CHANGES for action in actions.running_on(call, "network", network["id"])):
        raise ApiError(409, "conflict", "the network is being changed: try again")
    return network


def add_subnet(call: Call) -> Answer:
    network = _unchanging(call)
    subnet = subnets.subnet(network, call.body)
    return actions.started(call, actions.start(call, "add_subnet", ("network", network["id"]), subnets=[subnet]))


def delete_subnet(call: Call) -> Answer:
    network = _unchanging(call)
    gone = [subnet for subnet in network["subnets"] if subnet["ip_range"] == call.body.get("ip_range")]
    if not gone:
        raise invalid("ip_range", "is not a subnet of the network")
    if inside(ipaddress.IPv4Network(gone[0]["ip_range"]), taken_addresses(call, network)):
        raise ApiError(422, "service_error", "the subnet still has servers attached to it")
    return actions.started(call, actions.start(call, "delete_subnet", ("network", network["id"]), subnets=gone))


def add_route(call: Call) -> Answer:
    network = _unchanging(call)
    route = subnets.route(network, call.body)
    return actions.started(call, actions.start(call, "add_route", ("network", network["id"]), routes=[route]))


def delete_route(call: Call) -> Answer:
    network = _unchanging(call)
    gone = {"destination": call.body.get("destination"), "gateway": call.body.get("gateway")}
    if gone not in network["routes"]:
        raise invalid("destination", "is not a route of the network")
    return actions.started(call, actions.start(call, "delete_route", ("network", network["id"]), routes=[gone]))


def change_protection(call: Call) -> Answer:
    network = stored(call, "network")
    network["protection"] = {"delete": bool(call.body.get("delete", network["protection"]["delete"]))}
    call.store.put("network", call.project, network)
    return actions.started(call, actions.start(call, "change_protection", ("network", network["id"])))


def _changed(store: Store, project: str, action: Doc) -> None:
    """The effect of the four changes, at their end."""
    network = store.get("network", project, action["resources"][0]["id"])
    if network is None or action["error"]:
        return
    for field, entries in action["_arguments"].items():
        kept = [entry for entry in network[field] if entry not in entries]
        network[field] = kept + (entries if action["command"].startswith("add_") else [])
    store.put("network", project, network)


EFFECTS.update(dict.fromkeys(CHANGES, _changed))

ROUTES: Routes = [
    ("GET", "/networks", several),
    ("POST", "/networks", create),
    *actions.routes_of("networks", "network"),
    ("GET", "/networks/{id}", one),
    ("PUT", "/networks/{id}", update),
    ("DELETE", "/networks/{id}", delete),
    ("POST", "/networks/{id}/actions/add_subnet", add_subnet),
    ("POST", "/networks/{id}/actions/delete_subnet", delete_subnet),
    ("POST", "/networks/{id}/actions/add_route", add_route),
    ("POST", "/networks/{id}/actions/delete_route", delete_route),
    ("POST", "/networks/{id}/actions/change_protection", change_protection),
]
