"""Level 4: bridges go while people meet on them, and nobody is dropped. benchmarks/drain.py plays more of it."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from tests.booted.booted import Cluster, eventually
from tests.booted.drain_scenarios import TYPES, impatient, other
from tests.booted.drains import BOUND, PEOPLE, Fleet, Said, Scene, mistakes, scene
from tools.drains import forecast, status


@pytest.fixture(scope="module")
def fleet(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = Fleet(cluster, tmp_path_factory.mktemp("people"))
    yield fleet
    fleet.at(2, drainMinutes=0)


async def none_dropped(on_stage: Scene) -> None:
    """All who were on a bridge that went are in a call, and no drain says more than that."""
    await asyncio.sleep(BOUND + 1)
    assert mistakes(on_stage.counts(), on_stage.said) == []
    assert {each.bridge for each in on_stage.said} == set(on_stage.going), "each has had its drain"


def test_an_old_bridge_stays_until_its_replacement_carries_calls(cluster: Cluster, fleet: Fleet) -> None:
    """New ones that cannot install anything stop the change before an old one is touched; the next `up` goes on."""

    async def play() -> None:
        async with scene(fleet, "replaced", ["bridge-1", "bridge-2"]) as on_stage:
            old = {host.name for host in on_stage.going.values()}
            with cluster.without("archives"), impatient(cluster, 30):
                run = await on_stage.up(succeeds=False, bridgeType=other(on_stage, "bridgeType", TYPES))
            assert "is not ready within 30 s" in run.text
            assert not on_stage.said
            assert not any(room.moved or room.dropped for room in on_stage.rooms)
            assert old < {server.name for server in cluster.workshop.servers()}
            await on_stage.empty()
            await on_stage.fill()
            await on_stage.replaced()
            assert not old & {server.name for server in cluster.workshop.servers()}
            await none_dropped(on_stage)

    cluster.stack.configure(drainMinutes=0, bridgeType=TYPES[0])
    fleet.at(2)
    asyncio.run(play())


def test_a_drain_is_begun_at_the_right_host_only_and_goes_on_when_its_engine_was_killed(
    cluster: Cluster, fleet: Fleet
) -> None:
    """The first `up` meets a node with another host key, the second is killed while rooms last, the third ends it.

    Before, and between them, the node tells whoever asks.
    """

    async def play() -> None:
        async with scene(fleet, "resumed", ["bridge-4"], rooms=2) as on_stage:
            answer = cluster.stack.pulumi("stack", "output", "--json", "--show-secrets", check=True)
            outputs = json.loads(answer.stdout)
            rooms = len(on_stage.on("bridge-4"))
            assert f"bridge-4: {rooms} conferences, {PEOPLE * rooms} people\n3 bridges stay" in forecast(outputs, 3)
            assert status(outputs) == "no drain is going on"
            shard = cluster.shard
            shard.run("cd /etc/ssh && mkdir kept && mv ssh_host_* kept && ssh-keygen -A && systemctl restart ssh")
            try:
                run = await on_stage.up(succeeds=False, bridges=3)
            finally:
                shard.run("cd /etc/ssh && mv kept/* . && rmdir kept && systemctl restart ssh")
            assert "host key" in run.text
            assert not on_stage.said
            await on_stage.killed_up(": drains: ", bridges=3)
            assert f"{rooms} conferences at the start, 0 moved, 0 dropped" in status(outputs)
            async with on_stage.beside(on_stage.up()):
                await on_stage.on("bridge-4")[0].end()
            assert "goes on where it was interrupted" in on_stage.text
            await none_dropped(on_stage)
            assert on_stage.counts().ended >= 1

    fleet.at(4, drainMinutes=1)
    asyncio.run(play())


def test_a_bridge_whose_server_was_removed_by_hand_holds_nothing_up(cluster: Cluster, fleet: Fleet) -> None:
    fleet.at(3, drainMinutes=0)
    cluster.host("bridge-3").act("delete")
    cluster.stack.configure(bridges=2)
    run = cluster.up()
    (said,) = Said.all_in(run.text)
    assert (said.bridge, said.start, said.moved, said.dropped) == ("bridge-3", 0, 0, 0)
    eventually(lambda: cluster.bridges_in_the_brewery() == 2, 120)
