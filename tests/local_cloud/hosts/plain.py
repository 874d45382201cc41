"""Embedded clouds with hosts for tests, and plain Debian hosts on them; no cluster and no Pulumi."""

import os
import re
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import hcloud
from hcloud.images import Image
from hcloud.server_types import ServerType

from local_cloud import process
from local_cloud.hosts import cgroups
from local_cloud.hosts.command_line import inside
from tests.bootable import prepare_or_skip

T = TypeVar("T")

# Writes a line into /var/lib/first-boots when user-data runs, and one into /var/lib/ends at each orderly end.
WITNESS = """\
#cloud-config
write_files:
- path: /etc/systemd/system/witness.service
  content: |
    [Service]
    Type=oneshot
    RemainAfterExit=yes
    ExecStart=/bin/true
    ExecStop=/bin/sh -c 'date >>/var/lib/ends'
    [Install]
    WantedBy=multi-user.target
runcmd:
- systemctl enable --now witness
- date >>/var/lib/first-boots
"""


class Lab:
    """One embedded cloud with hosts, and one project in it."""

    def __init__(self, state: Path, first_address: str, *, hosts: bool = True) -> None:
        self.state, self._first_address = state, first_address
        self.token = secrets.token_hex(32)
        self.up(hosts=hosts)

    def up(self, *, hosts: bool = True) -> None:
        self.cloud = process.start(self.state, action_seconds=0.05, hosts=hosts, first_address=self._first_address)
        self.client = self.project(self.token)

    def kill_outer(self) -> None:
        """kill -9 the process that stays outside the namespaces, and wait until all has ended."""
        middle = int(_parent(self.cloud.pid))
        os.kill(int(_parent(middle)), signal.SIGKILL)
        until(lambda: not Path(f"/proc/{self.cloud.pid}").exists())

    def project(self, token: str) -> hcloud.Client:
        return hcloud.Client(token, api_endpoint=self.cloud.hetzner_url, poll_interval=0.05)

    def begin(
        self, name: str, user_data: str = "", *, kind: str = "cx23", image: str = "debian-12", **more: Any
    ) -> Any:
        """Order a server and wait for nothing."""
        return self.client.servers.create(name, ServerType(name=kind), Image(name=image), user_data=user_data, **more)

    def make(self, name: str, user_data: str = "", **more: Any) -> "Host":
        """A server whose cloud-init is done."""
        made = self.begin(name, user_data, **more)
        finish(made.action, *made.next_actions)
        return self.host(name).ready()

    def host(self, name: str) -> "Host":
        return Host(self, name)

    def entries(self) -> list[dict[str, Any]]:
        return self.cloud.admin.hosts()


@dataclass(frozen=True)
class Host:
    lab: Lab = field(repr=False)
    name: str

    @property
    def entry(self) -> dict[str, Any]:
        """What `local_cloud status` knows of it."""
        (found,) = [host for host in self.lab.entries() if host["name"] == self.name]
        return found

    @property
    def disk(self) -> Path:
        """What it changed on its image; also there while it is off."""
        return Path(self.entry["folder"]) / "upper"

    @property
    def server(self) -> Any:
        """As the API shows it now."""
        return self.lab.client.servers.get_by_name(self.name)

    def ready(self) -> "Host":
        """Once it runs and cloud-init has ended well; a server that is off is started."""
        if self.server.status == "off":
            self.act("power_on")
        ended = until(lambda: self.entry["cloud_init"] not in (None, "running") and self.entry["cloud_init"], 120)
        assert ended == "done", f"{self.name}: {ended}"
        return self

    def run(self, command: str, *, seconds: float = 60) -> str:
        """A shell command as root; its standard output. AssertionError where it fails."""
        asked = [*inside(self.lab.cloud, self.entry), "bash", "-c", command]
        done = subprocess.run(asked, text=True, capture_output=True, timeout=seconds)
        assert done.returncode == 0, f"{self.name}: {command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def boot(self) -> str:
        """A name for the time since it was switched on: two boots have two names."""
        return str(self.entry["since"])

    def act(self, action: str, **arguments: Any) -> None:
        """An action of the API (power_on, reboot, delete ...) to its end."""
        finish(getattr(self.server, action)(**arguments))

    def lines(self, file: str) -> int:
        """Lines of a file on its disk; 0 where there is none."""
        place = self.disk / file
        return len(place.read_text().splitlines()) if place.exists() else 0


def lab(state: Path, first_address: str) -> Iterator[Lab]:
    """For a fixture: an embedded cloud of its own, with part of 127.90.0.0/16 to itself; ended at the end."""
    prepare_or_skip()
    made = Lab(state, first_address)
    yield made
    made.cloud.stop()


def finish(*actions: Any) -> None:
    """Wait for actions of the API; ActionFailedException where one ends in error."""
    for action in actions:
        action.wait_until_finished(max_retries=4000)


def until(true: Callable[[], T], seconds: float = 60) -> T:
    """The first true answer; AssertionError when none comes in time."""
    end = time.monotonic() + seconds
    while not (answer := true()):
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {answer!r}"
        time.sleep(0.1)
    return answer


def processes(group: str) -> list[str]:
    """Processes of this machine in a cgroup or below it; `group` is the end of its path."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cgroup"):
        with suppress(OSError):
            found += [entry.parent.name] if f"/{group}/" in entry.read_text().replace("\n", "/\n") else []
    return found


def children(pid: int, name: str) -> list[int]:
    """Processes of this name that a process has started."""
    found = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [child for child in found if Path(f"/proc/{child}/comm").read_text().strip() == name]


def _parent(pid: int) -> str:
    (parent,) = re.findall(r"PPid:\s(\d+)", Path(f"/proc/{pid}/status").read_text())
    return str(parent)


def traces(state: Path) -> list[str]:
    """What a cloud has on this machine beside its state folder: processes, mounts, cgroups."""
    group = cgroups.name(state)
    found = [f"process {pid}" for pid in processes(group)] + [f"cgroup {place}" for place in cgroups_of(group)]
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(state).encode() in (entry / "cmdline").read_bytes():
                found.append(f"process {entry.name}")
            mounts = (entry / "mountinfo").read_text().encode().decode("unicode_escape")  # a blank is \\040 there
            if str(state) in mounts or f"/{group}" in mounts:
                found.append(f"mount of process {entry.name}")
    return found


def interfaces() -> set[str]:
    """Of this machine."""
    return {name for _, name in socket.if_nameindex()}


def cgroups_of(group: str) -> list[Path]:
    """The cgroup, in each hierarchy of this machine."""
    return [hierarchy / group for hierarchy in cgroups.hierarchies() if (hierarchy / group).exists()]


@contextmanager
def taken(address: str, port: int) -> Iterator[None]:
    """While another program of this machine has the port."""
    with socket.socket() as other:
        other.bind((address, port))
        other.listen()
        yield
