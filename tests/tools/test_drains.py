"""What a person reads before fewer bridges; the question to a real node is in tests/booted/test_drains.py."""

from typing import Any

import pytest

from tools import drains

BRIDGES = [
    {"name": f"bridge-{number}", "privateIpv4": f"10.80.32.{number}", "instance": str(4710 + number)}
    for number in range(1, 5)
]
QUIET = {"ended_conferences": 0, "ended_people": 0, "too_many": 0, "jicofo": True, "room_for": 120, "staying": [{}] * 3}


def leaves(**more: Any) -> dict[str, Any]:
    return {"name": "bridge-4", "conferences": 2, "people": 7, "reachable": True, "in_brewery": True, **more}


def test_the_bridges_at_the_end_of_the_row_are_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(_stack: object, text: str) -> dict[str, Any]:
        asked.append(text)
        return {**QUIET, "leaving": [leaves()]}

    monkeypatch.setattr(drains, "ask", answer)
    drains.forecast({"bridges": BRIDGES}, 2)
    assert asked == ["forecast bridge-3,10.80.32.3,4713 bridge-4,10.80.32.4,4714"]


@pytest.mark.parametrize("bridges", [4, 5])
def test_more_bridges_touch_nobody_and_ask_nobody(bridges: int) -> None:
    assert "nobody's call is touched" in drains.forecast({"bridges": BRIDGES}, bridges)


def test_calls_that_others_can_take_end_nowhere() -> None:
    text = drains.told({**QUIET, "leaving": [leaves()]}, 3)
    assert "bridge-4: 2 conferences, 7 people" in text
    assert "no call ends" in text


def test_calls_without_a_bridge_left_are_said_to_end() -> None:
    answer = {**QUIET, "leaving": [leaves()], "staying": [], "room_for": 0, "ended_conferences": 2, "ended_people": 7}
    text = drains.told(answer, 0)
    assert "2 conferences with 7 people would END" in text
    assert "no call ends" not in text


def test_more_people_than_the_others_take_well_are_counted() -> None:
    assert "30 people are more than" in drains.told({**QUIET, "leaving": [leaves(people=150)], "too_many": 30}, 3)


def test_what_does_not_answer_is_named() -> None:
    dead = leaves(reachable=False, in_brewery=False)
    text = drains.told({**QUIET, "leaving": [dead], "jicofo": False}, 3)
    assert "bridge-4: 2 conferences, 7 people; does not answer; not in the brewery" in text
    assert "jicofo does not answer" in text


def test_drains_that_go_on_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"name": "bridge-4", "phase": "waiting", "running": True, "seconds_left": 412}
    known |= {"start": ["a@b", "c@d"], "moved": {}, "dropped": {}}
    monkeypatch.setattr(drains, "ask", lambda *_: [known])
    assert drains.status({}) == (
        "bridge-4: waiting, going on, 412 s to the deadline, 2 conferences at the start, 0 moved, 0 dropped"
    )
    monkeypatch.setattr(drains, "ask", lambda *_: [])
    assert drains.status({}) == "no drain is going on"
