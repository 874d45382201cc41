"""Level 3: a change of what bridges are made of reaches a large pool a few at a time, and calls always have room.

Eight bridges in two locations; then one location is given up and the type is another one, three bridges at once. One
walk: each test goes on with what the last one left.
"""

from collections.abc import Iterator

import pytest

from tests.level3_applied.applied import Run
from tests.level3_applied.fleet import Fleet
from tests.level3_applied.node import Answer
from tests.level3_applied.nodes import opened

POOL = 8
BATCHES = [[f"bridge-{number}" for number in range(first, min(first + 3, POOL + 1))] for first in (1, 4, 7)]
REFUSED = Answer(status=1, line="the bridge is not healthy; last seen: 503")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with opened(tmp_path_factory.mktemp("batches")) as nodes:
        stack = nodes.workshop.stack(bridges=POOL, replaceAtOnce=3, dns="none", zoneId=None, drain=True)
        fleet = Fleet(nodes, stack)
        stack.configure(locations=["fsn1", "nbg1"])
        run = fleet.up()
        assert run.status == 0, run.text
        fleet.stack.configure(locations=["fsn1"], bridgeType="ccx23")
        yield fleet


def test_a_run_replaces_three_and_says_which_ones_wait(fleet: Fleet) -> None:
    run = fleet.up()
    _replaced(fleet, run, BATCHES[0])
    waiting = [name for batch in BATCHES[1:] for name in batch]
    assert _waiting(fleet) == waiting
    assert f"Run pulumi up again for {', '.join(waiting)}" in run.text


def test_a_batch_that_failed_goes_on_with_the_same_bridges(fleet: Fleet) -> None:
    failed = fleet.up(answers={("ready", "bridge-5"): REFUSED})
    assert failed.status != 0
    assert fleet.nodes.all("drain") == []
    assert POOL <= _servers(fleet) <= POOL + 3
    run = fleet.up()
    assert run.status == 0, run.text
    assert fleet.nodes.names("drain") == BATCHES[1]
    assert "bridge-5" in fleet.nodes.names("ready")
    assert set(fleet.nodes.names("ready")) <= set(BATCHES[1])
    _never_below_the_pool(fleet)


def test_a_location_that_is_given_up_keeps_its_group_until_its_last_bridge_has_gone(fleet: Fleet) -> None:
    assert "bridge-nbg1-1" in _groups(fleet), "bridge 8 is still there"
    run = fleet.up()
    _replaced(fleet, run, BATCHES[2])
    assert _groups(fleet) == ["bridge-fsn1-1", "bridge-fsn1-2", "signaling-1"]
    assert {server.location for server in fleet.stack.workshop.machines.all()} == {"fsn1"}
    assert _waiting(fleet) == []
    assert "Run pulumi up again" not in run.text


def test_as_many_runs_as_batches_have_brought_the_change_to_all(fleet: Fleet) -> None:
    run = fleet.up()
    assert (run.status, run.steps, run.calls, fleet.nodes.asked) == (0, [], [], []), run.text


def test_bridges_of_several_placement_groups_are_drained_side_by_side(fleet: Fleet) -> None:
    """Bridges 6 to 8 are alone in their group, which goes with them; the group of 5 stays."""
    fleet.nodes.forget()
    for number in range(5, POOL + 1):
        fleet.nodes.answer("drain", f"bridge-{number}", Answer(seconds=2))
    fleet.stack.configure(bridges=4)
    run = fleet.stack.up("--parallel", "64")
    drains = fleet.nodes.all("drain")
    if run.status or len(drains) != 4:
        raise RuntimeError(f"nothing is shown by {len(drains)} drains: {run.text}")
    assert max(drain.began for drain in drains) < min(drain.ended for drain in drains)


def _replaced(fleet: Fleet, run: Run, names: list[str]) -> None:
    assert run.status == 0, run.text
    names = sorted(names)
    assert run.names("create-replacement", "Server") == names
    assert (fleet.nodes.names("ready"), fleet.nodes.names("drain")) == (names, names)
    _never_below_the_pool(fleet)


def _never_below_the_pool(fleet: Fleet) -> None:
    """No drain began before all new bridges of the batch carried calls; and the cloud's log says how many there were.

    Counted from the first call on: servers that were made and not yet deleted.
    """
    gates, drains = fleet.nodes.all("ready"), fleet.nodes.all("drain")
    assert max(gate.ended for gate in gates) < min(drain.began for drain in drains)
    there, seen = 0, []
    for call in fleet.stack.workshop.cloud.admin.log():
        if (call["method"], call["path"], call["status"]) == ("POST", "/servers", 201):
            there += 1
        elif call["method"] == "DELETE" and call["path"].startswith("/servers/"):
            there -= 1
            seen.append(there)
    # The signaling node is one of them.
    assert min(seen) == POOL + 1
    assert max(seen) < POOL + 1 + 3
    assert _servers(fleet) == POOL


def _servers(fleet: Fleet) -> int:
    """Bridges' servers now."""
    return len([name for name in fleet.servers().values() if name.startswith("bridge")])


def _waiting(fleet: Fleet) -> list[str]:
    return [bridge["name"] for bridge in fleet.stack.outputs()["bridges"] if bridge["waiting"]]


def _groups(fleet: Fleet) -> list[str]:
    return fleet.stack.workshop.machines.groups()
