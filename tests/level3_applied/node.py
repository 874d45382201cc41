"""A signaling node for stacks whose servers do not boot: who answers by SSH what the engine asks there.

It shows the host key that is in the server's user-data, and lets in the two keys that a real node lets in. It does
nothing that it is asked; it answers as a test says (nodes.py), and writes down who asked what, and when.
"""

import asyncio
import base64
import gzip
import time
from dataclasses import dataclass, field
from typing import Protocol

import asyncssh
import yaml

ROTATION_KEY = "/etc/jitsi-fleet/rotation-key"


@dataclass(frozen=True)
class Answer:
    """How the node answers: after `seconds`, with `line` and `status`; or it drops the connection instead."""

    seconds: float = 0.0
    status: int = 0
    line: str = ""
    drop: bool = False


@dataclass
class Asked:
    """One question to the server `node`. The calls are the cloud's last ones when it came and when it was answered."""

    node: str
    key: str
    text: str
    first_call: int
    last_call: int = 0
    stdin: str = ""
    broken: bool = False
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    """0 while there is no answer, and for good when whoever asked is gone."""

    @property
    def verb(self) -> str:
        return self.text.split()[0]

    @property
    def name(self) -> str:
        """The bridge that it is about."""
        return self.text.split()[1]

    @property
    def instance(self) -> str:
        return self.text.split()[3]

    @property
    def limits(self) -> list[str]:
        """What stands after the bridge."""
        return self.text.split()[4:]


class Book(Protocol):
    """Where questions are written down, and where the answers to them stand."""

    def write_down(self, asked: Asked) -> Answer: ...

    def last_call(self) -> int:
        """The number of the cloud's last answered call."""
        ...


class Node:
    """One server's SSH: its address, its keys, and the operations key, which is unknown until somebody names it."""

    def __init__(self, book: Book, server: str, address: str, text: str) -> None:
        document = yaml.safe_load(gzip.decompress(base64.b64decode(text)))
        (rotation,) = [file["content"] for file in document["write_files"] if file["path"] == ROTATION_KEY]
        self.book, self.server, self.address = book, server, address
        self.host_key = asyncssh.import_private_key(document["ssh_keys"]["ed25519_private"])
        self.keys = {"rotation": asyncssh.import_public_key(rotation[rotation.index("ssh-ed25519") :])}
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self._acceptor: asyncssh.SSHAcceptor | None = None

    async def begin(self) -> None:
        if not self._acceptor:
            self._acceptor = await asyncssh.create_server(
                lambda: _Session(self), self.address, 22, server_host_keys=[self.host_key], process_factory=self.answer
            )

    def end(self) -> None:
        if self._acceptor:
            self._acceptor.close()
            self._acceptor = None
        for connection in tuple(self.connections):
            connection.abort()

    async def answer(self, process: asyncssh.SSHServerProcess[str]) -> None:
        key = process.get_extra_info("connection").get_extra_info("key_name")
        asked = Asked(self.server, key, process.command or "", self.book.last_call())
        answer = self.book.write_down(asked)
        may = {"rotation": {"authorize"}, "operations": {"ready", "drain"}}[key]
        if asked.verb not in may:
            answer = Answer(status=2, line=f"the {key} key may not ask for {asked.verb}")
        elif asked.verb == "authorize":
            self.keys["operations"] = asyncssh.import_public_key(" ".join(asked.text.split()[2:4]))
            asked.stdin = await process.stdin.read()
        await asyncio.sleep(answer.seconds)
        if process.is_closing():
            return
        asked.last_call, asked.ended = self.book.last_call(), time.monotonic()
        if answer.drop:
            asked.broken = True
            process.get_extra_info("connection").abort()
            return
        (process.stderr if answer.status else process.stdout).write(answer.line + "\n")
        process.exit(answer.status)


class _Session(asyncssh.SSHServer):
    def __init__(self, node: Node) -> None:
        self._node = node

    def connection_made(self, connection: asyncssh.SSHServerConnection) -> None:
        self._connection = connection
        self._node.connections.add(connection)

    def connection_lost(self, _error: Exception | None) -> None:
        self._node.connections.discard(self._connection)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        found = [name for name, known in self._node.keys.items() if known == key and username == "operations"]
        if found:
            self._connection.set_extra_info(key_name=found[0])
        return bool(found)
