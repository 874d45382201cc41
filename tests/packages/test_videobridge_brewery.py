"""Level 2: what the stand-in of the bridge says in the brewery of a real prosody, and to jicofo (recordings/bridge)."""

import re
import time
from dataclasses import dataclass
from typing import Any

import pytest

from tests.packages.bridge_lab import HIBERNATION, PUBLIC, Bridge, Lab, room, wait_for
from tests.packages.bridge_recordings import QUICK, STATS, in_order, joined

# What depends on the machine and on what was recorded before.
MOVING = {"threads", "current_timestamp", "version", "total_conferences_created", "total_conferences_completed",
          "total_conference_seconds", "total_participants"}  # fmt: skip


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
