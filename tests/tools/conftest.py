"""A machine of its own for each test: empty home, empty PATH, a release site that refuses."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tools.engine.pin import VERSION


class Machine:
    """The folders of a machine on which nothing is installed yet."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.bin = root / "bin"
        self.pulumi_home = self.home / ".pulumi"
        self.cache = self.home / ".cache" / "jitsi-fleet" / "engine"
        for folder in (self.home, self.bin):
            folder.mkdir()

    def program(self, name: str, script: str, folder: Path | None = None) -> Path:
        """An executable sh script, on PATH unless `folder` says otherwise."""
        file = (folder or self.bin) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return file

    def engine(self, folder: Path, version: str = VERSION, plugin_install: str = "exit 1") -> Path:
        """A fake CLI with its language host; `plugin_install` is what `pulumi plugin install` does."""
        self.program("pulumi-language-python", "exit 0", folder)
        script = f"case $1 in version) echo v{version} ;; plugin) {plugin_install} ;; *) exit 64 ;; esac"
        return self.program("pulumi", script, folder)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    for name in [name for name in os.environ if name.startswith(("PULUMI_", "XDG_", "JITSI_FLEET_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(made.home))
    monkeypatch.setenv("PULUMI_HOME", str(made.pulumi_home))
    monkeypatch.setenv("PATH", str(made.bin))
    monkeypatch.setenv("JITSI_FLEET_PULUMI_SITE", f"http://127.0.0.1:{refusing_port()}")
    return made


def refusing_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """No line per request among pytest's dots."""


@pytest.fixture
def release_site(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder `releases/sdk` of a release site on loopback that the tools use."""
    site = machine.home / "site"
    folder = site / "releases" / "sdk"
    folder.mkdir(parents=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(site)))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("JITSI_FLEET_PULUMI_SITE", f"http://127.0.0.1:{server.server_port}")
    yield folder
    server.shutdown()
    server.server_close()


@pytest.fixture
def talker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[socket.socket], None]], None]]:
    """Makes the release site a socket that answers as the given function does."""
    listener = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("JITSI_FLEET_PULUMI_SITE", f"http://127.0.0.1:{listener.getsockname()[1]}")

    def start(answer: Callable[[socket.socket], None]) -> None:
        threading.Thread(target=lambda: answer(listener.accept()[0]), daemon=True).start()

    yield start
    listener.close()
