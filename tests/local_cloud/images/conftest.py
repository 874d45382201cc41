"""Level: what hosts boot from. To make it, root and Debian's tools are needed; tests of one part alone need less."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from local_cloud.images import jitsi
from local_cloud.images.machine_tools import UnavailableError, missing
from local_cloud.images.prepare import Prepared, prepare
from local_cloud.images.recipes import RECIPES


@pytest.fixture(scope="session")
def prepared() -> Prepared:
    """All images, from the machine's own cache; cold that takes a minute or two."""
    try:
        return prepare(tuple(RECIPES))
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def tools() -> None:
    """Debian's tools for archives, without root."""
    if not shutil.which("dpkg-deb") or {"apt-utils", "gnupg"} & set(missing()):
        pytest.skip("archives are made with apt-utils and gnupg, which are not here")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(jitsi.VARIABLE, raising=False)
    return tmp_path / "cache/jitsi-fleet/images"


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., Path]:
    """`package(folder, name, depends)`: makes an empty package there."""

    def make(folder: Path, name: str, depends: str = "") -> Path:
        tree = tmp_path / "trees" / name
        (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
        control = f"Package: {name}\nVersion: 1.0-1\nArchitecture: all\nMaintainer: x <x@example.test>\n"
        needs = f"Depends: {depends}\n" if depends else ""
        (tree / "DEBIAN/control").write_text(f"{control}{needs}Description: empty\n")
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name}_1.0-1_all.deb"
        subprocess.run(["dpkg-deb", "--build", tree, file], check=True, capture_output=True)
        return file

    return make
