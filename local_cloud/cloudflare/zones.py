"""Zones. Every token owns the zone fleet.test from the start; its id, as that of every zone, is the MD5 of its name."""

import hashlib
import re
from datetime import UTC, datetime

from ..call import Answer, Call, Routes
from ..store import Doc, NameTakenError
from . import listing
from .errors import ApiError, invalid, result

FIRST_ZONE = "fleet.test"
NAME = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])\Z")


def zone_id(name: str) -> str:
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def all_zones(call: Call) -> list[Doc]:
    """The zones of the token; the first one is made when it is first looked for."""
    if call.store.named("zone", call.project, zone_id(FIRST_ZONE)) is None:
        _add(call, FIRST_ZONE)
    return call.store.all("zone", call.project)


def stored(call: Call) -> Doc:
    """The zone in the path."""
    wanted = call.params["zone_id"]
    if not re.fullmatch(r"[0-9a-f]{32}", wanted):
        path = f"/zones/{wanted}"
        raise ApiError(404, 7003, f"Could not route to {path}, perhaps your object identifier is invalid?")
    for zone in all_zones(call):
        if zone["uid"] == wanted:
            return zone
    raise ApiError(403, 9109, "Unauthorized to access requested resource")


def view(zone: Doc) -> Doc:
    """A zone as the API shows it; names of people and servers are our own."""
    account = {"id": zone_id("account"), "name": "embedded"}
    return {
        "id": zone["uid"],
        "name": zone["zone"],
        "status": "active",
        "paused": False,
        "type": "full",
        "development_mode": 0,
        "name_servers": ["ada.ns.fleet.test", "bob.ns.fleet.test"],
        "original_name_servers": None,
        "original_registrar": None,
        "original_dnshost": None,
        "created_on": zone["created_on"],
        "modified_on": zone["created_on"],
        "activated_on": zone["created_on"],
        "meta": {"step": 2, "custom_certificate_quota": 0, "page_rule_quota": 3, "phishing_detected": False},
        "owner": {"id": zone_id("owner"), "type": "user", "email": "owner@fleet.test"},
        "account": account,
        "tenant": {"id": None, "name": None},
        "tenant_unit": {"id": None},
        "permissions": ["#dns_records:edit", "#dns_records:read", "#zone:read"],
        "plan": {
            "id": zone_id("free"),
            "name": "Free Website",
            "price": 0,
            "currency": "USD",
            "frequency": "",
            "legacy_id": "free",
            "is_subscribed": False,
            "can_subscribe": False,
            "legacy_discount": False,
            "externally_managed": False,
        },
    }


def several(call: Call) -> Answer:
    zones = [view(zone) for zone in all_zones(call)]
    for field in ("name", "status"):
        if wanted := call.query.get(field):
            zones = [zone for zone in zones if zone[field] == wanted.lower()]
    return listing.page(call, zones, 20, 50)


def one(call: Call) -> Answer:
    return result(view(stored(call)))


def create(call: Call) -> Answer:
    name = str(call.body.get("name", "")).lower().rstrip(".")
    if not NAME.match(name):
        raise invalid(1097, f"{name} is not a registered domain")
    all_zones(call)
    try:
        return result(view(_add(call, name)))
    except NameTakenError as error:
        raise invalid(1061, f"{name} already exists") from error


def delete(call: Call) -> Answer:
    zone = stored(call)
    for record in call.store.all("dns_record", call.project):
        if record["zone"] == zone["uid"]:
            call.store.delete("dns_record", call.project, record["id"])
    call.store.delete("zone", call.project, zone["id"])
    return result({"id": zone["uid"]})


def _add(call: Call, name: str) -> Doc:
    uid = zone_id(name)
    return call.store.insert("zone", call.project, uid, {"uid": uid, "zone": name, "created_on": stamp(call.now)})


ROUTES: Routes = [
    ("GET", "/zones", several),
    ("POST", "/zones", create),
    ("GET", "/zones/{zone_id}", one),
    ("DELETE", "/zones/{zone_id}", delete),
]
