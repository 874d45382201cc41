"""Instances as the rest of the embedded cloud reads them: documents in its state, written after every call.

So hosts, and tests in other processes, are told of instances that begin, stop and end in the way in which they are told
of Hetzner's servers: the state changes, then the hosts are woken.
"""

from typing import Any

from ..store import Doc, Store

KIND = "instance"


def document(instance: Any) -> Doc:
    """One instance of moto's. `user_data` is what RunInstances got, decoded once: base64 of what the host gets."""
    image = instance.ec2_backend.amis.get(instance.image_id)
    nic = instance.nics[0]
    return {
        "instance": instance.id,
        "region": instance.region_name,
        "zone": instance.placement.zone,
        "status": instance.state,
        "type": instance.instance_type,
        "image": image.name if image else instance.image_id,
        "tags": {tag["key"]: tag["value"] for tag in instance.get_tags()},
        "placement_group": instance.placement.group_name,
        "security_groups": sorted(group.id for group in instance.security_groups),
        "subnet": instance.subnet_id,
        "vpc": instance.vpc_id,
        "private_ipv4": instance.private_ip,
        "public_ipv4": nic.public_ip,
        "ipv6": list(nic.ipv6_addresses),
        "mac": nic.mac_address,
        "user_data": str(instance.user_data or ""),
    }


def write(store: Store, project: str, backend: Any) -> bool:
    """Bring the documents of one account and region up to date; whether any had to be."""
    there = {doc["instance"]: doc for doc in store.all(KIND, project) if doc["region"] == backend.region_name}
    wanted = {i.id: document(i) for i in backend.all_instances() if i.state != "terminated"}
    changed = False
    for id, doc in wanted.items():
        if id not in there:
            store.insert(KIND, project, id, doc)
        elif there[id] != {"id": there[id]["id"], **doc}:
            store.put(KIND, project, {"id": there[id]["id"], **doc})
        else:
            continue
        changed = True
    for id in there.keys() - wanted.keys():
        store.delete(KIND, project, there[id]["id"])
        changed = True
    return changed


def forget(store: Store) -> None:
    """What an earlier process has left: its instances ended with it."""
    for project in store.counts():
        for doc in store.all(KIND, project):
            store.delete(KIND, project, doc["id"])
