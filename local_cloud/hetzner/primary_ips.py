"""Primary addresses: made with a server, gone with it (auto_delete) or left unassigned.

IPv4 addresses are loopback addresses of this machine, 127.90.0.1 to 127.90.255.254, unique over all projects; IPv6
networks are /64 from 2001:db8::/32. Making or moving one by hand is not emulated.
"""

import ipaddress
from pathlib import Path
from typing import Literal

from ..call import Answer, Call, Routes
from ..store import Doc, Store
from . import actions, catalogue, listing
from .actions import stamp
from .common import renamed
from .errors import ApiError, limit, protected
from .validation import stored

FIRST_IPV4 = ipaddress.IPv4Address("127.90.0.0")
IPV4_ROOM = 65534
FIRST_IPV6 = ipaddress.IPv6Address("2001:db8::")


def view(address: Doc) -> Doc:
    return {**address, "location": catalogue.find(catalogue.LOCATIONS, address["location"])}


def create(call: Call, kind: Literal["ipv4", "ipv6"], server: Doc) -> Doc:
    """A new address for a new server. Numbers go round: a replacement gets another address than its forerunner."""
    text = free_ipv4(call.store) if kind == "ipv4" else _next_ipv6(call.store)
    doc = {
        "name": f"primary_ip-{kind}-{server['id']}",
        "labels": {},
        "created": stamp(call.now),
        "blocked": False,
        "location": server["location"],
        "ip": text,
        "dns_ptr": [{"ip": text, "dns_ptr": _pointer(text)}] if kind == "ipv4" else [],
        "protection": {"delete": False},
        "type": kind,
        "auto_delete": True,
        "assignee_type": "server",
        "assignee_id": server["id"],
    }
    address = call.store.insert("primary_ip", call.project, str(doc["name"]), doc)
    call.store.insert("address", "", text, {"owner": address["id"]})
    return address


def free_ipv4(store: Store) -> str:
    """The next public IPv4 address that nobody has; also for the other cloud's machines."""
    for _ in range(IPV4_ROOM):
        text = str(FIRST_IPV4 + 1 + (store.next("primary_ipv4") - 1) % IPV4_ROOM)
        if not store.named("address", "", text):
            return text
    raise limit("no public IPv4 address is left", "primary_ip_limit")


def _next_ipv6(store: Store) -> str:
    return str(ipaddress.IPv6Network((int(FIRST_IPV6) + (store.next("primary_ipv6") << 64), 64)))


def set_first_address(folder: Path, first: str) -> None:
    """Where the public IPv4 addresses of a state folder begin; nothing if it has given out any."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = Store(folder)
    number = int(ipaddress.IPv4Address(first)) - int(FIRST_IPV4)
    if not 0 < number <= IPV4_ROOM:
        raise ValueError(f"{first} is not in 127.90.0.0/16")
    store.begin_counter("primary_ipv4", number)
    store.close()


def _pointer(ip: str) -> str:
    return "static." + ".".join(reversed(ip.split("."))) + ".clients.fleet.test"


def public_net(call: Call, server: Doc, guards: list[Doc]) -> Doc:
    """The part `public_net` of a server."""
    ipv4 = call.store.get("primary_ip", call.project, server["ipv4"]) if server["ipv4"] else None
    ipv6 = call.store.get("primary_ip", call.project, server["ipv6"]) if server["ipv6"] else None
    shown4 = ipv4 and {
        "id": ipv4["id"], "ip": ipv4["ip"], "blocked": False, "dns_ptr": ipv4["dns_ptr"][0]["dns_ptr"]
    }  # fmt: skip
    shown6 = ipv6 and {"id": ipv6["id"], "ip": ipv6["ip"], "blocked": False, "dns_ptr": []}
    return {"ipv4": shown4, "ipv6": shown6, "floating_ips": [], "firewalls": guards}


def leave(store: Store, project: str, server: Doc) -> None:
    """What happens to a server's addresses when it is gone."""
    for number in filter(None, (server["ipv4"], server["ipv6"])):
        address = store.get("primary_ip", project, number)
        if address is None:
            continue
        if address["auto_delete"]:
            _forget(store, project, address)
        else:
            store.put("primary_ip", project, {**address, "assignee_id": None, "assignee_type": "unassigned"})


def _forget(store: Store, project: str, address: Doc) -> None:
    store.delete("primary_ip", project, address["id"])
    entry = store.named("address", "", address["ip"])
    if entry:
        store.delete("address", "", entry["id"])


def several(call: Call) -> Answer:
    return listing.page(call, "primary_ips", call.store.all("primary_ip", call.project), view)


def one(call: Call) -> Answer:
    return Answer(200, {"primary_ip": view(stored(call, "primary_ip"))})


def update(call: Call) -> Answer:
    address = renamed(call, "primary_ip")
    if "auto_delete" in call.body:
        address["auto_delete"] = bool(call.body["auto_delete"])
        call.store.put("primary_ip", call.project, address)
    return Answer(200, {"primary_ip": view(address)})


def delete(call: Call) -> Answer:
    address = stored(call, "primary_ip")
    if address["protection"]["delete"]:
        raise protected("primary_ip")
    if address["assignee_id"] is not None:
        raise ApiError(422, "must_be_unassigned", "the primary IP is assigned to a server")
    _forget(call.store, call.project, address)
    return Answer(204)


ROUTES: Routes = [
    ("GET", "/primary_ips", several),
    *actions.routes_of("primary_ips", "primary_ip"),
    ("GET", "/primary_ips/{id}", one),
    ("PUT", "/primary_ips/{id}", update),
    ("DELETE", "/primary_ips/{id}", delete),
]
