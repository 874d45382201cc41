"""The cgroups that hosts run in: one for each state folder, in it one for each server."""

import os
from contextlib import suppress
from pathlib import Path

TOP = Path("/sys/fs/cgroup")  # as the inner process mounts it


def name(state: Path) -> str:
    """The cgroup that holds the hosts of a state folder."""
    known = state.stat()
    return f"jitsi-fleet-{known.st_dev:x}-{known.st_ino:x}"


def hierarchies() -> list[Path]:
    """Where this machine has cgroups of version 2."""
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return [Path(where) for _, where, kind, *_ in mounts if kind == "cgroup2"]


def remove(top: Path) -> None:
    """Remove a cgroup and those below it, as far as nobody is in them."""
    for folder, _, _ in os.walk(top, topdown=False):
        with suppress(OSError):
            Path(folder).rmdir()
