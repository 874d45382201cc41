"""The build from Go modules, with a fake `go`: what is asked of it, and what is left behind."""

from pathlib import Path

import pytest

from tests.tools.conftest import Machine
from tools.engine import from_source, go_toolchain
from tools.engine.pin import UnavailableError

FAKE_GO = r"""
case $1 in
version) echo "go version go{version} linux/amd64" ;;
list) echo "{sdk}" ;;
build)
    echo "$GOCACHE|$GOTOOLCHAIN|$*" >>{log}
    while [ "$1" != -o ]; do shift; done
    echo "go: downloading some/module v1.0.0" >&2
    {build}
    ;;
esac
"""


@pytest.fixture
def sdk(machine: Machine) -> Path:
    """The SDK in the module cache, which keeps its files without the execute bit."""
    folder = machine.home / "sdk"
    machine.program("pulumi-language-python-exec", "exit 0", folder / "python" / "cmd").chmod(0o444)
    return folder


def fake_go(
    machine: Machine, sdk: Path, version: str = "1.26.6", build: str = 'echo built >"$2"', at: Path | None = None
) -> Path:
    script = FAKE_GO.format(version=version, sdk=sdk, log=machine.home / "log", build=build)
    return machine.program("go", script, at)


def test_a_build_holds_the_cli_and_a_complete_language_host(machine: Machine, sdk: Path, tmp_path: Path) -> None:
    fake_go(machine, sdk)
    staging = tmp_path / "staging"
    staging.mkdir()
    from_source.build(staging)
    programs = ["pulumi", "pulumi-language-python", "pulumi-language-python-exec", "pulumi-language-python-host"]
    assert sorted(file.name for file in staging.iterdir()) == programs
    for script in ("pulumi-language-python", "pulumi-language-python-exec"):
        assert (staging / script).stat().st_mode & 0o111


def test_nothing_may_change_the_committed_digests_or_fetch_another_go(
    machine: Machine, sdk: Path, tmp_path: Path
) -> None:
    fake_go(machine, sdk)
    from_source.build(tmp_path)
    builds = (machine.home / "log").read_text().splitlines()
    assert len(builds) == 2
    assert all("|local|" in build and "-mod=readonly" in build for build in builds)


def test_a_go_that_fails_closes_this_way_and_its_last_words_are_kept(
    machine: Machine, sdk: Path, tmp_path: Path
) -> None:
    fake_go(machine, sdk, build="echo 'go: some/module: 403 Forbidden' >&2; exit 1")
    with pytest.raises(UnavailableError, match="403 Forbidden"):
        from_source.build(tmp_path)


def test_with_a_go_too_old_one_is_fetched_and_leaves_with_its_caches(
    machine: Machine, sdk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOCACHE", raising=False)  # of whoever runs the tests
    old = fake_go(machine, sdk, version="1.19.8")
    monkeypatch.setattr(go_toolchain, "PLACES", (str(old),))
    monkeypatch.setattr(go_toolchain, "from_wheel", lambda folder: fake_go(machine, sdk, at=folder / "go" / "bin"))
    from_source.build(tmp_path)
    cache = (machine.home / "log").read_text().split("|")[0]
    assert cache == str(tmp_path / "scratch" / "cache")
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize(
    ("said", "expected"), [("1.25.11", True), ("1.26", True), ("1.25.10", False), ("1.9.7", False), ("", False)]
)
def test_a_go_is_taken_by_its_version(
    machine: Machine, sdk: Path, monkeypatch: pytest.MonkeyPatch, said: str, expected: bool
) -> None:
    go = fake_go(machine, sdk, version=said)
    monkeypatch.setattr(go_toolchain, "PLACES", ())
    assert go_toolchain.installed() == (go if expected else None)
