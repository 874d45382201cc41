"""Makes everything that hosts boot from, once; what is there already is taken as it is."""

import fcntl
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import archive, authority, base, machine_tools
from .cache import cache, digest, made, remove_unfinished
from .jitsi import NEEDS, Jitsi, chosen, get
from .recipes import RECIPES

DEFAULT = ("debian-12",)
_CODE = Path(__file__).parent


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
    """These images, and those that were prepared before. Two calls at once wait for each other.

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
        known = _noted()
        wanted = [image for image in RECIPES if image in images or image in known]
        with ThreadPoolExecutor() as pool:
            packages = pool.submit(get, report)
            bases = dict(zip(wanted, pool.map(lambda image: _make_base(image, keys, report), wanted), strict=True))
        jitsi = packages.result()
        debs = {image: _make_debs(image, bases[image], jitsi, report) for image in wanted}
        recipes = [(RECIPES[image], debs[image]) for image in wanted]
        www = made(_www(wanted, jitsi), lambda target: archive.compose(target, recipes, jitsi.folder, keys))
        note = cache() / "prepared.json.new"
        note.write_text(json.dumps(wanted))
        note.rename(cache() / "prepared.json")
    return Prepared(bases, www, keys, jitsi.label)


def find() -> Prepared | None:
    """What the last `prepare` made, if nothing has changed since that asks for another one. Does no work."""
    if not (cache() / "authority").is_dir():
        return None
    images, jitsi = _noted(), chosen()
    if not images or jitsi is None or not jitsi.folder.is_dir():
        return None
    bases, www = {image: _base(image) for image in images}, _www(images, jitsi)
    if not all(place.is_dir() for place in (*bases.values(), www)):
        return None
    return Prepared(bases, www, cache() / "authority", jitsi.label)


def _noted() -> list[str]:
    """The images of the last `prepare`."""
    note = cache() / "prepared.json"
    return [image for image in json.loads(note.read_text()) if image in RECIPES] if note.exists() else []


def _base(image: str) -> Path:
    recipe = RECIPES[image]
    keys = [(cache() / "authority" / name).read_bytes() for name in ("ca.crt", "debian.gpg")]
    made_from = repr((recipe.codename, recipe.base, platform.machine()))
    return cache() / "bases" / f"{image}-{digest(made_from, (_CODE / 'base.py').read_bytes(), *keys)}"


def _debs(image: str, jitsi: Jitsi) -> Path:
    code = (_CODE / "archive.py").read_bytes()
    needs = (jitsi.folder / NEEDS).read_bytes()
    return cache() / "debs" / f"{image}-{digest(_base(image).name, repr(RECIPES[image].offered), needs, code)}"


def _www(images: Sequence[str], jitsi: Jitsi) -> Path:
    signer = (cache() / "authority/jitsi.asc").read_bytes()
    return cache() / "www" / digest(*(_debs(image, jitsi).name for image in images), jitsi.folder.name, signer)


def _make_base(image: str, keys: Path, report: Callable[[str], None]) -> Path:
    place = _base(image)
    if not place.is_dir():
        report(f"{image}: making its root file system")
    return made(place, lambda root: base.make(root, RECIPES[image], keys))


def _make_debs(image: str, root: Path, jitsi: Jitsi, report: Callable[[str], None]) -> Path:
    place = _debs(image, jitsi)
    if not place.is_dir():
        report(f"{image}: fetching what its hosts install")
    return made(place, lambda target: archive.download(target, RECIPES[image], root, jitsi.folder))
