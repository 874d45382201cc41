"""Debian's Chromium for the tests of the web page, without a window."""

import shutil
from pathlib import Path

from tools import debian


def program() -> Path | None:
    found = shutil.which("chromium")
    return Path(found) if found else None


def install() -> None:
    debian.offer("chromium", program(), "installing Debian's package")
