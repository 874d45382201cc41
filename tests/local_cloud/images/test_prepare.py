"""Level: what is made again and what is not, with packages that are empty and a base that is a folder."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local_cloud.images import archive, base, jitsi, machine_tools
from local_cloud.images.base import DEBIAN, SECURITY
from local_cloud.images.machine_tools import UnavailableError
from local_cloud.images.prepare import find, prepare
from local_cloud.images.recipes import Recipe

IMAGE = "debian-12"


@dataclass
class Work:
    """What was made, in order; `packages` is the folder that JITSI_FLEET_PACKAGES names."""

    packages: Path
    steps: list[str] = field(default_factory=list)

    def done(self) -> list[str]:
        steps, self.steps = self.steps, []
        return steps


@pytest.fixture
def work(
    tools: None,  # noqa: ARG001
    own_cache: Path,  # noqa: ARG001
    package: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Work:
    """The slow parts, Debian's, are replaced; Jitsi's packages, signing and the archives are real."""
    work = Work(tmp_path / "packages")
    for name in jitsi.PACKAGES:
        package(work.packages, name, "python3")

    def make(root: Path, recipe: Recipe, _: Path) -> None:
        time.sleep(0.1)
        (root / "etc").mkdir()
        work.steps.append(f"base {recipe.codename}")

    def download(target: Path, recipe: Recipe, _root: Path, _jitsi: Path) -> None:
        package(target / DEBIAN, "nginx")
        package(target / SECURITY, "openjdk-17-jre-headless")
        work.steps.append(f"packages {recipe.codename}")

    monkeypatch.setenv(jitsi.VARIABLE, str(work.packages))
    monkeypatch.setattr(machine_tools, "install", lambda _: None)
    monkeypatch.setattr(base, "make", make)
    monkeypatch.setattr(archive, "download", download)
    return work


def test_what_is_there_is_not_made_again(work: Work) -> None:
    said: list[str] = []
    first = prepare((IMAGE,), said.append)
    assert work.done() == ["base bookworm", "packages bookworm"]
    assert len(said) == 3
    assert prepare((IMAGE,), said.append) == first == find()
    assert work.done() == []
    assert len(said) == 3


def test_two_preparations_at_once_make_each_thing_once(work: Work) -> None:
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda _: prepare((IMAGE,), lambda _: None), range(4)))
    assert results == [find()] * 4
    assert work.done() == ["base bookworm", "packages bookworm"]


def test_a_second_image_joins_the_first_in_one_archive(work: Work) -> None:
    prepare((IMAGE,), lambda _: None)
    work.done()
    both = prepare(("debian-13",), lambda _: None)
    assert work.done() == ["base trixie", "packages trixie"]
    assert set(both.bases) == {"debian-12", "debian-13"}
    suites = sorted(str(each.parent.relative_to(both.archives)) for each in both.archives.rglob("InRelease"))
    assert suites == [
        "deb.debian.org/debian/dists/bookworm",
        "deb.debian.org/debian/dists/trixie",
        "download.jitsi.org/stable",
        "security.debian.org/debian-security/dists/bookworm-security",
        "security.debian.org/debian-security/dists/trixie-security",
    ]
    assert find() == both


def test_other_packages_of_jitsi_make_a_new_archive_on_the_same_base(work: Work, package: Callable[..., Path]) -> None:
    before = prepare((IMAGE,), lambda _: None)
    work.done()
    time.sleep(0.01)
    package(work.packages, "jicofo", "python3")
    assert find() is None
    after = prepare((IMAGE,), lambda _: None)
    assert (after.bases, work.done()) == (before.bases, [])
    assert after.archives != before.archives


def test_a_new_dependency_of_jitsi_s_packages_is_fetched(work: Work, package: Callable[..., Path]) -> None:
    prepare((IMAGE,), lambda _: None)
    work.done()
    package(work.packages, "jicofo", "ruby-hocon")
    assert find() is None
    prepare((IMAGE,), lambda _: None)
    assert work.done() == ["packages bookworm"]


def test_a_preparation_that_was_interrupted_is_done_again(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(archive, "download", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            prepare((IMAGE,), lambda _: None)
    assert find() is None
    assert work.done() == ["base bookworm"]
    prepare((IMAGE,), lambda _: None)
    assert work.done() == ["packages bookworm"]


def test_what_a_killed_preparation_left_goes_with_the_next(work: Work, own_cache: Path) -> None:
    left = own_cache / "bases/debian-12-0123456789ab.new-killed"
    left.mkdir(parents=True)
    (left / "half").touch()
    assert find() is None
    prepare((IMAGE,), lambda _: None)
    assert not left.exists()
    assert work.done() == ["base bookworm", "packages bookworm"]


@pytest.mark.usefixtures("work")
def test_a_release_is_dated_so_that_a_late_clock_takes_it_for_the_past() -> None:
    """A host refuses an archive from the future; Debian's stable suite is weeks old on most days."""
    text = (prepare((IMAGE,), lambda _: None).archives / DEBIAN / "dists/bookworm/InRelease").read_text()
    dates = re.findall(r"^Date: \w+, (.*) GMT$", text, re.MULTILINE)
    ages = [time.time() - time.mktime(time.strptime(date, "%d %b %Y %H:%M:%S")) for date in dates]
    assert [29 < age / 86400 < 31 for age in ages] == [True]


def test_an_unknown_image_is_named_with_those_that_there_are() -> None:
    with pytest.raises(UnavailableError, match="no image debian-11; there are: debian-12, debian-13"):
        prepare(("debian-11",))


def test_without_root_the_message_says_what_root_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(UnavailableError, match="need root"):
        prepare((IMAGE,))
