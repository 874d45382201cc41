"""Serves the prepared archives, each under its real name, over HTTP and HTTPS."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Host
from starlette.staticfiles import StaticFiles

from .prepare import Prepared


class Archives:
    """Ports 80 and 443 of one address. May be stopped and started again: hosts then see connections refused."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._running: list[tuple[uvicorn.Server, asyncio.Task[None]]] = []

    async def start(self, address: str, http: int = 80, https: int = 443) -> None:
        """OSError when the address is not there or a port is taken."""
        application, keys = _application(self._prepared.archives), self._prepared.authority
        secure = {"ssl_certfile": keys / "server.crt", "ssl_keyfile": keys / "server.key"}
        listeners = [_listener(address, port) for port in (http, https)]
        for listener, options in zip(listeners, ({}, secure), strict=True):
            config = uvicorn.Config(
                application,
                log_level="warning",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=1,
                **options,  # type: ignore[arg-type]
            )
            server = _Server(config)
            task = asyncio.create_task(server.serve([listener]))
            self._running.append((server, task))
            while not server.started and not task.done():
                await asyncio.sleep(0.01)
            if task.done():
                task.result()

    async def stop(self) -> None:
        """Ends at most a second later, whatever is still asked for; without effect when it does not run."""
        running, self._running = self._running, []
        for server, _ in running:
            server.should_exit = True
        await asyncio.gather(*(task for _, task in running))


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


def _listener(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError:
        listener.close()
        raise
    return listener
