"""One command on one host over SSH, as the command provider does it: dial with retries, run, collect the output.

Sources: the recordings (steps 15 and 28 to 31) and pulumi-command. Errors read like those of Go's SSH client.
Different on purpose: the time-out of a dial covers the handshake and the login too, not only the TCP connection, so
that a host which accepts and stays silent cannot hold a run for good; an environment variable that the server does
not accept is dropped in silence (the real plugin reports it); no connection through a proxy.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import asyncssh

Log = Callable[[str, str], None]
"""log(severity, text), as in `resource.Call`."""

FIRST_DELAY_SECONDS = 0.1
BACKOFF = 1.5
LONGEST_DELAY_SECONDS = 5.0


class CommandError(Exception):
    """The host could not be reached within the dial limit, or the command did not end with status 0."""


@dataclass(frozen=True)
class Output:
    """What the command wrote, without the last newline."""

    stdout: str
    stderr: str


def run(
    connection: Mapping[str, Any],
    command: str,
    *,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
    log: Log,
    cancelled: threading.Event,
    dial_seconds: float = 0,
) -> Output:
    """Run `command` on the host of `connection`. Raises CommandError.

    Every line that it writes goes to `log`, failed dials as `status`. `dial_seconds` bounds all dials together (0: not
    at all), never the running command.
    """
    dialling = _Dialling(connection, log, cancelled, time.monotonic() + dial_seconds if dial_seconds else math.inf)
    return asyncio.run(_run(dialling, command, stdin, environment or {}))


@dataclass(frozen=True)
class _Dialling:
    connection: Mapping[str, Any]
    log: Log
    cancelled: threading.Event
    deadline: float
    """By time.monotonic()."""

    def over(self) -> str | None:
        """Why no further dial may follow, in Go's words."""
        if self.cancelled.is_set():
            return "context canceled"
        return "context deadline exceeded" if time.monotonic() > self.deadline else None


async def _run(dialling: _Dialling, command: str, stdin: str | None, environment: Mapping[str, str]) -> Output:
    log = dialling.log
    client = await _dial(dialling)
    both: list[str] = []
    try:
        async with client:
            process = await client.create_process(command, env=dict(environment), input=stdin, errors="replace")
            if stdin is None:
                process.stdin.write_eof()
            reading = (_collect(process.stdout, both, log), _collect(process.stderr, both, log))
            stdout, stderr = await asyncio.gather(*reading)
            await process.wait_closed()
    except (asyncssh.Error, OSError) as error:
        raise CommandError(f"{error}: running {_quoted(command)}:\n{''.join(both)}") from error
    ending = _ending(process)
    if ending:
        raise CommandError(f"{ending}: running {_quoted(command)}:\n{''.join(both)}")
    return Output(stdout.removesuffix("\n"), stderr.removesuffix("\n"))


def _quoted(command: str) -> str:
    return json.dumps(command, ensure_ascii=False)


async def _collect(reader: asyncssh.SSHReader[str], both: list[str], log: Log) -> str:
    lines: list[str] = []
    async for line in reader:
        lines.append(line)
        both.append(line)
        log("info", line.rstrip("\n"))
    return "".join(lines)


def _ending(process: asyncssh.SSHClientProcess[str]) -> str | None:
    """How the command ended, in the words of Go's SSH client; None for status 0."""
    if process.exit_signal:
        name = process.exit_signal[0]
        number = getattr(signal, f"SIG{name}", 0)
        return f"Process exited with status {128 + number} from signal {name}"
    if process.exit_status is None:
        return "wait: remote command exited without exit status or exit signal"
    return f"Process exited with status {process.exit_status}" if process.exit_status else None


async def _dial(dialling: _Dialling) -> asyncssh.SSHClientConnection:
    """Connect, at most `dialErrorLimit` times (-1: until it works, or the engine cancels, or the time is over)."""
    connection = dialling.connection
    limit = int(connection["dialErrorLimit"])
    options = _options(connection)
    attempt, delay = 0, FIRST_DELAY_SECONDS
    while True:
        attempt += 1
        try:
            return await asyncio.wait_for(asyncssh.connect(**options), connection["perDialTimeout"] or None)
        except (OSError, asyncssh.Error, TimeoutError) as error:
            dialling.log("status", f"Dial {attempt}/{limit if limit >= 0 else 'inf'} failed: retrying")
            reason = _reason(error, connection) if 0 <= limit <= attempt else dialling.over()
            if reason:
                raise CommandError(f"after {attempt} failed attempts: {reason}") from error
        await asyncio.sleep(delay)
        delay = min(delay * BACKOFF, LONGEST_DELAY_SECONDS)


def _options(connection: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of asyncssh.connect; nothing of this machine's own SSH configuration is used but an agent."""
    try:
        host_key = asyncssh.import_public_key(connection["hostKey"]) if connection.get("hostKey") else None
        private_key = (
            asyncssh.import_private_key(connection["privateKey"], connection.get("privateKeyPassword"))
            if connection.get("privateKey")
            else None
        )
    except asyncssh.KeyImportError as error:
        raise CommandError(f"the connection holds a key that cannot be read: {error}") from error
    return {
        "host": connection["host"],
        "port": int(connection["port"]),
        "username": connection["user"],
        "client_keys": [private_key] if private_key else None,
        "password": connection.get("password"),
        "known_hosts": ([host_key], [], []) if host_key else None,
        "agent_path": connection.get("agentSocketPath") or os.environ.get("SSH_AUTH_SOCK") or None,
        "config": None,
    }


def _reason(error: Exception, connection: Mapping[str, Any]) -> str:
    host = connection["host"]
    address = f"[{host}]:{int(connection['port'])}" if ":" in host else f"{host}:{int(connection['port'])}"
    if isinstance(error, TimeoutError):
        return f"dial tcp {address}: i/o timeout"
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {host}: no such host"
    if isinstance(error, OSError):
        return f"dial tcp {address}: connect: {os.strerror(error.errno or 0).lower()}"
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return "ssh: handshake failed: ssh: host key mismatch"
    if isinstance(error, asyncssh.PermissionDenied):
        return "ssh: handshake failed: ssh: unable to authenticate, no supported methods remain"
    return f"ssh: handshake failed: {error}"
