"""Level 3: what the stand-in jicofo does over time is what the real one did.

Rooms with two people in them, real prosody, the stand-in bridges. Periods of jicofo and the bridges are a fifth of the
usual ones, so moments that depend on them are held to a fifth of what was recorded.
"""

import asyncio
import contextlib
import json
import re
import signal
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_cloud.people import Person, meeting
from tests.packages.jicofo_shard import DOMAIN, Bridge, Program, Shard, fetch, shard, soon, until
from tools import checkers

RECORDINGS = Path(__file__).parent / "recordings/jicofo"
MOMENTS: dict[str, Any] = json.loads((RECORDINGS / "moments.json").read_text())
FASTER = 5
SLACK = 5.0  # seconds by which a busy machine may be late
JICOFO = {
    "health__interval": "2 s",
    "bridge__health_checks__interval": "2 s",
    "bridge__failure_reset_threshold": "12 s",
    "conference__single_participant_timeout": "4 s",
    "xmpp__client__reply_timeout": "3 s",
}
BRIDGE = {
    "videobridge__apis__xmpp_client__presence_interval": "1 s",
    "videobridge__shutdown__shutting_down_delay": "5 s",
}


@pytest.fixture(scope="module")
def machines() -> Iterator[Shard]:
    try:
        with shard() as lab:
            yield lab
    except checkers.UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture
def lab(machines: Shard) -> Iterator[Shard]:
    """With a jicofo of its own, which a test may hurt; prosody stays."""
    already = len(machines.programs)
    machines.jicofo(**JICOFO)
    until(lambda: machines.get("/about/version").status, 10, "REST answers")
    yield machines
    machines.end(*machines.programs[already:])
    del machines.programs[already:]


def bridges(lab: Shard, number: int, **keys: Any) -> list[Bridge]:
    made = [lab.bridge(each, **BRIDGE, **keys) for each in range(1, number + 1)]
    until(lab.operational(number), 10, "all bridges are there")
    return made


@contextlib.asynccontextmanager
async def room_on(lab: Shard, bridge: Bridge, *others: Bridge, name: str = "room") -> AsyncIterator[list[Person]]:
    """A room that is on this bridge, because the others drain until it is."""
    await drain("enable", others, lab)
    async with meeting(lab.site(), name) as people:
        await drain("disable", others, lab)
        assert bridge.rooms() == 1
        assert lab.bridges()[bridge.name]["endpoints"] == 2
        yield people


async def drain(verb: str, those: Iterable[Bridge], lab: Shard) -> None:
    names = {each.name for each in those}
    for each in those:
        each.post(f"/colibri/drain/{verb}")

    def known() -> bool:
        return all(state["drain"] is (verb == "enable") for name, state in lab.bridges().items() if name in names)

    await soon(known, 20, f"jicofo knows of drain {verb}")


async def all_moved(people: list[Person], seconds: float, times: int = 1) -> float:
    return await soon(lambda: all(each.seen.moved == times for each in people), seconds, "all have a new session")


def failures(lab: Shard) -> tuple[int, int]:
    told = lab.numbers()["bridge_failures"]
    return told["participants_moved"], told["bridges_removed"]


def kill(program: Program, number: int) -> float:
    program.kill(number)
    return time.monotonic()


def test_health_is_good_until_the_first_check_and_fails_without_a_bridge(machines: Shard) -> None:
    """At the usual pace: the first check comes ten seconds after the start, and not at the first question."""
    recorded = MOMENTS["jicofo-health-with-0-bridges"]
    jicofo = machines.jicofo()
    until(lambda: machines.get("/about/version").status, 10, "REST answers")
    assert machines.get("/about/health").status == recorded["first_answer"]
    took = until(lambda: machines.get("/about/health").status == 500, 15, "the first check")
    # The real one took 1.6 s to start.
    assert abs(took - recorded["failing"]) < 2
    jicofo.end()


def test_a_bridge_that_leaves_has_its_room_moved_at_once(lab: Shard) -> None:
    recorded = MOMENTS["sigterm-live-room"]
    first, second = bridges(lab, 2)

    async def scene() -> None:
        async with room_on(lab, first, second) as people:
            kill(first.program, signal.SIGTERM)
            assert await all_moved(people, 20) < recorded["initiated"] + SLACK
            assert [each.seen.terminated for each in people] == [1, 1]
            assert second.rooms() == 1
            assert lab.selector()["lost_bridges"] == recorded["lost"]
            assert failures(lab) == (recorded["participants_moved"], recorded["bridges_removed"])

    asyncio.run(scene())


def test_a_killed_bridge_is_lost_when_prosody_gives_its_session_up(lab: Shard) -> None:
    recorded = MOMENTS["kill-9-live-room"]
    first, second = bridges(lab, 2)

    async def scene() -> None:
        async with room_on(lab, first, second) as people:
            kill(first.program, signal.SIGKILL)
            took = await all_moved(people, 25)
            assert abs(took - recorded["initiated"]) < 2
            assert lab.selector()["lost_bridges"] == recorded["lost"]
            assert failures(lab) == (recorded["participants_moved"], recorded["bridges_removed"])

    asyncio.run(scene())


def test_people_without_any_bridge_are_invited_again_when_one_is_back(lab: Shard) -> None:
    recorded = MOMENTS["sigterm-only-bridge-live-room"]
    (only,) = bridges(lab, 1)

    async def scene() -> None:
        async with room_on(lab, only) as people:
            kill(only.program, signal.SIGTERM)
            await soon(lambda: all(each.seen.terminated == 1 for each in people), 2, "sessions end")
            await soon(lambda: lab.get("/about/health").status == 500, 20, "health fails")
            assert [each.seen.initiated for each in people] == [1, 1]
            assert lab.numbers()["participants"] == 2
            lab.bridge(1, **BRIDGE)
            assert await all_moved(people, 10) < recorded["initiated"] - recorded["bridge_started"] + SLACK
            assert failures(lab)[1] == recorded["bridges_removed"]

    asyncio.run(scene())


def test_a_hung_bridge_keeps_its_room_and_is_trusted_again_only_later(lab: Shard) -> None:
    hung, back = MOMENTS["bridge-hangs-live-room"], MOMENTS["bridge-hangs-and-comes-back"]
    first, second = bridges(lab, 2)

    async def scene() -> None:
        async with room_on(lab, first, second) as people:
            kill(first.program, signal.SIGSTOP)
            took = await soon(lab.operational(1), 15, "jicofo gives the bridge up")
            # One check period lies between the earliest and the latest moment.
            assert (back["not_operational"] - 10) / FASTER < took < (hung["not_operational"] + 5) / FASTER
            assert [each.seen.terminated for each in people] == [0, 0]
            assert failures(lab) == (hung["participants_moved"], 0)
            kill(first.program, signal.SIGCONT)
            took = await soon(lab.operational(2), 20, "jicofo trusts it again")
            assert abs(took - (back["operational"] - back["not_operational"]) / FASTER) < 3
            assert [each.seen.terminated for each in people] == [0, 0]

    asyncio.run(scene())


def test_an_unhealthy_bridge_loses_its_room_at_the_next_check(lab: Shard) -> None:
    recorded = MOMENTS["bridge-turns-unhealthy-with-live-room"]
    late = {"videobridge__health__require_valid_address": True, "videobridge__health__interval": "6 s"}
    (failing,) = bridges(lab, 1, **late)

    async def scene() -> None:
        async with room_on(lab, failing) as people:
            lab.bridge(2, **BRIDGE)
            await soon(lambda: fetch(failing.port, "GET", "/about/health").status == 500, 15, "the bridge fails")
            # The checks of jicofo are 2 s apart.
            assert await all_moved(people, 20) < SLACK + recorded["initiated"] - recorded["flag"]
            assert lab.bridges()["jvb-lab-1"]["operational"] is False
            assert failures(lab) == (recorded["participants_moved"], recorded["bridges_removed"])
            assert lab.selector()["lost_bridges"] == recorded["lost"]
            assert "No valid IP addresses available for harvesting." in lab.programs[-3].said()

    asyncio.run(scene())


def test_a_bridge_that_shuts_down_gives_its_room_away_with_the_next_presence(lab: Shard) -> None:
    recorded = MOMENTS["graceful-false-live-room"]
    first, second = bridges(lab, 2)

    async def scene() -> None:
        async with room_on(lab, first, second) as people:
            first.post("/colibri/shutdown", '{"graceful-shutdown":"false"}')
            assert await all_moved(people, 20) < 5 / FASTER + SLACK
            selector = lab.selector()
            assert selector["in_shutdown_bridge_count"] == recorded["in_shutdown"]
            assert selector["operational_bridge_count"] == recorded["operational"]
            assert failures(lab)[0] == recorded["participants_moved"]
            await soon(lab.operational(1), 15, "it has left")
            assert lab.selector()["lost_bridges"] == recorded["lost"]

    asyncio.run(scene())


def test_a_graceful_shutdown_keeps_the_room_and_takes_no_new_one(lab: Shard) -> None:
    recorded = MOMENTS["graceful-true-live-room"]
    first, second = bridges(lab, 2)

    async def scene() -> None:
        async with room_on(lab, first, second) as people:
            first.post("/colibri/shutdown", '{"graceful-shutdown":"true"}')
            took = await soon(lambda: lab.selector()["in_shutdown_bridge_count"] == 1, 20, "jicofo knows")
            assert took < 5 / FASTER + SLACK
            async with meeting(lab.site(), "later"):
                assert (first.rooms(), second.rooms()) == (1, 1)
            assert [each.seen.moved for each in people] == [recorded["moved"]] * 2
        await soon(lab.operational(1), 20, "it has left")
        assert lab.selector()["lost_bridges"] == recorded["lost"]

    asyncio.run(scene())


def test_rooms_can_be_moved_off_a_bridge_that_is_to_go(lab: Shard) -> None:
    recorded = MOMENTS["graceful-new-rooms-and-move"]
    first, second = bridges(lab, 2)

    async def scene() -> None:
        async with room_on(lab, first, second) as people:
            first.post("/colibri/shutdown", '{"graceful-shutdown":"true"}')
            await soon(lambda: lab.selector()["in_shutdown_bridge_count"] == 1, 20, "jicofo knows")
            jid = f"jvbbrewery%40internal.auth.{DOMAIN}%2Fjvb-lab-1"
            answer = lab.get(f"/move-endpoints/move-endpoints?bridge={jid}&numEndpoints=10")
            assert answer.json == {"movedEndpoints": 2, "conferences": 1}
            assert await all_moved(people, 20) < recorded["initiated"] + SLACK
            assert (first.rooms(), second.rooms()) == (0, 1)

    asyncio.run(scene())


def test_with_all_bridges_in_graceful_shutdown_a_new_room_goes_round_in_circles(lab: Shard) -> None:
    """The stand-in tries less often than the real one, to spare the machine; the shape is the same."""
    recorded = MOMENTS["graceful-new-rooms-and-move"]
    first, second = bridges(lab, 2)

    async def scene() -> None:
        async with room_on(lab, first, second, name="one"), room_on(lab, second, first, name="two"):
            for each in (first, second):
                each.post("/colibri/shutdown", '{"graceful-shutdown":"true"}')
            await soon(lambda: lab.selector()["in_shutdown_bridge_count"] == 2, 20, "jicofo knows")
            people = [Person(lab.site(), "three") for _ in range(2)]
            await asyncio.gather(*(each.come() for each in people))
            await soon(lambda: failures(lab)[1] > 0, 20, "the first refusal")
            before = failures(lab)
            await asyncio.sleep(3)
            moved, removed = (now - then for now, then in zip(failures(lab), before, strict=True))
            assert 3 <= removed <= 3 * recorded["bridges_removed_a_second"]
            assert abs(moved - 2 * removed) <= 2
            assert lab.selector()["operational_bridge_count"] == 2
            await soon(lambda: lab.get("/about/health").status == 500, 20, "health fails")
            assert [each.seen.initiated for each in people] == [0, 0]
            for person in people:
                await person.leave()

    asyncio.run(scene())


def test_a_drained_bridge_keeps_its_room_and_gets_no_other(lab: Shard) -> None:
    first, second = bridges(lab, 2)

    async def scene() -> None:
        async with room_on(lab, first, second) as people:
            await drain("enable", [first], lab)
            async with meeting(lab.site(), "later"):
                assert (first.rooms(), second.rooms()) == (1, 1)
            assert lab.selector()["operational_bridge_count"] == 2
            assert [each.seen.moved for each in people] == [0, 0]

    asyncio.run(scene())


def test_when_all_bridges_drain_they_are_used_all_the_same(lab: Shard) -> None:
    first, second = bridges(lab, 2, videobridge__initial_drain_mode=True)

    async def scene() -> None:
        async with meeting(lab.site(), "room"):
            assert first.rooms() + second.rooms() == 1
            assert all(each["drain"] for each in lab.bridges().values())

    asyncio.run(scene())


def test_the_last_one_in_a_room_keeps_a_session_for_a_while_only(lab: Shard) -> None:
    recorded = MOMENTS["single-participant-timeout"]
    (only,) = bridges(lab, 1)

    async def scene() -> None:
        async with meeting(lab.site(), "room") as people:
            await people[0].leave()
            took = await soon(lambda: people[1].seen.terminated, 10, "the session ends")
            assert abs(took - recorded["expired"] / FASTER) < 1
            assert only.rooms() == 0
            assert lab.numbers()["participants"] == 1
        await soon(lambda: lab.numbers()["conferences"] == 0, 2, "the room ends")

    asyncio.run(scene())


def test_a_restarted_jicofo_knows_no_room(lab: Shard) -> None:
    recorded = MOMENTS["jicofo-restart-live-room"]
    (only,) = bridges(lab, 1)
    jicofo = lab.programs[-2]

    async def scene() -> None:
        async with room_on(lab, only) as people:
            began = time.monotonic()
            assert await asyncio.to_thread(jicofo.end, signal.SIGTERM) == recorded["status"]
            assert time.monotonic() - began < recorded["ended"] + SLACK
            lab.jicofo(**JICOFO)
            await soon(lab.operational(1), 10, "the bridge is there")
            assert lab.numbers()["conferences"] == recorded["conferences"]
            assert [(each.seen.terminated, each.seen.moved) for each in people] == [(0, 0), (0, 0)]
            assert [each.seen.focus_left for each in people] == [1, 1]
            assert only.rooms() == 1

    asyncio.run(scene())


def test_a_restarted_prosody_costs_all_bridges_for_a_moment_and_the_rooms(lab: Shard) -> None:
    bridges(lab, 2)

    async def scene() -> None:
        async with meeting(lab.site(), "room") as people:
            lab.programs.pop(0).end(signal.SIGTERM)
            await soon(lambda: not lab.bridges(), 20, "all bridges are lost")
            assert lab.selector()["lost_bridges"] == 2
            await asyncio.to_thread(lab.start_prosody)
            await soon(lab.operational(2), 15, "all are back")
            assert lab.numbers()["conferences"] == 0
            assert all(each.seen.lost for each in people)

    asyncio.run(scene())


def test_each_line_of_the_log_comes_from_a_place_that_the_real_log_has(lab: Shard) -> None:
    """What searches a real log by these places finds the same things here."""
    first, second = bridges(lab, 2)

    async def scene() -> None:
        async with room_on(lab, first, second) as people:
            kill(first.program, signal.SIGTERM)
            await all_moved(people, 20)

    asyncio.run(scene())
    place = re.compile(
        r"Jicofo \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (INFO|WARNING|SEVERE): \[\d+\] (\[.*?\] )?(\S+?#\d+): "
    )
    known = {
        found[3]: found[1]
        for line in (RECORDINGS / "log-lines.txt").read_text().splitlines()
        if (found := place.match(line))
    }
    lines = [line for line in lab.programs[-3].said().splitlines() if line.startswith("Jicofo ")]
    said = {found[3]: found[1] for line in lines if (found := place.match(line))}
    assert len(said) > 15
    assert said == {key: known.get(key) for key in said}
