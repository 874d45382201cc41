"""Level 3: what the stand-in jicofo does over time when bridges, or people, are lost is what the real one did."""

import asyncio
import re
import signal

from local_cloud.people import meeting
from tests.packages.jicofo_scenes import (
    BRIDGE,
    FASTER,
    MOMENTS,
    RECORDINGS,
    SLACK,
    all_moved,
    bridges,
    failures,
    kill,
    room_on,
)
from tests.packages.jicofo_shard import Shard, fetch, soon, until


def test_health_is_good_until_the_first_check_and_fails_without_a_bridge(cleared: Shard) -> None:
    """At the usual pace: the first check comes ten seconds after the start, and not at the first question."""
    recorded = MOMENTS["jicofo-health-with-0-bridges"]
    cleared.jicofo()
    until(lambda: cleared.get("/about/version").status, 30, "REST answers")
    assert cleared.get("/about/health").status == recorded["first_answer"]
    took = until(lambda: cleared.get("/about/health").status == 500, 15, "the first check")
    # The real one took 1.6 s to start.
    assert abs(took - recorded["failing"]) < 2


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


def test_the_last_one_in_a_room_keeps_a_session_for_a_while_only(lab: Shard) -> None:
    recorded = MOMENTS["single-participant-timeout"]
    (only,) = bridges(lab, 1)

    async def scene() -> None:
        async with meeting(lab.site(), "room") as people:
            await people[0].leave()
            took = await soon(lambda: people[1].seen.terminated, 10, "the session ends")
            assert abs(took - recorded["expired"] / FASTER) < 1
            await soon(lambda: only.rooms() == 0, 2, "the bridge is told so")
            assert lab.numbers()["participants"] == 1
        await soon(lambda: lab.numbers()["conferences"] == 0, 2, "the room ends")

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
