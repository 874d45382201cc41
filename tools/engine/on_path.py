"""Makes `pulumi` work in a plain shell: a link in a folder of PATH, never over a file that is not ours."""

import os
import shutil
from pathlib import Path

from tools.engine.install import Engine
from tools.engine.pin import VERSION, cache


def offer(engine: Engine) -> str:
    """Link the engine where a shell finds it, unless it does already; what was done, or what is left to do."""
    found = shutil.which("pulumi")
    if found is not None and Path(found).resolve() == engine.pulumi.resolve():
        return f"`pulumi` in your shell is this one ({found})"
    folder = _folder(Path(found) if found else None)
    if folder is not None:
        fresh = folder / f".pulumi-{os.getpid()}"
        fresh.symlink_to(engine.pulumi)
        fresh.rename(folder / "pulumi")
        return f"linked as {folder / 'pulumi'}"
    other = f"{found} is another one (the project is pinned to {VERSION}). " if found else ""
    return f'{other}To use this one in your shell: export PATH="{engine.folder}:$PATH"'


def _folder(found: Path | None) -> Path | None:
    """The first writable one of the usual folders where a link would be what a shell runs."""
    if found is not None and _is_ours(found):
        return found.parent if os.access(found.parent, os.W_OK) else None
    path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    before = path[: path.index(found.parent)] if found is not None else path
    for folder in (Path.home() / ".local/bin", Path.home() / "bin", Path("/usr/local/bin")):
        link = folder / "pulumi"
        free = _is_ours(link) or not (link.exists() or link.is_symlink())
        if folder in before and free and os.access(folder, os.W_OK):
            return folder
    return None


def _is_ours(link: Path) -> bool:
    return link.is_symlink() and Path(os.readlink(link)).is_relative_to(cache())
