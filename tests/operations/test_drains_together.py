"""Level 2: drains of several bridges at once, as processes that race; never is the last living bridge graceful."""

import json
import time

import pytest

from tests.operations.fakes import Pool
from tests.operations.running import Node


@pytest.mark.parametrize("attempt", range(3))
def test_two_that_race_for_the_last_bridge_are_never_both_graceful(pool: Pool, here: Node, attempt: int) -> None:
    bridges = [pool.bridge("1", one=2), pool.bridge("2", two=3)]
    sessions = [here.begin(f"drain {bridge.drained_as} 0 5") for bridge in bridges[:: 1 - 2 * (attempt % 2)]]
    done = [session.done() for session in sessions]
    assert not pool.all_graceful
    for each in done:
        assert each.status == 0
        assert each.report.moved + each.report.dropped >= 1


def test_a_bridge_that_has_just_gone_is_no_target_although_jicofo_does_not_know_yet(pool: Pool, here: Node) -> None:
    pool.ended = True  # no presence reaches jicofo any more
    time.sleep(0.3)
    first, second = pool.bridge("1"), pool.bridge("2", two=3)
    here.run(f"drain {first.drained_as} 0 5", FLAG_SEEN=0.1)
    assert first.flags.graceful
    done = here.run(f"drain {second.drained_as} 0 5", FLAG_SEEN=0.1)
    assert "no other bridge stays" in done.text
    assert not pool.all_graceful


def test_all_that_leave_together_end_their_calls_only_at_the_deadline(pool: Pool, here: Node) -> None:
    bridges = [pool.bridge(str(number), **{f"room-{number}": 2}) for number in range(3)]
    sessions = [here.begin(f"drain {bridge.drained_as} 3 5") for bridge in bridges]
    for session in sessions:
        done = session.done()
        assert done.seconds > 3
        assert (done.report.dropped, done.report.moved) == (1, 0)
    assert not any(bridge.flags.graceful for bridge in bridges)


def test_no_more_drain_at_once_than_may(pool: Pool, here: Node) -> None:
    bridges = [pool.bridge(str(number), **{f"room-{number}": 2}) for number in range(4)]
    pool.bridge("stays")
    sessions = [here.begin(f"drain {bridge.drained_as} 3 2") for bridge in bridges]
    most = 0
    while any(session.process.poll() is None for session in sessions):
        most = max(most, sum(bridge.flags.drain and not bridge.flags.graceful for bridge in bridges))
        time.sleep(0.01)
    assert most == 2
    done = [session.done() for session in sessions]
    assert sum("waits for its turn, 2 drain at once" in each.text for each in done) == 2
    assert [each.report.dropped for each in done] == [0, 0, 0, 0]
    assert sum(pool.bridges[-1].rooms.values()) == 8


def test_many_that_leave_take_the_time_of_one(pool: Pool, here: Node) -> None:
    bridges = [pool.bridge(str(number), **{f"room-{number}": 2}) for number in range(8)]
    stays = pool.bridge("stays")
    began = time.monotonic()
    sessions = [here.begin(f"drain {bridge.drained_as} 2 8") for bridge in bridges]
    assert [session.done(30).report.dropped for session in sessions] == [0] * 8
    assert stays.rooms == {f"room-{number}": 2 for number in range(8)}
    assert time.monotonic() - began < 12, "the sum would be 16 s"


def test_the_status_tells_of_each_drain(pool: Pool, here: Node) -> None:
    first, second = pool.bridge("1", one=2), pool.bridge("2", two=3)
    sessions = [here.begin(f"drain {bridge.drained_as} 600 1") for bridge in (first, second)]
    for session in sessions:
        session.line()
    told = json.loads(here.run("status").text)
    assert {each["phase"] for each in told} == {"turn", "waiting"}
    waiting = next(each for each in told if each["phase"] == "waiting")
    assert waiting["running"]
    assert 590 < waiting["seconds_left"] <= 600
    sessions[0 if waiting["instance"] == "1" else 1].process.kill()


def test_an_old_state_is_forgotten(pool: Pool, here: Node) -> None:
    pool.bridge("1")
    here.run(f"drain {pool.bridges[0].drained_as} 0 5")
    assert len(json.loads(here.run("status").text)) == 1
    assert json.loads(here.run("status", REMEMBERED=0.0).text) == []
    assert not (here.state / "1.json").exists()


def test_all_wait_for_load_to_fall_at_the_same_time(pool: Pool, here: Node) -> None:
    bridges = [pool.bridge(str(number), **{f"room-{number}": 2}) for number in range(4)]
    pool.bridge("stays")
    for bridge in pool.bridges:  # the others too: until the last has begun to drain, it would take rooms of the first
        bridge.stress = 0.9
    began = time.monotonic()
    sessions = [here.begin(f"drain {bridge.drained_as} 0 5", PACE=6.0) for bridge in bridges]
    done = [session.done() for session in sessions]
    assert all("too much load" in each.text for each in done)
    assert [(each.report.moved, each.report.dropped) for each in done] == [(1, 0)] * 4
    assert time.monotonic() - began < 4 * 6.0, "one after the other would take longer"
