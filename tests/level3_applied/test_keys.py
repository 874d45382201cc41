"""Level 3: what the operations key is named by, and that a change of it reaches no server and no call.

One cluster, and one walk through its life: each test goes on with what the last one left.
"""

import shutil
from collections.abc import Iterator

import pytest

from tests.level3_applied.applied import CHECKOUT
from tests.level3_applied.fleet import Fleet
from tests.level3_applied.nodes import opened

PROGRAM = "cloud_init/signaling/operations"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with opened(tmp_path_factory.mktemp("keys")) as nodes:
        stack = nodes.workshop.stack(bridges=2, drain=False, dns="none", zoneId=None)
        yield Fleet(nodes, stack)


def test_without_drains_nobody_is_asked_anything(fleet: Fleet) -> None:
    run = fleet.up()
    assert run.status == 0, run.text
    assert fleet.nodes.asked == []
    assert not [name for _, kind, name in run.steps if kind == "Command"]


def test_drains_can_be_turned_on_later_and_touch_no_server(fleet: Fleet) -> None:
    run = fleet.up(drain=True)
    assert run.status == 0, run.text
    assert _asked(fleet) == [("authorize", "rotation"), ("ready", "operations"), ("ready", "operations")]
    assert {kind for _, kind, _ in run.steps} <= {"Operations", "Command", "Stack", "pulumi"} | {"command"}
    assert run.calls == []


def test_drains_cannot_be_turned_off_again(fleet: Fleet) -> None:
    run = fleet.up(drain=False)
    assert run.status != 0
    assert "drain cannot be turned off while the cluster exists" in run.text
    assert (run.calls, fleet.nodes.asked) == ([], [])


def test_another_operations_key_is_named_by_the_rotation_key_and_nothing_else_happens(fleet: Fleet) -> None:
    (key,) = [urn for urn in _urns(fleet) if urn.endswith("PrivateKey::operations")]
    before = fleet.nodes.operations_keys()
    run = fleet.up("--replace", key, drain=True)
    assert run.status == 0, run.text
    assert _asked(fleet) == [("authorize", "rotation")], "no bridge is asked or drained"
    assert run.calls == []
    assert fleet.nodes.operations_keys() != before
    assert fleet.up().steps == []


def test_another_text_of_the_program_is_brought_by_the_rotation_key_and_nothing_else_happens(fleet: Fleet) -> None:
    """It is not part of user-data: nothing waits for the next generation."""
    copy = fleet.stack.folder / "cloud_init"
    copy.unlink()
    shutil.copytree(CHECKOUT / "cloud_init", copy)
    program = fleet.stack.folder / PROGRAM
    program.write_text(program.read_text() + "ANOTHER_TEXT = True\n")
    run = fleet.up()
    assert run.status == 0, run.text
    assert _asked(fleet) == [("authorize", "rotation")]
    assert fleet.nodes.all("authorize")[0].stdin == program.read_text()
    assert run.calls == []
    assert fleet.stack.outputs()["shards"][0]["waiting"] == []


def test_another_signaling_node_learns_the_key_and_no_drain_is_run(fleet: Fleet) -> None:
    (before,) = {asked.node for asked in fleet.nodes.asked}
    run = fleet.up(generation=2)
    assert run.status == 0, run.text
    assert _asked(fleet) == [("authorize", "rotation")]
    assert fleet.nodes.all("authorize")[0].node != before
    assert run.names("create-replacement", "Server") == ["shard-1"]


def test_later_gates_and_drains_use_the_new_key_at_the_new_node(fleet: Fleet) -> None:
    """The gates keep the connection that they were made with; a replaced bridge must not be asked with that one."""
    before = fleet.bridges()
    run = fleet.up(bridgeType="ccx23")
    assert run.status == 0, run.text
    names = ["bridge-1", "bridge-2"]
    assert (fleet.nodes.names("ready"), fleet.nodes.names("drain")) == (names, names)
    fleet.were_drained_before_they_went(before, names)
    assert {asked.node for asked in fleet.nodes.asked} == {_shard(fleet)}

    before = fleet.bridges()
    run = fleet.up(bridges=1)
    assert run.status == 0, run.text
    fleet.were_drained_before_they_went(before, ["bridge-2"])
    assert fleet.nodes.verbs() == {"drain"}


def _asked(fleet: Fleet) -> list[tuple[str, str]]:
    return [(asked.verb, asked.key) for asked in fleet.nodes.asked]


def _urns(fleet: Fleet) -> list[str]:
    return [resource["urn"] for resource in fleet.stack.state()["deployment"]["resources"]]


def _shard(fleet: Fleet) -> str:
    """The signaling node's server."""
    (instance,) = [instance for instance, name in fleet.servers().items() if name.startswith("shard")]
    return instance
