"""Level 1: each setting has an effect, and the options that protect calls are set."""

from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.settings import Settings
from tests.level1_declared.recording import MINIMAL, Declared, declare
from tests.versions import VERSIONS

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
    "generation": 2,
    "protect": True,
    "labels": {"team": "video"},
}
WITHOUT_EFFECT = {
    "cloud": "one value so far",
    "zone": "checks that the domain lies inside; the zone itself is found by zoneId",
}


def test_every_setting_is_in_the_table_of_effects() -> None:
    known = {info.alias or name for name, info in Settings.model_fields.items()}
    assert known == set(EFFECTS) | set(WITHOUT_EFFECT)


@pytest.mark.parametrize("key", sorted(set(EFFECTS) - set(WITHOUT_EFFECT)))
def test_a_changed_setting_changes_what_is_declared(key: str) -> None:
    assert _facts(declare({key: EFFECTS[key]})) != _facts(declare())


def test_a_signaling_node_waits_for_its_generation_and_a_bridge_does_not() -> None:
    declared = declare()
    shard, bridge = declared.one("Server", "shard-1").options, declared.one("Server", "bridge-1").options
    assert {"userData", "serverType", "image", "location"} <= set(shard.ignoreChanges)
    assert list(bridge.ignoreChanges) == ["sshKeys"]
    assert shard.HasField("replacement_trigger")
    assert not bridge.HasField("replacement_trigger")


def test_a_change_of_type_replaces_a_server_because_the_plugin_would_power_all_off() -> None:
    declared = declare()
    assert all("serverType" in server.options.replaceOnChanges for server in declared.all("Server"))


def test_the_leg_in_the_private_network_goes_with_its_server() -> None:
    declared = declare()
    legs = {leg.name: leg.options.deletedWith for leg in declared.all("ServerNetwork")}
    assert legs == {server.name: server.urn for server in declared.all("Server")}


def test_no_server_has_a_name_of_its_own_so_that_its_successor_can_be_made_first() -> None:
    assert all("name" not in server.inputs for server in declare().all("Server"))


def test_protect_guards_what_cannot_be_made_again_but_never_a_bridge() -> None:
    declared = declare({"protect": True})
    guarded = {resource.name for resource in declared.resources if resource.options.protect}
    assert {"shard-1", "ca", "jvb"} <= guarded
    assert not {server.name for server in declared.all("Server") if server.name.startswith("bridge")} & guarded


def test_every_resource_of_hetzner_carries_the_label_that_finds_the_cluster_again() -> None:
    labelled = [
        r for kind in ("Server", "Network", "Firewall", "PlacementGroup", "SshKey") for r in declare().all(kind)
    ]
    assert {resource.inputs["labels"]["cluster"] for resource in labelled} == {"test"}


def test_records_are_never_proxied_and_say_who_keeps_them() -> None:
    records = declare().all("DnsRecord")
    assert {(record.inputs["proxied"], record.inputs["ttl"]) for record in records} == {(False, 60)}
    assert all("stack test" in record.inputs["comment"] for record in records)


def test_each_host_has_its_public_and_its_internal_names() -> None:
    names = {(r.inputs["type"], r.inputs["name"]) for r in declare({"bridges": 1}).all("DnsRecord")}
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


def test_a_preview_of_an_empty_stack_declares_the_same_resources() -> None:
    assert declare(preview=True).outline() == declare().outline()


def test_the_minimal_settings_are_complete() -> None:
    assert declare().one("Server", "shard-1").inputs["location"] == "fsn1"
    assert set(MINIMAL) <= set(EFFECTS)


def test_user_data_that_is_too_large_stops_the_program_before_any_resource() -> None:
    """Hetzner takes 32 KiB; the program finds out before the first call, not with half a cluster made."""
    keys = [ADMIN_KEY.replace("admin", f"admin-{number} " + "x" * 200) for number in range(40)]
    keys = [key.replace("AAAAIJ1hb5nG", f"AAAAIJ1hb{number:03d}") for number, key in enumerate(keys)]
    with pytest.raises(pulumi.RunError, match="user-data of the signaling role has"):
        declare({"adminKeys": keys})


def test_only_one_file_names_the_machines_of_a_provider() -> None:
    parts = Path(__file__).parents[2] / "components"
    naming = {path.relative_to(parts).as_posix() for path in parts.rglob("*.py") if "pulumi_hcloud" in path.read_text()}
    assert naming == {"clouds/hetzner.py"}


def _facts(declared: Declared) -> list[Any]:
    """Everything that a change could show in: inputs, options, outputs."""
    options = [(r.options.protect, str(r.options.replacement_trigger)) for r in declared.resources]
    return [[(r.urn, str(r.inputs)) for r in declared.resources], options, str(declared.outputs)]
