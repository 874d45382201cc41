"""apt with sources and a state of its own, as if the machine were the one whose status file it is given."""

import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path


@dataclass(frozen=True)
class Apt:
    """`state`: folder for lists and packages; `status`: the dpkg status file that dependencies are resolved against."""

    state: Path
    status: Path
    sources: str

    def update(self) -> None:
        for folder in ("lists/partial", "archives/partial", "none"):
            (self.state / folder).mkdir(parents=True, exist_ok=True)
        (self.state / "sources.list").write_text(self.sources)
        self.run("update")

    def run(self, *arguments: str) -> str:
        """What apt-get prints; RuntimeError when it fails. The machine's own settings (a proxy, say) hold."""
        options = {
            "Dir::Etc::sourcelist": self.state / "sources.list",
            "Dir::Etc::sourceparts": self.state / "none",
            "Dir::Etc::preferences": self.state / "none/preferences",
            "Dir::Etc::preferencesparts": self.state / "none",
            "Dir::State::lists": self.state / "lists",
            "Dir::State::status": self.status,
            "Dir::State::extended_states": self.state / "extended_states",
            "Dir::Cache": self.state,
            "APT::Default-Release": "",
            "APT::Sandbox::User": "",
            "APT::Install-Recommends": "false",
            "APT::Update::Error-Mode": "any",
            "APT::Update::Post-Invoke": "true",
            "Acquire::Retries": 3,
            "Debug::NoLocking": "true",
        }
        done = subprocess.run(
            ["apt-get", "-q", "-y", *(f"-o{key}={value}" for key, value in options.items()), *arguments],
            cwd=self.state,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"apt-get {arguments[0]}: {(done.stdout + done.stderr).strip()[-1000:]}")
        return done.stdout


def index(folder: Path, below: str) -> bytes:
    """The Packages file for all packages in `below`, a folder below `folder`, with paths from there."""
    return subprocess.run(["apt-ftparchive", "packages", below], cwd=folder, check=True, capture_output=True).stdout


def release(folder: Path, **fields: str) -> bytes:
    """The Release file for the indices in `folder`, a month old: a host whose clock is late refuses a newer one."""
    given = [f"-oAPT::FTPArchive::Release::{name}={value}" for name, value in fields.items()]
    text = subprocess.run(
        ["apt-ftparchive", *given, "release", "."], cwd=folder, check=True, capture_output=True
    ).stdout
    date = format_datetime(datetime.now(UTC) - timedelta(days=30), usegmt=True)
    return re.sub(rb"(?m)^Date: .*$", b"Date: " + date.encode(), text)
