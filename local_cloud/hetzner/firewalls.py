"""Firewalls: rules, and the servers that they guard, by server or by label selector."""

from collections.abc import Callable

from ..call import Answer, Call, Routes
from ..store import Doc
from . import actions, labels, listing, rules
from .actions import stamp
from .common import insert, renamed
from .errors import ApiError, invalid, limit
from .validation import integer, items, name, stored

MOST_FIREWALLS = 50
MOST_PER_SERVER = 5


def view(call: Call, firewall: Doc) -> Doc:
    servers = call.store.all("server", call.project)
    direct = [_server(s["id"]) for s in servers if firewall["id"] in s["firewalls"]]
    selected = [
        {
            "type": "label_selector",
            "label_selector": {"selector": selector},
            "applied_to_resources": [_server(s["id"]) for s in labels.chosen(selector, servers)],
        }
        for selector in firewall["selectors"]
    ]
    public = {field: value for field, value in firewall.items() if field != "selectors"}
    return {**public, "applied_to": direct + selected}


def _server(number: int) -> Doc:
    return {"type": "server", "server": {"id": number}}


def guarding(call: Call, server: Doc) -> list[Doc]:
    """The firewalls of a server as its own view lists them."""
    found = [
        firewall["id"]
        for firewall in call.store.all("firewall", call.project)
        if firewall["id"] in server["firewalls"]
        or any(labels.matches(s, server["labels"]) for s in firewall["selectors"])
    ]
    return [{"id": number, "status": "applied"} for number in found]


def create(call: Call) -> Answer:
    if call.store.count("firewall", call.project) >= MOST_FIREWALLS:
        raise limit("firewall limit exceeded", "firewall_limit")
    doc = {
        "name": name(call.body.get("name")),
        "labels": labels.checked(call.body.get("labels")),
        "created": stamp(call.now),
        "rules": rules.checked(call.body.get("rules") or []),
        "selectors": [],
    }
    firewall = insert(call, "firewall", doc)
    begun = [_begin(call, firewall, "set_firewall_rules")] if doc["rules"] else []
    for target in items(call.body.get("apply_to") or [], "apply_to"):
        begun.append(_apply(call, firewall, target))
    shown = [actions.view(call)(action) for action in begun]
    return Answer(201, {"firewall": view(call, firewall), "actions": shown})


def several(call: Call) -> Answer:
    return listing.page(call, "firewalls", call.store.all("firewall", call.project), lambda doc: view(call, doc))


def one(call: Call) -> Answer:
    return Answer(200, {"firewall": view(call, stored(call, "firewall"))})


def update(call: Call) -> Answer:
    return Answer(200, {"firewall": view(call, renamed(call, "firewall"))})


def delete(call: Call) -> Answer:
    firewall = stored(call, "firewall")
    if view(call, firewall)["applied_to"]:
        raise ApiError(422, "resource_in_use", "firewall is still in use")
    call.store.delete("firewall", call.project, firewall["id"])
    return Answer(204)


def set_rules(call: Call) -> Answer:
    firewall = stored(call, "firewall")
    if "rules" not in call.body:
        raise invalid("rules", "is required")
    firewall["rules"] = rules.checked(call.body["rules"])
    call.store.put("firewall", call.project, firewall)
    return _started(call, [_begin(call, firewall, "set_firewall_rules")])


def apply_to_resources(call: Call) -> Answer:
    return _for_each(call, "apply_to", _apply)


def remove_from_resources(call: Call) -> Answer:
    return _for_each(call, "remove_from", _remove)


def _for_each(call: Call, field: str, change: Callable[[Call, Doc, Doc], Doc]) -> Answer:
    firewall, targets = stored(call, "firewall"), items(call.body.get(field), field)
    if not targets:
        raise invalid(field, "must not be empty")
    return _started(call, [change(call, firewall, target) for target in targets])


def _apply(call: Call, firewall: Doc, target: Doc) -> Doc:
    selector, server = _target(call, target)
    if selector is not None:
        if selector in firewall["selectors"]:
            raise ApiError(422, "firewall_already_applied", "firewall is already applied to this label selector")
        firewall["selectors"].append(selector)
        call.store.put("firewall", call.project, firewall)
        return _begin(call, firewall, "apply_firewall")
    attach(call, firewall, server)
    call.store.put("server", call.project, server)
    return _begin(call, firewall, "apply_firewall", ("server", server["id"]))


def attach(call: Call, firewall: Doc, server: Doc) -> None:
    """Put the firewall on the server's document; raises what the API raises."""
    if firewall["id"] in server["firewalls"]:
        raise ApiError(422, "firewall_already_applied", "firewall is already applied to this server")
    if server["ipv4"] is None and server["ipv6"] is None:
        raise ApiError(422, "private_net_only_server", "the server has no public interface")
    if len(guarding(call, server)) >= MOST_PER_SERVER:
        raise limit("firewall limit of the server exceeded", "firewalls_per_server_limit")
    server["firewalls"].append(firewall["id"])


def _remove(call: Call, firewall: Doc, target: Doc) -> Doc:
    selector, server = _target(call, target)
    if selector is not None:
        firewall["selectors"] = [other for other in firewall["selectors"] if other != selector]
        call.store.put("firewall", call.project, firewall)
        return _begin(call, firewall, "remove_firewall")
    if firewall["id"] not in server["firewalls"] and any(
        labels.matches(s, server["labels"]) for s in firewall["selectors"]
    ):
        raise ApiError(422, "firewall_managed_by_label_selector", "the firewall is applied by a label selector")
    server["firewalls"] = [number for number in server["firewalls"] if number != firewall["id"]]
    call.store.put("server", call.project, server)
    return _begin(call, firewall, "remove_firewall", ("server", server["id"]))


def _target(call: Call, target: Doc) -> tuple[str | None, Doc]:
    """(selector, {}) or (None, server)."""
    if target.get("type") == "label_selector":
        selector = (target.get("label_selector") or {}).get("selector")
        if not isinstance(selector, str) or not selector:
            raise invalid("label_selector", "selector is required")
        labels.matches(selector, {})
        return selector, {}
    if target.get("type") != "server":
        raise invalid("type", "must be one of 'server', 'label_selector'")
    number = integer((target.get("server") or {}).get("id"), "server")
    server = call.store.get("server", call.project, number)
    if server is None:
        raise ApiError(404, "firewall_resource_not_found", f"server with ID '{number}' not found")
    return None, server


def _begin(call: Call, firewall: Doc, command: str, *others: tuple[str, int]) -> Doc:
    return actions.start(call, command, ("firewall", firewall["id"]), *others)


def _started(call: Call, begun: list[Doc]) -> Answer:
    return Answer(201, {"actions": [actions.view(call)(action) for action in begun]})


ROUTES: Routes = [
    ("GET", "/firewalls", several),
    ("POST", "/firewalls", create),
    *actions.routes_of("firewalls", "firewall"),
    ("GET", "/firewalls/{id}", one),
    ("PUT", "/firewalls/{id}", update),
    ("DELETE", "/firewalls/{id}", delete),
    ("POST", "/firewalls/{id}/actions/set_rules", set_rules),
    ("POST", "/firewalls/{id}/actions/apply_to_resources", apply_to_resources),
    ("POST", "/firewalls/{id}/actions/remove_from_resources", remove_from_resources),
]
