"""The package archives as hosts see them: a folder per host name, signed with test keys.

Debian's holds what the roles install with all that it needs beyond the base, as apt resolves it against the base's own
list of packages; Jitsi's is flat, as theirs is.
"""

import gzip
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import authority
from .apt import Apt, index, release
from .base import DEBIAN, SECURITY
from .jitsi import HOST, PACKAGES
from .recipes import Recipe

_SUITES = {DEBIAN: ("", "Debian"), SECURITY: ("-security", "Debian-Security")}


def download(target: Path, recipe: Recipe, base: Path, jitsi: Path) -> None:
    """Fills `target` with the packages for Debian's two archives, each in its folder (the archive's address)."""
    with tempfile.TemporaryDirectory(prefix="apt-") as name:
        state = Path(name)
        local = state / "jitsi"
        shutil.copytree(jitsi, local)
        (local / "Packages").write_bytes(index(local, "."))
        keyring = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
        codename = recipe.codename
        apt = Apt(
            state,
            base / "var/lib/dpkg/status",
            f"deb [trusted=yes] file:{local} ./\n"
            f"deb {keyring} http://{DEBIAN} {codename} main\n"
            f"deb {keyring} http://{DEBIAN}-security {codename}-security main\n",
        )
        apt.update()
        install = ("--no-install-recommends", "install", *recipe.offered, *PACKAGES)
        origins = {
            line.split()[1]: f"{DEBIAN}-security" in line.split()[0]
            for line in apt.run("--print-uris", *install).splitlines()
            if line.startswith("'")
        }
        apt.run("--download-only", *install)
        for place in (DEBIAN, SECURITY):
            (target / place).mkdir(parents=True)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            files = (state / "archives").glob("*.deb")
            list(pool.map(lambda file: _repack(file, target / (SECURITY if origins[file.name] else DEBIAN)), files))


def _repack(package: Path, target: Path) -> None:
    """The same package with zstd instead of xz, which took a sixth of the processor time of each host's boot."""
    with tempfile.TemporaryDirectory(prefix=f"{package.stem}-", dir=package.parent) as folder:
        subprocess.run(["dpkg-deb", "--raw-extract", package, folder], check=True, capture_output=True)
        packed = str(target / package.name)
        subprocess.run(["dpkg-deb", "-Zzstd", "-z3", "--build", folder, packed], check=True, capture_output=True)


def compose(www: Path, packages: Iterable[tuple[Recipe, Path]], jitsi: Path, keys: Path) -> None:
    """Lays the archives for all given images into `www`; the packages are hard links where they can be."""
    with authority.signer(keys, "debian") as home:
        for recipe, folder in packages:
            for place, (suffix, label) in _SUITES.items():
                _suite(www / place, recipe.codename, suffix, label, folder / place, home)
    flat = www / HOST / "stable"
    _link(jitsi, flat)
    _indices(flat, index(flat.parent, flat.name))
    with authority.signer(keys, "jitsi") as home:
        _sign(flat, home, Origin="jitsi.org", Label="Jitsi Debian packages repository", Suite="stable")
    shutil.copy(keys / "jitsi.asc", www / HOST / "jitsi-key.gpg.key")


def _suite(top: Path, codename: str, suffix: str, label: str, packages: Path, home: str) -> None:
    """One suite of an archive of Debian: the packages of two releases may lie in the same archive."""
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
    ).stdout.strip()
    suite, pool = codename + suffix, f"pool/{codename}{suffix}"
    _link(packages, top / pool)
    _indices(top / f"dists/{suite}/main/binary-{architecture}", index(top, pool))
    _sign(
        top / f"dists/{suite}",
        home,
        Origin="Debian",
        Label=label,
        Suite=suite,
        Codename=suite,
        Architectures=architecture,
        Components="main",
    )


def _indices(folder: Path, packages: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Packages").write_bytes(packages)
    (folder / "Packages.gz").write_bytes(gzip.compress(packages))


def _sign(folder: Path, home: str, **fields: str) -> None:
    text = release(folder, **fields)
    (folder / "Release").write_bytes(text)
    (folder / "InRelease").write_bytes(authority.clearsign(home, text))


def _link(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for file in sorted(source.glob("*.deb")):
        os.link(file, target / file.name)
