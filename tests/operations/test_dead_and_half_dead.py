"""Level 2: what does not answer, answers nonsense or is another one by now neither blocks a drain nor is touched."""

import time

import pytest

from tests.operations.fakes import Pool
from tests.operations.running import Node, Report, until

NOTHING = Report(0, 0, 0, 0, 0, 0, 0)


def test_a_bridge_that_is_gone_is_nothing_to_drain(pool: Pool, here: Node) -> None:
    pool.bridge("2")
    done = here.run("drain bridge-1 127.77.9.9 1 600 5")
    assert (done.status, done.report) == (0, NOTHING)
    assert done.lines[-1].startswith("bridge-1: gone, nothing to drain, in 0 s: ")


@pytest.mark.parametrize("fault", ["hangs", "500", "trickles"])
def test_a_bridge_that_is_neither_here_nor_there_is_nothing_to_drain(pool: Pool, here: Node, fault: str) -> None:
    bridge, _ = pool.bridge("1", one=2), pool.bridge("2")
    bridge.fault, bridge.listed = fault, False
    done = here.run(f"drain {bridge.drained_as} 600 5", CALL=0.3)
    assert (done.status, done.report) == (0, NOTHING)
    assert done.seconds < 6


def test_with_jicofo_gone_too_a_dead_bridge_is_nothing_to_drain(here: Node, pool: Pool) -> None:
    pool.jicofo.fault = "500"
    done = here.run("drain bridge-1 127.77.9.9 1 600 5")
    assert "gone, nothing to drain (nor does jicofo answer)" in done.lines[-1]
    assert done.report == NOTHING


def test_another_bridge_with_the_address_is_not_touched(pool: Pool, here: Node) -> None:
    newer, _ = pool.bridge("new", one=2), pool.bridge("2")
    done = here.run(f"drain bridge-1 {newer.address} 1 0 5")
    assert f"{newer.address} belongs to bridge-new by now, nothing was touched" in done.lines[-1]
    assert done.report == NOTHING
    assert not [each for each in newer.asked if each.startswith("POST")]
    assert not pool.jicofo.moves


def test_a_bridge_that_does_not_say_who_it_is_must_be_in_the_brewery(pool: Pool, here: Node) -> None:
    known, unknown, _ = pool.bridge("1", one=2), pool.bridge("3"), pool.bridge("2")
    known.relay_id = unknown.relay_id = None
    unknown.listed = False
    assert here.run(f"drain {known.drained_as} 0 5").report.moved == 1
    done = here.run(f"drain {unknown.drained_as} 0 5")
    assert "belongs to a bridge without a name by now" in done.lines[-1]
    assert not [each for each in unknown.asked if each.startswith("POST")]


@pytest.mark.parametrize("fault", ["hangs", "500"])
def test_the_people_of_a_bridge_that_hangs_are_moved_at_once(pool: Pool, here: Node, fault: str) -> None:
    bridge, other = pool.bridge("1", one=2, two=3), pool.bridge("2")
    bridge.fault = fault
    done = here.run(f"drain {bridge.drained_as} 600 5", CALL=0.3)
    assert done.report == Report(2, 0, 0, 2, 5, 0, 0)
    assert other.rooms == {"one": 2, "two": 3}
    assert done.seconds < 6


def test_a_bridge_that_hangs_while_it_drains_is_emptied_by_jicofo(pool: Pool, here: Node) -> None:
    bridge, other = pool.bridge("1", one=2, two=3), pool.bridge("2")
    session = here.begin(f"drain {bridge.drained_as} 600 5", CALL=0.3)
    session.line()
    bridge.fault = "hangs"
    assert session.done().report == Report(2, 0, 0, 2, 5, 0, 0)
    assert other.rooms == {"one": 2, "two": 3}


def test_the_calls_of_the_last_bridge_end_when_it_hangs(pool: Pool, here: Node) -> None:
    bridge = pool.bridge("1", one=2)
    bridge.fault = "hangs"
    done = here.run(f"drain {bridge.drained_as} 600 5", CALL=0.3)
    assert (done.report.dropped_people, done.report.moved) == (2, 0)
    assert "it hangs, and no other bridge stays" in done.text


def test_people_that_jicofo_cannot_take_off_a_hung_bridge_do_not_block(pool: Pool, here: Node) -> None:
    bridge, _ = pool.bridge("1", one=2), pool.bridge("2")
    bridge.fault, bridge.clings = "hangs", {"one"}
    done = here.run(f"drain {bridge.drained_as} 600 5", CALL=0.3, EVACUATION=0.5)
    assert (done.report.dropped_people, done.report.moved) == (2, 0)


def test_a_bridge_that_dies_while_it_drains_takes_its_rooms_with_it(pool: Pool, here: Node) -> None:
    """What jicofo does for them is not seen here, so they do not count as moved."""
    bridge, _ = pool.bridge("1", one=2), pool.bridge("2")
    session = here.begin(f"drain {bridge.drained_as} 600 5")
    session.line()
    bridge.listed = False
    bridge.stop()
    done = session.done()
    assert done.report == Report(1, 0, 0, 0, 0, 1, 2)
    assert "gone while it drained" in done.text


def test_one_lost_answer_does_not_make_a_bridge_dead(pool: Pool, here: Node) -> None:
    bridge, _ = pool.bridge("1", one=2), pool.bridge("2")
    session = here.begin(f"drain {bridge.drained_as} 2 5", TRYING=5.0)
    session.line()
    bridge.fault = "500"
    time.sleep(0.4)
    bridge.fault = ""
    assert session.done().report == Report(1, 0, 0, 1, 2, 0, 0)


def test_a_bridge_that_dies_as_it_is_moved_does_not_block(pool: Pool, here: Node) -> None:
    bridge, _ = pool.bridge("1", one=2), pool.bridge("2")
    bridge.clings = {"one"}
    session = here.begin(f"drain {bridge.drained_as} 0 5", WINDOW=30.0)
    until(lambda: any("move-endpoints" in each for each in pool.jicofo.asked), "it moves")
    bridge.fault, bridge.listed = "500", False
    done = session.done()
    assert (done.status, done.report.dropped) == (0, 1)


@pytest.mark.parametrize("text", ["[]", "{}", "null", '{"bridge_selector":{"bridge":{"a/b":7}}}', "\x00", "[" * 9999])
def test_an_answer_of_jicofo_that_makes_no_sense_ends_no_drain_with_an_error(
    pool: Pool, here: Node, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    bridge = pool.bridge("1", one=2)
    monkeypatch.setattr(pool.jicofo, "answer", lambda *_: (200, text))
    done = here.run(f"drain {bridge.drained_as} 0 5", FLAG_SEEN=0.1, WINDOW=0.2)
    assert (done.status, done.errors, done.report.dropped) == (0, "", 1)
    assert not bridge.flags.graceful


def test_a_node_without_a_place_for_state_says_so_and_does_not_block(pool: Pool, here: Node) -> None:
    bridge = pool.bridge("1", one=2)
    done = here.run(f"drain {bridge.drained_as} 0 5", STATE="/proc/nowhere")
    assert done.status == 0
    assert len(done.lines) == 1
    assert "the drain failed, FileNotFoundError" in done.text
