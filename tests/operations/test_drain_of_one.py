"""Level 2: one bridge leaves; the program as a process, against bridges and a jicofo that only answer REST."""

import threading
import time

import pytest

from tests.operations.fakes import Pool
from tests.operations.running import Node, Report, until

MOVES = "GET /move-endpoints"


def test_an_empty_bridge_refuses_new_rooms_before_it_goes_and_is_not_waited_for(pool: Pool, here: Node) -> None:
    bridge, _ = pool.bridge("1"), pool.bridge("2")
    done = here.run(f"drain {bridge.drained_as} 10 5")
    assert (done.status, done.report) == (0, Report(0, 0, 0, 0, 0, 0, 0))
    assert bridge.flags.drain
    assert bridge.flags.graceful
    assert done.seconds < 5


def test_conferences_may_end_by_themselves_until_the_deadline(pool: Pool, here: Node) -> None:
    bridge, _ = pool.bridge("1", one=2, two=3), pool.bridge("2")
    session = here.begin(f"drain {bridge.drained_as} 600 5", SIGN_OF_LIFE=2.0)
    assert session.line() == "bridge-1: drains: 2 conferences with 5 people, 600 s to the deadline\n"
    del bridge.rooms["one"]
    assert session.line().startswith("bridge-1: drains: 1 conferences with 3 people, ")
    assert not bridge.flags.graceful
    assert session.line().startswith("bridge-1: drains: 1 conferences with 3 people, "), "a sign of life"
    bridge.rooms.clear()
    done = session.done()
    assert done.report == Report(2, 0, 2, 0, 0, 0, 0)
    assert not pool.jicofo.moves


def test_what_is_left_at_the_deadline_is_moved_one_room_at_a_time(pool: Pool, here: Node) -> None:
    bridge, other = pool.bridge("1", one=2, two=3), pool.bridge("2")
    done = here.run(f"drain {bridge.drained_as} 1 5")
    assert done.report == Report(2, 0, 0, 2, 5, 0, 0)
    assert other.rooms == {"one": 2, "two": 3}
    asked = [each for each in pool.jicofo.asked if each.startswith(MOVES)]
    assert [("conference=" in each, each.rpartition("=")[2]) for each in asked] == [(True, "2"), (True, "3")]
    assert 1 < done.seconds < 6


def test_with_no_minutes_rooms_are_moved_as_soon_as_jicofo_knows_of_the_drain(pool: Pool, here: Node) -> None:
    """Before that, jicofo could choose the same bridge again."""
    bridge, other = pool.bridge("1", one=2), pool.bridge("2")
    other.stress = 0.3
    done = here.run(f"drain {bridge.drained_as} 0 5")
    assert done.report == Report(1, 0, 0, 1, 2, 0, 0)
    assert pool.jicofo.moves == ["one to bridge-2"]
    assert len([each for each in pool.jicofo.asked if each.startswith(MOVES)]) == 1, "it did not come back once"


def test_a_room_that_slips_in_is_counted_and_moved(pool: Pool, here: Node) -> None:
    bridge, _ = pool.bridge("1", one=2), pool.bridge("2")
    session = here.begin(f"drain {bridge.drained_as} 1 5")
    session.line()
    bridge.rooms["late"] = 4
    assert session.done().report == Report(1, 1, 0, 2, 6, 0, 0)


def test_a_bridge_that_restarts_gets_its_drain_flag_again(pool: Pool, here: Node) -> None:
    bridge, _ = pool.bridge("1", one=2), pool.bridge("2")
    session = here.begin(f"drain {bridge.drained_as} 2 5")
    until(lambda: bridge.flags.drain, "the flag is on")
    bridge.restart()
    until(lambda: bridge.flags.drain, "the flag is on again")
    assert session.done().report.dropped == 0


def test_the_last_bridge_is_never_graceful_and_its_calls_last_to_the_deadline(pool: Pool, here: Node) -> None:
    bridge = pool.bridge("1", one=2, two=3)
    done = here.run(f"drain {bridge.drained_as} 1 5")
    assert done.report == Report(2, 0, 0, 0, 0, 2, 5)
    assert "2 conferences with 5 people end with it: no other bridge stays" in done.text
    assert done.seconds > 1
    assert not pool.all_graceful
    assert not pool.jicofo.moves


def test_the_last_bridge_goes_at_once_when_it_is_empty(pool: Pool, here: Node) -> None:
    """No wait for jicofo to hear of the drain: there is nowhere else for new rooms."""
    bridge = pool.bridge("1")
    done = here.run(f"drain {bridge.drained_as} 10 5", FLAG_SEEN=30)
    assert done.report == Report(0, 0, 0, 0, 0, 0, 0)
    assert not bridge.flags.graceful


@pytest.mark.parametrize(
    "spoil",
    [
        lambda other: setattr(other, "operational", False),
        lambda other: setattr(other.flags, "drain", True),
        lambda other: setattr(other.flags, "graceful", True),
    ],
    ids=["not operational", "drains", "graceful"],
)
def test_a_bridge_that_cannot_take_rooms_is_none_to_leave_them_to(pool: Pool, here: Node, spoil: object) -> None:
    bridge, other = pool.bridge("1", one=2), pool.bridge("2")
    assert callable(spoil)
    spoil(other)
    time.sleep(0.3)
    done = here.run(f"drain {bridge.drained_as} 0 5")
    assert done.report == Report(1, 0, 0, 0, 0, 1, 2)
    assert not bridge.flags.graceful


def test_a_bridge_of_another_version_is_better_than_none(pool: Pool, here: Node) -> None:
    """The last of an upgrade: a room that leaves its bridge whole may begin anew on another version."""
    bridge, other = pool.bridge("1", one=2), pool.bridge("2")
    other.version = "2.3.308-gfake"
    time.sleep(0.3)
    assert here.run(f"drain {bridge.drained_as} 0 5").report == Report(1, 0, 0, 1, 2, 0, 0)


def test_bridges_with_too_much_load_are_given_time_and_then_all_the_same_people(pool: Pool, here: Node) -> None:
    bridge, other = pool.bridge("1", one=2), pool.bridge("2")
    other.stress = 0.79
    done = here.run(f"drain {bridge.drained_as} 0 5", PACE=1.0)
    assert done.report == Report(1, 0, 0, 1, 2, 0, 0)
    assert "waits up to 1 s: the other bridges have too much load, 0.79 at least" in done.text
    assert "moves 2 people all the same to a bridge with a load of 0.79" in done.text


def test_a_bridge_whose_load_falls_is_not_waited_for_longer(pool: Pool, here: Node) -> None:
    bridge, other = pool.bridge("1", one=2), pool.bridge("2")
    other.stress = 0.9
    session = here.begin(f"drain {bridge.drained_as} 0 5", PACE=30.0)
    for _ in range(2):
        session.line()
    other.stress = 0.1
    done = session.done()
    assert done.report.moved == 1
    assert "all the same" not in done.text


def test_a_room_that_comes_back_each_time_is_said_to(pool: Pool, here: Node) -> None:
    bridge, _ = pool.bridge("1", one=2, two=3), pool.bridge("2")
    bridge.clings = {"two"}
    done = here.run(f"drain {bridge.drained_as} 0 5")
    assert done.report == Report(2, 0, 0, 1, 2, 1, 3)
    assert "1 conferences with 3 people end with it: came back each time" in done.text


def test_without_jicofo_rooms_have_until_the_deadline_and_a_while_for_it_to_come_back(pool: Pool, here: Node) -> None:
    bridge, _ = pool.bridge("1", one=2), pool.bridge("2")
    pool.jicofo.fault = "500"
    done = here.run(f"drain {bridge.drained_as} 0 5", FLAG_SEEN=0.2)
    assert done.report == Report(1, 0, 0, 0, 0, 1, 2)
    assert "end with it: jicofo does not answer" in done.text
    assert not bridge.flags.graceful


def test_a_jicofo_that_restarts_at_the_deadline_is_waited_for(pool: Pool, here: Node) -> None:
    bridge, _ = pool.bridge("1", one=2), pool.bridge("2")
    pool.jicofo.fault = "500"
    threading.Timer(1.2, lambda: setattr(pool.jicofo, "fault", "")).start()
    done = here.run(f"drain {bridge.drained_as} 0 5", WINDOW=10.0)
    assert done.report == Report(1, 0, 0, 1, 2, 0, 0)


def test_conferences_that_jicofo_has_forgotten_end_by_themselves_or_not(pool: Pool, here: Node) -> None:
    ends, stays = pool.bridge("1", one=2), pool.bridge("2", two=3)
    ends.listed = stays.listed = False
    second, first = (here.begin(f"drain {each.drained_as} 600 5", ORPHANS=2.0) for each in (stays, ends))
    first.line()
    ends.rooms.clear()
    assert first.done().report == Report(1, 0, 1, 0, 0, 0, 0)
    done = second.done()
    assert done.report == Report(1, 0, 0, 0, 0, 1, 3)
    assert "jicofo does not know this bridge" in done.text


def test_a_bridge_that_was_drained_already_is_done_with_quickly(pool: Pool, here: Node) -> None:
    bridge, _ = pool.bridge("1", one=2), pool.bridge("2")
    assert here.run(f"drain {bridge.drained_as} 0 5").report.moved == 1
    again = here.run(f"drain {bridge.drained_as} 600 5")
    assert again.report == Report(1, 0, 0, 1, 2, 0, 0)
    assert "was drained before" in again.text
    assert again.seconds < 3
