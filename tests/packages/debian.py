"""Debian's packages as tests read them."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RECORDED = Path(__file__).parent / "recordings/packages"


@dataclass(frozen=True)
class Package:
    """A package file."""

    file: Path

    def fields(self) -> dict[str, str]:
        return fields(_asked("--field", self.file))

    def members(self) -> set[str]:
        """Names of the control files."""
        listed = subprocess.run(
            ["tar", "--list"], input=_bytes("--ctrl-tarfile", self.file), capture_output=True, check=True
        )
        return {name.removeprefix("./") for name in listed.stdout.decode().split()} - {""}

    def control(self, member: str) -> str:
        return _asked("--info", self.file, member)

    def files(self) -> dict[str, str]:
        """Mode and owner by path, without folders."""
        lines = [line.split() for line in _asked("--contents", self.file).splitlines()]
        return {line[5].removeprefix("."): f"{line[0]} {line[1]}" for line in lines if not line[0].startswith("d")}

    def text(self, path: str) -> str:
        found = subprocess.run(
            ["tar", "--extract", "--to-stdout", f".{path}"],
            input=_bytes("--fsys-tarfile", self.file),
            capture_output=True,
            check=True,
        )
        return found.stdout.decode()


def fields(text: str) -> dict[str, str]:
    """One paragraph of a control file."""
    lines = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def paragraphs(text: str) -> list[dict[str, str]]:
    return [fields(part) for part in text.split("\n\n") if part.strip()]


def unit(text: str) -> Mapping[str, str]:
    """The settings of a unit file; of repeated ones, all values with a space between."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[name] = f"{found[name]} {value}" if name in found else value
    return found


def _asked(*command: str | Path) -> str:
    return _bytes(*command).decode()


def _bytes(*command: str | Path) -> bytes:
    return subprocess.run(["dpkg-deb", *command], capture_output=True, check=True).stdout
