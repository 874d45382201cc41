"""Drains while people meet: a cluster that is changed, rooms on the bridges that go, and what became of them.

What counts is what the people saw; what the drains say of themselves is read only to be compared with it.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_cloud.people import AbsentError, Person, Site, all_of, meeting
from tests.booted.booted import Cluster, Host, eventually
from tests.booted.web import Web
from tests.level3_applied.applied import Call, Run

PATIENCE = 180  # seconds, for what takes one to five on an idle machine
BOUND = 10  # seconds without a session after which a person counts as dropped
PEOPLE = 2  # in each room
BRIDGE = "http://127.0.0.1:8080"
TRIES, PAUSE = 12, 4  # seconds; jicofo prefers the bridge whose machine was least busy when it last said so
NUMBERS = (
    r"(\d+) conferences at the start, (\d+) came later, (\d+) ended, "
    r"(\d+) moved \(\d+ people\), (\d+) dropped \(\d+ people\)"
)
LAST = re.compile(rf"(bridge-\d+): ([^:\n]+?) in (\d+) s: {NUMBERS}")


@dataclass(frozen=True)
class Said:
    """The last line of a drain."""

    bridge: str
    outcome: str
    seconds: int
    start: int
    later: int
    ended: int
    moved: int
    dropped: int

    @classmethod
    def all_in(cls, text: str) -> list["Said"]:
        """In what the engine printed, which shows a line up to twice."""
        found = dict.fromkeys(match.groups() for match in LAST.finditer(text))
        return [cls(name, outcome, *map(int, numbers)) for name, outcome, *numbers in found]


@dataclass
class Room:
    """`at`: the bridges that went and had it at some time. `dropped` stays true once somebody had no session."""

    name: str
    people: list[Person]
    door: AsyncExitStack
    at: set[str] = field(default_factory=set)
    ended: bool = False
    dropped: bool = False

    @property
    def moved(self) -> bool:
        return all(person.seen.moved for person in self.people)

    async def end(self) -> None:
        """By itself: its people go home."""
        self.ended = True
        await self.door.aclose()


@dataclass(frozen=True)
class Counts:
    """Conferences that were on bridges that went."""

    start: int
    ended: int
    moved: int
    dropped: int


def total(said: Iterable[Said]) -> Counts:
    """The same in the words of the drains."""
    all_of_them = list(said)
    return Counts(
        sum(each.start + each.later for each in all_of_them),
        sum(each.ended for each in all_of_them),
        sum(each.moved for each in all_of_them),
        sum(each.dropped for each in all_of_them),
    )


def mistakes(counts: Counts, said: Iterable[Said]) -> list[str]:
    """Whoever was dropped, and drains that say less of it than the people saw.

    Their other numbers may differ: a room that is moved to a bridge that goes next has two drains, and a bridge forgets
    people who send no media.
    """
    found = [f"{counts.dropped} conferences were dropped"] if counts.dropped else []
    words = total(said)
    if words.dropped < counts.dropped:
        found.append(f"the drains say {words}, the people {counts}")
    return found


class Fleet:
    """A cluster between two scenes. `versions`: what its bridges may be upgraded from and to, as `jitsiVersions`."""

    def __init__(self, cluster: Cluster, folder: Path, versions: Sequence[Mapping[str, str]] = ()) -> None:
        self.cluster, self.versions = cluster, versions
        # Asked while the engine works, when the state cannot be read.
        self.shard = cluster.shard
        web = Web.of(cluster)
        self.site = Site(web.domain, web.address, authority=web.authority_file(folder))

    def at(self, bridges: int, **config: Any) -> None:
        """As a scene begins: so many bridges, all in the brewery, nobody there."""
        self.cluster.stack.configure(bridges=bridges, **config)
        run = self.cluster.stack.up()
        assert run.status == 0, diagnostics(run)
        self.quiet(bridges)

    def quiet(self, bridges: int) -> None:
        eventually(lambda: self.joined() == bridges, PATIENCE)
        eventually(lambda: self._jicofo().get("conferences") == 0, PATIENCE)

    def joined(self) -> int:
        """Bridges in the brewery that jicofo takes for operational."""
        return int(self._jicofo().get("bridge_selector", {}).get("operational_bridge_count", 0))

    def _jicofo(self) -> dict[str, Any]:
        return _asked(self.shard, "http://127.0.0.1:8888/stats")

    def bridges(self) -> dict[str, Host]:
        return {bridge["name"]: self.cluster.host(bridge["name"]) for bridge in self.cluster.described()["bridges"]}


class Scene:
    """People in rooms of a fleet whose bridges `going` are about to go."""

    def __init__(self, fleet: Fleet, name: str, going: dict[str, Host]) -> None:
        self.fleet, self.name, self.going = fleet, name, going
        self.rooms: list[Room] = []
        self.text = ""
        self.calls: list[Call] = []
        self.seconds = 0.0
        self.waited = 0.0

    # --- people ---

    async def fill(self, each: int = 1) -> None:
        """New rooms until every bridge that goes has at least so many of them. jicofo decides where they are."""
        known = len(self.rooms)
        for _ in range(TRIES):
            await self.more()
            held = [sum(name in room.at for room in self.rooms[known:]) for name in self.going]
            if min(held) >= each:
                return
            await asyncio.sleep(PAUSE)
        raise AbsentError(f"{self.name}: jicofo gave the bridges that go {held} rooms")

    async def empty(self) -> None:
        """All who are there go home."""
        await asyncio.gather(*(room.end() for room in self.rooms if not room.ended))

    async def more(self) -> None:
        number = len(self.rooms)
        names = [f"{self.name}-{number + one}" for one in range(max(2, len(self.going)))]
        self.rooms += await all_of(map(self._room, names))
        await self.look()

    async def _room(self, name: str) -> Room:
        door = AsyncExitStack()
        return Room(name, await door.enter_async_context(meeting(self.fleet.site, name, PEOPLE, PATIENCE)), door)

    async def look(self) -> None:
        """Which rooms are on the bridges that go."""
        answers = await asyncio.gather(*(asyncio.to_thread(_rooms_on, host) for host in self.going.values()))
        for bridge, names in zip(self.going, answers, strict=True):
            for room in self.rooms:
                if room.name in names:
                    room.at.add(bridge)

    def on(self, bridge: str) -> list[Room]:
        return [room for room in self.rooms if bridge in room.at]

    @property
    def concerned(self) -> list[Room]:
        return [room for room in self.rooms if room.at]

    async def watch(self) -> None:
        while True:
            self.notice()
            await asyncio.sleep(0.5)

    def notice(self) -> None:
        for room in self.rooms:
            room.dropped |= not room.ended and any(person.seen.dropped(BOUND) for person in room.people)

    def counts(self) -> Counts:
        self.notice()
        rooms = self.concerned
        ended = sum(room.ended for room in rooms)
        # The bridges have gone: who was not moved talks to nobody, whether told of it or not.
        moved = sum(not room.ended and not room.dropped and room.moved for room in rooms)
        return Counts(len(rooms), ended, moved, len(rooms) - ended - moved)

    # --- the engine ---

    async def up(self, *, succeeds: bool | None = True, **config: Any) -> Run:
        """`pulumi up` with other settings, while the people go on; None where it may end either way."""
        if config:
            self.fleet.cluster.stack.configure(**config)
        begun = time.monotonic()
        run = await asyncio.to_thread(self.fleet.cluster.stack.up)
        self.seconds += time.monotonic() - begun
        self.text += run.text
        self.calls += run.calls
        assert succeeds is None or (run.status == 0) == succeeds, diagnostics(run)
        return run

    async def replaced(self, **config: Any) -> None:
        """An up that makes the bridges that go anew. More people come when the new ones are there.

        Where nobody sends media a real bridge forgets its people within minutes, before the new one is ready.
        """
        before = self.fleet.joined()
        async with self.beside(self.up(**config)) as changing:
            await self.until(lambda: changing.done() or self.fleet.joined() > before, 600)
            with suppress(AbsentError):
                await self.more()

    @asynccontextmanager
    async def beside(self, work: Coroutine[Any, Any, Run]) -> AsyncIterator[asyncio.Task[Run]]:
        """While the engine works, which is waited for, also when something fails meanwhile."""
        task = asyncio.create_task(work)
        try:
            yield task
        finally:
            await task

    async def drain_begun(self) -> None:
        """Until a bridge that goes takes no more rooms."""
        await self.until(lambda: any(map(_draining, self.going.values())))

    async def power_off(self, bridge: str) -> None:
        await asyncio.to_thread(self.going[bridge].act, "power_off")

    async def reboot_node(self) -> None:
        await asyncio.to_thread(self.fleet.shard.act, "reboot")

    async def killed_up(self, sign: str, **config: Any) -> None:
        """`pulumi up` whose engine is killed as soon as it prints `sign`, and what the README says to do then."""
        self.fleet.cluster.stack.configure(**config)
        begun = time.monotonic()
        await asyncio.to_thread(self._kill_at, sign)
        await asyncio.to_thread(self.fleet.cluster.stack.recover)
        self.seconds += time.monotonic() - begun

    def _kill_at(self, sign: str) -> None:
        engine = self.fleet.cluster.stack.start("up", "--yes", "--skip-preview", "--color", "never")
        printed = ""
        try:
            assert engine.stdout
            for line in engine.stdout:
                printed += line
                if sign in line:
                    return
            raise AssertionError(f"the engine ended without {sign!r}:\n{printed[-6000:]}")
        finally:
            with suppress(ProcessLookupError):
                os.killpg(engine.pid, signal.SIGKILL)
            engine.communicate()
            self.text += printed

    async def until(self, question: Callable[[], object], seconds: float = PATIENCE) -> None:
        await asyncio.to_thread(eventually, question, seconds, 0.3)

    @property
    def said(self) -> list[Said]:
        """The last word of each drain; after an interruption that of the session that went on."""
        return list({each.bridge: each for each in Said.all_in(self.text)}.values())


def diagnostics(run: Run) -> str:
    """What the engine says of failures, without the outputs that follow."""
    return run.text.partition("\nDiagnostics:")[2].partition("\nOutputs:")[0] or run.text


def _asked(host: Host, url: str) -> dict[str, Any]:
    """Nothing where nobody answers."""
    try:
        return dict(json.loads(host.run(f"curl -sf -m 5 -H 'Accept: */*' {url}")))
    except (AssertionError, ValueError, subprocess.TimeoutExpired):
        return {}


def _rooms_on(host: Host) -> set[str]:
    held = _asked(host, f"{BRIDGE}/debug").get("conferences", {}).values()
    return {str(each["name"]).partition("@")[0] for each in held if each["endpoints"]}


def _draining(host: Host) -> bool:
    return bool(_asked(host, f"{BRIDGE}/colibri/drain").get("drain"))


@asynccontextmanager
async def scene(fleet: Fleet, name: str, going: Iterable[str], rooms: int = 1) -> AsyncIterator[Scene]:
    """People on all bridges of `going`, watched until the end; then they go home."""
    hosts = fleet.bridges()
    played = Scene(fleet, name, {bridge: hosts[bridge] for bridge in going})
    watching = asyncio.create_task(played.watch())
    try:
        await played.fill(rooms)
        yield played
    finally:
        watching.cancel()
        await asyncio.gather(*(room.end() for room in played.rooms if not room.ended), return_exceptions=True)
