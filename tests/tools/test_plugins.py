"""Real plugins and doubles: which one the engine gets, and that it is always said."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.tools.conftest import Machine
from tools import packages
from tools.engine import doubles, plugins
from tools.engine.install import Engine
from tools.engine.pin import VERSION, RefusedError
from tools.engine.plugin import Plugin, wanted

HCLOUD = Plugin("hcloud", "1.39.1")
DOWNLOAD = (
    'folder=$PULUMI_HOME/plugins/resource-$4-v$5; /bin/mkdir -p "$folder"; echo real >"$folder/pulumi-resource-$4"'
)


@pytest.fixture
def engine(machine: Machine) -> Engine:
    return Engine(machine.engine(machine.home / "engine", plugin_install=DOWNLOAD).parent, "of the test")


@pytest.fixture(autouse=True)
def only_hcloud_with_a_double(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "wanted", lambda: [HCLOUD])
    monkeypatch.setattr(doubles, "exists", lambda plugin: plugin == HCLOUD)


@pytest.fixture
def folder(machine: Machine) -> Path:
    """Where the engine looks for the plugin."""
    return machine.pulumi_home / "plugins" / HCLOUD.folder


def open_site(release_site: Path) -> None:
    (release_site / f"pulumi-{VERSION}-checksums.txt").write_text(f"{hashlib.sha256().hexdigest()}  any.tar.gz\n")


def test_where_the_site_is_out_of_reach_the_double_is_installed_and_named(
    engine: Engine, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugins.install(engine)
    assert doubles.is_double(folder)
    said = capsys.readouterr().out
    assert "hcloud 1.39.1: double, installed" in said
    assert "could not be downloaded" in said


def test_a_second_run_leaves_the_double_as_it_is(
    engine: Engine, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugins.install(engine)
    before = folder.stat().st_ino
    capsys.readouterr()
    plugins.install(engine)
    assert folder.stat().st_ino == before
    assert "hcloud 1.39.1: double\n" in capsys.readouterr().out


def test_a_plugin_on_path_is_never_shadowed_by_a_double(
    machine: Machine, engine: Engine, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = machine.program(HCLOUD.program, "exit 0")
    plugins.install(engine)
    assert not folder.exists()
    assert f"hcloud 1.39.1: real ({file})" in capsys.readouterr().out


def test_a_plugin_in_the_cache_is_never_shadowed_by_a_double(
    machine: Machine, engine: Engine, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = machine.program(HCLOUD.program, "exit 0", folder)
    before = file.read_bytes()
    plugins.install(engine)
    assert file.read_bytes() == before
    assert not doubles.is_double(folder)
    assert "hcloud 1.39.1: real" in capsys.readouterr().out


def test_a_double_is_refused_over_a_folder_that_is_neither(machine: Machine, engine: Engine, folder: Path) -> None:
    machine.program("something", "exit 0", folder)
    with pytest.raises(RefusedError, match="neither the plugin nor its double"):
        plugins.install(engine)


def test_what_an_interrupted_download_left_is_not_taken_for_the_plugin(
    machine: Machine, engine: Engine, folder: Path
) -> None:
    machine.program(HCLOUD.program, "half", folder)
    folder.with_name(f"{HCLOUD.folder}.partial").touch()
    plugins.install(engine)
    assert doubles.is_double(folder)
    assert not folder.with_name(f"{HCLOUD.folder}.partial").exists()


def test_the_real_plugin_is_downloaded_where_the_site_answers(
    engine: Engine, folder: Path, release_site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_site(release_site)
    plugins.install(engine)
    assert (folder / HCLOUD.program).read_text() == "real\n"
    assert "hcloud 1.39.1: real" in capsys.readouterr().out


def test_the_real_plugin_replaces_the_double_when_the_site_answers_again(
    engine: Engine, folder: Path, release_site: Path
) -> None:
    plugins.install(engine)
    assert doubles.is_double(folder)
    open_site(release_site)
    plugins.install(engine)
    assert not doubles.is_double(folder)
    assert (folder / HCLOUD.program).read_text() == "real\n"
    assert sorted(file.name for file in folder.parent.iterdir()) == [".jitsi-fleet.lock", HCLOUD.folder]


def test_a_download_that_fails_keeps_the_double_and_says_why(
    machine: Machine, folder: Path, release_site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_site(release_site)
    pulumi = machine.engine(machine.home / "engine", plugin_install="echo 'error: no such plugin' >&2; exit 1")
    plugins.install(Engine(pulumi.parent, "of the test"))
    assert doubles.is_double(folder)
    assert "hcloud 1.39.1: error: no such plugin" in capsys.readouterr().out


def test_the_double_runs_the_module_of_its_checkout_also_from_a_strange_folder(
    machine: Machine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    checkout = machine.home / 'it\'s a "check out" of $HOME'
    machine.program("python", 'echo "$PYTHONPATH|$*"', checkout / ".venv" / "bin")
    (checkout / "local_cloud" / "plugins").mkdir(parents=True)
    doubles.place(HCLOUD, folder.parent, checkout)
    said = subprocess.run([folder / HCLOUD.program, "-v=3", "127.0.0.1:1"], check=True, capture_output=True, text=True)
    assert said.stdout.strip() == f"{checkout}|-m local_cloud.plugins.hcloud -v=3 127.0.0.1:1"


def test_a_double_whose_checkout_has_gone_says_so(machine: Machine, folder: Path) -> None:
    doubles.place(HCLOUD, folder.parent, machine.home / "gone")
    said = subprocess.run([folder / HCLOUD.program], capture_output=True, text=True)
    assert said.returncode == 1
    assert f"the double of jitsi-fleet, and its checkout {machine.home / 'gone'} has gone" in said.stderr


def test_a_double_names_itself_in_its_folder_and_in_its_first_lines(folder: Path) -> None:
    doubles.place(HCLOUD, folder.parent)
    assert "a double of the Pulumi plugin hcloud 1.39.1" in (folder / doubles.MARK).read_text()
    assert "A double of the Pulumi plugin hcloud 1.39.1" in (folder / HCLOUD.program).read_text().splitlines()[1]


def test_the_double_of_another_checkout_is_replaced_by_this_ones(machine: Machine, folder: Path) -> None:
    doubles.place(HCLOUD, folder.parent, machine.home / "other")
    assert doubles.place(HCLOUD, folder.parent, machine.home / "this")
    assert str(machine.home / "this") in (folder / HCLOUD.program).read_text()


def test_the_engine_asks_for_the_five_plugins_of_the_program_by_the_versions_that_are_pinned() -> None:
    versions = {"cloudflare": "6.17.0", "command": "1.2.1", "hcloud": "1.39.1", "random": "4.21.1", "tls": "5.5.1"}
    assert {plugin.name: plugin.version for plugin in wanted()} == versions
    layer = packages.library(packages.CHECKOUT / ".venv-aws")
    assert {plugin.name: plugin.version for plugin in wanted(layer)} == versions | {"aws": "7.51.1"}
