"""Starting and stopping the embedded cloud as a process of its own; for the command line, tests and benchmarks."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

CHECKOUT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0  # seconds until a start or a stop counts as failed; hosts are shut down in order


class NotStartedError(Exception):
    """The server ended, or did not answer in time; the message says why."""


@dataclass(frozen=True)
class Admin:
    """The admin calls of one server."""

    url: str

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The decoded answer, None if it is empty. Raises OSError where nobody answers, HTTPError on a refusal."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)  # noqa: S310 - http on loopback
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def status(self) -> dict[str, Any]:
        return dict(self.call("GET", "/status"))

    def log(self, since: int = 0) -> list[dict[str, Any]]:
        """The API calls after number `since`."""
        return list(self.call("GET", f"/log?since={since}")["calls"])

    def fault(self, **order: object) -> dict[str, Any]:
        """Order a fault: match=, fault=, nth= or share=, times=, seed= as docs/local-cloud.md has it."""
        return dict(self.call("POST", "/faults", order))

    def faults(self) -> list[dict[str, Any]]:
        return list(self.call("GET", "/faults")["faults"])

    def clear_faults(self) -> None:
        self.call("DELETE", "/faults")

    def service(self, name: Literal["archives", "names", "acme"], *, away: bool) -> None:
        """Take a service away from the hosts, or give it back: package archives, name service, Let's Encrypt."""
        self.call("POST", "/services", {"name": name, "away": away})

    def hosts(self) -> list[dict[str, Any]]:
        """One entry per server: name, status, addresses, cloud_init, the folder of its disk; empty without hosts."""
        return list(self.status()["hosts"] or [])

    def reset(self) -> None:
        self.call("POST", "/reset")


@dataclass(frozen=True)
class LocalCloud:
    """A running server."""

    state: Path
    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def hetzner_url(self) -> str:
        return self.url + "/hetzner/v1"

    @property
    def cloudflare_url(self) -> str:
        return self.url + "/cloudflare/client/v4"

    @property
    def ec2_url(self) -> str:
        return self.url + "/ec2"

    @property
    def kms_url(self) -> str:
        return self.url + "/kms"

    @property
    def admin(self) -> Admin:
        return Admin(self.url + "/admin")

    def stop(self) -> None:
        """End it in order and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9, and wait."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        try:
            os.kill(self.pid, how)
        except ProcessLookupError:
            return
        limit = time.monotonic() + PATIENCE
        while _alive(self.pid) or _locked(self.state):
            if time.monotonic() > limit:
                raise NotStartedError(f"process {self.pid} does not end")
            time.sleep(0.02)


def _alive(pid: int) -> bool:
    """True while the process runs; reaps it where it is our own child."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _locked(state: Path) -> bool:
    """True while a process holds the state folder: with hosts there is one that clears up after the other."""
    try:
        with (state / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def running(state: Path) -> LocalCloud | None:
    """The server of this state folder, if one answers."""
    try:
        handle = LocalCloud(state, int((state / "port").read_text()), int((state / "pid").read_text()))
        os.kill(handle.pid, 0)
        handle.admin.status()
    except (OSError, ValueError):
        return None
    return handle


def start(
    state: Path,
    port: int = 0,
    action_seconds: float = 0.3,
    calls_per_hour: int = 3600,
    *,
    hosts: bool = False,
    aws: bool = False,
    first_address: str = "127.90.0.1",
) -> LocalCloud:
    """Start a server in a session of its own and wait until it answers; the running one, if there is one.

    With `aws` there is EC2, too, at `ec2_url`; it needs what the extra `local` installs for it.
    With `hosts` servers really boot (local_cloud/hosts/); without, they are rows in the API. Two clouds with hosts on
    one machine need different parts of 127.90.0.0/16: `first_address` is where a new state folder begins.
    """
    found = running(state)
    if found:
        return found
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = ["--port", str(port), "--state", str(state), "--action-seconds", str(action_seconds)]
    command = [
        sys.executable,
        "-m",
        "local_cloud",
        "up",
        "--foreground",
        *options,
        "--calls-per-hour",
        str(calls_per_hour),
        "--hosts" if hosts else "--no-hosts",
        *(["--aws"] if aws else []),
        "--first-address",
        first_address,
    ]
    with (state / "server.log").open("ab") as output:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        found = running(state)
        if found:
            return found
        if process.poll() is not None:
            raise NotStartedError((state / "server.log").read_text(errors="replace").strip().rpartition("\n")[2])
        time.sleep(0.05)
    raise NotStartedError(f"no answer within {PATIENCE:.0f} s; see {state / 'server.log'}")
