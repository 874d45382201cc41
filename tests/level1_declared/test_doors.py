"""Level 1: the doors, as people audit them. What is not in this table is closed."""

import json
import re
from collections import Counter
from typing import Any

import pytest

from components.clouds import known
from components.doors import DOORS, ROLES, doors_of
from tests.level1_declared.recording import OF_CLOUD, declare

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


HOSTS = (("shard-1", "signaling"), ("bridge-1", "bridge"))
AT_AWS = """
bridge    icmp      -1 0.0.0.0/0
bridge    icmpv6    -1 ::/0
bridge    tcp       22 198.51.100.7/32
bridge    tcp       22 2001:db8::/64
bridge    tcp     8080 signaling
bridge    udp    10000 0.0.0.0/0
bridge    udp    10000 ::/0
signaling icmp      -1 0.0.0.0/0
signaling icmpv6    -1 ::/0
signaling tcp       22 198.51.100.7/32
signaling tcp       22 2001:db8::/64
signaling tcp       80 0.0.0.0/0
signaling tcp       80 ::/0
signaling tcp      443 0.0.0.0/0
signaling tcp      443 ::/0
signaling tcp     5222 bridge
signaling tcp     8100 bridge
signaling tcp     8888 signaling
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


def test_at_aws_a_group_opens_public_doors_to_ranges_and_private_ones_to_the_group_of_their_source() -> None:
    declared = declare({"adminCidrs": ["198.51.100.7/32", "2001:db8::/64"]}, cloud="aws")
    role_of = {declared.server(name).inputs["vpcSecurityGroupIds"][0]: role for name, role in HOSTS}
    rules = [rule.inputs for rule in declared.all("SecurityGroupIngressRule")]
    assert sorted(_aws_door(rule, role_of) for rule in rules) == AT_AWS.strip().splitlines()


def test_at_aws_everything_may_leave_by_one_rule_for_each_family() -> None:
    rules = [rule.inputs for rule in declare(cloud="aws").all("SecurityGroupEgressRule")]
    assert sorted(rule.get("cidrIpv4") or rule["cidrIpv6"] for rule in rules) == ["0.0.0.0/0"] * 2 + ["::/0"] * 2
    assert {rule["ipProtocol"] for rule in rules} == {"-1"}
    assert not any("fromPort" in rule for rule in rules), "all protocols have no ports"


def test_reasons_are_written_in_what_a_rule_of_aws_may_say() -> None:
    """Letters beyond this set are refused, half a cluster made."""
    assert [
        door.why for door in DOORS if not re.fullmatch(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}", door.why)
    ] == []


@pytest.mark.parametrize("cloud", OF_CLOUD)
def test_as_many_admin_ranges_as_settings_allow_fit_into_one_firewall(cloud: str) -> None:
    """AWS takes 60 rules of each family in a group, Hetzner 100 sources in a rule and 50 rules."""
    most = known.TERMS["aws"].max_admin_ranges if cloud == "aws" else known.TERMS["hetzner"].max_admin_ranges
    declared = declare({"adminCidrs": [f"198.51.{number}.0/24" for number in range(most)]}, cloud=cloud)
    per_group = Counter(
        rule.inputs["securityGroupId"]
        for rule in declared.all("SecurityGroupIngressRule")
        if "cidrIpv6" not in rule.inputs
    )
    assert max(per_group.values(), default=0) <= 60
    assert max((len(f.inputs["rules"]) for f in declared.all("Firewall")), default=0) <= 50


def _aws_door(rule: dict[str, Any], role_of: dict[str, str]) -> str:
    source = rule.get("cidrIpv4") or rule.get("cidrIpv6") or role_of[rule["referencedSecurityGroupId"]]
    assert rule["fromPort"] == rule["toPort"]
    return f"{role_of[rule['securityGroupId']]:9} {rule['ipProtocol']:6} {int(rule['fromPort']):5} {source}"


def test_the_output_lists_each_door_with_the_ranges_it_is_open_to() -> None:
    doors = declare().outputs["doors"]
    assert {"role": "bridge", "protocol": "tcp", "port": 8080, "from": ["10.80.16.0/20"], "why": doors[-1]["why"]} in [
        json.loads(json.dumps(door)) for door in doors
    ]
    assert len(doors) == len(DOORS)
