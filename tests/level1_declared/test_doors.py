"""Level 1: the doors, as people audit them. What is not in this table is closed."""

import json

from components.doors import DOORS, ROLES, doors_of
from tests.level1_declared.recording import declare

AUDITED = """
bridge     tcp     22 admins
bridge     tcp   8080 signaling
bridge     udp  10000 world
signaling  tcp     22 admins
signaling  tcp     80 world
signaling  tcp    443 world
signaling  tcp   5222 bridges
signaling  tcp   8100 bridges
signaling  tcp   8888 signaling
"""


def test_the_open_doors_are_the_audited_ones() -> None:
    table = sorted(f"{door.role:10} {door.protocol} {door.port:6} {door.source}" for door in DOORS)
    assert table == AUDITED.strip().splitlines()


def test_every_role_has_doors_and_a_firewall() -> None:
    declared = declare()
    assert all(doors_of(role) for role in ROLES)
    assert [firewall.name for firewall in declared.all("Firewall")] == sorted(ROLES)


def test_the_firewall_opens_the_public_doors_of_its_role_and_ping_and_nothing_else() -> None:
    declared = declare({"adminCidrs": ["198.51.100.7/32", "2001:db8::/64"]})
    opened = {
        firewall.name: [(rule["protocol"], rule.get("port"), rule["sourceIps"]) for rule in firewall.inputs["rules"]]
        for firewall in declared.all("Firewall")
    }
    world, admins = ["0.0.0.0/0", "::/0"], ["198.51.100.7/32", "2001:db8::/64"]
    assert opened == {
        "bridge": [("tcp", "22", admins), ("udp", "10000", world), ("icmp", None, world)],
        "signaling": [("tcp", "22", admins), ("tcp", "80", world), ("tcp", "443", world), ("icmp", None, world)],
    }


def test_the_output_lists_each_door_with_the_ranges_it_is_open_to() -> None:
    doors = declare().outputs["doors"]
    assert {"role": "bridge", "protocol": "tcp", "port": 8080, "from": ["10.80.16.0/20"], "why": doors[-1]["why"]} in [
        json.loads(json.dumps(door)) for door in doors
    ]
    assert len(doors) == len(DOORS)
