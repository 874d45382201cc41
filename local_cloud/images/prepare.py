"""Makes everything that hosts boot from, once; what is there already is taken as it is."""

import fcntl
import platform
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import archive, authority, base, machine_tools
from .cache import cache, digest, made, remove_unfinished
from .jitsi import NEEDS, Jitsi, chosen, get
from .recipes import RECIPES

DEFAULT = ("debian-12",)


@dataclass(frozen=True)
class Prepared:
    """`bases`: by image, a root file system to lay disks on; `archives`: one folder per host name, for web.Archives.

    `authority` holds ca.{crt,key} and server.{crt,key}; `jitsi` says which packages the archive offers.
    """

    bases: Mapping[str, Path]
    archives: Path
    authority: Path
    jitsi: str


def prepare(images: Sequence[str] = DEFAULT, report: Callable[[str], None] = print) -> Prepared:
    """These images, beside those that are there and need nothing. Two calls at once wait for each other.

    machine_tools.UnavailableError where hosts cannot be; RuntimeError when a step fails. Steps go to `report`.
    """
    for image in images:
        if image not in RECIPES:
            raise machine_tools.UnavailableError(f"no image {image}; there are: {', '.join(RECIPES)}")
    machine_tools.install(report)
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        remove_unfinished()
        keys = made(cache() / "authority", authority.make)
        with ThreadPoolExecutor() as pool:
            packages = pool.submit(get, report)
            list(pool.map(lambda image: _make(image, keys, packages, report), images))
        jitsi = packages.result()
        ready = _ready(jitsi)
        recipes = [(RECIPES[image], _debs(image, jitsi)) for image in ready]
        www = made(_www(ready, jitsi), lambda target: archive.compose(target, recipes, jitsi.folder, keys))
    return Prepared({image: _base(image) for image in ready}, www, keys, jitsi.label)


def find() -> Prepared | None:
    """What `prepare` has made, if nothing has changed since that asks for another one. Does no work."""
    if not (cache() / "authority").is_dir():
        return None
    jitsi = chosen()
    if jitsi is None or not jitsi.folder.is_dir():
        return None
    ready = _ready(jitsi)
    www = _www(ready, jitsi)
    if not ready or not www.is_dir():
        return None
    return Prepared({image: _base(image) for image in ready}, www, cache() / "authority", jitsi.label)


def _ready(jitsi: Jitsi) -> list[str]:
    return [image for image in RECIPES if _base(image).is_dir() and _debs(image, jitsi).is_dir()]


def _base(image: str) -> Path:
    recipe = RECIPES[image]
    keys = [(cache() / "authority" / name).read_bytes() for name in ("ca.crt", "debian.gpg")]
    made_from = repr((recipe.codename, recipe.base, platform.machine()))
    return cache() / "bases" / f"{image}-{digest(made_from, *_code('base'), *keys)}"


def _debs(image: str, jitsi: Jitsi) -> Path:
    needs = (jitsi.folder / NEEDS).read_bytes()
    key = digest(_base(image).name, repr(RECIPES[image].offered), needs, *_code("archive", "apt"))
    return cache() / "debs" / f"{image}-{key}"


def _www(images: Sequence[str], jitsi: Jitsi) -> Path:
    signer = (cache() / "authority/jitsi.asc").read_bytes()
    packages = (*(_debs(image, jitsi).name for image in images), jitsi.folder.name)
    return cache() / "www" / digest(*packages, signer, *_code("archive", "apt"))


def _code(*modules: str) -> list[bytes]:
    return [(Path(__file__).parent / f"{name}.py").read_bytes() for name in modules]


def _make(image: str, keys: Path, jitsi: Future[Jitsi], report: Callable[[str], None]) -> None:
    recipe, root = RECIPES[image], _base(image)
    if not root.is_dir():
        report(f"{image}: making its root file system")
        made(root, lambda target: base.make(target, recipe, keys))
    packages = jitsi.result()
    debs = _debs(image, packages)
    if not debs.is_dir():
        report(f"{image}: fetching what its hosts install")
        made(debs, lambda target: archive.download(target, recipe, root, packages.folder))
