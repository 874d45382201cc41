"""What `python -m local_cloud` does with single hosts: a table of them, their logs, a command on one."""

import argparse
import os
import re
import time
from pathlib import Path

from ..process import LocalCloud
from ..store import Doc
from .machine import tail

ROOTS_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class UnknownHostError(Exception):
    """No host, or more than one, has the name; the message says which there are."""


def table(hosts: list[Doc]) -> str:
    """One line per server."""
    rows = [("name", "state", "public address", "private", "since", "cloud-init")]
    for host in hosts:
        since = time.strftime("%H:%M:%S", time.localtime(host["since"])) if host["since"] else "-"
        private = ",".join(host["private"]) or "-"
        rows.append((host["name"], host["status"], host["public"] or "-", private, since, host["cloud_init"] or "-"))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, [*widths, 0], strict=True)) for row in rows
    )


def find(cloud: LocalCloud, name: str) -> Doc:
    """By the server's whole name, its id, or without what is around it (bridge-2 for dev-bridge-2-1a2b3c4).

    At Hetzner the engine appends something to each name; at AWS it begins with the cluster's, and ends as the id does.
    """
    hosts: list[Doc] | None = cloud.admin.status()["hosts"]
    if hosts is None:
        raise UnknownHostError("the embedded cloud runs without hosts")
    found = [host for host in hosts if name in (host["name"], host["instance"])]
    for around in ("{}-[0-9a-f]{{7}}", ".+-{}-[0-9a-f]{{7}}"):
        found = found or [host for host in hosts if re.fullmatch(around.format(re.escape(name)), host["name"])]
    if len(found) != 1:
        names = ", ".join(host["name"] for host in hosts) or "none"
        raise UnknownHostError(
            f"{'no host is' if not found else 'several hosts are'} called {name}; there are: {names}"
        )
    return found[0]


def console(cloud: LocalCloud, options: argparse.Namespace) -> int:
    host = find(cloud, options.host)
    folder = Path(host["folder"])
    print(
        tail(folder / ("upper/var/log/cloud-init-output.log" if options.cloud_init else "console.log"), options.lines)
    )
    return 0


def inside(cloud: LocalCloud, host: Doc) -> list[str]:
    """The start of a command line that runs something on the host, as its root."""
    if host["init"] is None:
        raise UnknownHostError(f"{host['name']} is {host['status']}")
    # Its process id is one of the cloud's own numbering: so first into the cloud, then into the host.
    enter_cloud = ["nsenter", "-t", str(cloud.pid), "-m", "-p", "-n", "--"]
    enter_host = ["nsenter", "-t", str(host["init"]), "-m", "-u", "-i", "-n", "-p", "-C", "--"]
    # What this machine has set (proxies, certificates) is not the host's.
    terminal = os.environ.get("TERM", "dumb")
    return [
        *enter_cloud,
        *enter_host,
        "env",
        "-i",
        f"PATH={ROOTS_PATH}",
        "HOME=/root",
        "LANG=C.UTF-8",
        f"TERM={terminal}",
    ]


def execute(cloud: LocalCloud, options: argparse.Namespace) -> int:
    command = [*inside(cloud, find(cloud, options.host)), *(options.command or ["/bin/bash", "-l"])]
    os.execvp(command[0], command)  # noqa: S606 - becomes the command
