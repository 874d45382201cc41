"""Serves the prepared archives, each under its real name, over HTTP and HTTPS. `Served` is one port of any site."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Host
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from .prepare import Prepared


class Archives:
    """Ports 80 and 443 of one address. May be stopped and started again: hosts then see connections refused."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._running: list[Served] = []

    async def start(self, address: str, http: int = 80, https: int = 443) -> None:
        """OSError when the address is not there or a port is taken."""
        application = _application(self._prepared.archives)
        listeners = [bound(address, port) for port in (http, https)]
        for listener, keys in zip(listeners, (None, self._prepared.authority), strict=True):
            served = Served(application, listener, keys)
            self._running.append(served)
            await served.start()

    async def stop(self) -> None:
        """Ends at most a second later, whatever is still asked for; without effect when it does not run."""
        running, self._running = self._running, []
        await asyncio.gather(*(served.stop() for served in running))


class Served:
    """An application on one port, in this program's own event loop."""

    def __init__(self, application: ASGIApp, listener: socket.socket, keys: Path | None) -> None:
        """HTTPS where `keys` is given: a folder with server.crt and server.key."""
        secure = {"ssl_certfile": keys / "server.crt", "ssl_keyfile": keys / "server.key"} if keys else {}
        config = uvicorn.Config(
            application,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            **secure,  # type: ignore[arg-type]
        )
        self._server, self._listener = _Server(config), listener
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve([self._listener]))
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.01)
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        """Ends at most a second later."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


class _Server(uvicorn.Server):
    """Leaves the signals to the program that it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _application(www: Path) -> Starlette:
    """One folder of files per host name; 404 for every other name."""
    return Starlette(
        routes=[Host(folder.name, StaticFiles(directory=folder)) for folder in www.iterdir() if folder.is_dir()]
    )


def bound(address: str, port: int) -> socket.socket:
    """A socket for `Served`. OSError when the address is not there or the port is taken."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError:
        listener.close()
        raise
    return listener
