"""Level 3: the engine killed in the middle (kill -9), then recovered as the README says: recover, then up."""

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from tests.level3_applied.applied import Stack, Workshop

# Calls, at the first of which an up is killed. Each up goes on where the one before was recovered.
MOMENTS = ("", "POST /networks/{id}/actions/add_subnet", "POST /servers", "POST /zones/{id}/dns_records")


def test_a_killed_engine_recovers_without_an_orphan(workshop: Workshop) -> None:
    stack, said = workshop.stack(bridges=3), ""
    for moment in MOMENTS:
        kill_at(stack, moment)
        said += stack.recover().stdout
        assert known(stack) == sorted(workshop.left()), f"killed at {moment or 'the first call'}"
    assert "made by the killed run" in said
    repaired = stack.up()
    assert repaired.status == 0, repaired.text
    assert stack.up().steps == []
    assert workshop.labels("role") == ["bridge"] * 3 + ["signaling"]
    assert stack.destroy().status == 0
    assert workshop.left() == []


@pytest.mark.parametrize("left", ["", '{"user.content_type": "appl'])
def test_a_state_is_read_again_that_an_engine_was_writing_when_it_was_killed(workshop: Workshop, left: str) -> None:
    """Seen about once in fifty kills: the state is whole, and what the engine writes beside it is cut off."""
    stack = workshop.stack()
    (beside,) = workshop.folder.glob("state/.pulumi/stacks/*/test.json.attrs")
    beside.write_text(left)
    assert "failed to load checkpoint" in stack.pulumi("stack", "export").stderr
    stack.recover()
    assert stack.state()["deployment"]


def kill_at(stack: Stack, moment: str) -> None:
    """Start an up and kill the engine, the language host and the plugins once the cloud has answered such a call."""
    deadline = time.monotonic() + 120
    stack.workshop.news()
    process = stack.start("up", "--yes", "--skip-preview")
    while not any(moment in ("", call.kind) for call in stack.workshop.news()):
        assert process.poll() is None, "the up ended before"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # All but the engine itself have process groups of their own, and the program's process would live on for ever.
    for number in [process.pid, *below(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    process.communicate()


def below(process: int) -> list[int]:
    """The processes that this one started, and theirs."""
    found: list[int] = []
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, children.read_text().split()):
                found += [child, *below(child)]
    return found


def known(stack: Stack) -> list[str]:
    """Names of what the state holds and the clouds would list."""
    listed = {"Server", "Network", "Firewall", "PlacementGroup", "SshKey", "DnsRecord"}
    resources = stack.state()["deployment"].get("resources", [])
    return sorted(each["outputs"]["name"] for each in resources if each["type"].rpartition(":")[2] in listed)
