"""Jitsi's packages: a folder of somebody's own, else Jitsi's archive where it answers, else the stand-ins.

JITSI_FLEET_PACKAGES chooses: a folder with .deb files, or the word `stand-ins`.
"""

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..packages import build
from .apt import Apt
from .cache import cache, digest, made
from .machine_tools import UnavailableError

HOST = "download.jitsi.org"
PACKAGES = ("jitsi-videobridge2", "jicofo", "jitsi-meet-web", "jitsi-meet-web-config", "jitsi-meet-prosody")
VARIABLE = "JITSI_FLEET_PACKAGES"
ARCHIVE, STAND_INS = "Jitsi's archive", "stand-ins"
NEEDS = "needs"  # file beside the packages
_STAND_INS = Path(__file__).parent.parent / "packages"


@dataclass(frozen=True)
class Jitsi:
    """The packages' folder, and which they are, as a person would say it."""

    folder: Path
    label: str


def chosen() -> Jitsi | None:
    """What is there already for the present choice, without asking anybody. Its folder may have to be filled yet."""
    value = os.environ.get(VARIABLE, "")
    if value and value != STAND_INS:
        folder = Path(value).resolve()
        files = sorted(folder.glob("*.deb"))
        if not files:
            raise UnavailableError(f"{VARIABLE}={value}: there is no .deb file in {folder}")
        key = digest(*(f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files))
        return Jitsi(cache() / "jitsi" / f"folder-{key}", f"folder {folder}")
    own = Jitsi(cache() / "jitsi" / f"stand-ins-{_source()}", STAND_INS)
    if value == STAND_INS:
        return own
    published = cache() / "jitsi/published"
    if published.is_dir():
        return Jitsi(published, ARCHIVE)
    return own if own.folder.is_dir() else None


def get(report: Callable[[str], None]) -> Jitsi:
    """The same with its folder filled; asks Jitsi's archive when nothing was chosen and nothing is there."""
    found = chosen()
    if found is None:
        if _answers():
            found = Jitsi(cache() / "jitsi/published", ARCHIVE)
        else:
            found = Jitsi(cache() / "jitsi" / f"stand-ins-{_source()}", STAND_INS)
    if not found.folder.is_dir():
        report(f"Jitsi's packages: {found.label}")
    fill = {ARCHIVE: _download, STAND_INS: _build}.get(found.label, _copy)

    def make(target: Path) -> None:
        fill(target)
        (target / NEEDS).write_text(_needs(target))

    made(found.folder, make)
    return found


def _needs(folder: Path) -> str:
    """What the packages of the cluster depend on, for apt to resolve."""
    fields = ("Package", "Pre-Depends", "Depends")
    shown = [
        subprocess.run(["dpkg-deb", "--field", file, *fields], check=True, capture_output=True, text=True).stdout
        for file in sorted(folder.glob("*.deb"))
    ]
    absent = [name for name in PACKAGES if not any(f"Package: {name}\n" in each for each in shown)]
    if absent:
        raise UnavailableError(f"Jitsi's packages lack {', '.join(absent)}")
    return "\n".join(shown)


def _source() -> str:
    """Digest of all that the stand-ins are built from."""
    files = sorted(each for each in _STAND_INS.rglob("*") if each.is_file() and "__pycache__" not in each.parts)
    return digest(*(part for file in files for part in (str(file.relative_to(_STAND_INS)), file.read_bytes())))


def _answers() -> bool:
    try:
        socket.create_connection((HOST, 443), timeout=5).close()
    except OSError:
        return False
    return True


def _build(target: Path) -> None:
    build.build(target)


def _copy(target: Path) -> None:
    for file in Path(os.environ[VARIABLE]).glob("*.deb"):
        shutil.copy(file, target)


def _download(target: Path) -> None:
    """The newest of the stable suite; apt verifies them with the key that Jitsi publishes beside them over HTTPS."""
    with tempfile.TemporaryDirectory(prefix="apt-") as name:
        state = Path(name)
        key, status = state / "jitsi.asc", state / "status"
        with urllib.request.urlopen(
            f"https://{HOST}/jitsi-key.gpg.key", timeout=30, context=ssl.create_default_context()
        ) as answer:
            key.write_bytes(answer.read())
        status.touch()
        apt = Apt(state, status, f"deb [signed-by={key}] https://{HOST} stable/\n")
        apt.update()
        apt.run("download", *PACKAGES)
        for file in state.glob("*.deb"):
            shutil.copy(file, target)
