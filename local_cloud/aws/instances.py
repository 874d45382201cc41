"""Instances as the rest of the embedded cloud reads them: documents in its state, written after every call.

So hosts, and tests in other processes, are told of instances that begin, stop and end in the way in which they are told
of Hetzner's servers: the state changes, then the hosts are woken. Of their security groups there are documents, too.
"""

from collections.abc import Mapping
from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPES

from ..store import Doc, Store

INSTANCE, GROUP = "instance", "security_group"
_ID = {INSTANCE: "instance", GROUP: "group"}
CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
PASSING = ("pending", "stopping", "shutting-down")
MEMORY = 4096  # MiB, of a type that moto does not know


def document(instance: Any) -> Doc:
    """One instance of moto's. `user_data` is what RunInstances got, decoded once: base64 of what the host gets.

    `by_host`: its state passes to the next one when its host has done that, and not by the clock.
    """
    backend = instance.ec2_backend
    image = backend.amis.get(instance.image_id)
    nic = instance.nics[0]
    state = backend.fleet
    return {
        "instance": instance.id,
        "owner": instance.owner_id,
        "region": instance.region_name,
        "zone": instance.placement.zone,
        "status": instance.state,
        "by_host": instance.state in PASSING and instance.id not in state.due,
        "reboots": state.reboots.get(instance.id, 0),
        "launched": instance.launch_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reservation": next((r.id for r in backend.reservations.values() if instance in r.instances), ""),
        "type": instance.instance_type,
        "memory": INSTANCE_TYPES.get(instance.instance_type, {}).get("MemoryInfo", {}).get("SizeInMiB", MEMORY),
        "image": image.name if image else instance.image_id,
        "image_id": instance.image_id,
        "architecture": instance.architecture,
        "root_device": instance.root_device_name,
        "tags": {tag["key"]: tag["value"] for tag in instance.get_tags()},
        "placement_group": instance.placement.group_name,
        "security_groups": sorted(group.id for group in instance.security_groups),
        "subnet": instance.subnet_id,
        "vpc": instance.vpc_id,
        "network": _network(backend, instance.subnet_id),
        "interface": nic.id,
        "private_ipv4": instance.private_ip,
        "private_name": instance.private_dns_name,
        "public_ipv4": nic.public_ip,
        "ipv6": list(nic.ipv6_addresses),
        "mac": nic.mac_address,
        "key": _key(backend, instance.key_name),
        "metadata": {
            "enabled": instance.metadata_options.http_endpoint == "enabled",
            "token_required": instance.metadata_options.http_tokens == "required",
            "hops": instance.metadata_options.http_put_response_hop_limit,
        },
        "halt": instance.instance_initiated_shutdown_behavior,
        "user_data": str(instance.user_data or ""),
    }


def _network(backend: Any, subnet_id: str) -> Doc:
    """The ranges of its subnet and VPC, and the destinations that its routes lead to the internet."""
    subnet = backend.get_subnet(subnet_id)
    vpc = backend.vpcs[subnet.vpc_id]
    return {
        "vpc_ipv4": vpc.cidr_block,
        "vpc_ipv6": [block["cidr_block"] for block in vpc.get_cidr_block_association_set(ipv6=True)],
        "subnet_ipv4": subnet.cidr_block,
        "subnet_ipv6": next((block["ipv6CidrBlock"] for block in subnet.ipv6_cidr_block_association_set), None),
        "internet": sorted(_led_to_the_internet(backend, subnet)),
    }


def _led_to_the_internet(backend: Any, subnet: Any) -> set[str]:
    tables = [table for table in backend.route_tables.values() if table.vpc_id == subnet.vpc_id]
    own = [table for table in tables if subnet.id in table._associations.values()]
    main = [table for table in tables if table.main_association_id]
    return {
        route.destination_cidr_block or route.destination_ipv6_cidr_block
        for table in (own or main)
        for route in table.routes
        if str(route.gateway_id).startswith("igw-")
    }


def _key(backend: Any, name: str | None) -> Doc | None:
    pair = backend.key_pairs.get(name)
    return {"name": name, "public": pair.public_key.strip()} if pair else None


def group_document(group: Any) -> Doc:
    """A security group with its rules; a rule has one of cidr_ipv4, cidr_ipv6 and group."""
    return {
        "group": group.id,
        "name": group.name,
        "vpc": group.vpc_id,
        "region": group.ec2_backend.region_name,
        "in": [_rule(rule) for rule in group.ingress_rules],
        "out": [_rule(rule) for rule in group.egress_rules],
    }


def _rule(rule: Any) -> Doc:
    return {
        "protocol": rule.ip_protocol,
        "from": rule.from_port,
        "to": rule.to_port,
        "cidr_ipv4": rule.cidr_ipv4,
        "cidr_ipv6": rule.cidr_ipv6,
        "group": rule.source_group.get("GroupId"),
    }


def write(store: Store, project: str, backend: Any) -> None:
    """Bring the documents of one account and region up to date."""
    there = [instance for instance in backend.all_instances() if instance.state != "terminated"]
    groups = {group.id: group for instance in there for group in instance.security_groups}
    region = backend.region_name
    _bring(store, INSTANCE, project, {instance.id: document(instance) for instance in there}, region)
    _bring(store, GROUP, project, {id: group_document(group) for id, group in groups.items()}, region)


def _bring(store: Store, kind: str, project: str, wanted: Mapping[str, Doc], region: str) -> None:
    there = {doc[_ID[kind]]: doc for doc in store.all(kind, project) if doc["region"] == region}
    for id, doc in wanted.items():
        if id not in there:
            store.insert(kind, project, id, doc)
        elif there[id] != {"id": there[id]["id"], **doc}:
            store.put(kind, project, {"id": there[id]["id"], **doc})
    for id in there.keys() - wanted.keys():
        store.delete(kind, project, there[id]["id"])


def forget(store: Store) -> None:
    """What an earlier process has left: its instances ended with it."""
    for project in store.counts():
        for kind in _ID:
            for doc in store.all(kind, project):
                store.delete(kind, project, doc["id"])
