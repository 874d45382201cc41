"""Level 2: how the stand-in of the bridge comes by its place in the brewery, and loses it (recordings/bridge)."""

import time
from itertools import pairwise
from typing import Any

import pytest

from tests.packages.bridge_lab import BREWERY, DOMAIN, Lab, room, wait_for
from tests.packages.bridge_recordings import QUICK, TIMELINES, in_order, joined
from tests.packages.certificates import key_store, other_authority


def test_a_wrong_password_is_tried_for_ever_and_health_stays_good(bridge_lab: Lab) -> None:
    watcher = bridge_lab.watcher()
    with bridge_lab.bridge(QUICK, PASSWORD="wrong") as bridge:  # noqa: S106
        wait_for(lambda: bridge.log.count("SASLError using SCRAM-SHA-1: not-authorized") > 20, "20 attempts")
        in_order("wrong password", bridge)
        health, stats = bridge.ask("GET", "/about/health"), bridge.stats()
        assert health
        assert stats
        assert (health.status, stats["muc_clients_configured"], stats["mucs_joined"]) == ("200 OK", 1, 0)
        assert not watcher.of(bridge.nick)


@pytest.mark.parametrize("why", ["authority", "name"])
def test_a_certificate_that_is_not_trusted_or_of_another_name_keeps_a_bridge_out(why: str, bridge_lab: Lab) -> None:
    trust = other_authority() if why == "authority" else bridge_lab.authority
    shard: dict[str, Any] = {"DOMAIN": f"other.{DOMAIN}"} if why == "name" else {}
    watcher = bridge_lab.watcher()
    with bridge_lab.trusting(trust), bridge_lab.bridge(**shard) as bridge:
        wait_for(lambda: bridge.log.count("PKIX path building failed") > 8, "several attempts")
        in_order("untrusted", bridge)
        health = bridge.ask("GET", "/about/health")
        assert health
        assert health.status == "200 OK"
        assert "Connected." not in bridge.log
        assert not watcher.of(bridge.nick)


def test_a_bridge_told_not_to_verify_joins_whatever_the_certificate(bridge_lab: Lab) -> None:
    with bridge_lab.trusting(other_authority()), joined(bridge_lab, DISABLE_CERTIFICATE_VERIFICATION="true"):
        pass


def test_javas_store_of_authorities_goes_before_the_systems(bridge_lab: Lab) -> None:
    stranger, own = other_authority(), bridge_lab.authority
    with bridge_lab.trusting(own, java=key_store(stranger)), bridge_lab.bridge() as bridge:
        wait_for(lambda: "PKIX path building failed" in bridge.log, "the bridge does not trust")
    with bridge_lab.trusting(stranger, java=key_store(stranger, own)), joined(bridge_lab):
        pass


@pytest.mark.parametrize("damage", ["another kind", "cut"])
def test_a_store_of_authorities_that_cannot_be_read_is_said_and_the_systems_taken(damage: str, bridge_lab: Lab) -> None:
    store = b"another kind of store" if damage == "another kind" else key_store(bridge_lab.authority)[:30]
    with bridge_lab.trusting(bridge_lab.authority, java=store), joined(bridge_lab) as (bridge, _):
        assert "/etc/ssl/certs/java/cacerts cannot be read" in bridge.log


def test_a_bridge_that_is_ended_leaves_at_once(bridge_lab: Lab) -> None:
    with joined(bridge_lab) as (bridge, watcher):
        ended = time.time()
        bridge.kill(15)
        recorded = TIMELINES["sigterm-live-room"]
        assert bridge.process.wait(20) == recorded["status"] == 143
        assert time.time() - ended < recorded["ended"] + 1
        wait_for(lambda: watcher.of(bridge.nick)[-1]["type"] == "unavailable", "it has left")
        assert watcher.of(bridge.nick)[-1]["codes"] == []
        in_order("ends", bridge)


def test_a_bridge_is_back_soon_after_prosody_and_keeps_its_rooms(bridge_lab: Lab) -> None:
    with joined(bridge_lab, QUICK) as (bridge, watcher):
        watcher.ask(bridge.nick, room("orphan", create=["a", "b"]))
        try:
            bridge_lab.stop_prosody()
            wait_for(lambda: "Reconnection failed" in bridge.log, "the bridge misses it")
            stats = bridge.stats()
            assert stats
            assert (stats["conferences"], stats["local_endpoints"]) == (1, 2)
        finally:
            bridge_lab.start_prosody()
        wait_for(lambda: bridge.log.count("Joined MUC") == 2, "the bridge is back")
        tries = bridge.at("Reconnecting in 0")
        assert all(0.9 < later - earlier < 1.5 for earlier, later in pairwise(tries))
        assert bridge.at("Joined MUC")[1] - tries[-1] < 1
        in_order("lost", bridge)


def test_a_bridge_that_is_there_before_prosody_joins_when_that_arrives(bridge_lab: Lab) -> None:
    bridge_lab.stop_prosody()
    try:
        with bridge_lab.bridge() as bridge:
            wait_for(lambda: "Error connecting" in bridge.log, "the bridge has tried")
            bridge_lab.start_prosody()
            wait_for(lambda: "Joined MUC" in bridge.log, "the bridge has joined")
    finally:
        if ":5222" not in bridge_lab.run("ss", "-ltn").stdout:
            bridge_lab.start_prosody()


def test_an_entry_that_lacks_a_key_is_left_out_without_a_word(bridge_lab: Lab) -> None:
    with bridge_lab.bridge(QUICK, MUC_NICKNAME="") as bridge:
        wait_for(lambda: "HealthChecker" in bridge.log, "the bridge runs")
        stats = bridge.stats()
        assert stats
        assert stats["muc_clients_configured"] == 0
        assert "MucClient" not in bridge.log


def test_one_bridge_serves_several_shards_and_rooms(bridge_lab: Lab) -> None:
    other = {"Hostname": "localhost", "domain": f"auth.{DOMAIN}", "username": "jvb", "password": bridge_lab.password,
             "muc_jids": f"{BREWERY}, second@internal.auth.{DOMAIN}", "muc_nickname": "twice"}  # fmt: skip
    settings = QUICK | {"videobridge.apis.xmpp-client.configs.other": other}
    with joined(bridge_lab, settings) as (bridge, watcher):
        wait_for(lambda: watcher.of("twice"), "the second nickname is there, too")
        wait_for(lambda: (bridge.stats() or {})["mucs_joined"] == 3, "all rooms are joined")
