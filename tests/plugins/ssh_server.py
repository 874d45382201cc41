"""An SSH server on loopback for the tests: runs what it is asked to in a shell, counts connections, keys made here."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncssh


@dataclass
class SshServer:
    """Accepts `user_key` for any user and `password` for user `admin`; `ran` lists the commands in order."""

    password: str
    host_key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))
    user_key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))
    port: int = 0
    connections: int = 0
    ran: list[str] = field(default_factory=list)

    def connection(self, **more: Any) -> dict[str, Any]:
        """What a program would write under `connection`."""
        key = self.user_key.export_private_key().decode()
        return {"host": "127.0.0.1", "port": self.port, "privateKey": key, "dialErrorLimit": 2, **more}

    def public_host_key(self) -> str:
        return self.host_key.export_public_key().decode()


class _Session(asyncssh.SSHServer):
    def __init__(self, server: SshServer) -> None:
        self.server = server
        server.connections += 1

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, _username: str, key: asyncssh.SSHKey) -> bool:
        return bool(key == self.server.user_key.convert_to_public())

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return username == "admin" and password == self.server.password


@contextmanager
def serving(server: SshServer) -> Iterator[SshServer]:
    """Run a server in a thread of its own for the length of the block, on its port (0: a free one)."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def handle(process: asyncssh.SSHServerProcess[bytes]) -> None:
        server.ran.append(process.command or "")
        child = await asyncio.create_subprocess_shell(
            process.command or "",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", **process.env},
        )
        stdout, stderr = await child.communicate(await process.stdin.read())
        process.stdout.write(stdout)
        process.stderr.write(stderr)
        process.exit(child.returncode or 0)

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.create_server(
            lambda: _Session(server),
            "127.0.0.1",
            server.port,
            server_host_keys=[server.host_key],
            process_factory=handle,
            encoding=None,
        )

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    server.port = acceptor.get_port()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(acceptor.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
