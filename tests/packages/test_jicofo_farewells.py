"""Level 3: what the stand-in jicofo does over time when bridges are to go, or programs start again, as the real one."""

import asyncio
import signal
import time

from local_cloud.people import Person, meeting
from tests.packages.jicofo_scenes import (
    FASTER,
    JICOFO,
    MOMENTS,
    SLACK,
    all_moved,
    bridges,
    drain,
    failures,
    room_on,
)
from tests.packages.jicofo_shard import DOMAIN, Shard, soon


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
