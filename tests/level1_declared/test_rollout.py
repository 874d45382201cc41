"""Level 1: a change of what bridges are made of reaches a few at a time, and no bridge twice."""

import json
import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import rollout
from components.rollout import Build
from tests.level1_declared.recording import Declared, declare

NAMES = [f"bridge-{number}" for number in range(1, 13)]
POOL = {"bridges": 12, "replaceAtOnce": 3, "locations": ["fsn1", "hel1"]}
BIGGER = POOL | {"bridgeType": "ccx33"}


@cache
def first() -> Declared:
    return declare(POOL)


@cache
def second() -> Declared:
    return declare(BIGGER, before=first().outputs)


def triggers(declared: Declared) -> dict[str, str]:
    """What a bridge is made of, as the engine sees it: another text is a new server."""
    return {name: declared.one("Server", name).options.replacement_trigger.string_value for name in NAMES}


def replaced(before: Declared, after: Declared) -> list[str]:
    old, new = triggers(before), triggers(after)
    return [name for name in NAMES if old[name] != new[name]]


def waiting(declared: Declared) -> list[str]:
    return [bridge["name"] for bridge in declared.outputs["bridges"] if bridge["waiting"]]


def test_one_run_replaces_as_many_as_replace_at_once_and_names_those_that_wait() -> None:
    assert all(triggers(first()).values()), "the control: there is something to compare"
    assert replaced(first(), second()) == NAMES[:3]
    assert waiting(second()) == NAMES[3:]
    for name in NAMES[3:]:
        old, new = (_output(declared, name)["madeFrom"] for declared in (first(), second()))
        assert new == old
        assert _place(second(), name) == _place(first(), name)


def test_the_next_run_goes_on_with_those_that_wait_until_all_are_what_the_settings_say() -> None:
    third = declare(BIGGER, before=second().outputs)
    assert replaced(second(), third) == NAMES[3:6]
    assert waiting(third) == NAMES[6:]
    fourth = declare(BIGGER, before=third.outputs)
    fifth = declare(BIGGER, before=fourth.outputs)
    assert (waiting(fourth), waiting(fifth)) == (NAMES[9:], [])
    assert triggers(fifth) == triggers(declare(BIGGER)), "as if they had been made like this"


def test_an_up_that_was_stopped_half_way_is_taken_up_where_it_stood() -> None:
    """A failed up leaves the outputs of the one before it: the same bridges are planned again, and no others."""
    again = declare(BIGGER, before=first().outputs)
    assert triggers(again) == triggers(second())


def test_nothing_is_replaced_when_nothing_has_changed() -> None:
    assert replaced(first(), declare(POOL, before=first().outputs)) == []


def test_a_change_that_is_taken_back_needs_only_those_that_had_it() -> None:
    back = declare(POOL, before=second().outputs)
    assert triggers(back) == triggers(first())
    assert replaced(second(), back) == NAMES[:3]
    assert waiting(back) == []


def test_a_bridge_that_waits_stays_in_its_place_and_group_when_locations_change() -> None:
    moved = declare(POOL | {"locations": ["nbg1"]}, before=first().outputs)
    assert waiting(moved) == NAMES[3:]
    assert [_place(moved, name)[0] for name in NAMES[:4]] == ["nbg1", "nbg1", "nbg1", "hel1"]
    for name in NAMES[3:]:
        assert _place(moved, name) == _place(first(), name)
        assert _output(moved, name)["location"] in ("fsn1", "hel1")


def test_new_bridges_are_never_held_back_and_take_nobody_s_turn() -> None:
    grown = declare(BIGGER | {"bridges": 20}, before=first().outputs)
    assert waiting(grown) == NAMES[3:]
    bigger = declare(BIGGER | {"bridges": 20})
    for number in range(13, 21):
        made, wanted = (each.one("Server", f"bridge-{number}").options for each in (grown, bigger))
        assert made.replacement_trigger == wanted.replacement_trigger


def test_a_smaller_pool_gives_the_turns_to_those_that_stay() -> None:
    shrunk = declare(BIGGER | {"bridges": 5}, before=second().outputs)
    assert (len(shrunk.outputs["bridges"]), waiting(shrunk)) == (5, [])


def test_new_secrets_reach_all_bridges_at_once() -> None:
    """Bridges with the old password could not log in again: none of them is worth keeping."""
    other = declare(POOL, before=first().outputs, drawn="again")
    assert replaced(first(), other) == NAMES
    assert waiting(other) == []


def test_outputs_of_a_release_that_did_not_say_what_bridges_are_made_of_hold_nobody_back() -> None:
    old = {"bridges": [{"name": "bridge-1", "location": "fsn1"}]}
    assert rollout.made(old) == rollout.made({}) == {}


def test_what_waits_is_said_with_the_way_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    rollout.warn([], 3)
    rollout.warn(["bridge-4", "bridge-5"], 3)
    (line,) = said
    assert line.startswith("2 bridges stay as they were made: one run replaces 3 (replaceAtOnce).")
    assert "pulumi up again for bridge-4, bridge-5" in line


BUILDS = st.builds(Build, st.sampled_from(["fsn1", "hel1"]), st.integers(0, 9), st.sampled_from(["a", "b", "c"]))
POOLS = st.dictionaries(st.sampled_from(NAMES), BUILDS)


@given(POOLS, POOLS, st.integers(1, 15))
def test_any_pool_becomes_what_is_wanted_in_the_fewest_runs_that_the_limit_allows(
    wanted: dict[str, Build], old: dict[str, Build], at_once: int
) -> None:
    stale = [name for name in wanted if name in old and old[name].digest != wanted[name].digest]
    made, changes = old, dict.fromkeys(wanted, 0)
    for _ in range(max(1, math.ceil(len(stale) / at_once))):
        now, waits = rollout.plan(wanted, made, at_once)
        changed = [name for name in wanted if name in made and now[name].digest != made[name].digest]
        assert len(changed) <= at_once
        assert waits == [name for name in wanted if now[name].digest != wanted[name].digest]
        assert all(now[name] == made[name] for name in waits), "who waits is not touched at all"
        assert all(now[name] == wanted[name] for name in set(wanted) - set(made)), "who is new is what is wanted"
        for name in changed:
            changes[name] += 1
        made = _remembered(now)
    assert made == wanted
    assert waits == []
    assert {name for name, times in changes.items() if times == 1} == set(stale)
    assert max(changes.values(), default=0) <= 1, "nobody changes twice"


def _remembered(builds: Mapping[str, Build]) -> dict[str, Build]:
    """By way of the outputs, as the state gives them back: numbers are floating point."""
    text = json.dumps([{"name": name, "madeFrom": build.described()} for name, build in builds.items()])
    return rollout.made({"bridges": json.loads(text, parse_int=float)})


def _output(declared: Declared, name: str) -> dict[str, Any]:
    (bridge,) = [bridge for bridge in declared.outputs["bridges"] if bridge["name"] == name]
    return dict(bridge)


def _place(declared: Declared, name: str) -> tuple[str, str]:
    server = declared.one("Server", name).inputs
    return server["location"], _output(declared, name)["placementGroup"]


def test_the_versions_that_bridges_run_are_an_output_and_differences_are_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert declare().outputs["versions"]["bridges"] == ["2.3.1-g0"]
    warned: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", lambda text, *_: warned.append(text))
    rollout._warn_of_versions(["2.3.1-g0"])
    assert warned == []
    rollout._warn_of_versions(["2.3.1-g0", "2.3.2-g1"])
    assert "2 versions: 2.3.1-g0, 2.3.2-g1" in warned[0]
