"""The namespaces in which the embedded cloud and its hosts live.

The first process stays outside. It holds what has to be made there, the listener of the APIs and a descriptor of the
machine's network, starts the cloud in new mount, network and process namespaces, and removes the cgroups when that
has ended. Whatever ends the inner process, the kernel ends its hosts, mounts and interfaces; when this process is
killed, the inner one ends in order and leaves nothing either. Who kills both leaves empty cgroups until the next start.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from . import cgroups

# Every systemd needs some, and all hosts share what the machine grants to root: Debian's 128 are enough for ten hosts.
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_INSTANCES = 8192
UNSHARE = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private")


def unavailable() -> str | None:
    """Why hosts cannot boot on this machine; None if they can."""
    if sys.platform != "linux":
        return "hosts boot on Linux only"
    if os.geteuid() != 0:
        return "hosts boot for root only"
    missing = [
        tool for tool in ("systemd-nspawn", "unshare", "nsenter", "ip", "nft", "dnsmasq") if not shutil.which(tool)
    ]
    if missing:
        return f"hosts need {', '.join(missing)}"
    probe = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True)
    return f"namespaces are not allowed here: {probe.stderr.strip()}" if probe.returncode else None


def run(
    folder: Path, listener: socket.socket, lock: int, action_seconds: float, calls_per_hour: int, aws: bool
) -> None:
    """Serve inside, until it ends; SIGTERM and SIGINT end it in order. Writes `pid` into the folder.

    The inner process notices by the end of a pipe that it is to end, so also that this process was killed. Both hold
    `lock`, a descriptor of the state folder's lock.
    """
    leash, end_of_leash = os.pipe()
    kept = (
        listener.fileno(),
        os.open("/proc/self/ns/net", os.O_RDONLY),
        os.open("/proc", os.O_DIRECTORY),
        leash,
    )
    values = (folder, *kept, action_seconds, calls_per_hour, int(aws))
    command = [*UNSHARE, sys.executable, "-m", "local_cloud.hosts.enclosure", *map(str, values)]
    _allow_many_hosts()
    inner = subprocess.Popen(command, pass_fds=(*kept, lock))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _close(end_of_leash))
    inner.wait()
    for hierarchy in cgroups.hierarchies():
        cgroups.remove(hierarchy / cgroups.name(folder))


def _allow_many_hosts() -> None:
    """The one setting of the machine that is changed; it stays until the machine restarts."""
    if int(INOTIFY.read_text()) < INOTIFY_INSTANCES:
        try:
            INOTIFY.write_text(str(INOTIFY_INSTANCES))
        except OSError as error:
            print(f"more than about ten hosts may not boot: {INOTIFY}: {error.strerror}", flush=True)


def _close(descriptor: int) -> None:
    with suppress(OSError):  # by an earlier signal
        os.close(descriptor)


def _prepare_mounts() -> None:
    for kind, where, options in (
        ("tmpfs", "/run", "mode=755"),
        ("sysfs", "/sys", ""),
        ("cgroup2", "/sys/fs/cgroup", ""),
    ):
        subprocess.run(["mount", "-t", kind, *(["-o", options] if options else []), kind, where], check=True)
    os.makedirs("/run/netns")


def main() -> None:
    """In the new namespaces."""
    from ..server import Enclosed, serve_inside

    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    for name in ("listener", "network", "processes", "leash"):
        parser.add_argument(name, type=int)
    parser.add_argument("action_seconds", type=float)
    parser.add_argument("calls_per_hour", type=int)
    parser.add_argument("aws", type=int)
    options = parser.parse_args()
    # Outside it has another number than here.
    pid = int(os.readlink("self", dir_fd=options.processes))
    os.close(options.processes)
    _prepare_mounts()
    listener = socket.socket(fileno=options.listener)
    enclosed = Enclosed(options.network, options.leash, pid)
    serve_inside(options.folder, listener, enclosed, options.action_seconds, options.calls_per_hour, bool(options.aws))


if __name__ == "__main__":
    main()
