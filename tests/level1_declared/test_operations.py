"""Level 1: what the program asks of hosts, whom it asks, and when. Whether hosts do it, other levels show."""

import hashlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from importlib.machinery import SourceFileLoader
from typing import Any

import pulumi
import pytest

from components.operations import PROGRAM
from tests.level1_declared.recording import Declared, Resource, declare


@cache
def declared() -> Declared:
    return declare({"drainMinutes": 30, "drainAtOnce": 7, "adminCidrs": ["198.51.100.0/24", "2001:db8::/64"]})


def drains() -> list[Resource]:
    return [command for command in declared().all("Command") if command.name.endswith("-drain")]


def gates() -> list[Resource]:
    return [command for command in declared().all("Command") if command.name.endswith("-ready")]


def key() -> Resource:
    return declared().one("Command", "operations-key")


def understood() -> Callable[[str], Any]:
    """How the program on the signaling node reads what it is asked for: None if it refuses."""
    loader = SourceFileLoader("operations_program", str(PROGRAM))
    spec = importlib.util.spec_from_loader("operations_program", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    understand: Callable[[str], Any] = module.understood
    return understand


def test_every_bridge_has_a_drain_and_a_gate_and_no_other_server_has() -> None:
    bridges = [server.name for server in declared().all("Server") if server.name.startswith("bridge")]
    assert [drain.name for drain in drains()] == [f"{bridge}-drain" for bridge in bridges]
    assert [gate.name for gate in gates()] == [f"{bridge}-ready" for bridge in bridges]
    assert len(declared().all("Command")) == 2 * len(bridges) + 1


def test_a_drain_runs_at_a_deletion_only_and_a_gate_at_a_creation_only() -> None:
    for drain in drains():
        assert not {"create", "update"} & drain.inputs.keys()
    for gate in [*gates(), key()]:
        assert not {"delete", "update"} & gate.inputs.keys()


def test_the_texts_are_the_ones_that_the_node_understands() -> None:
    bridge = declared().one("Server", "bridge-2")
    identity = f"10.80.32.2 {_id(bridge)}"
    texts = [drains()[1].inputs["delete"], gates()[1].inputs["create"]]
    assert texts == [f"drain bridge-2 {identity} 30 7", f"ready bridge-2 {identity} 900"]
    understand = understood()
    assert understand("drain bridge-2") is None, "the control: it refuses what it does not know"
    assert all(understand(text) for text in texts)


def test_a_drain_comes_before_the_end_of_its_server_and_of_the_names_that_lead_to_the_shard() -> None:
    """The engine deletes in the reverse order of what depends on what."""
    stand = {declared().one(kind, "bridge-1").urn for kind in ("Server", "ServerNetwork")}
    stand |= {record.urn for record in declared().all("DnsRecord") if not record.name.startswith("bridge")}
    stand |= {declared().one("Server", "shard-1").urn}
    assert stand <= set(drains()[0].options.dependencies)
    assert len(stand) > 8


def test_a_drain_does_not_wait_for_the_signaling_node_to_take_commands() -> None:
    """It is in the state as soon as its server is: a bridge whose gate never opened can go again."""
    assert {key().urn, gates()[0].urn}.isdisjoint(drains()[0].options.dependencies)


def test_no_drain_is_skipped_because_its_server_goes() -> None:
    assert [drain.options.deletedWith for drain in drains()] == [""] * len(drains())


def test_a_drain_and_a_gate_belong_to_one_server_and_not_to_its_successor() -> None:
    for number, (drain, gate) in enumerate(zip(drains(), gates(), strict=True), 1):
        instance = _id(declared().one("Server", f"bridge-{number}"))
        assert drain.inputs["triggers"] == gate.inputs["triggers"] == [instance]


def test_a_gate_is_asked_once_in_a_bridge_s_life_whatever_becomes_of_the_key() -> None:
    assert {tuple(gate.options.ignoreChanges) for gate in gates()} == {("connection", "create")}
    assert {tuple(drain.options.ignoreChanges) for drain in drains()} == {()}, "a drain needs the key of today"


def test_a_gate_waits_until_the_node_knows_the_key() -> None:
    assert all(key().urn in gate.options.dependencies for gate in gates())


def test_a_bridge_s_public_names_wait_for_its_gate() -> None:
    for record in ("bridge-1-a", "bridge-1-aaaa", "bridge-1-internal"):
        assert gates()[0].urn in declared().one("DnsRecord", record).options.dependencies
    assert gates()[0].urn not in declared().one("DnsRecord", "bridge-2-a").options.dependencies


def test_only_the_signaling_node_is_ever_connected_to_and_by_its_own_host_key() -> None:
    connections = [command.inputs["connection"] for command in declared().all("Command")]
    assert {(each["host"], each["user"]) for each in connections} == {("203.0.113.201", "operations")}
    assert {each["hostKey"] for each in connections} == {"ssh-ed25519 signaling-host"}
    assert not any("proxy" in each for each in connections)


def test_drains_and_gates_use_the_operations_key_which_the_rotation_key_names() -> None:
    keys = {command.name: command.inputs["connection"]["privateKey"] for command in declared().all("Command")}
    assert keys.pop("operations-key") == "openssh private key of rotation"
    assert set(keys.values()) == {"openssh private key of operations"}
    digest = hashlib.sha256(PROGRAM.read_bytes()).hexdigest()
    named = f"authorize 198.51.100.0/24,2001:db8::/64 ssh-ed25519 operations {digest}"
    assert key().inputs["create"] == named
    assert key().inputs["stdin"] == PROGRAM.read_text()


def test_another_node_another_key_other_sources_and_another_program_are_each_told_to_the_node(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    shard, operations, sources, program = key().inputs["triggers"]
    assert shard == _id(declared().one("Server", "shard-1"))
    assert (operations, sources) == ("ssh-ed25519 operations", "198.51.100.0/24,2001:db8::/64")
    changed = tmp_path / "operations"
    changed.write_text(PROGRAM.read_text() + "# changed\n")
    monkeypatch.setattr("components.operations.PROGRAM", changed)
    assert declare().one("Command", "operations-key").inputs["triggers"][3] != program


def test_dialling_is_patient_for_what_comes_and_bounded_for_what_goes() -> None:
    """A deletion has no time-out of its own (recorded)."""
    assert {drain.inputs["connection"]["dialErrorLimit"] for drain in drains()} == {10}
    for command in [*gates(), key()]:
        assert command.inputs["connection"]["dialErrorLimit"] == -1
        assert command.options.customTimeouts.create == "20m"


def test_no_command_gets_the_output_of_its_last_run_in_its_environment() -> None:
    """SSH would refuse the variable, and the plugin would report a warning with every command."""
    assert {command.inputs["addPreviousOutputInEnv"] for command in declared().all("Command")} == {False}


def test_the_version_that_a_bridge_gave_at_its_gate_is_an_output() -> None:
    assert [bridge["version"] for bridge in declared().outputs["bridges"]] == ["2.3.1-g0"] * 2


def test_without_drains_nothing_is_asked_of_any_host() -> None:
    without = declare({"drain": False})
    assert without.all("Command") == without.all("Operations") == []
    assert without.outputs["drain"] is without.outputs["cluster"]["drain"] is False
    assert {bridge["version"] for bridge in without.outputs["bridges"]} == {""}


def test_drains_cannot_be_turned_off_once_they_are_in_the_stack() -> None:
    """To take a drain out of the stack is to drain."""
    with pytest.raises(pulumi.RunError, match=r"drain cannot be turned off .*config set drain true.*drainMinutes to 0"):
        declare({"drain": False}, before=declared().outputs)


@pytest.mark.parametrize("before", [{}, {"drain": False}])
def test_drains_may_be_turned_on_and_off_where_there_are_none(before: dict[str, Any]) -> None:
    assert len(declare({"drain": True}, before=before).all("Command")) == 5
    assert declare({"drain": False}, before=before).all("Command") == []


def test_the_program_for_the_node_is_a_script_that_needs_no_package() -> None:
    """By the Python that runs this test, without its packages."""
    asked = {"SSH_ORIGINAL_COMMAND": "rm -rf /", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-I", "-S", PROGRAM], env=asked, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert all(verb in done.stderr for verb in ("ready", "drain", "forecast", "status"))


def _id(resource: Resource) -> str:
    """As the recording engine gave it: what other resources were told."""
    (leg,) = [leg for leg in declared().all("ServerNetwork") if leg.name == resource.name]
    return str(int(leg.inputs["serverId"]))
