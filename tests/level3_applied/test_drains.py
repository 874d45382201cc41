"""Level 3: no server of a bridge goes before its drain has ended, whatever happens meanwhile.

One cluster, and one walk through its life: each test goes on with what the last one left.
"""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.level3_applied.fleet import Fleet
from tests.level3_applied.node import Answer
from tests.level3_applied.nodes import VERSION, opened

LATER = 3.0
"""Seconds that others must overlap with."""
READY = f"bridge-2 is ready: version {VERSION}"
REMOVES = r"/(Terminate|Delete|Release|Disassociate|Detach|Revoke).*"
"""EC2's calls that take something away."""
OWN_NAMES = 4
"""Records of one bridge."""


ONE_CLOUD = pytest.mark.parametrize("where", ["hetzner"], indirect=True, scope="module")  # the engine's affair


@pytest.fixture(scope="module")
def fleet(where: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with opened(tmp_path_factory.mktemp("drains"), where) as nodes:
        stack = nodes.workshop.stack(bridges=6, drain=True)
        stack.configure(locations=list(nodes.workshop.machines.words.locations))
        yield Fleet(nodes, stack)


def test_a_first_up_names_the_key_and_asks_each_bridge_once_whether_it_is_ready(fleet: Fleet) -> None:
    run = fleet.up()
    assert run.status == 0, run.text
    (named,) = fleet.nodes.all("authorize")
    assert (fleet.nodes.asked[0], named.key) == (named, "rotation")
    asked = fleet.nodes.all("ready")
    assert {gate.name: gate.instance for gate in asked} == fleet.bridges()
    assert {gate.key for gate in asked} == {"operations"}
    assert fleet.nodes.all("drain") == []
    versions = {bridge["version"] for bridge in fleet.stack.outputs()["bridges"]}
    assert versions == {VERSION}, "what the gate's last line says is in the outputs"


def test_an_up_without_a_change_asks_nobody(fleet: Fleet) -> None:
    run = fleet.up()
    assert (run.status, run.steps, fleet.nodes.asked) == (0, [], []), run.text
    assert set(run.kinds()) == fleet.stack.workshop.machines.words.look_ups


def test_bridges_that_go_are_drained_side_by_side_before_their_servers_go(fleet: Fleet) -> None:
    """The limits are changed by the same run: what goes then is drained with the old ones, which are in the state."""
    before = fleet.bridges()
    fleet.nodes.forget()
    for name in ("bridge-5", "bridge-6"):
        fleet.nodes.answer("drain", name, Answer(seconds=LATER, line=f"{name} is drained"))
    fleet.stack.configure(bridges=4, drainMinutes=3, drainAtOnce=7)
    run = fleet.stack.up()
    assert run.status == 0, run.text
    assert (fleet.nodes.names("drain"), fleet.nodes.verbs()) == (["bridge-5", "bridge-6"], {"drain"})
    drains = fleet.nodes.all("drain")
    assert max(drain.began for drain in drains) < min(drain.ended for drain in drains), "one waited for the other"
    fleet.were_drained_before_they_went(before, ["bridge-5", "bridge-6"])
    assert [drain.limits for drain in drains] == [["10", "20"]] * 2
    assert "bridge-5 is drained" in run.text, "who types pulumi up sees what a drain says"


@ONE_CLOUD
def test_later_drains_carry_the_new_limits(fleet: Fleet) -> None:
    """Of the bridges that stayed none was asked when the limits changed (the test above)."""
    before = fleet.bridges()
    run = fleet.up(bridges=3)
    assert run.status == 0, run.text
    assert fleet.nodes.one("drain", "bridge-4").limits == ["3", "7"]
    fleet.were_drained_before_they_went(before, ["bridge-4"])


def test_a_bridge_is_replaced_new_first_then_asked_then_named_then_the_old_one_is_drained(fleet: Fleet) -> None:
    before = fleet.bridges()
    so_far = fleet.nodes.last_call()
    names = ["bridge-1", "bridge-2", "bridge-3"]
    run = fleet.up(
        answers={("ready", "bridge-2"): Answer(seconds=LATER, line=READY)},
        bridgeType=fleet.stack.workshop.machines.words.types[0],
    )
    assert run.status == 0, run.text
    after = fleet.bridges()
    assert (fleet.nodes.names("ready"), fleet.nodes.names("drain")) == (names, names)
    made = [call for call in fleet.made() if call > so_far]
    gates, drains = fleet.nodes.all("ready"), fleet.nodes.all("drain")
    assert len(made) == len(names)
    assert max(gate.ended for gate in gates) < min(drain.began for drain in drains)
    for name in names:
        gate, drain = fleet.nodes.one("ready", name), fleet.nodes.one("drain", name)
        assert (gate.instance, drain.instance) == (after[name], before[name])
        moved = [call for call in _changed(fleet, name) if call > so_far]
        assert len(moved) == 3, "two public addresses and the private one"
        assert gate.last_call < min(moved), "no name moves to a bridge that is not ready"
        assert max(moved) <= drain.first_call, "names move before the old bridge is drained"
    fleet.were_drained_before_they_went(before, names)


@ONE_CLOUD
def test_a_drain_that_cannot_be_asked_for_fails_the_up_and_the_next_one_goes_on(fleet: Fleet) -> None:
    """First the connection breaks off during the drain, then the node is down; then all is well again."""
    before = fleet.bridges()
    fleet.nodes.forget()
    fleet.nodes.answer("drain", "bridge-3", Answer(drop=True))
    fleet.stack.configure(bridges=2)
    broken = fleet.stack.up()
    assert broken.status != 0, broken.text
    assert fleet.nodes.names("drain") == ["bridge-3"]
    assert fleet.bridges() == before, "its server stays, and so do the others"

    fleet.nodes.away = True
    down = fleet.up()
    fleet.nodes.away = False
    assert down.status != 0
    assert "connection refused" in down.text
    assert (fleet.nodes.asked, fleet.bridges()) == ([], before)

    well = fleet.up()
    assert well.status == 0, well.text
    assert (fleet.nodes.names("drain"), fleet.nodes.verbs()) == (["bridge-3"], {"drain"})
    fleet.were_drained_before_they_went(before, ["bridge-3"])
    assert sorted(fleet.bridges()) == ["bridge-1", "bridge-2"]


@ONE_CLOUD
def test_an_engine_killed_during_a_drain_drains_again_before_the_server_goes(fleet: Fleet) -> None:
    before = fleet.bridges()
    fleet.nodes.forget()
    fleet.nodes.answer("drain", "bridge-2", Answer(seconds=60))
    fleet.stack.configure(bridges=1)
    process = fleet.stack.start("up", "--yes", "--skip-preview")
    deadline = time.monotonic() + 60
    while not fleet.nodes.all("drain") and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert (fleet.nodes.names("drain"), fleet.bridges()) == (["bridge-2"], before)

    fleet.stack.recover()
    run = fleet.up()
    assert run.status == 0, run.text
    assert (fleet.nodes.names("drain"), fleet.nodes.verbs()) == (["bridge-2"], {"drain"})
    fleet.were_drained_before_they_went(before, ["bridge-2"])


def test_destroy_drains_while_everything_is_still_there(fleet: Fleet) -> None:
    """The node's names stand, too: bridges that look for it again while they are drained must find it."""
    fleet.nodes.forget()
    bridges = sorted(fleet.bridges())
    for name in bridges:
        fleet.nodes.answer("drain", name, Answer(seconds=2))
    so_far = fleet.nodes.last_call()
    run = fleet.stack.destroy()
    assert run.status == 0, run.text
    assert fleet.nodes.names("drain") == bridges
    first_over = min(drain.last_call for drain in fleet.nodes.all("drain"))
    deletions = fleet.nodes.calls("DELETE", ".*") + fleet.nodes.calls("POST", REMOVES)
    early = [call for call in deletions if so_far < call <= first_over]
    names = fleet.nodes.calls("DELETE", "/zones/.*")
    assert (set(early) <= set(names), len(early) <= OWN_NAMES * len(bridges)) == (True, True), "only their names may go"
    assert fleet.stack.workshop.left() == []


def _changed(fleet: Fleet, host: str) -> list[int]:
    return fleet.record_calls("PUT", host) + fleet.record_calls("PATCH", host)
