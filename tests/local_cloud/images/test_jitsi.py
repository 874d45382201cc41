"""Level: which of Jitsi's packages are taken, and that each choice is named."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from local_cloud.images import jitsi
from local_cloud.images.machine_tools import UnavailableError

pytestmark = pytest.mark.usefixtures("tools", "own_cache")


def names(folder: Path) -> list[str]:
    return sorted(file.name.split("_")[0] for file in folder.glob("*.deb"))


def test_a_folder_of_one_s_own_comes_before_everything(
    package: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in jitsi.PACKAGES:
        package(tmp_path / "mine", name)
    monkeypatch.setenv(jitsi.VARIABLE, str(tmp_path / "mine"))
    found = jitsi.get(lambda _: None)
    assert found.label == f"folder {tmp_path / 'mine'}"
    assert names(found.folder) == sorted(jitsi.PACKAGES)
    assert jitsi.chosen() == found


def test_a_folder_without_packages_is_an_error_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(jitsi.VARIABLE, str(tmp_path))
    with pytest.raises(UnavailableError, match=f"JITSI_FLEET_PACKAGES={tmp_path}: there is no .deb file"):
        jitsi.get(lambda _: None)


def test_a_folder_that_lacks_a_package_is_an_error_that_names_it(
    package: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in jitsi.PACKAGES[1:]:
        package(tmp_path / "mine", name)
    monkeypatch.setenv(jitsi.VARIABLE, str(tmp_path / "mine"))
    with pytest.raises(UnavailableError, match="lack jitsi-videobridge2"):
        jitsi.get(lambda _: None)


def test_the_stand_ins_are_taken_where_jitsi_s_archive_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jitsi, "HOST", "download.jitsi.invalid")
    said: list[str] = []
    found = jitsi.get(said.append)
    assert (found.label, said) == ("stand-ins", ["Jitsi's packages: stand-ins"])
    assert names(found.folder) == sorted(jitsi.PACKAGES)
    for file in found.folder.glob("*.deb"):
        version = subprocess.run(["dpkg-deb", "-f", file, "Version"], capture_output=True, text=True, check=True).stdout
        assert "standin" in version, f"{file.name} could be taken for a real one"


def test_the_stand_ins_can_be_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(jitsi.VARIABLE, "stand-ins")
    monkeypatch.setattr(jitsi, "_answers", lambda: pytest.fail("Jitsi's archive was asked"))
    assert jitsi.get(lambda _: None).label == "stand-ins"
