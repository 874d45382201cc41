"""Level 1: each setting has an effect, and the options that protect calls are set."""

from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.settings import Settings
from tests.level1_declared.recording import MINIMAL, Declared, declare
from tests.level2_checked.rendered import key_line
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
    "drain": False,
    "drainMinutes": 0,
    "drainAtOnce": 1,
    "replaceAtOnce": 1,
    "generation": 2,
    "protect": True,
    "labels": {"team": "video"},
}
REPLACES_BRIDGES = {"domain", "bridgeType", "image", "locations", "network", "adminKeys", "jitsiVersions"}
# A pool that was made of other servers, for what shows only when something is replaced.
OLDER = {
    "bridges": [{"name": f"bridge-{n}", "madeFrom": {"location": "fsn1", "rank": n - 1, "digest": "x"}} for n in (1, 2)]
}
WITHOUT_EFFECT = {
    "cloud": "one value so far",
    "zone": "checks that the domain lies inside; the zone itself is found by zoneId",
}


@cache
def usual() -> Declared:
    return declare(before=OLDER)


@cache
def changed(key: str) -> Declared:
    return declare({key: EFFECTS[key]}, before=OLDER)


def trigger(declared: Declared, server: str) -> str:
    return str(declared.one("Server", server).options.replacement_trigger)


def test_every_setting_is_in_the_table_of_effects() -> None:
    known = {info.alias or name for name, info in Settings.model_fields.items()}
    assert known == set(EFFECTS) | set(WITHOUT_EFFECT)


@pytest.mark.parametrize("key", sorted(set(EFFECTS) - set(WITHOUT_EFFECT)))
def test_a_changed_setting_changes_what_is_declared(key: str) -> None:
    assert _facts(changed(key)) != _facts(usual())


@pytest.mark.parametrize("key", sorted({*EFFECTS} - {"zone"}))
def test_a_change_makes_a_new_server_only_where_the_table_says_so(key: str) -> None:
    """The engine makes one when the trigger is another text; what is not here must not reach a running call."""
    made_anew = {
        server for server in ("shard-1", "bridge-1") if trigger(changed(key), server) != trigger(usual(), server)
    }
    assert made_anew == {"generation": {"shard-1"}}.get(key, {"bridge-1"} if key in REPLACES_BRIDGES else set())


def test_two_runs_with_the_same_settings_give_the_same_triggers() -> None:
    again = declare(before=OLDER)
    for server in ("shard-1", "bridge-1", "bridge-2"):
        assert trigger(again, server) == trigger(usual(), server) != ""


def test_no_change_of_a_server_s_own_properties_reaches_the_plugin() -> None:
    """For another type it would power off all servers at once; a change of user-data would wait for no limit."""
    free = {"firewallIds": "in place, no packet is lost", "labels": "in place"}
    for server in usual().all("Server"):
        assert set(server.inputs) - set(server.options.ignoreChanges) == set(free)
        assert list(server.options.replaceOnChanges) == []
        assert server.options.deleteBeforeReplace is False


def test_the_leg_in_the_private_network_goes_with_its_server() -> None:
    declared = declare()
    legs = {leg.name: leg.options.deletedWith for leg in declared.all("ServerNetwork")}
    assert legs == {server.name: server.urn for server in declared.all("Server")}


def test_no_server_has_a_name_of_its_own_so_that_its_successor_can_be_made_first() -> None:
    assert all("name" not in server.inputs for server in declare().all("Server"))


def test_protect_guards_what_cannot_be_made_again_but_never_a_bridge() -> None:
    declared = declare({"protect": True})
    guarded = {resource.name for resource in declared.resources if resource.options.protect}
    assert {"shard-1", "ca", "jvb", "rotation", "signaling-host"} <= guarded
    assert declared.one("PrivateKey", "operations").name not in guarded, "it may be replaced at any time"
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
    keys = [key_line(f"admin-{number}", kind="ssh-rsa", size=513) for number in range(60)]
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
