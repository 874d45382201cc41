"""Level 3: a bridge that does not carry calls stops what would have come after it, and nothing else.

One cluster, and one walk through its life: each test goes on with what the last one left.
"""

from collections.abc import Iterator

import pytest

from tests.level3_applied.applied import Run
from tests.level3_applied.fleet import Fleet
from tests.level3_applied.node import Answer
from tests.level3_applied.nodes import opened

REFUSED = Answer(status=1, line="the bridge has not joined the brewery within 900 seconds; last seen: no answer")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with opened(tmp_path_factory.mktemp("gates")) as nodes:
        fleet = Fleet(nodes, nodes.workshop.stack(bridges=2, drain=True))
        run = fleet.up()
        assert run.status == 0, run.text
        yield fleet


def test_a_new_bridge_that_never_gets_ready_leaves_the_old_one_as_it_was(fleet: Fleet) -> None:
    """No drain, no deletion, no name that moves; and the next up goes on to the end."""
    before, servers, records = fleet.bridges(), fleet.servers(), fleet.records()
    failed = fleet.up(answers={("ready", "bridge-1"): REFUSED}, bridgeType="ccx23")
    assert failed.status != 0, failed.text
    assert REFUSED.line in failed.text
    assert fleet.nodes.all("drain") == []
    assert servers.items() <= fleet.servers().items(), "every server that was there is there"
    own = {key: value for key, value in records.items() if key[0].startswith("bridge-1.")}
    assert len(own) == 3
    assert own.items() <= fleet.records().items(), "its names lead to the old one"

    run = fleet.up()
    assert run.status == 0, run.text
    assert "bridge-1" in fleet.nodes.names("ready"), "it is asked again"
    assert fleet.nodes.names("drain") == ["bridge-1", "bridge-2"]
    fleet.were_drained_before_they_went(before, ["bridge-1", "bridge-2"])
    assert fleet.up().steps == []


def test_a_bridge_too_many_that_never_gets_ready_leaves_all_others_alone(fleet: Fleet) -> None:
    before = fleet.bridges()
    failed = fleet.up(answers={("ready", "bridge-3"): REFUSED}, bridges=3)
    assert failed.status != 0, failed.text
    assert (fleet.nodes.names("ready"), fleet.nodes.verbs()) == (["bridge-3"], {"ready"})
    assert not [call for call in failed.calls if call.method == "DELETE"]

    run = fleet.up()
    assert run.status == 0, run.text
    assert (fleet.nodes.names("ready"), fleet.nodes.verbs()) == (["bridge-3"], {"ready"})
    assert before.items() <= fleet.bridges().items()


def test_a_half_made_server_is_found_out_by_the_gate(fleet: Fleet) -> None:
    """The engine keeps a server whose creation ended in an error, and takes it for a good one from then on."""
    fault = {"action_error": {"code": "action_failed", "message": "on purpose"}}
    fleet.stack.workshop.fault("POST", "/servers$", fault, nth=1)
    failed = fleet.up(bridges=4)
    assert failed.status != 0
    assert fleet.nodes.asked == []
    half = fleet.bridges()["bridge-4"]

    refused = fleet.up(answers={("ready", "bridge-4"): REFUSED})
    assert refused.status != 0, refused.text
    assert fleet.nodes.one("ready", "bridge-4").instance == half
    assert ("bridge-4.internal.test.fleet.test", "A") not in fleet.records(), "nobody is sent to it"


def test_a_server_removed_by_hand_is_made_again_and_what_it_was_is_no_obstacle(fleet: Fleet) -> None:
    """The way out of the half-made one. Its drain is asked for; the host that is asked finds that it is gone."""
    before = fleet.bridges()
    fleet.stack.workshop.delete_server("bridge-4")
    assert fleet.stack.refresh().status == 0
    run = fleet.up()
    assert run.status == 0, run.text
    assert (fleet.nodes.names("ready"), fleet.nodes.names("drain")) == (["bridge-4"], ["bridge-4"])
    assert fleet.nodes.one("drain", "bridge-4").instance == before["bridge-4"]
    assert fleet.nodes.one("ready", "bridge-4").instance == fleet.bridges()["bridge-4"] != before["bridge-4"]
    _leaves_alone(run, ["bridge-1", "bridge-2", "bridge-3"])
    assert fleet.up().steps == []


def test_a_bridge_that_is_kept_after_all_is_asked_whether_it_is_ready(fleet: Fleet) -> None:
    """Its drain broke off, or could not be asked for; then somebody wants it to stay. Its flag may still be on."""
    before = fleet.bridges()
    broken = fleet.up(answers={("drain", "bridge-4"): Answer(seconds=2, drop=True)}, bridges=3)
    assert (broken.status != 0, fleet.bridges()) == (True, before), broken.text
    run = fleet.up(bridges=4)
    assert run.status == 0, run.text
    assert [(asked.verb, asked.instance) for asked in fleet.nodes.asked] == [("ready", before["bridge-4"])]
    assert fleet.bridges() == before


def _leaves_alone(run: Run, names: list[str]) -> None:
    assert not {name for _, kind, name in run.steps if kind == "Server"} & set(names)
