"""People in rooms while something happens to bridges, jicofo or prosody, and what was recorded of the real ones.

Rooms with two people in them, real prosody, the stand-in bridges. Periods of jicofo and the bridges are a fifth of the
usual ones, so moments that depend on them are held to a fifth of what was recorded.
"""

import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from local_cloud.people import Person, meeting
from tests.packages.jicofo_shard import Bridge, Program, Shard, soon, until

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


def bridges(lab: Shard, number: int, **keys: Any) -> list[Bridge]:
    made = [lab.bridge(each, **BRIDGE, **keys) for each in range(1, number + 1)]
    until(lab.operational(number), 30, "all bridges are there")
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
