"""Level 1: what is particular to the cluster at AWS. That the arguments exist with their types, mypy checks."""

import sys
from typing import Any

import pulumi
import pytest

from components.clouds import opening
from components.clouds.aws_images import architecture
from components.clouds.aws_network import _subnet_of
from tests.level1_declared.recording import Declared, declare

ZONES = ["eu-central-1a", "eu-central-1c"]


def at_aws(**config: Any) -> Declared:
    return declare(config, cloud="aws")


def test_a_host_asks_for_its_metadata_with_a_token_and_nothing_behind_it_can() -> None:
    for server in at_aws().servers():
        options = server.inputs["metadataOptions"]
        assert (options["httpTokens"], options["httpPutResponseHopLimit"]) == ("required", 1)
        assert options["httpProtocolIpv6"] == "disabled", "the hosts' own firewalls close the IPv4 address only"


def test_no_host_has_rights_in_the_account() -> None:
    assert not any("iamInstanceProfile" in server.inputs for server in at_aws().servers())


def test_disks_are_encrypted_and_go_with_their_hosts() -> None:
    disks = [server.inputs["rootBlockDevice"] for server in at_aws().servers()]
    assert {(disk["volumeType"], disk["encrypted"], disk["deleteOnTermination"]) for disk in disks} == {
        ("gp3", True, True)
    }


def test_a_subnet_s_place_follows_from_its_role_and_its_zone_in_both_families() -> None:
    ranges = {r.name: (r.inputs["cidrBlock"], r.inputs["ipv6CidrBlock"]) for r in at_aws(locations=ZONES).all("Subnet")}
    assert ranges == {
        "signaling-eu-central-1a": ("10.80.16.0/24", "2001:db8:f00:ab10::/64"),
        "bridge-eu-central-1a": ("10.80.32.0/24", "2001:db8:f00:ab20::/64"),
        "bridge-eu-central-1c": ("10.80.34.0/24", "2001:db8:f00:ab22::/64"),
    }


def test_a_signaling_node_has_an_elastic_address_of_its_own_and_bridges_get_theirs_with_the_server() -> None:
    declared = at_aws()
    (address,) = declared.all("Eip")
    assert address.inputs["instance"] == declared.outputs["shards"][0]["instance"]
    assert {s.name: s.inputs["associatePublicIpAddress"] for s in declared.servers()} == {
        "shard-1": False,
        "bridge-1": True,
        "bridge-2": True,
    }


def test_the_elastic_address_is_replaced_with_its_server_so_that_both_answer_until_the_name_has_moved() -> None:
    triggers = {
        str(resource.options.replacement_trigger)
        for resource in (at_aws(generation=2).one("Eip", "shard-1"), at_aws(generation=2).server("shard-1"))
    }
    assert len(triggers) == 1
    assert triggers != {str(at_aws().server("shard-1").options.replacement_trigger)}


def test_what_a_host_is_reached_through_goes_after_it() -> None:
    """A rule or a route that went first would cut off the drain that it waits for."""
    declared = at_aws()
    ways = {
        r.urn for kind in ("SecurityGroupIngressRule", "SecurityGroupEgressRule", "Route") for r in declared.all(kind)
    }
    for server in declared.servers():
        assert ways <= set(server.options.dependencies)
        role = "signaling" if server.name == "shard-1" else "bridge"
        association = declared.one("RouteTableAssociation", f"{role}-eu-central-1a").urn
        assert association in server.options.dependencies


def test_a_node_that_waits_keeps_the_subnet_that_it_stands_in() -> None:
    """Without it in the program the engine would delete it from under the node."""
    before = {"shards": [{"location": "eu-central-1a"}]}
    declared = declare({"locations": ["eu-central-1b"]}, cloud="aws", before=before)
    assert {"signaling-eu-central-1a", "signaling-eu-central-1b"} <= {subnet.name for subnet in declared.all("Subnet")}


@pytest.mark.parametrize(
    ("image", "instance_type", "found"),
    [
        ("debian-12", "c7i.xlarge", "debian-12-amd64-*"),
        ("debian-13", "c7g.xlarge", "debian-13-arm64-*"),
    ],
)
def test_an_image_is_debian_s_own_newest_for_the_type_s_processor(image: str, instance_type: str, found: str) -> None:
    declared = at_aws(image=image, bridgeType=instance_type)
    (asked,) = {
        tuple(call["filters"][0]["values"]) for call in declared.calls if call["filters"][0]["values"] == [found]
    }
    assert asked == (found,)
    assert all(call["owners"] == ["136693071363"] and call["mostRecent"] for call in declared.calls)


def test_an_image_is_looked_up_once_in_a_run() -> None:
    assert len(at_aws(bridges=12).calls) == 1


def test_an_image_by_id_is_taken_as_it_is() -> None:
    declared = at_aws(image="ami-0123456789abcdef0")
    assert {server.inputs["ami"] for server in declared.servers()} == {"ami-0123456789abcdef0"}
    assert declared.calls == []


@pytest.mark.parametrize(
    "family", ["a1", "t4g", "c6gn", "c7g", "c8gd", "m7gd", "g5g", "im4gn", "is4gen", "x2gd", "hpc7g"]
)
def test_graviton_types_are_known_by_their_letter(family: str) -> None:
    assert architecture(f"{family}.xlarge") == "arm64"


@pytest.mark.parametrize("family", ["c7i", "c7a", "m7i-flex", "g4dn", "g6", "t3a", "p4de", "x2iezn", "i4i", "u-6tb1"])
def test_other_types_are_not(family: str) -> None:
    assert architecture(f"{family}.xlarge") == "amd64"


def test_a_given_network_is_read_and_its_gateway_used_and_neither_is_made() -> None:
    declared = at_aws(vpc="vpc-0123456789abcdef0", internetGateway="igw-01234567")
    assert [resource.inputs for resource in declared.all("Vpc")] == []
    assert declared.all("InternetGateway") == []
    assert {route.inputs["gatewayId"] for route in declared.all("Route")} == {"igw-01234567"}
    assert {subnet.inputs["vpcId"] for subnet in declared.all("Subnet")} == {"vpc-0123456789abcdef0"}


def test_a_given_network_without_ipv6_is_refused_with_the_way_out() -> None:
    with pytest.raises(pulumi.RunError, match=r"no IPv6 block.*Let Amazon provide one"):
        _subnet_of("", 16)


def test_without_the_package_the_program_says_how_to_get_it_before_any_resource(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening, "find_spec", lambda _name: None)
    with pytest.raises(pulumi.RunError, match=r"\.\[aws\]"):
        at_aws()


def test_the_other_cloud_never_imports_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pulumi_aws", None)
    assert len(declare().servers()) == 3
