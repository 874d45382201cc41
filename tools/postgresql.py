"""Debian's PostgreSQL for one test (a state backend that a team shares): programs only, no server is started."""

import os
import shutil
import subprocess
from pathlib import Path

from tools.say import Progress, say


def programs() -> Path | None:
    """The folder with `initdb` and `postgres`: Debian keeps them off PATH, one folder for each major version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parent.parent.name))
    return found[-1].parent if found else None


def install() -> None:
    """Install it where that takes no password: as root on Debian. Elsewhere say so; the test skips itself."""
    if programs() is not None:
        say("postgresql", f"found ({programs()})")
    elif os.geteuid() != 0 or shutil.which("apt-get") is None:
        say("postgresql", "not here, its test is skipped; to run it: sudo apt-get install postgresql")
    else:
        with Progress("postgresql", "installing Debian's package, without starting a server"):
            problem = _install_package()
        say("postgresql", f"not installed, its test is skipped: {problem}" if problem else "installed")


def _install_package() -> str:
    """Empty, or what apt said at the end."""
    apt = ["apt-get", "-y", "-qq", "--no-install-recommends", "install"]
    configuration = Path("/etc/postgresql-common/createcluster.conf")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    steps = (["apt-get", "update", "-qq"], [*apt, "postgresql-common"], [*apt, "postgresql"])
    for step in steps:
        done = subprocess.run(step, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            return (done.stderr.strip() or "apt-get failed").splitlines()[-1]
        if step[-1] == "postgresql-common":
            with configuration.open("a") as file:
                file.write("\n# jitsi-fleet: only the programs are wanted\ncreate_main_cluster = false\n")
    return ""
