"""Level 1: what the last run left is read although the engine writes it at the same moment."""

from types import SimpleNamespace

import pulumi
import pytest

from components import last_run
from tests.level1_declared.recording import declare

CUT = "invocation of pulumi:pulumi:readStackOutputs returned an error: failed to load checkpoint: EOF"


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Errors that the engine answers with, one after the other, before it answers."""
    left: list[str] = []

    def invoke(*_: object) -> SimpleNamespace:
        if left:
            raise Exception(left.pop(0))
        return SimpleNamespace(value={"outputs": {"drain": True}})

    for name in ("get_organization", "get_project", "get_stack"):
        monkeypatch.setattr(pulumi, name, lambda: "x")
    monkeypatch.setattr(pulumi.runtime, "invoke", invoke)
    monkeypatch.setattr(last_run, "PAUSE_SECONDS", 0)
    return left


def test_a_state_that_is_just_being_written_is_read_again(failures: list[str]) -> None:
    failures += [CUT] * 3
    assert last_run.outputs() == {"drain": True}


def test_a_state_that_stays_unreadable_is_an_error(failures: list[str]) -> None:
    failures += [CUT] * last_run.TRIES
    with pytest.raises(Exception, match="failed to load checkpoint"):
        last_run.outputs()


def test_a_cluster_stays_in_its_cloud() -> None:
    """A changed word in the stack file must not delete a cluster with its calls on it."""
    before = declare().outputs
    with pytest.raises(pulumi.RunError, match=r"cannot change from hetzner to aws.*second stack"):
        declare(cloud="aws", before=before)
    assert declare(before=before).servers()


def test_any_other_error_is_not_repeated(failures: list[str]) -> None:
    failures += ["no such stack", CUT]
    with pytest.raises(Exception, match="no such stack"):
        last_run.outputs()
    assert failures == [CUT]
