"""Runs the embedded cloud in this process, in the foreground, until SIGTERM or SIGINT."""

import fcntl
import os
import socket
from pathlib import Path

import uvicorn

from .app import build
from .connections import Protocol
from .gate import Gate
from .log import CallLog
from .store import Store


class InUseError(Exception):
    """Another process has the state folder or the port."""


def serve(folder: Path, port: int, action_seconds: float, calls_per_hour: int) -> None:
    """Serve on 127.0.0.1. `port` 0 takes a free one. Writes `pid` and `port` into the folder once it listens."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InUseError(f"another embedded cloud runs on {folder}") from error
        listener = _listener(port)
        store, log = Store(folder), CallLog(folder)
        app = build(Gate(store, log, action_seconds, calls_per_hour))
        config = uvicorn.Config(app, http=Protocol, log_level="warning", access_log=False, lifespan="off")
        (folder / "pid").write_text(str(os.getpid()))
        (folder / "port").write_text(str(listener.getsockname()[1]))
        try:
            uvicorn.Server(config).run([listener])
        finally:
            for name in ("pid", "port"):
                (folder / name).unlink(missing_ok=True)
            log.close()
            store.close()


def _listener(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        raise InUseError(
            f"port {port} of 127.0.0.1 is in use by another program; choose another with --port"
        ) from error
    listener.listen(128)
    return listener
