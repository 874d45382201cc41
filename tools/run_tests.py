"""`make test`: what the tests need and this machine lacks, then all of them."""

import os
import subprocess
import sys

from tools import chromium, command, postgresql
from tools.engine import plugins
from tools.engine.install import install
from tools.engine.pin import CHECKOUT


def install_checkers() -> None:
    """The programs that check the rendered files, by the installer beside this file: a script or a module."""
    for installer in sorted((CHECKOUT / "tools").glob("checkers*")):
        asked = [installer] if installer.suffix == ".sh" else [sys.executable, "-m", f"tools.{installer.stem}"]
        subprocess.run(asked, cwd=CHECKOUT, check=True)


def main() -> None:
    """Ends as pytest, with its closing line and its exit status."""
    plugins.install(install(), with_doubles=False)
    postgresql.install()
    chromium.install()
    install_checkers()
    sys.stdout.flush()
    os.chdir(CHECKOUT)
    # Files of tests side by side (tests/conftest.py). More than there are cores: most tests wait for something.
    spread = ["--numprocesses", "6", "--dist", "loadfile", "--no-loadscope-reorder"]
    pytest = [sys.executable, "-m", "pytest", *spread]
    os.execv(sys.executable, [*pytest, *sys.argv[1:]])  # noqa: S606 - becomes pytest


if __name__ == "__main__":
    command.run(main)
