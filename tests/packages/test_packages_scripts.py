"""The stand-in bridge's graceful_shutdown.sh against a REST interface that answers as recorded. Level 2: checked."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from local_cloud.packages import build as builder

SCRIPT = builder.HERE / "jitsi-videobridge2/usr/share/jitsi-videobridge/graceful_shutdown.sh"

pytestmark = pytest.mark.skipif(
    not (shutil.which("jq") and shutil.which("curl")), reason="the script needs jq and curl"
)


@dataclass
class Rest:
    """A bridge's REST interface: what it answers to a shutdown, and the people at each question after that."""

    status: int = 200
    people: list[int] = field(default_factory=lambda: [2, 1, 0])
    process: subprocess.Popen[bytes] | None = None
    asked: list[str] = field(default_factory=list)

    def count(self) -> int:
        count = self.people.pop(0) if self.people else 0
        if not count and self.process:
            self.process.terminate()
            self.process.wait()
        return count


@contextmanager
def serving(rest: Rest) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            rest.asked.append(f"{self.path} {self.headers['Content-Type']} {body}")
            self.answer(rest.status, "")

        def do_GET(self) -> None:
            # Streams of other bridges' people are not this bridge's people.
            self.answer(200, json.dumps({"participants": rest.count() + 7, "octo_endpoints": 7}))

        def answer(self, status: int, body: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """The test's output is for failures."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """With pauses that take no time."""
    pause = folder / "sleep"
    pause.write_text("#!/bin/sh\nexit 0\n")
    pause.chmod(0o755)
    path = {"PATH": f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin"}
    return subprocess.run([SCRIPT, *arguments], env=path, capture_output=True, text=True, timeout=60)


@pytest.fixture
def bridge() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands where the bridge's would."""
    with subprocess.Popen(["sleep", "300"]) as process:
        yield process
        process.kill()


def test_it_ends_when_the_rooms_are_empty_and_the_process_is_gone(
    bridge: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    rest = Rest(process=bridge)
    with serving(rest) as url:
        done = run(tmp_path, "-h", url, "-p", str(bridge.pid))
    assert done.returncode == 0, done.stderr
    assert rest.asked == ['/colibri/shutdown application/json {"graceful-shutdown":"true"}']
    assert rest.people == []
    assert bridge.poll() is not None
    assert "2 participants" in done.stdout


def test_it_says_nothing_when_asked_to_be_silent(bridge: subprocess.Popen[bytes], tmp_path: Path) -> None:
    with serving(Rest(process=bridge)) as url:
        assert run(tmp_path, "-s", "-h", url, "-p", str(bridge.pid)).stdout == ""


def test_a_closed_gate_is_named_by_its_status(bridge: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """Trap 22: the bridge's shutdown interface is off unless two settings open it."""
    with serving(Rest(status=404)) as url:
        done = run(tmp_path, "-h", url, "-p", str(bridge.pid))
    assert done.returncode == 1
    assert "Invalid HTTP status for shutdown request: 404" in done.stderr
    assert bridge.poll() is None


def test_without_a_bridge_it_fails_and_asks_nothing(tmp_path: Path) -> None:
    (tmp_path / "pgrep").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "pgrep").chmod(0o755)
    rest = Rest()
    with serving(rest) as url:
        assert run(tmp_path, "-h", url).returncode == 1
    assert rest.asked == []
