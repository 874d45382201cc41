"""The pinned engine: the one on PATH, the one in the cache, else the first way to a new one that is open."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.engine import from_source, official
from tools.engine.once import make_once
from tools.engine.pin import VERSION, RefusedError, UnavailableError, cache
from tools.say import say

Way = Callable[[Path], str]
"""Fills a folder with the engine's programs and says how; raises UnavailableError."""

WAYS: tuple[Way, ...] = (official.fetch, from_source.build)


@dataclass(frozen=True)
class Engine:
    """A folder that holds `pulumi` and, beside it, `pulumi-language-python`; `origin` says where it came from."""

    folder: Path
    origin: str

    @property
    def pulumi(self) -> Path:
        return self.folder / "pulumi"


def find() -> Engine | None:
    """The pinned engine, if it is here already: on PATH first, because that is the one that a plain shell would run."""
    on_path = shutil.which("pulumi")
    if on_path is not None and version(Path(on_path)) == VERSION:
        folder = Path(on_path).resolve().parent
        if (folder / "pulumi-language-python").is_file():
            return Engine(folder, f"found on PATH ({on_path})")
    cached = cache() / VERSION
    return Engine(cached, f"found in the cache ({cached})") if cached.is_dir() else None


def version(pulumi: Path) -> str:
    """`3.259.0`; empty when the program does not say one within 20 s."""
    environment = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "1"}
    try:
        done = subprocess.run([pulumi, "version"], env=environment, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().removeprefix("v")


def install(ways: Sequence[Way] = WAYS) -> Engine:
    """Find the engine or get it, and say which; raises RefusedError when no way is open."""
    engine = find()
    if engine is None:
        target = cache() / VERSION
        made = make_once(target, lambda staging: _first_open(ways, staging), part="engine")
        engine = Engine(target, made or "installed by another run meanwhile")
    say("engine", f"Pulumi {VERSION}: {engine.origin}")
    return engine


def _first_open(ways: Sequence[Way], staging: Path) -> str:
    for way in ways:
        try:
            return way(staging)
        except UnavailableError as error:
            say("engine", str(error))
            for left_behind in staging.iterdir():
                shutil.rmtree(left_behind) if left_behind.is_dir() else left_behind.unlink()
    raise RefusedError(
        f"Pulumi {VERSION} could not be had: the official download and the Go modules are both out of reach. "
        f"With a Pulumi {VERSION} of your own on PATH, run this again."
    )
