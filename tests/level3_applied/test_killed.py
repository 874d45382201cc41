"""Level 3: the engine killed in the middle (kill -9), then recovered as the README says: recover, then up."""

import os
import signal
import time

import pytest

from tests.level3_applied.applied import Stack, Workshop


@pytest.mark.parametrize("calls_before", [1, 8, 25, 45])
def test_a_killed_engine_recovers_without_an_orphan(workshop: Workshop, calls_before: int) -> None:
    stack = workshop.stack(bridges=3)
    _kill_after(stack, calls_before)
    stack.recover()
    repaired = stack.up()
    assert repaired.status == 0, repaired.text
    assert stack.up().steps == []
    assert workshop.labels("role") == ["bridge"] * 3 + ["signaling"]
    assert stack.destroy().status == 0
    assert workshop.left() == []


def _kill_after(stack: Stack, calls: int) -> None:
    """Start an up and kill the engine, the language host and the plugins once the cloud has seen `calls` calls."""
    process = stack.start("up", "--yes", "--skip-preview")
    deadline = time.monotonic() + 60
    while len(stack.workshop.cloud.admin.log()) < calls and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
