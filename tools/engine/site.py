"""The official download site, asked with patience that ends."""

import os
import threading
import urllib.error
import urllib.request
from pathlib import Path

from tools.engine.pin import UnavailableError

PATIENCE = 5.0
"""Seconds for a small question, name look-up included; so much an unreachable site costs at most."""

STALL = 30.0
"""Seconds without a byte after which a download is given up."""


def address() -> str:
    """Where the releases are; JITSI_FLEET_PULUMI_SITE names a mirror."""
    return os.environ.get("JITSI_FLEET_PULUMI_SITE", "https://get.pulumi.com").rstrip("/")


def text(path: str) -> str:
    """A small text file of the site, whole within PATIENCE; raises UnavailableError."""
    answer: list[str | Exception] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(f"{address()}{path}", timeout=PATIENCE) as response:  # noqa: S310 - http(s) of our own
                answer.append(response.read(1 << 20).decode())
        except (OSError, ValueError) as error:
            answer.append(error)

    # In a thread, because neither the name look-up nor a trickling answer keeps to the socket's time-out.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    if not answer:
        raise UnavailableError(f"{address()} did not answer within {PATIENCE:g} s")
    if isinstance(answer[0], Exception):
        raise UnavailableError(f"{address()} cannot be reached ({reason(answer[0])})")
    return answer[0]


def download(path: str, to: Path) -> None:
    """A large file of the site; raises UnavailableError when it stalls or breaks off."""
    try:
        with urllib.request.urlopen(f"{address()}{path}", timeout=STALL) as response, to.open("wb") as file:  # noqa: S310
            while block := response.read(1 << 20):
                file.write(block)
    except (OSError, ValueError) as error:
        raise UnavailableError(f"the download from {address()} broke off ({reason(error)})") from error


def reason(error: Exception) -> str:
    """The cause in a few words: urllib wraps the one that matters."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(cause.strerror or cause) if isinstance(cause, OSError) else str(cause)
