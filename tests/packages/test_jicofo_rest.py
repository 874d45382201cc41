"""Level 3: the stand-in jicofo answers each recorded request in its state as the real one did.

One run goes through the states of the recordings with real prosody and the stand-in bridges, and asks in each what was
asked then. Then each recording is a test: status, type, keys and their types, and the values that the state decides.
"""

import asyncio
import contextlib
import json
import re
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_cloud.people import Person, meeting
from tests.packages.jicofo_shard import BREWERY, DOMAIN, Answer, Bridge, Shard, fetch, shard, soon, until
from tools import checkers

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "recordings/jicofo/rest.json").read_text())
# Keys that are names: rooms, bridges, endpoints, actions.
NAMES = (r".*@.*", r"jvb-lab-\d", r"[0-9a-f]{8}", r"[A-Z_]+")
# Of /debug, what a state decides about a bridge.
FLAGS = ("drain", "endpoints", "graceful-shutdown", "healthy", "operational", "shutting-down", "overloaded", "region")
COUNTS = ("conferences", "participants", "largest_conference", "endpoint_pairs", "visitors", "healthy")


class Visit:
    """Goes through the states and keeps the answers."""

    def __init__(self, lab: Shard) -> None:
        self.lab, self.answers = lab, dict[str, Answer]()

    def ask(self, *names: str, endpoint: str = "") -> None:
        """Sends what was recorded under each name; a name that ends with a dot stands for all of that state."""
        for name in names:
            for each in [key for key in RECORDED if key == name or (name.endswith(".") and key.startswith(name))]:
                method, path = RECORDED[each]["request"].split(" ", 1)
                path = path.replace("d166e4f5", endpoint or "d166e4f5")
                self.answers[each] = fetch(8888, method, path, RECORDED[each].get("body"))

    async def drain(self, bridge: Bridge, on: bool) -> None:
        bridge.post(f"/colibri/drain/{'enable' if on else 'disable'}")
        await soon(lambda: self.lab.bridges()[bridge.name]["drain"] is on, 5, "jicofo knows of the drain")

    async def health(self, status: int) -> None:
        await soon(lambda: self.lab.get("/about/health").status == status, 5, f"health {status}")

    @contextlib.asynccontextmanager
    async def room(self, name: str) -> AsyncIterator[list[Person]]:
        async with meeting(self.lab.site(), name) as people:
            yield people
        await soon(lambda: f"{name}@conference.{DOMAIN}" not in self.lab.get("/debug/conferences").json, 5, "room ends")

    async def all(self) -> None:
        await self.fresh()
        await self.one()

    async def fresh(self) -> None:
        """Before the first room: no bridge, one that fails, one that leaves."""
        self.ask("0-bridges.")
        await self.health(500)
        self.ask("0-bridges-after-30s.")
        private = self.start(3, health__require_valid_address=True, health__interval="1 second")
        await soon(
            lambda: self.lab.bridges().get("jvb-lab-3", {}).get("operational") is False, 15, "jicofo sees it fail"
        )
        await soon(lambda: not self.lab.get("/debug/conferences").json, 5, "no room of a check")
        await self.health(500)
        self.ask("1-unhealthy-bridge.")
        private.program.end(signal.SIGTERM)
        leaving = self.start(1, shutdown__shutting_down_delay="20 seconds")
        await self.health(200)
        await self.shut_down(leaving)
        # The answer of a check is kept until the next one.
        await self.health(500)
        leaving.program.end(signal.SIGTERM)
        await soon(lambda: not self.lab.bridges(), 2, "the bridge has left")
        self.ask("0-bridges-after-loss.")

    async def shut_down(self, bridge: Bridge) -> None:
        bridge.post("/colibri/shutdown", '{"graceful-shutdown":"true"}')
        await soon(lambda: self.lab.bridges()[bridge.name]["graceful-shutdown"], 5, "jicofo knows")

    async def one(self) -> None:
        first = self.start(1)
        await soon(self.lab.operational(1), 10, "the bridge is there")
        await self.health(200)
        self.ask("1-bridge.")
        await self.drain(first, True)
        self.ask("1-bridge-draining.")
        await self.drain(first, False)
        async with self.room("rec1"):
            self.ask("conference.", "move-endpoint.unknown-endpoint", "move-endpoint.no-parameters")
            self.ask(*(name for name in RECORDED if name.startswith("move-endpoints.") and name[15:] not in LATER))
            self.ask(*(name for name in RECORDED if name.startswith("move-fraction.") and name[14:] not in LATER))
        await self.two(first, self.start(2))

    async def two(self, first: Bridge, second: Bridge) -> None:
        await soon(self.lab.operational(2), 10, "both are there")
        self.ask("2-bridges.")
        await self.drain(first, True)
        async with self.room("rec3") as people:
            await self.drain(first, False)
            await self.drain(second, True)
            async with self.room("rec4"):
                self.ask("2-bridges-one-draining.")
            self.ask("move-endpoints.success", "move-endpoints.nothing-left")
            await soon(lambda: self.lab.bridges()["jvb-lab-1"]["endpoints"] == 2, 5, "they are invited anew")
            self.ask("move-endpoint.success", "move-endpoint.unknown-bridge", endpoint=people[0].nick)
            self.ask("move-endpoint.unknown-conference")
            await soon(lambda: self.lab.bridges()["jvb-lab-1"]["endpoints"] == 2, 5, "it stays with its room")
            self.ask("move-fraction.success")
        async with self.room("rec5"):
            await self.drain(second, False)
            await self.shut_down(first)
            self.ask("one-in-graceful.")
        await soon(lambda: first.program.process.poll() is not None, 10, "the bridge ends")
        newer = self.start(1, program="newer")
        await soon(self.lab.operational(2), 10, "the newer one is there")
        self.ask("two-versions.")
        newer.program.end(signal.SIGTERM)
        await soon(self.lab.operational(1), 5, "one is left")
        await self.last(second)

    async def last(self, bridge: Bridge) -> None:
        bridge.program.end(signal.SIGTERM)
        await self.health(500)
        lonely = self.start(1)
        await self.health(200)
        await self.shut_down(lonely)
        self.ask("only-bridge-in-graceful.")
        await soon(lambda: not self.lab.bridges(), 10, "the bridge has left")
        lonely = self.start(1)
        await self.health(200)
        async with self.room("rec6"):
            lonely.program.end(signal.SIGTERM)
            await self.health(500)
            self.ask("lost-only-bridge.")

    def start(self, number: int, program: str = "videobridge", **keys: Any) -> Bridge:
        quick = {"shutdown__shutting_down_delay": "1 second", "apis__xmpp_client__presence_interval": "1 second"}
        return self.lab.bridge(
            number, program, **{f"videobridge__{key}": value for key, value in (quick | keys).items()}
        )


WRONG = {"xmpp__client__password": "wrong"}
LATER = ("success", "nothing-left")


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, Answer]]:
    try:
        with shard() as lab:
            visit = Visit(lab)
            quick = {"health__interval": "2 seconds", "bridge__health_checks__interval": "2 seconds"}
            quick |= {"conference__initial_timeout": "1 second"}
            quick |= {"bridge__selection_strategy": "SingleBridgeSelectionStrategy"}
            jicofo = lab.jicofo(**quick, **WRONG)
            until(lambda: lab.get("/about/version").status, 10, "REST answers")
            visit.ask("wrong-password.about-health", "wrong-password.stats")
            until(lambda: lab.get("/about/health").status == 500, 5, "the check fails")
            visit.ask("wrong-password.after-25s.about-health")
            jicofo.end()
            lab.jicofo(**quick)
            until(lambda: lab.get("/about/version").status, 10, "REST answers")
            try:
                asyncio.run(visit.all())
            except Exception:
                print("\n".join(program.said()[-3000:] for program in lab.programs))
                raise
            yield visit.answers
    except checkers.UnavailableError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_request_is_answered_as_the_real_jicofo_did(name: str, answers: dict[str, Answer]) -> None:
    recorded, answer = RECORDED[name], answers[name]
    assert answer.status == recorded["status"]
    if "kind" in recorded:
        assert answer.kind.replace(" ", "").lower() == recorded["kind"].replace(" ", "").lower()
    if "families" in recorded:
        check_metrics(recorded, answer.body)
    elif "json" in recorded:
        ours = json.loads(answer.body)
        check_shape(shape(ours), shape(recorded["json"]), name)
        check_values(name.rpartition(".")[2], ours, recorded["json"])
    else:
        assert answer.body == recorded["text"].replace("1.0.1189", "1.0.1189-gstandin")


def check_metrics(recorded: dict[str, Any], text: str) -> None:
    """The same families of the same type, each sample of a known family; Jingle's come as their actions happen."""
    ours = {line[7:].replace("jitsi_jicofo_", "") for line in text.splitlines() if line.startswith("# TYPE")}
    jingle = {family for family in ours if family.startswith("jingle_")}
    assert ours - jingle == {family for family in recorded["families"] if not family.startswith("jingle_")}
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    samples = {line.partition(" ")[0].replace("jitsi_jicofo_", "") for line in lines}
    wanted = {sample.replace("1.0.1189", "1.0.1189-gstandin") for sample in recorded["samples"]}
    assert {sample for sample in wanted if not sample.startswith(("jingle_", "bridge_endpoints"))} <= samples
    assert all(re.fullmatch(r"\S+ -?[\d.E]+", line) for line in lines)
    assert text.endswith("# EOF\n")


def shape(value: Any) -> Any:
    """Keys and types; keys that are names count as one."""
    if isinstance(value, dict):
        made: dict[str, Any] = {}
        for key, inner in value.items():
            known = next((name for name in NAMES if re.fullmatch(name, key)), key)
            made[known] = merged(made.get(known), shape(inner))
        return made
    if isinstance(value, list):
        return [merged_shapes(value)]
    return {type(value).__name__.replace("float", "int")}


def merged_shapes(values: list[Any]) -> Any:
    made = None
    for each in values:
        made = merged(made, shape(each))
    return made


def merged(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return one if other is None else other
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: merged(one.get(key), other.get(key)) for key in one | other}
    if isinstance(one, list) and isinstance(other, list):
        return [merged(one[0], other[0])]
    return one | other


def check_shape(ours: Any, theirs: Any, where: str) -> None:
    """The same keys, and no type that the real one did not have there."""
    if isinstance(theirs, dict):
        assert set(ours) - set(NAMES) == set(theirs) - set(NAMES), where
        for key in set(ours) & set(theirs):
            check_shape(ours[key], theirs[key], f"{where}.{key}")
    elif isinstance(theirs, list):
        if ours[0] is not None and theirs[0] is not None:
            check_shape(ours[0], theirs[0], f"{where}[]")
    else:
        assert ours <= theirs, where


def check_values(kind: str, ours: Any, theirs: Any) -> None:
    if kind == "stats":
        for key in COUNTS:
            assert ours[key] == theirs[key], key
        assert ours["health"] == theirs["health"]
        counts = ("bridge_count", "operational_bridge_count", "in_shutdown_bridge_count", "bridge_version_count")
        assert {key: ours["bridge_selector"][key] for key in counts} == {
            key: theirs["bridge_selector"][key] for key in counts
        }
    elif kind == "debug":
        told, wanted = (each["bridge_selector"]["bridge"] for each in (ours, theirs))
        assert set(told) == set(wanted)
        for jid, state in wanted.items():
            assert jid.startswith(f"{BREWERY}/")
            assert {flag: told[jid][flag] for flag in FLAGS} == {flag: state[flag] for flag in FLAGS}
    elif kind in ("debug-conferences", "debug-conferences-full"):
        assert f"rec1@conference.{DOMAIN}" in ours
    elif "movedEndpoints" in theirs:
        assert ours == theirs
