"""Offers a host newer versions of packages as security updates of Debian, run on it with its own Python.

    python3 offer.py FOLDER PACKAGE...    then `APT_CONFIG=FOLDER/apt.conf apt-get ...`

Nothing outside of FOLDER changes: without that variable apt knows as much as before. The packages are empty; they are
for asking what would be done.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

VERSION = "99:1"
APT = """\
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "{folder}/none";
Dir::State::Lists "{folder}/lists";
Dir::Cache "{folder}/cache";
"""
RELEASE = """\
Origin: Debian
Label: Debian-Security
Suite: stable-security
Codename: {codename}-security
"""


def main() -> None:
    folder, packages = Path(sys.argv[1]), sys.argv[2:]
    archive = folder / "archive"
    for name in ("archive", "none", "lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (archive / "Packages").write_text("\n".join(offer(archive, package) for package in packages))
    codename = asked("sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME")
    (archive / "Release").write_text(RELEASE.format(codename=codename))
    (folder / "sources.list").write_text(f"deb [trusted=yes] file:{archive} ./\n")
    (folder / "apt.conf").write_text(APT.format(folder=folder))


def offer(archive: Path, package: str) -> str:
    """Its entry in the archive's index."""
    architecture = asked("dpkg-query", "--show", "--showformat=${Architecture}", package)
    control = (
        f"Package: {package}\nVersion: {VERSION}\nArchitecture: {architecture}\n"
        "Maintainer: nobody <nobody@example.org>\nDescription: empty\n"
    )
    tree, file = archive / package, archive / f"{package}.deb"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(control)
    asked("dpkg-deb", "-Znone", "--build", str(tree), str(file))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return f"{control}Filename: ./{file.name}\nSize: {file.stat().st_size}\nSHA256: {digest}\n"


def asked(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
