"""Runs the embedded cloud in this process, in the foreground, until SIGTERM or SIGINT."""

import asyncio
import fcntl
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from .app import build
from .connections import Protocol
from .gate import Gate
from .hosts import addresses, enclosure
from .hosts.operations import COMMANDS
from .hosts.site import Site
from .images import prepare
from .log import CallLog
from .store import Store

if TYPE_CHECKING:
    from .aws.ec2 import Ec2

Application = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True)
class Enclosed:
    """What the inner process got from the outer one (hosts/enclosure.py)."""

    network: int  # descriptor of the machine's network namespace
    leash: int  # descriptor of a pipe whose other end is the outer process's: at its end the cloud ends
    pid: int  # of this process, as the machine sees it


class InUseError(Exception):
    """Another process has the state folder or the port."""


def serve(
    folder: Path, port: int, action_seconds: float, calls_per_hour: int, *, hosts: bool, aws: bool = False
) -> None:
    """Serve on 127.0.0.1. `port` 0 takes a free one. Writes `pid` and `port` into the folder once it listens."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InUseError(f"another embedded cloud runs on {folder}") from error
        _forget_process(folder)  # one that was killed
        listener = _listener(port)
        try:
            if hosts:
                enclosure.run(folder, listener, lock.fileno(), action_seconds, calls_per_hour, aws)
            else:
                asyncio.run(_serve(folder, listener, action_seconds, calls_per_hour, aws))
        finally:
            _forget_process(folder)


def serve_inside(
    folder: Path, listener: socket.socket, enclosed: Enclosed, action_seconds: float, calls_per_hour: int, aws: bool
) -> None:
    """The same with hosts, from within the namespaces."""
    try:
        asyncio.run(_serve(folder, listener, action_seconds, calls_per_hour, aws, enclosed))
    finally:
        _forget_process(folder)


def _forget_process(folder: Path) -> None:
    for name in ("pid", "port"):
        (folder / name).unlink(missing_ok=True)


async def _serve(
    folder: Path,
    listener: socket.socket,
    action_seconds: float,
    calls_per_hour: int,
    aws: bool,
    enclosed: Enclosed | None = None,
) -> None:
    store, log = Store(folder), CallLog(folder)
    gate = Gate(store, log, action_seconds, calls_per_hour)
    ec2 = _ec2(store, action_seconds) if aws else None
    app: Application = build(gate, ec2)
    site = None
    if enclosed is None:
        store.release()  # nobody is here to end what hosts had begun
    else:
        found = prepare.find()
        if found is None:
            raise RuntimeError("the images are not prepared: python -m local_cloud prepare")
        (folder / "hosts").mkdir(exist_ok=True)
        site = Site(store, folder / "hosts", found, enclosed.network, ec2)
        gate.perform(COMMANDS, site)
        app = _by_address(app, site.metadata)
    config = uvicorn.Config(app, http=Protocol, log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    _end_by_signals(server, enclosed)
    listeners = [listener]
    if site is not None:
        await site.start()
        listeners.append(_listener(80, addresses.METADATA))
    (folder / "pid").write_text(str(enclosed.pid if enclosed else os.getpid()))
    (folder / "port").write_text(str(listener.getsockname()[1]))
    try:
        await server.serve(listeners)
    finally:
        if site is not None:
            await site.stop()
        log.close()
        store.close()


def _ec2(store: Store, action_seconds: float) -> "Ec2":
    from .aws.ec2 import Ec2  # moto, only for who asked for it

    return Ec2(store, action_seconds)


def _end_by_signals(server: uvicorn.Server, enclosed: Enclosed | None) -> None:
    """Also before it serves, and without the signal that uvicorn raises again: hosts are still to be shut down then."""

    def end() -> None:
        server.should_exit = True
        if enclosed is not None:
            loop.remove_reader(enclosed.leash)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    if enclosed is not None:
        loop.add_reader(enclosed.leash, end)


def _by_address(apis: Application, of_hosts: Application) -> Application:
    """The metadata service answers on its own address only, the APIs on all others."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        await (of_hosts if scope["server"][0] == addresses.METADATA else apis)(scope, receive, send)

    return serve


def _listener(port: int, address: str = "127.0.0.1") -> socket.socket:
    # asyncio sends small answers at once only on sockets that say they are TCP; else each waits 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as error:
        raise InUseError(
            f"port {port} of {address} is in use by another program; choose another with --port"
        ) from error
    listener.listen(128)
    return listener
