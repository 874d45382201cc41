"""Where prepared things lie: folders named by a digest of what they were made from, complete when they exist."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

_UNFINISHED = ".new-"


def cache() -> Path:
    """Outside the tree, so that a fresh clone finds it; deleting it costs minutes and nothing else.

    Old bases are not deleted: the disks of servers that still exist lie on top of them.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "jitsi-fleet/images"


def digest(*parts: str | bytes) -> str:
    """Each part counts with its length, so that no two lists of parts look alike."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:12]


def made(place: Path, make: Callable[[Path], None]) -> Path:
    """`place`, filled by `make` in a folder beside it first: one that is there is whole, whatever interrupts."""
    if not place.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f"{place.name}{_UNFINISHED}", dir=place.parent))
        unfinished.chmod(0o755)
        try:
            make(unfinished)
            unfinished.rename(place)
        except BaseException:
            shutil.rmtree(unfinished)
            raise
    return place


def remove_unfinished() -> None:
    """What interrupted work has left. Only for who holds the cache's lock."""
    for folder in cache().glob(f"*/*{_UNFINISHED}*"):
        shutil.rmtree(folder)
