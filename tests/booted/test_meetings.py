"""Level 4: people meet: they come in through the public door, drains keep their rooms, moves and power cuts move them.

They are XMPP clients without media (local_cloud/people.py), on jicofo, bridges and a web site as the roles set them up.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
from websockets.sync.connection import Connection

from local_cloud.people import Person, Site, meeting
from tests.booted.booted import Cluster, Host, eventually
from tests.booted.web import Web

PATIENCE = 90  # seconds, for what takes one to five on an idle machine
# TCP gives up after 51 (net.ipv4.tcp_retries2), prosody waits 15 more for the bridge to come back.
POWER_CUT = 150  # seconds
BRIDGE = "http://127.0.0.1:8080"


class Bridge:
    def __init__(self, host: Host) -> None:
        self.host = host
        # Its nickname in the brewery is made from the instance id (cloud_init/bridge, host-conf).
        self.jid = f"jvbbrewery@internal.auth.{host.cluster.domain}/bridge-{host.entry['id']}"

    def stats(self) -> dict[str, Any]:
        """All but `conferences` and the states is a sample, up to five seconds old."""
        return dict(json.loads(self.host.run(f"curl -sf -m 5 {BRIDGE}/colibri/stats")))

    def metric(self, name: str) -> int:
        """As it is now."""
        text = self.host.run(f"curl -sf -m 5 -H 'Accept: text/plain' {BRIDGE}/metrics")
        (line,) = [line for line in text.splitlines() if line.startswith(f"jitsi_jvb_{name} ")]
        return int(float(line.split()[1]))

    @property
    def people(self) -> int:
        return self.metric("local_endpoints")

    def known(self) -> dict[str, Any]:
        """What jicofo knows of it; empty when it has left."""
        bridges = self.host.cluster.jicofo("/debug")["bridge_selector"]["bridge"]
        return dict(bridges.get(self.jid, {}))

    @contextmanager
    def drained(self) -> Iterator[None]:
        """jicofo learns of it with the bridge's next presence, up to five seconds later."""
        self._drain("enable")
        try:
            eventually(lambda: self.known()["drain"], PATIENCE)
            yield
        finally:
            self._drain("disable")
            eventually(lambda: not self.known()["drain"], PATIENCE)

    def _drain(self, verb: str) -> None:
        self.host.run(f"curl -sf -m 5 -X POST {BRIDGE}/colibri/drain/{verb}")

    def move_all(self) -> dict[str, int]:
        path = f"/move-endpoints/move-endpoints?bridge={quote(self.jid, safe='')}&numEndpoints=100"
        return dict(self.host.cluster.jicofo(path))


@pytest.fixture(scope="module", autouse=True)
def silent(web: Web) -> Iterator[tuple[Connection, float]]:
    """A connection on which nobody says anything while the others meet, and since when."""
    with web.websocket("/xmpp-websocket?room=silent") as stream:
        yield stream, time.monotonic()


@pytest.fixture(scope="module")
def door(web: Web, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(web.domain, web.address, authority=web.authority_file(tmp_path_factory.mktemp("people")))


@pytest.fixture
def bridges(cluster: Cluster) -> list[Bridge]:
    """Both, idle: rooms of earlier tests have ended."""
    found = [Bridge(cluster.host(name)) for name in ("bridge-1", "bridge-2")]
    eventually(lambda: cluster.bridges_in_the_brewery() == 2, PATIENCE)
    eventually(lambda: rooms_and_people(cluster) == (0, 0), PATIENCE)
    eventually(lambda: all(each.stats()["conferences"] == 0 for each in found), PATIENCE)
    return found


def rooms_and_people(cluster: Cluster) -> tuple[int, int]:
    """In jicofo's eyes."""
    stats = cluster.jicofo()
    return stats["conferences"], stats["participants"]


def kept(people: list[Person]) -> bool:
    """Whether all have a session, in the room that they came to."""
    return not any(each.seen.dropped(0) for each in people)


async def soon(question: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait until `question` is true, and print how long that took; it is asked beside the people, who go on."""
    begun = time.monotonic()
    await asyncio.to_thread(eventually, question, seconds, 0.2)
    print(f"{what}: {time.monotonic() - begun:.1f} s")


def test_people_of_two_rooms_come_in_and_all_count_the_same(
    cluster: Cluster, door: Site, bridges: list[Bridge]
) -> None:
    async def scene() -> None:
        begun = time.monotonic()
        async with meeting(door, "one", patience=PATIENCE) as one, meeting(door, "two", patience=PATIENCE) as two:
            print(f"four people in two rooms: {time.monotonic() - begun:.1f} s")
            await soon(lambda: rooms_and_people(cluster) == (2, 4), "jicofo counts them")
            await soon(lambda: sum(each.stats()["conferences"] for each in bridges) == 2, "bridges count the rooms")
            await soon(lambda: sum(each.stats()["participants"] for each in bridges) == 4, "bridges count the people")
            assert [person.seen.initiated for person in one + two] == [1] * 4
            assert kept(one + two)
        await soon(lambda: rooms_and_people(cluster) == (0, 0), "jicofo sees that they left")
        await soon(lambda: not any(each.stats()["conferences"] for each in bridges), "bridges see that they left")

    asyncio.run(scene())


def test_a_drained_bridge_keeps_its_room_until_it_is_told_to_move_it(door: Site, bridges: list[Bridge]) -> None:
    """Drain alone takes no room away, however long; move-endpoints does, and nobody is without a session after it."""

    async def scene() -> None:
        async with meeting(door, "stays", patience=PATIENCE) as stays:
            leaving, other = sorted(bridges, key=lambda bridge: -bridge.people)
            had, others = leaving.people, other.people
            assert had
            with leaving.drained():
                async with meeting(door, "new", patience=PATIENCE) as new:
                    assert (leaving.people, other.people) == (had, others + 2), "a drained bridge takes no new room"
                    assert leaving.host.run(f"curl -s -o /dev/null -w '%{{http_code}}' {BRIDGE}/about/health") == "200"
                    assert [person.seen.initiated for person in stays] == [1, 1]
                    begun = time.monotonic()
                    moved = await asyncio.to_thread(leaving.move_all)
                    await soon(lambda: leaving.stats()["conferences"] == 0, "the drained bridge is empty")
                    await soon(lambda: other.people == 4, "all are on the other bridge")
                    await soon(lambda: sum(person.seen.moved for person in stays) == had, "they have new sessions")
                    print(f"emptied within {time.monotonic() - begun:.1f} s: {moved}")
                    assert moved["movedEndpoints"] == had
                    assert kept(stays + new)
                    assert [person.seen.initiated for person in new] == [1, 1]

    asyncio.run(scene())


def test_people_on_a_bridge_that_loses_its_power_meet_on_the_other(
    cluster: Cluster, door: Site, bridges: list[Bridge]
) -> None:
    """Nobody is told of it: prosody waits for an answer of the bridge, then as long as it may take to come back."""

    async def scene() -> None:
        async with meeting(door, "interrupted", patience=PATIENCE) as people:
            lost, other = sorted(bridges, key=lambda bridge: -bridge.people)
            had = lost.people
            assert had
            await asyncio.to_thread(lost.host.act, "power_off")
            try:
                again = "new sessions after a power cut"
                await soon(lambda: sum(person.seen.moved for person in people) == had, again, POWER_CUT)
                await soon(lambda: other.people == 2, "all are on the other bridge")
                assert kept(people)
                assert await asyncio.to_thread(lost.known) == {}
                assert await asyncio.to_thread(cluster.bridges_in_the_brewery) == 1
            finally:
                await asyncio.to_thread(lost.host.act, "power_on")
            await soon(lambda: cluster.bridges_in_the_brewery() == 2, "its bridge has joined again after power on")

    asyncio.run(scene())


def test_a_websocket_that_says_nothing_for_a_minute_stays_open(web: Web, silent: tuple[Connection, float]) -> None:
    """Trap 15: what stands between cuts it after 50 or 60 seconds where nobody told it otherwise."""
    stream, since = silent
    eventually(lambda: time.monotonic() - since > 65, 70)
    assert web.greeted(stream)
