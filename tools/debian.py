"""Debian's packages for programs that only some tests need."""

import os
import shutil
import subprocess
from pathlib import Path

from tools.say import Progress, say

NO_QUESTIONS = {"DEBIAN_FRONTEND": "noninteractive"}
APT = ("apt-get", "-y", "-qq", "-oDPkg::Lock::Timeout=300", "--no-install-recommends")


def offer(package: str, found: Path | None, doing: str, before: str = "") -> None:
    """Install it where that takes no password: as root on Debian. Elsewhere say so; its tests skip themselves.

    `found`: where it is already; `before`: a shell command that runs after the package lists were fetched.
    """
    if found is not None:
        say(package, f"found ({found})")
    elif os.geteuid() != 0 or shutil.which("apt-get") is None:
        say(package, f"not here, its tests are skipped; to run them: sudo apt-get install {package}")
    else:
        with Progress(package, doing):
            problem = _installed(package, before)
        say(package, f"not installed, its tests are skipped: {problem}" if problem else "installed")


def _installed(package: str, before: str) -> str:
    """Empty, or what the failing step said at the end."""
    steps = [[*APT, "update"], *([["sh", "-ec", before]] if before else []), [*APT, "install", package]]
    for step in steps:
        done = subprocess.run(
            step, env=os.environ | NO_QUESTIONS, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode != 0:
            return (done.stderr.strip() or f"{step[0]} failed").splitlines()[-1]
    return ""
