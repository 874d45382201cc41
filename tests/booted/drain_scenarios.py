"""What is done to a cluster with people on the bridges that go: one entry for each row of the README's table."""

import re
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.booted.booted import Cluster
from tests.booted.drains import Scene

MINUTE = 60
TYPES = ("ccx13", "ccx23")
LOCATIONS = ("fsn1", "nbg1")
# A gate would wait for a quarter of an hour for a bridge that cannot install anything.
IMPATIENT = 60  # seconds

Play = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """`going`: the bridges that go, each with `rooms` rooms at least; `why` nothing is promised, where nothing is."""

    name: str
    bridges: int
    going: tuple[str, ...]
    play: Play
    before: Mapping[str, Any] = field(default_factory=dict)
    rooms: int = 1
    why: str = ""

    @property
    def word(self) -> str:
        """For `--only`."""
        return re.sub("[^a-z0-9]+", "-", self.name.lower())


def bridges(first: int, last: int) -> tuple[str, ...]:
    return tuple(f"bridge-{number}" for number in range(first, last + 1))


def scale_to(number: int) -> Play:
    async def play(scene: Scene) -> None:
        await scene.up(bridges=number)

    return play


async def one_room_ends(scene: Scene) -> None:
    """During the wait; the other ones last longer than that and are moved."""
    scene.waited = MINUTE
    async with scene.beside(scene.up(bridges=2)):
        await scene.drain_begun()
        await scene.on("bridge-3")[0].end()


async def other_type(scene: Scene) -> None:
    await scene.replaced(bridgeType=other(scene, "bridgeType", TYPES))


async def other_location(scene: Scene) -> None:
    at = scene.fleet.cluster.stack.setting("locations")
    await scene.replaced(locations=[place for place in LOCATIONS if place not in at])


async def other_version(scene: Scene) -> None:
    await scene.replaced(jitsiVersions=_other_versions(scene))


async def archive_away(scene: Scene) -> None:
    """The new bridges never get their packages; the old ones are not touched. Later the same command goes on."""
    cluster = scene.fleet.cluster
    with cluster.without("archives"), impatient(cluster):
        await scene.up(succeeds=False, jitsiVersions=_other_versions(scene))
    assert not scene.said, "no drain begins before its replacement is ready"
    assert not any(room.moved for room in scene.rooms), "nobody was moved off a bridge that stays"
    # Before bridges forget people who send no media these go home, and others come.
    await scene.empty()
    await scene.fill()
    await scene.replaced()


async def killed_hard(scene: Scene) -> None:
    """One of two that drain loses its power; jicofo learns of it from prosody, after a minute."""
    scene.waited = MINUTE
    async with scene.beside(scene.up(bridges=1)):
        await scene.drain_begun()
        await scene.power_off("bridge-3")
    await scene.until(lambda: all(person.seen.moved for room in scene.on("bridge-3") for person in room.people))


def engine_killed(sign: str, waited: int) -> Play:
    async def play(scene: Scene) -> None:
        scene.waited = waited
        await scene.killed_up(sign, bridges=1)
        await scene.up()

    return play


async def node_rebooted(scene: Scene) -> None:
    scene.waited = MINUTE
    async with scene.beside(scene.up(succeeds=None, bridges=2)):
        await scene.drain_begun()
        await scene.reboot_node()
    await scene.until(lambda: scene.fleet.joined() >= 2)
    await scene.up()


async def twice(scene: Scene) -> None:
    await scene.up(bridges=2)
    await scene.look()
    await scene.up(bridges=1)


def other(scene: Scene, key: str, values: tuple[str, str]) -> str:
    now = scene.fleet.cluster.stack.setting(key)
    return next(value for value in values if value != now)


def _other_versions(scene: Scene) -> Mapping[str, str]:
    now = scene.fleet.cluster.stack.setting("jitsiVersions")
    return next(versions for versions in scene.fleet.versions if versions != now)


@contextmanager
def impatient(cluster: Cluster, seconds: int = IMPATIENT) -> Iterator[None]:
    """With gates that give up sooner: the stack runs a copy of the program that differs in this number."""
    link = cluster.stack.folder / "components"
    program = link.readlink()
    link.unlink()
    shutil.copytree(program, link, ignore=shutil.ignore_patterns("__pycache__"))
    file = link / "operations.py"
    text, changed = re.subn(r"(?m)^READY_SECONDS = \d+$", f"READY_SECONDS = {seconds}", file.read_text())
    assert changed == 1
    file.write_text(text)
    try:
        yield
    finally:
        shutil.rmtree(link)
        link.symlink_to(program)


ONE, LATER = {"drainMinutes": 0}, {"drainMinutes": 1}
TURNS = {"drainMinutes": 0, "drainAtOnce": 1}  # people without media are forgotten after two minutes

# In an order in which few bridges have to be made between two of them.
SCENARIOS = (
    Scenario("change of the server type", 2, bridges(1, 2), other_type, ONE),
    Scenario("change of the location", 2, bridges(1, 2), other_location, ONE),
    Scenario("archive away during an upgrade", 2, bridges(1, 2), archive_away, ONE),
    Scenario("upgrade of the pool", 2, bridges(1, 2), other_version, ONE),
    Scenario("scale-in by one", 3, bridges(3, 3), one_room_ends, LATER, rooms=3),
    Scenario("scale-in by one, deadline 0", 3, bridges(3, 3), scale_to(2), ONE, rooms=3),
    Scenario("scale-in to one", 3, bridges(2, 3), scale_to(1), ONE, rooms=2),
    Scenario("two ups in a row", 3, bridges(2, 3), twice, ONE, rooms=2),
    Scenario("engine killed before a turn", 3, bridges(2, 3), engine_killed("waits for its turn", 0), TURNS, rooms=2),
    Scenario("engine killed while waiting", 3, bridges(2, 3), engine_killed(": drains: ", MINUTE), LATER),
    Scenario("engine killed while moving", 3, bridges(2, 3), engine_killed(": moved ", 0), ONE, rooms=4),
    Scenario(
        "a bridge loses its power while another drains",
        3,
        bridges(2, 3),
        killed_hard,
        LATER,
        why="calls stand still on the dead bridge until jicofo misses it",
    ),
    Scenario("signaling node rebooted during a drain", 3, bridges(3, 3), node_rebooted, LATER, why="calls end with it"),
    Scenario("scale-in by five", 7, bridges(3, 7), scale_to(2), ONE),
)
