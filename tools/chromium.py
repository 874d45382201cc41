"""Debian's Chromium for the tests of the web page, without a window."""

import os
import shutil
import subprocess
from pathlib import Path

from tools.say import Progress, say


def program() -> Path | None:
    found = shutil.which("chromium")
    return Path(found) if found else None


def install() -> None:
    """Install it where that takes no password: as root on Debian. Elsewhere say so; its tests skip themselves."""
    if (found := program()) is not None:
        say("chromium", f"found ({found})")
    elif os.geteuid() != 0 or shutil.which("apt-get") is None:
        say("chromium", "not here, its tests are skipped; to run them: sudo apt-get install chromium")
    else:
        with Progress("chromium", "installing Debian's package"):
            problem = _install_package()
        say("chromium", f"not installed, its tests are skipped: {problem}" if problem else "installed")


def _install_package() -> str:
    """Empty, or what apt said at the end."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-y", "-qq", "-oDPkg::Lock::Timeout=300"]
    for step in ([*apt, "update"], [*apt, "--no-install-recommends", "install", "chromium"]):
        done = subprocess.run(step, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            return (done.stderr.strip() or "apt-get failed").splitlines()[-1]
    return ""
