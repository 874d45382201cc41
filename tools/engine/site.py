"""The official download site, asked with patience that ends."""

import os
import threading
import urllib.error
import urllib.request
from pathlib import Path

from tools.engine.pin import UnavailableError

STALL = 30.0
"""Seconds without a byte after which a download is given up."""


def address() -> str:
    """Where the releases are; JITSI_FLEET_PULUMI_SITE names a mirror."""
    return os.environ.get("JITSI_FLEET_PULUMI_SITE", "https://get.pulumi.com").rstrip("/")


def text(path: str, seconds: float = 5.0) -> str:
    """A small text file of the site, within `seconds` in all, name look-up included; raises UnavailableError."""
    answer: list[str | Exception] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(f"{address()}{path}", timeout=seconds) as response:  # noqa: S310 - http(s) of our own
                answer.append(response.read(1 << 20).decode())
        except (OSError, ValueError) as error:
            answer.append(error)

    # In a thread, because neither the name look-up nor a trickling answer keeps to the socket's time-out.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    if not answer:
        raise UnavailableError(f"{address()} did not answer within {seconds:g} s")
    if isinstance(answer[0], Exception):
        raise UnavailableError(f"{address()}: {reason(answer[0])}")
    return answer[0]


def download(path: str, to: Path) -> None:
    """A large file of the site; raises UnavailableError when it stalls or breaks off."""
    try:
        with urllib.request.urlopen(f"{address()}{path}", timeout=STALL) as response, to.open("wb") as file:  # noqa: S310
            while block := response.read(1 << 20):
                file.write(block)
    except (OSError, ValueError) as error:
        raise UnavailableError(f"{address()}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """The cause in a few words: urllib wraps the one that matters."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    return str(error.reason if isinstance(error, urllib.error.URLError) else error)
