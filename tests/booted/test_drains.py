"""Level 4: bridges go while people meet on them, and nobody is dropped. benchmarks/drain.py plays more of it."""

import asyncio
import json

import pytest

from tests.booted.booted import Cluster, eventually
from tests.booted.drain_scenarios import impatient
from tests.booted.drains import BOUND, PEOPLE, Fleet, Said, Scene, mistakes, scene
from tools.drains import forecast, status


@pytest.fixture(scope="module")
def fleet(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Left with one bridge: these are the last tests that see the shared cluster (tests/conftest.py)."""
    return Fleet(cluster, tmp_path_factory.mktemp("people"))


async def none_dropped(on_stage: Scene) -> None:
    """All who were on a bridge that went are in a call, and no drain says more than that."""
    await asyncio.sleep(BOUND + 1)
    assert mistakes(on_stage.counts(), on_stage.said) == []
    assert {each.bridge for each in on_stage.said} == set(on_stage.going), "each has had its drain"


def test_an_old_bridge_stays_until_its_replacement_carries_calls(cluster: Cluster, fleet: Fleet) -> None:
    """New ones that cannot install anything stop the change before an old one is touched; the next `up` goes on."""

    async def play() -> None:
        async with scene(fleet, "replaced", ["bridge-2"]) as on_stage:
            old = {host.name for host in on_stage.going.values()}
            with cluster.without("archives"), impatient(cluster, 30):
                run = await on_stage.up(succeeds=False, locations=["fsn1", "nbg1"])
            assert "is not ready within 30 s" in run.text
            assert not on_stage.said
            assert not any(room.moved or room.dropped for room in on_stage.rooms)
            assert old < {server.name for server in cluster.workshop.servers()}
            await on_stage.empty()
            await on_stage.fill()
            await on_stage.replaced()
            assert not old & {server.name for server in cluster.workshop.servers()}
            await none_dropped(on_stage)

    fleet.at(2, drainMinutes=0, locations=["fsn1"])
    asyncio.run(play())


def test_added_bridges_join_and_leave_the_others_as_they_were(cluster: Cluster, fleet: Fleet) -> None:
    before = {host.name for host in cluster.hosts()}
    fleet.at(3)
    assert before < {host.name for host in cluster.hosts()}


def test_a_drain_is_begun_at_the_right_host_only_and_goes_on_when_its_engine_was_killed(
    cluster: Cluster, fleet: Fleet
) -> None:
    """The first `up` meets a node with another host key, the second is killed while rooms last, the third ends it.

    Before, and between them, the node tells whoever asks.
    """

    async def play() -> None:
        async with scene(fleet, "resumed", ["bridge-3"], rooms=2) as on_stage:
            answer = cluster.stack.pulumi("stack", "output", "--json", "--show-secrets", check=True)
            outputs = json.loads(answer.stdout)
            rooms = len(on_stage.on("bridge-3"))
            assert f"bridge-3: {rooms} conferences, {PEOPLE * rooms} people\n2 bridges stay" in forecast(outputs, 2)
            assert "bridge-3" not in status(outputs)
            shard = cluster.shard
            shard.run("cd /etc/ssh && mkdir kept && mv ssh_host_* kept && ssh-keygen -A && systemctl restart ssh")
            try:
                run = await on_stage.up(succeeds=False, bridges=2)
            finally:
                shard.run("cd /etc/ssh && mv kept/* . && rmdir kept && systemctl restart ssh")
            assert "host key" in run.text
            assert not on_stage.said
            await on_stage.killed_up(": drains: ", bridges=2)
            assert f"{rooms} conferences at the start, 0 moved, 0 dropped" in status(outputs)
            async with on_stage.beside(on_stage.up()):
                await on_stage.on("bridge-3")[0].end()
            assert "goes on where it was interrupted" in on_stage.text
            await none_dropped(on_stage)
            assert on_stage.counts().ended >= 1

    fleet.at(3, drainMinutes=1)
    asyncio.run(play())


def test_a_bridge_whose_server_was_removed_by_hand_holds_nothing_up(cluster: Cluster, fleet: Fleet) -> None:
    fleet.at(2, drainMinutes=0)
    staying = {cluster.host(name).name for name in ("shard-1", "bridge-1")}
    cluster.host("bridge-2").act("delete")
    cluster.stack.configure(bridges=1)
    run = cluster.up()
    (said,) = Said.all_in(run.text)
    assert (said.bridge, said.start, said.moved, said.dropped) == ("bridge-2", 0, 0, 0)
    eventually(lambda: cluster.bridges_in_the_brewery() == 1, 120)
    assert {host.name for host in cluster.hosts()} == staying
