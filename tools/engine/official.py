"""The engine from its official release: the tarball that Pulumi's own installer takes, checked before it is unpacked.

The digests are those published beside the tarball (SHA-256). That protects against a broken or mixed-up download, not
against a site that lies in both; the digests could not be pinned here, because they could not be fetched here.
"""

import hashlib
import tarfile
from pathlib import Path

from tools.engine import site
from tools.engine.pin import VERSION, RefusedError, UnavailableError, machine
from tools.say import Progress


def checksums() -> dict[str, str]:
    """SHA-256 by file name, as published for this release; also the test whether the site can be reached."""
    lines = site.text(f"/releases/sdk/pulumi-{VERSION}-checksums.txt").splitlines()
    return {fields[1]: fields[0].lower() for fields in map(str.split, lines) if len(fields) == 2}


def fetch(staging: Path) -> str:
    """Fill `staging` with the release. Raises UnavailableError; RefusedError when the digest does not fit."""
    name = f"pulumi-v{VERSION}-{machine()}.tar.gz"
    expected = checksums().get(name)
    if expected is None:
        raise UnavailableError(f"{site.address()} answers, but its list of checksums does not name {name}")
    tarball = staging / name
    with Progress("engine", f"downloading Pulumi {VERSION} from {site.address()}"):
        site.download(f"/releases/sdk/{name}", tarball)
    with tarball.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise RefusedError(
            f"The download {name} has the SHA-256 {found}, but {expected} is published for it. Nothing was installed. "
            "Try again; if it stays so, something between here and the site changes the file."
        )
    with tarfile.open(tarball) as archive:
        for member in archive.getmembers():
            packed = archive.extractfile(member)
            if packed is not None:
                # By name only, without folders: Debian 12's Python has no extraction filter yet.
                program = staging / Path(member.name).name
                program.write_bytes(packed.read())
                program.chmod(0o755 if member.mode & 0o100 else 0o644)
    tarball.unlink()
    return "downloaded, checksum verified"
