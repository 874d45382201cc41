"""DNS records: create, read, list, replace (PUT), change (PATCH), delete; conflicts of records with one name."""

import secrets

from ..call import Answer, Call, Routes
from ..store import Doc
from . import listing, zones
from .errors import ApiError, invalid, result
from .validation import ADDRESSES, checked, full_name

CLIENT_FIELDS = ("name", "type", "content", "data", "priority", "proxied", "ttl", "comment", "tags", "settings")
SAME = ("name", "type", "content", "priority")


def view(record: Doc) -> Doc:
    public = {field: value for field, value in record.items() if field not in ("uid", "zone", "id")}
    return {"id": record["uid"], **public, "proxiable": record["type"] in ADDRESSES, "meta": {}}


def _in_zone(call: Call, zone: Doc) -> list[Doc]:
    return [record for record in call.store.all("dns_record", call.project) if record["zone"] == zone["uid"]]


def _check_conflicts(call: Call, zone: Doc, new: Doc, own: str | None = None) -> None:
    """Raise when another record of this name excludes the new one."""
    others = [r for r in _in_zone(call, zone) if r["name"] == new["name"] and r["uid"] != own]
    if any(all(other.get(field) == new.get(field) for field in SAME) for other in others):
        raise invalid(81058, "An identical record already exists.")
    kinds = {other["type"] for other in others}
    if new["type"] == "CNAME" and kinds & set(ADDRESSES):
        raise invalid(81053, "An A, AAAA, or CNAME record with that host already exists.")
    if new["type"] in ("A", "AAAA") and "CNAME" in kinds:
        raise invalid(81054, "A CNAME record with that host already exists.")


def create(call: Call) -> Answer:
    zone = zones.stored(call)
    record = checked(call.body, zone["zone"])
    _check_conflicts(call, zone, record)
    now, uid = zones.stamp(call.now), secrets.token_hex(16)
    stamps = {"created_on": now, "modified_on": now, **({"comment_modified_on": now} if record["comment"] else {})}
    doc = {"uid": uid, "zone": zone["uid"], **record, **stamps}
    return result(view(call.store.insert("dns_record", call.project, uid, doc)))


def several(call: Call) -> Answer:
    """Filters: type, name, content, proxied, comment, each also as `field.exact`; order by one field."""
    zone = zones.stored(call)
    records = [view(record) for record in _in_zone(call, zone)]
    for field in ("type", "name", "content", "proxied", "comment"):
        wanted = call.query.get(field) or call.query.get(f"{field}.exact")
        if wanted is None:
            continue
        value = full_name(wanted, zone["zone"]) if field == "name" else wanted
        records = [record for record in records if str(record[field]).lower() == value.lower()]
    order = call.query.get("order", "name")
    if order not in ("type", "name", "content", "ttl", "proxied"):
        raise invalid(1004, f"Invalid order: {order}.")
    records.sort(key=lambda record: record[order], reverse=call.query.get("direction") == "desc")
    return listing.page(call, records, 100)


def _stored(call: Call) -> tuple[Doc, Doc]:
    zone = zones.stored(call)
    record = call.store.named("dns_record", call.project, call.params["record_id"])
    if record is None or record["zone"] != zone["uid"]:
        raise ApiError(404, 81044, "Record does not exist.")
    return zone, record


def one(call: Call) -> Answer:
    return result(view(_stored(call)[1]))


def replace(call: Call) -> Answer:
    return _write(call, call.body)


def change(call: Call) -> Answer:
    _, old = _stored(call)
    merged = {field: old[field] for field in CLIENT_FIELDS if field in old}
    return _write(call, {**merged, **call.body})


def _write(call: Call, body: Doc) -> Answer:
    zone, old = _stored(call)
    record = checked(body, zone["zone"])
    _check_conflicts(call, zone, record, old["uid"])
    kept = {field: old[field] for field in ("id", "uid", "zone", "created_on")}
    new = {**kept, **record, "modified_on": zones.stamp(call.now)}
    call.store.put("dns_record", call.project, new)
    return result(view(new))


def delete(call: Call) -> Answer:
    _, record = _stored(call)
    call.store.delete("dns_record", call.project, record["id"])
    return result({"id": record["uid"]})


ROUTES: Routes = [
    ("GET", "/zones/{zone_id}/dns_records", several),
    ("POST", "/zones/{zone_id}/dns_records", create),
    ("GET", "/zones/{zone_id}/dns_records/{record_id}", one),
    ("PUT", "/zones/{zone_id}/dns_records/{record_id}", replace),
    ("PATCH", "/zones/{zone_id}/dns_records/{record_id}", change),
    ("DELETE", "/zones/{zone_id}/dns_records/{record_id}", delete),
]
