"""The signaling nodes of an embedded cloud without hosts: one server for SSH on each of their addresses.

`Nodes` watches the cloud. As soon as a server with the role `signaling` exists, somebody answers there (node.py).
"""

import asyncio
import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.level3_applied.applied import Workshop
from tests.level3_applied.node import Answer, Asked, Node

VERSION = "2.3.307-g4bb0aead1"
FIRST_ADDRESS = "127.90.{}.1"
"""A part of 127.90.0.0/16 for each process of tests: no cluster of `make up` and no other tests begin there."""


class Nodes:
    """The signaling nodes of one embedded cloud. `asked` lists the questions in the order in which they came."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.asked: list[Asked] = []
        self.away = False
        """True: nobody listens, as on a node that is down."""
        self.trouble: Exception | None = None
        """Why nobody listens where somebody should."""
        self._answers: dict[tuple[str, str], list[Answer]] = {}
        self._nodes: dict[str, Node] = {}
        self._present: tuple[str, ...] = ()

    def answer(self, verb: str, name: str, answer: Answer, *, times: int = 1) -> None:
        """Answer so the next `times` that `verb` is asked about `name`; after that as a node does where all is well."""
        self._answers.setdefault((verb, name), []).extend([answer] * times)

    def forget(self) -> None:
        """A new page: nothing has been asked, no answer is ordered."""
        self.asked.clear()
        self._answers.clear()

    def all(self, verb: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.verb == verb]

    def names(self, verb: str) -> list[str]:
        """Which bridges were asked about, sorted."""
        return sorted(asked.name for asked in self.all(verb))

    def verbs(self) -> set[str]:
        return {asked.verb for asked in self.asked}

    def one(self, verb: str, name: str) -> Asked:
        (found,) = [asked for asked in self.all(verb) if asked.name == name]
        return found

    def operations_keys(self) -> set[str]:
        """The operations keys that nodes let in."""
        known = [node.keys.get("operations") for node in self._nodes.values()]
        return {key.get_fingerprint() for key in known if key}

    def calls(self, method: str, path: str) -> list[int]:
        """As the workshop has it."""
        return self.workshop.calls(method, path)

    def write_down(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        ordered = self._answers.get((asked.verb, asked.name))
        well = {
            "authorize": Answer(line="the operations key is SHA256:..."),
            "ready": Answer(line=f"{asked.name} is ready: version {VERSION}"),
            "drain": Answer(seconds=0.3, line=f"{asked.name} is drained: it had no conferences"),
        }
        return ordered.pop(0) if ordered else well.get(asked.verb, Answer(status=2, line="no such verb"))

    def last_call(self) -> int:
        return len(self._log.read_bytes().splitlines())

    async def watch(self) -> None:
        """Listen wherever there is a signaling node, until cancelled."""
        seen = None
        try:
            while True:
                now = (self.away, self._log.stat().st_size if self._log.exists() else 0)
                if now != seen:
                    try:
                        self._read()
                        await self._listen(() if self.away else self._present)
                    except (sqlite3.Error, OSError, ValueError) as error:
                        # Another process is in the way for a moment, or a server is only half written down.
                        self.trouble = error
                    else:
                        seen, self.trouble = now, None
                await asyncio.sleep(0.02)
        finally:
            await self._listen(())

    async def _listen(self, wanted: tuple[str, ...]) -> None:
        """A node that stops listening keeps what it was told; its connections end."""
        for number, node in self._nodes.items():
            if number in wanted:
                await node.begin()
            else:
                node.end()

    def _read(self) -> None:
        """Read what the cloud keeps of its servers, not over its API: no call of ours is in its log."""
        with sqlite3.connect(f"file:{self.workshop.cloud.state}/cloud.sqlite?mode=ro", uri=True) as cloud:
            found = _signaling_nodes(cloud)
            self._present = tuple(found)
            for server, (address, text) in found.items():
                if server not in self._nodes:
                    self._nodes[server] = Node(self, server, address, text)

    @property
    def _log(self) -> Path:
        return self.workshop.cloud.state / "calls.jsonl"


def _signaling_nodes(cloud: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    """Public address and user-data of each signaling node, by the cloud's id of it."""

    def documents(kind: str) -> list[dict[str, Any]]:
        return [json.loads(text) for (text,) in cloud.execute("SELECT doc FROM objects WHERE kind = ?", (kind,))]

    servers = [server for server in documents("server") if server["labels"].get("role") == "signaling"]
    instances = [instance for instance in documents("instance") if instance["tags"].get("role") == "signaling"]
    return {str(server["id"]): _address_and_text(cloud, server) for server in servers} | {
        instance["instance"]: (instance["public_ipv4"], instance["user_data"])
        for instance in instances
        if instance["public_ipv4"] and instance["status"] == "running"
    }


def _address_and_text(cloud: sqlite3.Connection, server: dict[str, Any]) -> tuple[str, str]:
    """The public address and user-data of a server of Hetzner's."""
    ((address,),) = cloud.execute("SELECT doc FROM objects WHERE kind = 'primary_ip' AND id = ?", (server["ipv4"],))
    asked = "SELECT doc FROM objects WHERE kind = 'user_data' AND name = ?"
    ((text,),) = cloud.execute(asked, (str(server["id"]),))
    return json.loads(address)["ip"], json.loads(text)["text"]


@contextmanager
def opened(folder: Path, where: str = "hetzner") -> Iterator[Nodes]:
    """A workshop in `folder` whose signaling nodes answer, for the length of the block."""
    if os.geteuid() != 0:
        pytest.skip("port 22 of 127.90.x.y is for root only")
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    nodes = Nodes(Workshop.open(folder, where, first_address=FIRST_ADDRESS.format(200 + process)))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    watching = asyncio.run_coroutine_threadsafe(nodes.watch(), loop)
    try:
        yield nodes
        assert not watching.done(), watching.exception()
        assert nodes.trouble is None, nodes.trouble
    finally:
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        nodes.workshop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
