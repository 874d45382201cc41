"""The closed environment for tests of level 3: nothing of the user's gets in, every plugin is there."""

from pathlib import Path

import pytest

from tests.tools.conftest import Machine
from tools.engine import doubles, environment
from tools.engine.pin import VERSION, RefusedError
from tools.engine.plugin import Plugin

HCLOUD, TLS, AWS = Plugin("hcloud", "1.39.1"), Plugin("tls", "5.5.1"), Plugin("aws", "7.51.1")


@pytest.fixture(autouse=True)
def two_plugins(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.engine(machine.bin)
    monkeypatch.setattr(environment, "wanted", lambda *layers: [HCLOUD, TLS, *([AWS] if layers else [])])
    monkeypatch.setattr(doubles, "exists", lambda plugin: plugin in (HCLOUD, TLS, AWS))


def test_nothing_of_the_users_pulumi_gets_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PULUMI_ACCESS_TOKEN", "PULUMI_STACK", "HCLOUD_TOKEN", "CLOUDFLARE_API_TOKEN", "AWS_PROFILE"):
        monkeypatch.setenv(name, "the user's own")
    closed = environment.hermetic(tmp_path / "closed", "file:///state")
    assert "the user's own" not in closed.values()
    assert closed["PULUMI_BACKEND_URL"] == "file:///state"
    assert {closed["HOME"], closed["PULUMI_HOME"]} == {str(tmp_path / "closed"), str(tmp_path / "closed" / ".pulumi")}


def test_two_environments_have_passphrases_of_their_own(tmp_path: Path) -> None:
    one, two = (environment.hermetic(tmp_path / name, "file:///state") for name in ("one", "two"))
    assert one["PULUMI_CONFIG_PASSPHRASE"] != two["PULUMI_CONFIG_PASSPHRASE"]


def test_the_machines_real_plugin_is_linked_and_the_double_stands_in_for_the_other(
    machine: Machine, tmp_path: Path
) -> None:
    real = machine.pulumi_home / "plugins" / HCLOUD.folder
    machine.program(HCLOUD.program, "exit 0", real)
    environment.hermetic(tmp_path / "closed", "file:///state")
    found = tmp_path / "closed" / ".pulumi" / "plugins"
    assert (found / HCLOUD.folder).readlink() == real
    assert doubles.is_double(found / TLS.folder)


@pytest.mark.parametrize("aws", [False, True])
def test_the_plugin_of_aws_is_there_for_who_asks_for_it(tmp_path: Path, aws: bool) -> None:
    environment.hermetic(tmp_path / "closed", "file:///state", aws=aws)
    assert (tmp_path / "closed" / ".pulumi" / "plugins" / AWS.folder).exists() == aws


def test_with_only_doubles_a_real_plugin_is_not_used(machine: Machine, tmp_path: Path) -> None:
    machine.program(HCLOUD.program, "exit 0", machine.pulumi_home / "plugins" / HCLOUD.folder)
    machine.program(TLS.program, "exit 0")
    closed = environment.hermetic(tmp_path / "closed", "file:///state", only_doubles=True)
    found = tmp_path / "closed" / ".pulumi" / "plugins"
    assert all(doubles.is_double(found / plugin.folder) for plugin in (HCLOUD, TLS))
    assert closed["PULUMI_IGNORE_AMBIENT_PLUGINS"] == "1"


def test_a_double_that_another_checkout_installed_is_not_used(machine: Machine, tmp_path: Path) -> None:
    doubles.place(HCLOUD, machine.pulumi_home / "plugins", machine.home / "other")
    environment.hermetic(tmp_path / "closed", "file:///state")
    script = tmp_path / "closed" / ".pulumi" / "plugins" / HCLOUD.folder / HCLOUD.program
    assert str(machine.home / "other") not in script.read_text()


def test_without_an_engine_the_message_names_the_command_that_installs_it(machine: Machine, tmp_path: Path) -> None:
    (machine.bin / "pulumi").unlink()
    with pytest.raises(RefusedError, match=f"Pulumi {VERSION} is not installed; `make test`"):
        environment.hermetic(tmp_path / "closed", "file:///state")
