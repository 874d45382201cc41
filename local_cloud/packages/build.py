"""Stand-ins for Jitsi's Debian packages, built where Jitsi's own archive cannot be reached.

Each folder beside this file that has a DEBIAN folder is a package as dpkg-deb takes it: its control files, and its own
files as they land on the host. What is added here: the programs, each with the list of the settings that the real
program knows and the version of its package; the change log; the size and the checksums.
"""

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
# All times in the packages, unless SOURCE_DATE_EPOCH says otherwise: the same source makes the same bytes.
BUILT = 1785542400  # 2026-08-01, the month of the release that they stand in for
PACKAGES = ("jitsi-videobridge2", "jicofo", "jitsi-meet-web", "jitsi-meet-web-config", "jitsi-meet-prosody")


class BuildError(Exception):
    """A package cannot be built; the message names the file or the program that is missing."""


@dataclass(frozen=True)
class Program:
    """A program of one file, NAME.py with known_keys/NAME.txt beside it, here and on the host."""

    name: str
    folder: str


PROGRAMS = {
    "jitsi-videobridge2": Program("videobridge", "usr/share/jitsi-videobridge"),
    "jicofo": Program("jicofo", "usr/share/jicofo"),
}


def build(target: Path) -> list[Path]:
    """Builds all packages into `target`, made if it is not there. BuildError, before anything is built, for what is
    missing."""
    if not shutil.which("dpkg-deb"):
        raise BuildError("packages are built with dpkg-deb, which is not on this machine")
    for program in PROGRAMS.values():
        for source in _sources(program):
            if not (HERE / source).is_file():
                raise BuildError(f"{HERE / source} is missing: the stand-in packages cannot be built without it")
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        return [_build(package, Path(scratch) / package, target) for package in PACKAGES]


def _sources(program: Program) -> tuple[str, str]:
    return f"{program.name}.py", f"known_keys/{program.name}.txt"


def _build(package: str, tree: Path, target: Path) -> Path:
    shutil.copytree(HERE / package, tree)
    version = control_fields(package)["Version"]
    if program := PROGRAMS.get(package):
        _add_program(program, version, tree)
    _add_change_log(package, version, tree)
    _add_sums(tree)
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", BUILT))
    _normalise(tree, epoch)
    file = target / f"{package}_{version}_all.deb"
    # With one thread and no threshold of size the bytes do not depend on the machine.
    command = ["dpkg-deb", "--root-owner-group", "-Zxz", "--threads-max=1", "--build", str(tree), str(file)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(epoch)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise BuildError(f"dpkg-deb cannot build {package}: {done.stderr.strip()}")
    return file


def control_fields(package: str) -> dict[str, str]:
    """The fields of a package's control file, without the continued lines of its description."""
    lines = (HERE / package / "DEBIAN/control").read_text().splitlines()
    return {name: value for name, _, value in (line.partition(": ") for line in lines if not line.startswith(" "))}


def _add_program(program: Program, version: str, tree: Path) -> None:
    folder = tree / program.folder
    for source in _sources(program):
        (folder / source).parent.mkdir(exist_ok=True)
        shutil.copy(HERE / source, folder / source)
    (folder / "version").write_text(version + "\n")


def _add_change_log(package: str, version: str, tree: Path) -> None:
    entry = f"{package} ({version}) stable; urgency=low\n\n  * Built by jitsi-fleet as a stand-in.\n"
    with (tree / f"usr/share/doc/{package}/changelog.Debian.gz").open("wb") as file:
        file.write(gzip.compress(entry.encode(), mtime=0))
    license_text = "Part of jitsi-fleet, under the Apache License 2.0: /usr/share/common-licenses/Apache-2.0\n"
    (tree / f"usr/share/doc/{package}/copyright").write_text(license_text)


def _add_sums(tree: Path) -> None:
    files = sorted(path for path in tree.rglob("*") if path.is_file() and tree / "DEBIAN" not in path.parents)
    sums = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(tree)}\n" for path in files]  # noqa: S324
    (tree / "DEBIAN/md5sums").write_text("".join(sums))
    size = sum(-(-path.stat().st_size // 1024) for path in files)  # each file begins a KiB of its own
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace("\nDescription:", f"\nInstalled-Size: {size}\nDescription:"))


def _normalise(tree: Path, epoch: int) -> None:
    """Modes and times that do not depend on the checkout: of modes, git keeps only whether a file can be executed."""
    for path in (tree, *tree.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (epoch, epoch))
