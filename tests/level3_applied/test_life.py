"""Level 3: up, no change, resize, replacement, drift, destroy, seen in the engine's steps and the clouds' calls.

An up from nothing takes seconds: the tests after the first share one stack, which each leaves as its settings want it.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from math import ceil
from pathlib import Path

import pytest

from tests.level3_applied.applied import Stack, Workshop
from tests.level3_applied.machines import kinds
from tests.versions import VERSIONS

# With seven bridges in two locations instead of one: groups of five, and of three.
REGROUPED = {"hetzner": ["bridge-7"], "aws": ["bridge-5", "bridge-7"]}


@pytest.fixture(scope="module")
def stack(where: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with closing(Workshop.open(tmp_path_factory.mktemp("shared"), where)) as workshop:
        stack = workshop.stack(bridges=2)
        up = stack.up()
        assert up.status == 0, up.text
        yield stack


def test_the_life_of_a_cluster(where: str, tmp_path: Path) -> None:
    """One stack through its life; the steps build on each other, so they are one test."""
    with closing(Workshop.open(tmp_path, where)) as workshop:
        _lives(workshop)


def _lives(workshop: Workshop) -> None:
    stack, words = workshop.stack(bridges=2), workshop.machines.words

    up = stack.up()
    assert up.status == 0, up.text
    assert up.names("create", words.server) == ["bridge-1", "bridge-2", "shard-1"]
    assert set(up.changed()) == {"create"}

    again = stack.up()
    assert (again.status, again.steps) == (0, []), again.text
    assert set(again.kinds()) == words.look_ups

    stack.configure(bridges=8)
    grown = stack.up()
    assert grown.status == 0, grown.text
    assert set(grown.changed()) == {"create"}, "a resize updates and deletes nothing"
    assert grown.names("create", words.server) == [f"bridge-{number}" for number in range(3, 9)]
    groups = {"PlacementGroup": ceil(8 / words.per_group) - ceil(2 / words.per_group)}
    assert kinds(grown.steps) == {kind: 6 * count for kind, count in words.per_bridge.items()} | groups

    stack.configure(bridges=3)
    shrunk = stack.up()
    assert shrunk.status == 0, shrunk.text
    assert set(shrunk.changed()) == {"delete"}, "a resize updates and creates nothing"
    assert shrunk.names("delete", words.server) == [f"bridge-{number}" for number in range(4, 9)]
    groups = {"PlacementGroup": ceil(8 / words.per_group) - ceil(3 / words.per_group)}
    assert kinds(shrunk.steps) == {kind: 5 * count for kind, count in words.per_bridge.items()} | groups

    destroyed = stack.destroy()
    assert destroyed.status == 0, destroyed.text
    assert workshop.left() == [], "destroy leaves an empty cloud"


def test_secrets_are_encrypted_in_the_state_and_hidden_in_the_output(stack: Stack) -> None:
    assert stack.pulumi("stack", "output", "operationsKey", check=True).stdout.strip() == "[secret]"
    shown = stack.pulumi("stack", "output", "operationsKey", "--show-secrets", check=True).stdout
    assert shown.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    state = "".join(path.read_text() for path in stack.workshop.folder.glob("state/**/*.json"))
    assert "PRIVATE KEY" not in state
    assert "#cloud-config" not in state, "user-data holds passwords"


def test_a_change_of_who_may_reach_ssh_changes_the_firewalls_and_no_server(stack: Stack, where: str) -> None:
    stack.configure(adminCidrs=["127.0.0.0/9"])
    run = stack.up()
    assert run.status == 0, run.text
    steps = Counter((op, kind) for op, kind, _ in run.steps if kind != "Stack")
    # One firewall for each role there, one rule for each role and range here: two ranges go, another comes.
    rules = {("create", "SecurityGroupIngressRule"): 2, ("delete", "SecurityGroupIngressRule"): 4}
    assert steps == {"hetzner": {("update", "Firewall"): 2}, "aws": rules}[where]


def test_a_server_removed_by_hand_is_found_by_refresh_and_made_again(stack: Stack) -> None:
    stack.workshop.delete_server("bridge-2")
    refreshed = stack.refresh()
    assert refreshed.status == 0, refreshed.text
    run = stack.up()
    assert run.status == 0, run.text
    assert "bridge-2" in run.names("create", _server(stack))
    assert "bridge-1" not in run.names("create", _server(stack))
    assert stack.up().steps == []


def test_two_stacks_live_in_one_project_and_zone_without_touching_each_other(stack: Stack) -> None:
    before = sorted(stack.workshop.left())
    second = stack.workshop.stack("second", bridges=1)
    assert second.up().status == 0
    assert stack.up().steps == []
    assert set(stack.workshop.labels("cluster")) == {stack.name, "second"}
    assert second.destroy().status == 0
    assert sorted(stack.workshop.left()) == before
    assert stack.up().steps == []


def test_a_change_of_type_replaces_bridges_and_never_changes_a_running_server(stack: Stack) -> None:
    words = stack.workshop.machines.words
    stack.configure(bridgeType=words.types[1])
    run = stack.up()
    assert run.status == 0, run.text
    assert run.names("create-replacement", _server(stack)) == ["bridge-1", "bridge-2"]
    assert not [kind for kind in run.kinds() if any(word in kind for word in words.never)]


def test_a_change_of_user_data_replaces_bridges_new_first_and_no_signaling_node(stack: Stack) -> None:
    stack.configure(jitsiVersions=VERSIONS)
    run = stack.up()
    assert run.status == 0, run.text
    assert run.names("create-replacement", _server(stack)) == ["bridge-1", "bridge-2"]
    assert "shard-1" not in run.names("replace", _server(stack)) + run.names("update", _server(stack))
    kinds_ = [call.kind for call in run.calls]
    made = [index for index, kind in enumerate(kinds_) if kind in ("POST /servers", "POST /RunInstances")]
    deleted = [i for i, kind in enumerate(kinds_) if kind in ("DELETE /servers/{id}", "POST /TerminateInstances")]
    assert max(made) < min(deleted), "a new bridge exists before an old one goes"
    assert "wait" in run.text
    assert "pulumi config set generation 2" in run.text, "a change that waits is visible"
    assert stack.outputs()["shards"][0]["waiting"] == ["user-data"]

    stack.configure(generation=2)
    raised = stack.up()
    assert raised.names("create-replacement", _server(stack)) == ["shard-1"], raised.text
    assert stack.outputs()["shards"][0]["waiting"] == []


def test_another_location_replaces_the_bridges_that_move_new_first_and_no_other(stack: Stack, where: str) -> None:
    """Some stay in their location but change their group, which no running server can."""
    words = stack.workshop.machines.words
    stack.configure(bridges=7, replaceAtOnce=7)
    assert stack.up().status == 0
    stack.configure(locations=list(words.locations))
    run = stack.up()
    assert run.status == 0, run.text
    assert run.names("create-replacement", _server(stack)) == sorted(
        ["bridge-2", "bridge-4", "bridge-6", *REGROUPED[where]]
    )
    assert run.names("update", _server(stack)) == []
    assert stack.up().steps == []


def _server(stack: Stack) -> str:
    """What the plugin calls a server."""
    return stack.workshop.machines.words.server
