"""Which engine, and where things are kept.

`VERSION` is one with the SDK's pin in pyproject.toml and with cli/go.mod: a test compares the three.
"""

import os
import platform
import pwd
from pathlib import Path

VERSION = "3.259.0"
"""The Pulumi CLI; the newest that the Go module proxy serves, and tried whole with the SDK of the same version."""

CHECKOUT = Path(__file__).resolve().parent.parent.parent


class UnavailableError(Exception):
    """This way to a program is closed here; the text says why, to a person. Another way may be open."""


class RefusedError(Exception):
    """Something is wrong and must not be passed over; the text says what, and what to do."""


def cache() -> Path:
    """The folder of the engines, one by version; XDG_CACHE_HOME moves it."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "jitsi-fleet" / "engine"


def pulumi_home() -> Path:
    """Where the Pulumi CLI keeps plugins and credentials; PULUMI_HOME moves it.

    The CLI takes the home folder that the user database names, whatever HOME says; so does this.
    """
    return Path(os.environ.get("PULUMI_HOME") or Path(pwd.getpwuid(os.getuid()).pw_dir) / ".pulumi")


def machine() -> str:
    """`linux-x64`, `darwin-arm64`, ...: as Pulumi names its downloads. Raises UnavailableError for other machines."""
    system = platform.system().lower()
    processor = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine().lower())
    if system not in ("linux", "darwin") or processor is None:
        raise UnavailableError(f"there is no Pulumi release for {platform.system()} on {platform.machine()}")
    return f"{system}-{processor}"
