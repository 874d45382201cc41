"""Level 1: each setting has an effect, and the options that protect calls are set."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import machines
from components.settings import Settings
from components.user_data import user_data
from tests.level1_declared.recording import MINIMAL, OF_CLOUD, Declared, declare
from tests.level2_checked.rendered import key_line
from tests.versions import VERSIONS

both = pytest.mark.parametrize("cloud", OF_CLOUD)
ADMIN_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1hb5nGq0dL0Wz3mY6vBpTn0s6m5C1o8f4wq2XK7yZt admin"
EFFECTS: dict[str, Any] = {
    "domain": "calls.example.org",
    "zone": "meet.example.org",
    "zoneId": "f" * 32,
    "dns": "none",
    "bridges": 3,
    "bridgeType": "ccx43",
    "signalingType": "ccx33",
    "image": "debian-13",
    "locations": ["hel1"],
    "networkZone": "us-east",
    "network": "10.81.0.0/16",
    "adminCidrs": ["203.0.113.0/24"],
    "adminKeys": [ADMIN_KEY],
    "tls": "cluster",
    "email": "other@example.org",
    "jitsiVersions": VERSIONS,
    "drain": False,
    "drainMinutes": 0,
    "drainAtOnce": 1,
    "replaceAtOnce": 1,
    "generation": 2,
    "protect": True,
    "labels": {"team": "video"},
}
OF_AWS: dict[str, Any] = EFFECTS | {
    "bridgeType": "c7g.xlarge",
    "signalingType": "m7i.xlarge",
    "image": "ami-0123456789abcdef0",
    "locations": ["eu-central-1b"],
    "vpc": "vpc-0123456789abcdef0",
}
del OF_AWS["networkZone"]
TABLE = {"hetzner": EFFECTS, "aws": OF_AWS}
EVERYWHERE = [(cloud, key) for cloud, table in TABLE.items() for key in sorted(table)]
PLACE = {"hetzner": "fsn1", "aws": "eu-central-1a"}
REPLACES_BRIDGES = {"domain", "bridgeType", "image", "locations", "network", "adminKeys", "jitsiVersions"}


# A pool that was made of other servers, for what shows only when something is replaced.
def older(cloud: str) -> dict[str, Any]:
    made = [{"location": PLACE[cloud], "rank": n - 1, "digest": "x"} for n in (1, 2)]
    return {"bridges": [{"name": f"bridge-{n}", "madeFrom": made[n - 1]} for n in (1, 2)]}


WITHOUT_EFFECT = {
    "cloud": "another cluster altogether; tests/level1_declared/test_outline.py has both",
    "internetGateway": "goes with vpc",
    "zone": "checks that the domain lies inside; the zone itself is found by zoneId",
}


@cache
def usual(cloud: str = "hetzner") -> Declared:
    return declare(cloud=cloud, before=older(cloud))


@cache
def changed(cloud: str, key: str) -> Declared:
    more = {"internetGateway": "igw-0123456789abcdef0"} if key == "vpc" else {}
    return declare({key: TABLE[cloud][key], **more}, cloud=cloud, before=older(cloud))


def trigger(declared: Declared, server: str) -> str:
    return str(declared.server(server).options.replacement_trigger)


def test_every_setting_is_in_the_table_of_effects() -> None:
    known = {info.alias or name for name, info in Settings.model_fields.items()}
    assert known == {key for table in TABLE.values() for key in table} | set(WITHOUT_EFFECT)


@pytest.mark.parametrize(("cloud", "key"), [pair for pair in EVERYWHERE if pair[1] not in WITHOUT_EFFECT])
def test_a_changed_setting_changes_what_is_declared(cloud: str, key: str) -> None:
    assert _facts(changed(cloud, key)) != _facts(usual(cloud))


@pytest.mark.parametrize(("cloud", "key"), [pair for pair in EVERYWHERE if pair[1] != "zone"])
def test_a_change_makes_a_new_server_only_where_the_table_says_so(cloud: str, key: str) -> None:
    """The engine makes one when the trigger is another text; what is not here must not reach a running call."""
    made_anew = {
        server
        for server in ("shard-1", "bridge-1")
        if trigger(changed(cloud, key), server) != trigger(usual(cloud), server)
    }
    assert made_anew == {"generation": {"shard-1"}}.get(key, {"bridge-1"} if key in REPLACES_BRIDGES else set())


@both
def test_two_runs_with_the_same_settings_give_the_same_triggers(cloud: str) -> None:
    again = declare(cloud=cloud, before=older(cloud))
    for server in ("shard-1", "bridge-1", "bridge-2"):
        assert trigger(again, server) == trigger(usual(cloud), server) != ""


IN_PLACE = {
    "hetzner": {"firewallIds": "no packet is lost", "labels": ""},
    "aws": {
        "disableApiTermination": "an attribute of the instance",
        "metadataOptions": "of a running instance, too",
        "tags": "",
        "volumeTags": "",
        "vpcSecurityGroupIds": "no packet is lost",
    },
}


@both
def test_no_change_of_a_server_s_own_properties_reaches_the_plugin(cloud: str) -> None:
    """For another type it would power off all servers at once; a change of user-data would wait for no limit."""
    free = IN_PLACE[cloud]
    for server in usual(cloud).servers():
        assert set(server.inputs) - set(server.options.ignoreChanges) == set(free)
        assert list(server.options.replaceOnChanges) == []
        assert server.options.deleteBeforeReplace is False


def test_the_leg_in_the_private_network_goes_with_its_server() -> None:
    declared = declare()
    legs = {leg.name: leg.options.deletedWith for leg in declared.all("ServerNetwork")}
    assert legs == {server.name: server.urn for server in declared.all("Server")}


@both
def test_nothing_that_is_replaced_has_a_name_of_its_own_so_that_its_successor_can_be_made_first(cloud: str) -> None:
    named = {"KeyPair": "keyName"}
    for kind in ("Server", "Instance", "Eip", "PlacementGroup", "KeyPair", "SecurityGroup"):
        assert all(named.get(kind, "name") not in resource.inputs for resource in usual(cloud).all(kind))


@both
def test_protect_guards_what_cannot_be_made_again_but_never_a_bridge(cloud: str) -> None:
    declared = declare({"protect": True}, cloud=cloud)
    guarded = {resource.name for resource in declared.resources if resource.options.protect}
    assert {"shard-1", "ca", "jvb", "rotation", "signaling-host"} <= guarded
    assert declared.one("PrivateKey", "operations").name not in guarded, "it may be replaced at any time"
    assert not {server.name for server in declared.servers() if server.name.startswith("bridge")} & guarded


LABELLED = {
    "hetzner": ("labels", ["Server", "Network", "Firewall", "PlacementGroup", "SshKey"]),
    "aws": (
        "tags",
        ["Instance", "Vpc", "Subnet", "InternetGateway", "RouteTable", "SecurityGroup", "PlacementGroup", "Eip"],
    ),
}


@both
def test_every_resource_of_the_cloud_carries_the_label_that_finds_the_cluster_again(cloud: str) -> None:
    key, kinds = LABELLED[cloud]
    labelled = [
        resource.inputs[key] for kind in kinds for resource in declare({"labels": {"team": "v"}}, cloud=cloud).all(kind)
    ]
    assert {(labels["cluster"], labels["team"]) for labels in labelled} == {("test", "v")}
    assert len(labelled) >= len(kinds)


def test_records_are_never_proxied_and_say_who_keeps_them() -> None:
    records = declare().all("DnsRecord")
    assert {(record.inputs["proxied"], record.inputs["ttl"]) for record in records} == {(False, 60)}
    assert all("stack test" in record.inputs["comment"] for record in records)


@both
def test_each_host_has_its_public_and_its_internal_names(cloud: str) -> None:
    records = declare({"bridges": 1}, cloud=cloud).all("DnsRecord")
    names = {(r.inputs["type"], r.inputs["name"]) for r in records}
    internal = {r.inputs["content"] for r in records if ".internal." in r.inputs["name"] and r.inputs["type"] == "A"}
    assert internal == {"10.80.16.1", "10.80.32.1"}
    assert names == {
        ("A", "meet.example.org"),
        ("AAAA", "meet.example.org"),
        ("A", "shard-1.meet.example.org"),
        ("AAAA", "shard-1.meet.example.org"),
        ("A", "shard-1.internal.meet.example.org"),
        ("A", "bridge-1.meet.example.org"),
        ("AAAA", "bridge-1.meet.example.org"),
        ("A", "bridge-1.internal.meet.example.org"),
        ("SRV", "_jitsi-shard._tcp.meet.example.org"),
        ("SRV", "_xmpp-client._tcp.internal.meet.example.org"),
        ("SRV", "_jitsi-bridge-metrics._tcp.meet.example.org"),
    }


def test_without_a_dns_provider_the_same_records_are_an_output_and_no_resource() -> None:
    with_dns, without = declare(), declare({"dns": "none", "zoneId": None})
    assert without.all("DnsRecord") == []
    assert len(without.outputs["records"]) == len(with_dns.all("DnsRecord"))


@both
def test_a_preview_of_an_empty_stack_declares_the_same_resources(cloud: str) -> None:
    assert declare(cloud=cloud, preview=True).outline() == declare(cloud=cloud).outline()


def test_the_minimal_settings_are_complete() -> None:
    assert declare().one("Server", "shard-1").inputs["location"] == "fsn1"
    assert set(MINIMAL) <= set(EFFECTS)


@both
def test_user_data_that_is_too_large_stops_the_program_before_any_resource(cloud: str) -> None:
    """The program finds out before the first call, not with half a cluster made."""
    keys = [key_line(f"admin-{number}", kind="ssh-rsa", size=513) for number in range(60)]
    with pytest.raises(pulumi.RunError, match="user-data of the signaling role has"):
        declare({"adminKeys": keys}, cloud=cloud)


def test_a_bridges_user_data_is_rendered_once_for_each_location(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[object] = []

    def counted(values: Any) -> str:
        rendered.append(values)
        return user_data(values)

    monkeypatch.setattr(machines, "user_data", counted)
    counts = []
    for bridges in (2, 9):
        rendered.clear()
        declare({"bridges": bridges, "locations": ["fsn1", "hel1"]})
        counts.append(len(rendered))
    assert counts[0] == counts[1] > 2


def test_no_component_outside_the_clouds_has_a_word_of_a_cloud() -> None:
    parts = Path(__file__).parents[2] / "components"
    of_a_cloud = re.compile(r"hetzner|hcloud|\baws|pulumi_aws|amazon|\bec2|fsn1|ccx13", re.IGNORECASE)
    found = {
        f"{path.relative_to(parts)}: {line.strip()}"
        for path in (*parts.rglob("*.py"), parts.parent / "__main__.py")
        if "clouds" not in path.relative_to(parts.parent).parts
        for line in path.read_text().splitlines()
        if of_a_cloud.search(line)
    }
    assert found == set()


def test_each_provider_s_package_is_imported_by_its_own_cloud_alone() -> None:
    parts = Path(__file__).parents[2] / "components"
    naming = {
        package: {
            path.name
            for path in parts.rglob("*.py")
            if re.search(rf"^(import|from) {package}\b", path.read_text(), re.MULTILINE)
        }
        for package in ("pulumi_hcloud", "pulumi_aws")
    }
    assert naming["pulumi_hcloud"] == {"hetzner.py"}
    assert naming["pulumi_aws"] == {"aws.py", "aws_images.py", "aws_network.py", "aws_security.py"}


def _facts(declared: Declared) -> list[Any]:
    """Everything that a change could show in: inputs, options, outputs."""
    options = [(r.options.protect, str(r.options.replacement_trigger)) for r in declared.resources]
    return [[(r.urn, str(r.inputs)) for r in declared.resources], options, str(declared.outputs)]
