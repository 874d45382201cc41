"""`make test`: what the tests need and this machine lacks, then all of them."""

import os
import sys

from tools import command, postgresql
from tools.engine import plugins
from tools.engine.install import install
from tools.engine.pin import CHECKOUT


def main() -> None:
    """Ends as pytest, with its closing line and its exit status."""
    plugins.install(install(), with_doubles=False)
    postgresql.install()
    sys.stdout.flush()
    os.chdir(CHECKOUT)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *sys.argv[1:]])  # noqa: S606 - becomes pytest


if __name__ == "__main__":
    command.run(main)
