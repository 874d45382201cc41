"""Folders that are made once, whole, however many runs want them at the same time and however a run ends."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.say import say


@contextmanager
def alone(lock: Path, part: str) -> Iterator[None]:
    """Hold the lock file; says so when another run holds it. The lock ends with the process, also by kill -9."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(part, "another run is installing it; waiting for that one")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_once(target: Path, make: Callable[[Path], str], part: str) -> str | None:
    """Make the folder `target` by `make(staging)`, unless it is there; what `make` said, or None if it was there.

    The name `target` appears by a rename, so a folder under that name is whole.
    """
    if target.is_dir():
        return None
    with alone(target.parent / f".{target.name}.lock", part):
        if target.is_dir():
            return None
        for left_behind in target.parent.glob(f".{target.name}-*"):
            shutil.rmtree(left_behind)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            said = make(staging)
            staging.chmod(0o755)
            staging.rename(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return said


def swap(new: Path, target: Path) -> None:
    """Put the folder `new` in the place of `target`, by renames on one file system."""
    old = Path(tempfile.mkdtemp(prefix=".jitsi-fleet-old-", dir=new.parent))
    if target.exists():
        os.rename(target, old / target.name)
    os.rename(new, target)
    shutil.rmtree(old)
