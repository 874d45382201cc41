"""Level 2: when a bridge counts as ready, and what a forecast says, against bridges and a jicofo that only answer."""

import json
import time

from tests.operations.fakes import Pool
from tests.operations.running import Node


def test_a_bridge_is_ready_when_it_has_been_healthy_for_a_while(pool: Pool, here: Node) -> None:
    bridge = pool.bridge("1")
    done = here.run(f"ready {bridge.drained_as} 20", HEALTHY=0.5)
    assert (done.status, done.lines[-1]) == (0, "bridge-1 is ready: version 2.3.307-gfake")
    assert done.seconds > 0.5


def test_what_a_bridge_lacks_is_said_when_it_changes(pool: Pool, here: Node) -> None:
    bridge = pool.bridge("1")
    bridge.fault, bridge.listed, bridge.operational = "500", False, False
    session = here.begin(f"ready {bridge.drained_as} 30", HEALTHY=0.5)
    assert session.line() == "bridge-1: does not answer yet\n"
    bridge.fault = ""
    assert session.line() == "bridge-1: answers, not in the brewery\n"
    bridge.listed = True
    assert session.line() == "bridge-1: jicofo does not take it for operational\n"
    bridge.operational = True
    assert session.line() == "bridge-1: healthy, which has to last 0.5 s\n"
    bridge.health = 500
    assert session.line() == "bridge-1: is not healthy: No valid IP addresses available for harvesting.\n"
    bridge.health = 200
    began = time.monotonic()
    assert session.line() == "bridge-1: healthy, which has to last 0.5 s\n"
    assert session.line() == "bridge-1 is ready: version 2.3.307-gfake\n"
    assert time.monotonic() - began > 0.4, "from the start"
    assert session.done().status == 0


def test_a_bridge_that_never_gets_healthy_fails_in_time_with_what_was_seen_last(pool: Pool, here: Node) -> None:
    bridge = pool.bridge("1")
    bridge.health = 500
    done = here.run(f"ready {bridge.drained_as} 1")
    assert done.status == 1
    assert done.errors == (
        "bridge-1 is not ready within 1 s: is not healthy: No valid IP addresses available for harvesting.\n"
    )
    assert done.seconds < 3


def test_a_bridge_that_is_kept_after_its_drain_broke_off_serves_again(pool: Pool, here: Node) -> None:
    bridge = pool.bridge("1")
    bridge.flags.drain = True
    done = here.run(f"ready {bridge.drained_as} 20", HEALTHY=0.3)
    assert "bridge-1: was in a drain, which is taken back" in done.lines
    assert (done.status, bridge.flags.drain) == (0, False)


def test_a_drain_that_still_waits_for_somebody_to_come_back_is_ended_too(pool: Pool, here: Node) -> None:
    bridge = pool.bridge("1", one=2)
    pool.bridge("2")
    drain = here.begin(f"drain {bridge.drained_as} 10 5")
    assert "1 conferences with 2 people" in drain.line()
    assert bridge.flags.drain
    done = here.run(f"ready {bridge.drained_as} 20", HEALTHY=0.3)
    assert (done.status, bridge.flags.drain, bridge.flags.graceful) == (0, False, False)
    assert drain.process.wait(5) != 0
    assert json.loads(here.run("status").lines[-1]) == []


def test_a_bridge_in_graceful_shutdown_is_not_ready_and_the_way_out_is_said(pool: Pool, here: Node) -> None:
    bridge = pool.bridge("1")
    bridge.flags.graceful = True
    done = here.run(f"ready {bridge.drained_as} 1", HEALTHY=0.3)
    assert done.status == 1
    assert "is in graceful shutdown: reboot it, or have it replaced" in done.errors


def test_another_bridge_with_the_address_is_not_the_one_that_was_asked_for(pool: Pool, here: Node) -> None:
    bridge, other = pool.bridge("1"), pool.bridge("2")
    done = here.run(f"ready bridge-1 {other.address} {bridge.instance} 1")
    assert done.status == 1
    assert f"{other.address} belongs to bridge-2 by now" in done.errors


def test_without_jicofo_no_bridge_is_ready(pool: Pool, here: Node) -> None:
    bridge = pool.bridge("1")
    pool.jicofo.fault = "500"
    done = here.run(f"ready {bridge.drained_as} 1")
    assert (done.status, done.errors) == (1, "bridge-1 is not ready within 1 s: jicofo does not answer\n")


def forecast(here: Node, *leaving: str) -> dict[str, object]:
    words = " ".join(each.replace(" ", ",") for each in leaving)
    done = here.run(f"forecast {words}", CALL=0.5)
    assert (done.status, done.errors) == (0, "")
    return dict(json.loads(done.text))


def test_a_forecast_tells_who_would_be_moved_and_what_those_that_stay_can_take(pool: Pool, here: Node) -> None:
    one, two, stays = pool.bridge("1", one=2, two=3), pool.bridge("2", three=4), pool.bridge("3", four=10)
    stays.stress = 0.5
    told = forecast(here, one.drained_as, two.drained_as)
    assert told["staying"] == [{"bridge": "bridge-3", "stress": 0.6, "room_for": 20}]
    plain = {key: told[key] for key in ("conferences", "people", "room_for", "too_many", "ended_conferences")}
    assert plain == {"conferences": 3, "people": 9, "room_for": 20, "too_many": 0, "ended_conferences": 0}
    assert told["leaving"] == [
        {"name": "bridge-1", "instance": "1", "reachable": True, "in_brewery": True, "conferences": 2, "people": 5},
        {"name": "bridge-2", "instance": "2", "reachable": True, "in_brewery": True, "conferences": 1, "people": 4},
    ]


def test_a_forecast_tells_how_many_are_too_many(pool: Pool, here: Node) -> None:
    one, stays = pool.bridge("1", one=30), pool.bridge("2")
    stays.stress = 0.7
    told = forecast(here, one.drained_as)
    assert (told["room_for"], told["too_many"]) == (10, 20)


def test_a_forecast_for_all_bridges_tells_the_calls_that_end(pool: Pool, here: Node) -> None:
    one, two = pool.bridge("1", one=2), pool.bridge("2", three=4)
    told = forecast(here, one.drained_as, two.drained_as)
    assert (told["ended_conferences"], told["ended_people"], told["staying"]) == (2, 6, [])


def test_a_forecast_is_given_although_a_bridge_hangs_and_one_is_gone(pool: Pool, here: Node) -> None:
    one, _ = pool.bridge("1", one=2), pool.bridge("2")
    one.fault = "hangs"
    told = forecast(here, one.drained_as, "bridge-9 127.77.9.9 9")
    assert told["people"] == 2, "as jicofo counts"
    assert told["leaving"] == [
        {"name": "bridge-1", "instance": "1", "reachable": False, "in_brewery": True, "conferences": 1, "people": 2},
        {"name": "bridge-9", "instance": "9", "reachable": False, "in_brewery": False, "conferences": 0, "people": 0},
    ]


def test_a_forecast_without_jicofo_says_so(pool: Pool, here: Node) -> None:
    bridge = pool.bridge("1", one=2)
    pool.jicofo.fault = "500"
    told = forecast(here, bridge.drained_as)
    assert (told["jicofo"], told["people"]) == (False, 2)
