"""Level 2: the stand-in of the bridge in the brewery of a real prosody, against recordings/bridge."""

import csv
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.packages.bridge_lab import (
    BREWERY,
    DOMAIN,
    HIBERNATION,
    PUBLIC,
    Bridge,
    Lab,
    Watcher,
    other_authority,
    room,
    wait_for,
)

RECORDED = Path(__file__).parent / "recordings/bridge"
LINES = json.loads((RECORDED / "lines.json").read_text())
TIMELINES = json.loads((RECORDED / "timelines.json").read_text())
with (RECORDED / "stat-names-by-state.tsv").open() as _file:
    STATS = {row["stat"]: row for row in csv.DictReader(_file, delimiter="\t")}
QUICK = {"videobridge.apis.xmpp-client.presence-interval": "0.3 s", "videobridge.stats.interval": "0.1 s"}
# What depends on the machine and on what was recorded before.
MOVING = {"threads", "current_timestamp", "version", "total_conferences_created", "total_conferences_completed",
          "total_conference_seconds", "total_participants"}  # fmt: skip


def in_order(event: str, bridge: Bridge) -> None:
    """The log has the recorded lines of the event, in their order, whatever stands between them."""
    log = iter(plain(bridge.log))
    for line in LINES[event]:
        (wanted,) = plain(f"JVB 2026-11-21 00:00:00.000 {line.replace(': ', ': ', 1)}")
        assert any(each == wanted for each in log), f"{event}: {wanted} is not in its place in\n{bridge.log}"


def plain(log: str) -> list[str]:
    """Lines without their time, thread and context, and without what differs between two runs."""
    found = re.findall(
        r"^JVB \S+ \S+ (\w+): ?(?:\[\d+\] )?(?:\[(?:hostname|confId)=[^\]]*\] )?(.*)$", log, re.MULTILINE
    )
    found = found or [re.fullmatch(r"JVB \S+ \S+ (\w+) (.*)", log).groups()]  # type: ignore[union-attr]
    # Whether stream management is on is not told by the stand-in.
    changes = ((r"version \S+", "version V"), (r"jvb-lab-\d+", "jvb-lab"), (r" isSm\S+", ""),
               (r"PT[\d.]+[SM](?=$|:)", "PT"), (r"interval=\d+", "interval"))  # fmt: skip
    lines = []
    for level, text in found:
        for pattern, value in changes:
            text = re.sub(pattern, value, text)
        lines.append(f"{level} {text}")
    return lines


@contextmanager
def joined(lab: Lab, settings: dict[str, Any] | None = None, **shard: Any) -> Iterator[tuple[Bridge, Watcher]]:
    watcher = lab.watcher()
    with lab.bridge(settings, **shard) as bridge:
        wait_for(lambda: len(watcher.of(bridge.nick)) > 1, "the bridge is in the brewery")
        yield bridge, watcher


@dataclass(frozen=True)
class Scene:
    """One bridge that is left alone while another, killed, is missed."""

    left: Bridge
    of_left: list[dict[str, Any]]
    of_killed: list[dict[str, Any]]
    killed: float


@pytest.fixture(scope="module")
def scene(bridge_lab: Lab) -> Scene:
    with joined(bridge_lab) as (killed, watcher), bridge_lab.bridge() as left:
        moment = time.time()
        killed.kill(9)
        wait_for(lambda: watcher.of(killed.nick)[-1]["type"] == "unavailable", "prosody has dropped it")
        return Scene(left, watcher.of(left.nick), watcher.of(killed.nick), moment)


def test_a_bridge_joins_without_stats_then_sends_79_and_again_every_5_seconds(scene: Scene) -> None:
    first, second, *rest = scene.of_left
    third = rest[0]
    assert first["stats"] is None
    assert 0.05 < second["time"] - first["time"] < 0.5
    assert 3.5 < third["time"] - second["time"] < 5.5
    assert {len(each["stats"]) for each in rest} == {79}
    assert rest[-1]["time"] - third["time"] == pytest.approx(5 * (len(rest) - 1), abs=0.5)
    for each in (second, *rest):
        assert list(each["stats"]) == list(STATS)
    assert second["stats"]["muc_clients_connected"] == STATS["muc_clients_connected"]["idle"] == "0"
    in_order("joined", scene.left)


def test_a_killed_bridge_is_dropped_when_prosody_has_waited_for_its_return(scene: Scene) -> None:
    last = scene.of_killed[-1]
    assert "333" in last["codes"]
    assert last["time"] - scene.killed == pytest.approx(HIBERNATION + 1, abs=1.5)


@pytest.mark.parametrize("state", ["conference", "draining", "graceful", "shutting_down", "unhealthy"])
def test_the_presence_tells_the_state_as_recorded(state: str, bridge_lab: Lab) -> None:
    private = {"ice4j.harvest.blocked-addresses": [PUBLIC], "videobridge.health.interval": "0.2 s"}
    with joined(bridge_lab, QUICK | (private if state == "unhealthy" else {})) as (bridge, watcher):
        if state in ("conference", "graceful", "shutting_down"):
            watcher.ask(bridge.nick, room("m", create=["a", "b"]))
        if state in ("graceful", "shutting_down"):
            bridge.shut_down("true")
        if state in ("draining", "shutting_down"):
            bridge.ask("POST", "/colibri/drain/enable")
        if state == "shutting_down":
            watcher.ask(bridge.nick, room("m", expire=["a", "b"]))
        wanted = {name: row[state] for name, row in STATS.items() if name not in MOVING}

        def told() -> bool:
            stats = watcher.of(bridge.nick)[-1]["stats"]
            return {name: stats[name] for name in wanted} == wanted

        try:
            wait_for(told, state)
        except AssertionError:
            stats = watcher.of(bridge.nick)[-1]["stats"]
            assert {name: stats[name] for name in wanted} == wanted  # shows what differs


def test_a_change_is_not_told_before_the_next_presence(bridge_lab: Lab) -> None:
    with joined(bridge_lab, {"videobridge.apis.xmpp-client.presence-interval": "2 s"}) as (bridge, watcher):
        before = len(watcher.of(bridge.nick))
        wait_for(lambda: len(watcher.of(bridge.nick)) > before, "a presence")
        bridge.ask("POST", "/colibri/drain/enable")
        time.sleep(1)
        assert len(watcher.of(bridge.nick)) == before + 1
        wait_for(lambda: watcher.of(bridge.nick)[-1]["stats"]["drain"] == "true", "the drain is told")


def test_the_filter_leaves_what_jicofo_needs(bridge_lab: Lab) -> None:
    with joined(bridge_lab, {"videobridge.apis.xmpp-client.stats-filter.enabled": True}) as (bridge, watcher):
        assert set(watcher.of(bridge.nick)[1]["stats"]) == {
            "average_participant_stress", "current_timestamp", "drain", "graceful_shutdown", "healthy",
            "shutting_down", "stress_level", "version",
        }  # fmt: skip


def test_a_relay_tells_its_region_and_id(bridge_lab: Lab) -> None:
    relay = {"enabled": True, "region": "fsn1", "relay-id": "bridge-1"}
    with joined(bridge_lab, {"videobridge.relay": relay}) as (bridge, watcher):
        stats = watcher.of(bridge.nick)[1]["stats"]
        assert (stats["region"], stats["relay_id"]) == ("fsn1", "bridge-1")


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
    with bridge_lab.trusting(bridge_lab.authority, java=other_authority()), bridge_lab.bridge() as bridge:
        wait_for(lambda: "PKIX path building failed" in bridge.log, "the bridge does not trust")
    with bridge_lab.trusting(other_authority(), java=bridge_lab.authority), joined(bridge_lab):
        pass


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


def test_jicofo_can_make_change_and_end_a_conference(bridge_lab: Lab) -> None:
    mapping = {"local-address": PUBLIC, "public-address": "203.0.113.10", "name": "outside"}
    settings = QUICK | {
        "ice4j.harvest.mapping.static-mappings": [mapping],
        "videobridge.ice.advertise-private-candidates": False,
    }
    with joined(bridge_lab, settings) as (bridge, watcher):
        made = watcher.ask(bridge.nick, room("m", create=["a", "b"]))
        assert re.findall(r' ip="([\d.]+)"', made) == [PUBLIC, "203.0.113.10"] * 2
        assert f'port="{bridge.port + 2000}"' in made
        for part in ("ufrag=", "pwd=", "fingerprint", 'role="server"', "jvb-a0", "jvb-v0"):
            assert part in made
        again = watcher.ask(bridge.nick, room("m", create=["c"]))
        assert 'type="error"' in again
        assert 'reason="conference_already_exists"' in again
        assert "conference-modified" in watcher.ask(bridge.nick, room("m", create=["c"], new=False))
        assert 'reason="unknown_endpoint"' in watcher.ask(bridge.nick, room("m", change=["z"]))
        assert "conflict" in watcher.ask(bridge.nick, room("m", create=["c"], new=False))
        assert 'reason="conference_not_found"' in watcher.ask(bridge.nick, room("other", expire=["c"]))
        watcher.ask(bridge.nick, room("m", expire=["a"]))
        in_order("endpoint", bridge)
        stats = bridge.stats()
        assert stats
        assert (stats["conferences"], stats["local_endpoints"], stats["total_participants"]) == (1, 2, 3)
        watcher.ask(bridge.nick, room("m", expire=["b", "c"]))
        stats = bridge.stats()
        assert stats
        assert (stats["conferences"], stats["local_endpoints"], stats["total_conferences_completed"]) == (0, 0, 1)


def test_an_unhealthy_bridge_says_so_to_jicofo_and_a_leaving_one_takes_no_new_room(bridge_lab: Lab) -> None:
    settings = {"ice4j.harvest.blocked-addresses": [PUBLIC], "videobridge.health.interval": "0.5 s"}
    check = "<healthcheck xmlns='http://jitsi.org/protocol/healthcheck'/>"
    with joined(bridge_lab, settings) as (bridge, watcher):
        wait_for(lambda: "internal-server-error" in watcher.ask(bridge.nick, check), "the check fails")
    with joined(bridge_lab) as (bridge, watcher):
        assert 'type="result"' in watcher.ask(bridge.nick, check)
        watcher.ask(bridge.nick, room("m", create=["a"]))
        bridge.shut_down("true")
        refused = watcher.ask(bridge.nick, room("n", create=["a"]))
        assert "service-unavailable" in refused
        assert 'reason="graceful_shutdown"' in refused
        assert "conference-modified" in watcher.ask(bridge.nick, room("m", create=["b"], new=False))
