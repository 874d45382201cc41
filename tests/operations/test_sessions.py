"""Level 2: engines that are killed, networks that go away, nodes that reboot: a drain goes on where it was."""

import json
import signal
import time

import pytest

from tests.operations.fakes import FakeBridge, Pool
from tests.operations.running import Node, Report, until


def phase(here: Node, instance: str = "1") -> str:
    file = here.state / f"{instance}.json"
    return str(json.loads(file.read_text())["phase"]) if file.exists() else ""


def draining(pool: Pool) -> FakeBridge:
    bridge, _ = pool.bridge("1", one=2, two=3), pool.bridge("2")
    return bridge


def test_a_drain_that_nobody_comes_back_for_is_undone(pool: Pool, here: Node) -> None:
    """Whoever interrupted it may keep the bridge."""
    bridge = draining(pool)
    session = here.begin(f"drain {bridge.drained_as} 600 5")
    session.line()
    session.lose()
    time.sleep(0.3)
    assert bridge.flags.drain, "it waits for the next session"
    assert session.process.wait(5) == 0
    assert not bridge.flags.drain
    assert not bridge.flags.graceful
    assert not (here.state / "1.json").exists()


def test_a_deadline_without_a_session_moves_nobody(pool: Pool, here: Node) -> None:
    bridge = draining(pool)
    session = here.begin(f"drain {bridge.drained_as} 3 5", HELD=4.0)
    session.line()
    session.lose()
    assert session.process.wait(8) == 0
    assert bridge.rooms == {"one": 2, "two": 3}
    assert not bridge.flags.graceful


def test_the_next_session_takes_over_with_the_same_deadline_and_numbers(pool: Pool, here: Node) -> None:
    bridge = draining(pool)
    first = here.begin(f"drain {bridge.drained_as} 3 5", HELD=60.0)
    first.line()
    first.lose()
    del bridge.rooms["one"]
    second = here.begin(f"drain {bridge.drained_as} 600 5")
    assert second.line().startswith("bridge-1: goes on where it was interrupted: 2 conferences at the start")
    assert first.process.wait(5) == -signal.SIGTERM
    assert bridge.flags.drain, "the old process has undone nothing"
    done = second.done()
    assert done.report == Report(2, 0, 1, 1, 3, 0, 0)
    assert time.monotonic() - first.began < 8, "the deadline is the first session's"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_drain_whose_process_ended_goes_on(pool: Pool, here: Node, how: signal.Signals) -> None:
    """As after a reboot of the node."""
    bridge = draining(pool)
    first = here.begin(f"drain {bridge.drained_as} 3 5")
    first.line()
    first.process.send_signal(how)
    first.process.wait()
    assert bridge.flags.drain
    assert here.run(f"drain {bridge.drained_as} 600 5").report == Report(2, 0, 0, 2, 5, 0, 0)


def test_a_drain_that_moves_already_goes_to_its_end_without_a_session(pool: Pool, here: Node) -> None:
    bridge = draining(pool)
    bridge.clings = {"two"}
    session = here.begin(f"drain {bridge.drained_as} 0 5", WINDOW=30.0)
    until(lambda: phase(here) == "graceful", "it moves")
    session.lose()
    time.sleep(0.3)
    bridge.clings = set()
    assert session.process.wait(10) == 0
    assert not bridge.rooms
    assert phase(here) == "done"
    again = here.run(f"drain {bridge.drained_as} 600 5")
    assert again.report == Report(2, 0, 0, 2, 5, 0, 0)


def test_a_session_that_is_lost_in_the_middle_of_moving_is_taken_over(pool: Pool, here: Node) -> None:
    bridge = draining(pool)
    bridge.clings = {"two"}
    first = here.begin(f"drain {bridge.drained_as} 0 5", WINDOW=30.0)
    until(lambda: "one" not in bridge.rooms, "the first room went")
    first.process.kill()
    first.process.wait()
    bridge.clings = set()
    assert here.run(f"drain {bridge.drained_as} 0 5").report == Report(2, 0, 0, 2, 5, 0, 0)


def test_signals_of_a_terminal_that_closes_end_nothing(pool: Pool, here: Node) -> None:
    bridge = draining(pool)
    session = here.begin(f"drain {bridge.drained_as} 1 5")
    session.line()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        session.process.send_signal(number)
    assert session.done().report.moved == 2


def test_who_waits_for_a_turn_and_is_not_listened_to_has_touched_nothing(pool: Pool, here: Node) -> None:
    bridge, waiting = draining(pool), pool.bridge("3")
    session = here.begin(f"drain {bridge.drained_as} 600 1")
    session.line()
    second = here.begin(f"drain {waiting.drained_as} 600 1")
    assert second.line() == "bridge-3: waits for its turn, 1 drain at once\n"
    second.lose()
    assert second.process.wait(5) == 0
    assert not waiting.flags.drain
    assert phase(here, "3") == ""


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": 1}', '{"instance": "1", "phase": "x", "colour": 2}'])
def test_a_broken_state_file_is_as_good_as_none(pool: Pool, here: Node, text: str) -> None:
    bridge = draining(pool)
    (here.state / "1.json").write_text(text)
    assert here.run(f"drain {bridge.drained_as} 0 5").report == Report(2, 0, 0, 2, 5, 0, 0)
