"""Level 3: drains on a shard of real prosody and nginx with stand-ins of jicofo and bridges, and people in rooms.

Bridges have loopback addresses of their own, so all have port 8080 as on a private network.
"""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local_cloud.people import Person, all_of, meeting
from tests.level2_checked.rendered import signaling
from tests.operations.running import Done, Node, Report, node
from tests.packages.jicofo_shard import BREWERY, DOMAIN, Program, Shard, shard, soon, until
from tools import checkers

BOUND = 5.0  # seconds without a session that are no drop
PATIENCE: dict[str, Any] = {
    "LOOK": 0.2, "CALL": 1.0, "MINUTE": 1.0, "TRYING": 1.5, "SIGN_OF_LIFE": 5.0, "HEALTHY": 1.0, "SURE": 1.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def lab() -> Iterator[Shard]:
    try:
        with shard() as made:
            made.jicofo(
                health__interval="2 s",
                bridge__health_checks__interval="2 s",
                bridge__failure_reset_threshold="5 s",
                xmpp__client__reply_timeout="3 s",
            )
            until(lambda: made.get("/about/version").status, 10, "REST answers")
            yield made
    except checkers.UnavailableError as error:
        pytest.skip(str(error))


def _configuration(number: int) -> str:
    client = "videobridge.apis.xmpp-client.configs.shard-1"
    settings = {
        "videobridge.apis.rest.enabled": True,
        "videobridge.rest.shutdown.enabled": True,
        "videobridge.http-servers.private.host": f"127.0.1.{number}",
        "videobridge.ice.udp.port": 10000 + number,
        "videobridge.relay.enabled": True,
        "videobridge.relay.region": "nbg1",
        "videobridge.relay.relay-id": f"bridge-{number}",
        "videobridge.load-management.load-measurements.load-measurement": "packet-rate",
        "videobridge.health.require-valid-address": False,
        "videobridge.apis.xmpp-client.presence-interval": "1 s",
        "ice4j.harvest.mapping.aws.enabled": False,
        "ice4j.harvest.mapping.stun.addresses": [],
        f"{client}.HOSTNAME": "127.0.0.1",
        f"{client}.DOMAIN": f"auth.{DOMAIN}",
        f"{client}.USERNAME": "jvb",
        f"{client}.PASSWORD": signaling().jvb_password,
        f"{client}.MUC_JIDS": BREWERY,
        f"{client}.MUC_NICKNAME": f"bridge-{number}",
    }
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())


@dataclass
class Bridges:
    """Bridges of one test, by number; each is `bridge-N` and instance `N`."""

    lab: Shard
    here: Node
    running: dict[int, Program] = field(default_factory=dict)

    def start(self, *numbers: int) -> None:
        for number in numbers:
            file = f"etc/jitsi/lab/bridge-{number}.conf"
            (self.lab.tree / file).parent.mkdir(exist_ok=True)
            (self.lab.tree / file).write_text(_configuration(number))
            program = "/usr/share/jitsi-videobridge/videobridge.py"
            self.running[number] = self.lab.run(f"bridge-{number}", "/usr/bin/python3", program, "--config", f"/{file}")
        until(lambda: self.lab.bridges().keys() >= {f"bridge-{each}" for each in numbers}, 15, "all are in the brewery")

    def people(self, number: int) -> int:
        return int(self.lab.bridges()[f"bridge-{number}"]["endpoints"])

    async def drain(self, number: int, minutes: int = 0) -> Done:
        """With a second for a minute."""
        command = f"drain bridge-{number} 127.0.1.{number} {number} {minutes} 5"
        return await asyncio.to_thread(self.here.run, command)


@pytest.fixture
def bridges(lab: Shard, tmp_path: Path) -> Iterator[Bridges]:
    already = len(lab.programs)
    here = node(tmp_path, DOMAIN, **PATIENCE)
    yield Bridges(lab, here)
    here.end()
    lab.end(*lab.programs[already:])
    del lab.programs[already:]
    until(lambda: not lab.bridges(), 30, "the bridges have left the brewery")


@contextlib.asynccontextmanager
async def rooms(lab: Shard, **people: int) -> AsyncIterator[dict[str, list[Person]]]:
    async with contextlib.AsyncExitStack() as stack:
        entering = [stack.enter_async_context(meeting(lab.site(), room, number)) for room, number in people.items()]
        yield dict(zip(people, await all_of(entering), strict=True))


def dropped(groups: dict[str, list[Person]]) -> list[str]:
    return [room for room, group in groups.items() if any(each.seen.dropped(BOUND) for each in group)]


def test_a_new_bridge_is_ready_only_when_jicofo_has_it(bridges: Bridges) -> None:
    session = bridges.here.begin("ready bridge-1 127.0.1.1 1 30")
    assert session.line() == "bridge-1: does not answer yet\n"
    bridges.start(1)
    done = session.done(30)
    assert (done.status, done.lines[-1]) == (0, "bridge-1 is ready: version 2.3.307-gstandin")


def test_a_scale_in_waits_for_a_room_that_ends_and_moves_the_others(bridges: Bridges) -> None:
    async def scene() -> tuple[Done, list[str], int]:
        async with rooms(bridges.lab, stays=3, ends=2) as groups:
            bridges.start(2)
            drained = asyncio.create_task(bridges.drain(1, 4))
            await soon(lambda: bridges.lab.bridges()["bridge-1"]["drain"], 5, "it drains")
            for person in groups.pop("ends"):
                await person.leave()
            done = await drained
            await asyncio.sleep(1)
            return done, dropped(groups), bridges.people(2)

    bridges.start(1)
    done, drops, people = asyncio.run(scene())
    assert done.report == Report(2, 0, 1, 1, 3, 0, 0), done.text
    assert (drops, people) == ([], 3)


def test_a_deadline_of_none_moves_all_rooms_and_drops_nobody(bridges: Bridges) -> None:
    async def scene() -> tuple[Done, list[str], list[int], int]:
        async with rooms(bridges.lab, one=2, two=2, three=3) as groups:
            bridges.start(2, 3)
            done = await bridges.drain(1)
            await asyncio.sleep(1)
            moved = [person.seen.moved for group in groups.values() for person in group]
            return done, dropped(groups), moved, bridges.people(2) + bridges.people(3)

    bridges.start(1)
    done, drops, moved, people = asyncio.run(scene())
    assert done.report == Report(3, 0, 0, 3, 7, 0, 0), done.text
    assert (drops, moved, people) == ([], [1] * 7, 7)
    assert done.seconds < 10


def test_people_of_a_hung_bridge_get_another_one(bridges: Bridges) -> None:
    async def scene() -> tuple[Done, list[str], int]:
        async with rooms(bridges.lab, one=2) as groups:
            bridges.start(2)
            bridges.running[1].kill(signal.SIGSTOP)
            done = await bridges.drain(1, 600)
            await soon(lambda: bridges.people(2) == 2, 10, "both are there")
            bridges.running[1].kill(signal.SIGCONT)
            return done, dropped(groups), bridges.people(2)

    bridges.start(1)
    done, drops, people = asyncio.run(scene())
    assert done.report == Report(1, 0, 0, 1, 2, 0, 0), done.text
    assert (drops, people) == ([], 2)


def test_the_last_bridge_keeps_its_calls_to_the_deadline_and_is_never_graceful(bridges: Bridges) -> None:
    async def scene() -> tuple[Done, list[str], bool]:
        async with rooms(bridges.lab, one=2) as groups:
            done = await bridges.drain(1, 3)
            return done, dropped(groups), bridges.lab.bridges()["bridge-1"]["graceful-shutdown"]

    bridges.start(1)
    done, drops, graceful = asyncio.run(scene())
    assert done.report == Report(1, 0, 0, 0, 0, 1, 2), done.text
    assert (drops, graceful) == ([], False)
    assert done.seconds > 3
