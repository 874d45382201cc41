"""Level 2: the stand-in of the bridge lives, falls ill and ends as the real one (recordings/bridge/timelines.json)."""

import time
from typing import Any

import pytest

from tests.packages.bridge_lab import PRIVATE, PUBLIC, Bridge, Lab, room, wait_for
from tests.packages.bridge_recordings import QUICK, TIMELINES, in_order, joined

# As short as a test wants it; the recorded bridge waited for the default, a minute.
DELAY = {"videobridge.shutdown.shutting-down-delay": "1500 ms"}
FAST_HEALTH = {"videobridge.health.interval": "0.3 s"}


def state(bridge: Bridge) -> list[int] | None:
    """As timelines.json has it; None when nobody answers."""
    names = ("conferences", "participants", "drain", "graceful_shutdown", "shutting_down", "healthy")
    stats = bridge.stats()
    return [int(stats[name]) for name in names] if stats else None


def health(bridge: Bridge) -> tuple[str, str]:
    answer = bridge.ask("GET", "/about/health")
    assert answer
    return answer.status, answer.text.strip()


def ends(bridge: Bridge, recorded: dict[str, Any]) -> None:
    """REST goes after the delay, then the process with its status, as far behind as recorded."""
    shutting = next(each[0] for each in recorded["states"] if each[5])
    assert recorded["rest_gone"] - shutting == pytest.approx(60, abs=0.5)
    wait_for(lambda: bridge.ask("GET", "/") is None, "REST is gone")
    assert bridge.process.wait(20) == recorded["status"] == 0
    (asked,), (now,), (last,) = (bridge.at(each) for each in ("Will shut down in", "shutting down NOW", "Stopping."))
    assert now - asked == pytest.approx(1.5, abs=0.3)
    assert last - now < recorded["ended"] - recorded["rest_gone"] + 0.5


def test_a_graceful_shutdown_waits_for_the_room_and_then_for_the_delay(bridge_lab: Lab) -> None:
    recorded = TIMELINES["graceful-true-live-room"]
    states = [each[1:] for each in recorded["states"] if not each[3]]  # without the drain that came between
    with joined(bridge_lab, DELAY | {"videobridge.stats.interval": "2 s"}) as (bridge, watcher):
        watcher.ask(bridge.nick, room("m", create=["a", "b"]))
        wait_for(lambda: (bridge.stats() or {})["participants"] == 2, "a sample counts both")
        bridge.shut_down("true")
        bridge.shut_down("true")
        assert state(bridge) == states[0] == [1, 2, 0, 1, 0, 1]
        time.sleep(1)
        assert state(bridge) == states[0]
        watcher.ask(bridge.nick, room("m", expire=["a", "b"]))
        assert state(bridge) == states[1] == [0, 2, 0, 1, 1, 1]
        wait_for(lambda: state(bridge) == [0, 0, 0, 1, 1, 1], "the sample follows")
        ends(bridge, recorded)
        assert watcher.of(bridge.nick)[-1]["type"] == "unavailable"
        assert "Will shut down in PT1.5S" in bridge.log
        in_order("graceful", bridge)


def test_an_idle_bridge_shuts_down_after_the_delay(bridge_lab: Lab) -> None:
    with bridge_lab.bridge(DELAY) as bridge:
        bridge.shut_down("true")
        recorded = TIMELINES["graceful-true-idle"]
        assert state(bridge) == recorded["states"][0][1:]
        ends(bridge, recorded)


def test_a_shutdown_without_grace_leaves_the_room_to_jicofo(bridge_lab: Lab) -> None:
    with joined(bridge_lab, DELAY | QUICK) as (bridge, watcher):
        watcher.ask(bridge.nick, room("m", create=["a", "b"]))
        wait_for(lambda: (bridge.stats() or {})["participants"] == 2, "both are counted")
        bridge.shut_down("false")
        recorded = TIMELINES["graceful-false-live-room"]
        assert state(bridge) == recorded["states"][0][1:]
        wait_for(lambda: watcher.of(bridge.nick)[-1]["stats"]["shutting_down"] == "true", "the brewery is told")
        ends(bridge, recorded)
        in_order("not graceful", bridge)


def test_a_graceful_shutdown_does_not_wait_longer_than_its_limit(bridge_lab: Lab) -> None:
    limit = {"videobridge.shutdown.graceful-shutdown-max-duration": "1 s"}
    with joined(bridge_lab, DELAY | limit) as (bridge, watcher):
        watcher.ask(bridge.nick, room("m", create=["a"]))
        bridge.shut_down("true")
        assert bridge.process.wait(20) == 0


def test_a_drain_is_forgotten_at_a_restart_but_may_be_the_start(bridge_lab: Lab) -> None:
    with bridge_lab.bridge() as bridge:
        bridge.ask("POST", "/colibri/drain/enable")
        assert (bridge.stats() or {})["drain"] is True
        bridge.ask("POST", "/colibri/drain/disable")
        in_order("drain", bridge)
        bridge.ask("POST", "/colibri/drain/enable")
    with bridge_lab.bridge() as bridge:
        assert (bridge.stats() or {})["drain"] is False
    with bridge_lab.bridge({"videobridge.initial-drain-mode": True}) as bridge:
        assert (bridge.stats() or {})["drain"] is True


def test_metrics_and_conferences_are_live_but_participants_are_a_sample(bridge_lab: Lab) -> None:
    """The recorded room: at each moment, stats and metrics are one of the combinations that were seen."""
    seen = [each[1:] for each in TIMELINES["room-start-and-end-metrics"]["states"]]
    with joined(bridge_lab, {"videobridge.stats.interval": "1.5 s"}) as (bridge, watcher):

        def now() -> list[int]:
            answer = bridge.ask("GET", "/metrics", Accept="application/json")
            assert answer
            found = state(bridge)
            assert found
            return found + [answer.body[name] for name in ("conferences", "local_endpoints", "current_endpoints")]

        def change(request: str, people: int) -> list[list[int]]:
            """What is seen at once, and when the next sample has been taken."""
            watcher.ask(bridge.nick, request)
            at_once = now()
            wait_for(lambda: now()[-1] == people, "the sample follows")
            return [at_once, now()]

        # The end of each change is the moment of a sample, so the next one is seen before another.
        change(room("before", create=["x"]), 1)
        change(room("before", expire=["x"]), 0)
        moments = change(room("m", create=["a", "b"]), 2) + change(room("m", expire=["a", "b"]), 0)
        assert moments == [[1, 0, 0, 0, 0, 1, 1, 2, 0], [1, 2, 0, 0, 0, 1, 1, 2, 2],
                           [0, 2, 0, 0, 0, 1, 0, 0, 2], [0, 0, 0, 0, 0, 1, 0, 0, 0]]  # fmt: skip
        assert all(each in seen for each in moments)


def test_a_private_address_only_makes_a_bridge_unhealthy_at_its_first_check(bridge_lab: Lab) -> None:
    with bridge_lab.bridge(
        {"ice4j.harvest.blocked-addresses": [PUBLIC], "videobridge.health.interval": "2 s"}
    ) as bridge:
        assert health(bridge) == ("200 OK", "")
        wait_for(lambda: health(bridge)[0] != "200 OK", "the first check fails")
        assert bridge.at("Health check failed")[0] - bridge.at("Started with interval")[0] == pytest.approx(2, abs=0.3)
        assert health(bridge) == ("500 Server Error", "No valid IP addresses available for harvesting.")
        assert (bridge.stats() or {})["healthy"] is False
        in_order("unhealthy", bridge)


MAPPING = {"local-address": PRIVATE, "public-address": "203.0.113.10"}
BLOCKED = {"ice4j.harvest.blocked-addresses": [PUBLIC]}


@pytest.mark.parametrize("cure", [
    {"ice4j.harvest.mapping.static-mappings": [MAPPING]},
    {"videobridge.health.require-valid-address": False},
    {"ice4j.harvest.blocked-addresses": [PRIVATE]},
    {"ice4j.harvest.blocked-addresses": [], "ice4j.harvest.allowed-interfaces": ["lab"]},
])  # fmt: skip
def test_each_cure_of_a_host_with_a_private_address_works(cure: dict[str, Any], bridge_lab: Lab) -> None:
    with bridge_lab.bridge(FAST_HEALTH | BLOCKED | cure) as bridge:
        time.sleep(0.7)  # two checks
        assert health(bridge) == ("200 OK", "")


@pytest.mark.parametrize(("settings", "reason"), [
    ({"videobridge.health.require-stun": True, "ice4j.harvest.mapping.stun.addresses": ["192.0.2.1:443"]},
     "Address discovery through STUN failed"),
    ({"ice4j.harvest.mapping.static-mappings": [MAPPING | {"local-address": "10.99.0.1"}]} | BLOCKED,
     "No valid IP addresses available for harvesting."),
    ({"ice4j.harvest.allowed-interfaces": ["eth7"]}, "No valid IP addresses available for harvesting."),
    ({"ice4j.harvest.allowed-addresses": [PRIVATE]}, "No valid IP addresses available for harvesting."),
])  # fmt: skip
def test_each_reason_makes_a_bridge_unhealthy(settings: dict[str, Any], reason: str, bridge_lab: Lab) -> None:
    with bridge_lab.bridge(FAST_HEALTH | settings) as bridge:
        wait_for(lambda: health(bridge) == ("500 Server Error", reason), reason)


def test_a_bridge_whose_media_port_is_taken_is_unhealthy(bridge_lab: Lab) -> None:
    with bridge_lab.bridge() as first:
        same = FAST_HEALTH | {"videobridge.ice.udp.port": first.port + 2000}
        for needed, reason in ((False, "Failed to bind single-port"), (True, "No valid IP addresses")):
            with bridge_lab.bridge(same | {"videobridge.health.require-valid-address": needed}) as bridge:
                wait_for(lambda: health(bridge)[1].startswith(reason), reason)  # noqa: B023


def test_the_media_port_is_open_on_the_harvested_addresses_and_nothing_else_listens(bridge_lab: Lab) -> None:
    with bridge_lab.bridge({"ice4j.harvest.blocked-addresses": [PRIVATE]}) as bridge:
        listing = bridge_lab.run("ss", "--no-header", "-lntup").stdout.splitlines()
        own = {line.split()[4] for line in listing if "python3" in line}
        assert own == {f"{PUBLIC}:{bridge.port + 2000}", f"127.0.0.1:{bridge.port}"}
