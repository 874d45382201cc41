"""Level 3: a cloud that fails in the middle of an up. What exists stays, the reason is named, the next up goes on."""

from typing import Any

import pytest

from tests.level3_applied.applied import Workshop

REFUSALS: dict[str, tuple[int, str]] = {
    "conflict": (409, "conflict"),
    "precondition": (412, "resource_unavailable"),
    "sold out": (422, "resource_unavailable"),
    "limit": (403, "resource_limit_exceeded"),
    "placement": (422, "placement_error"),
    "locked": (423, "locked"),
    "overload": (503, "unavailable"),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_refusal_in_the_middle_is_named_and_the_next_up_goes_on(workshop: Workshop, reason: str) -> None:
    status, code = REFUSALS[reason]
    stack = workshop.stack(bridges=1)
    assert stack.up().status == 0
    fault = {"status": status, "code": code, "message": f"refused on purpose: {reason}"}
    # hcloud-go asks again up to five times on a conflict, so that one refusal would pass unseen.
    workshop.fault("POST", "/servers$", fault, nth=1, times=6 if code == "conflict" else 1)
    stack.configure(bridges=3)
    failed = stack.up()
    assert failed.status != 0
    assert f"refused on purpose: {reason}" in failed.text
    _shows_no_traceback(failed.text)
    _converges(workshop, stack)


def test_a_rate_limit_is_waited_out(workshop: Workshop) -> None:
    stack = workshop.stack(bridges=1)
    assert stack.up().status == 0
    fault = {"status": 429, "code": "rate_limit_exceeded", "message": "slow down", "headers": {"RateLimit-Reset": "1"}}
    workshop.fault("POST", "/servers$", fault, nth=1, times=1)
    stack.configure(bridges=2)
    run = stack.up()
    assert run.status == 0, run.text
    _converges(workshop, stack, bridges=2)


def test_a_cut_connection_leaves_no_orphan(workshop: Workshop) -> None:
    stack = workshop.stack(bridges=1)
    assert stack.up().status == 0
    workshop.fault("POST", "/servers$", {"cut": True}, nth=1, times=6)
    stack.configure(bridges=3)
    assert stack.up().status != 0
    workshop.cloud.admin.clear_faults()
    _converges(workshop, stack)


def test_a_slow_cloud_is_only_slow(workshop: Workshop) -> None:
    workshop.fault("GET", "/actions", {"delay_seconds": 1.5}, nth=1, times=3)
    stack = workshop.stack(bridges=3)
    run = stack.up()
    assert run.status == 0, run.text
    _converges(workshop, stack)


def test_a_creation_that_ends_in_error_is_reported_and_converges(workshop: Workshop) -> None:
    """The engine keeps such a server (recorded, steps 22 and 23): its health is asked of the host, in a later part."""
    stack = workshop.stack(bridges=1)
    assert stack.up().status == 0
    workshop.fault("POST", "/servers$", {"action_error": {"code": "action_failed", "message": "on purpose"}}, nth=1)
    stack.configure(bridges=3)
    failed = stack.up()
    assert failed.status != 0
    assert "on purpose" in failed.text or "action_failed" in failed.text
    _converges(workshop, stack)


def test_a_refused_record_is_named_and_the_next_up_goes_on(workshop: Workshop) -> None:
    stack = workshop.stack(bridges=1)
    assert stack.up().status == 0
    fault = {"status": 400, "code": 81057, "message": "An identical record already exists."}
    workshop.fault("POST", "/dns_records$", fault, nth=2, times=1)
    stack.configure(bridges=3)
    failed = stack.up()
    assert failed.status != 0
    assert "identical record" in failed.text
    _shows_no_traceback(failed.text)
    _converges(workshop, stack)


def _converges(workshop: Workshop, stack: Any, bridges: int = 3) -> None:
    """A second up reaches the wanted cluster, a third finds nothing to do, and nobody's server is left over."""
    second = stack.up()
    assert second.status == 0, second.text
    assert stack.up().steps == []
    roles = sorted(server["labels"]["role"] for server in workshop.servers())
    assert roles == ["bridge"] * bridges + ["signaling"], "an orphan costs money and nobody sees it"
    assert all(server["private_net"] for server in workshop.servers()), "every server has its leg"


def _shows_no_traceback(text: str) -> None:
    assert "Traceback" not in text, text
    assert "KeyboardInterrupt" not in text, text
