"""Level 3: a cloud that fails in the middle of an up. What exists stays, the reason is named, the next up goes on."""

from collections.abc import Iterator

import pytest

from tests.level3_applied.applied import Run, Stack, Workshop

REFUSALS: dict[str, tuple[int, str]] = {
    "precondition": (412, "resource_unavailable"),
    "sold out": (422, "resource_unavailable"),
    "limit": (403, "resource_limit_exceeded"),
    "placement": (422, "placement_error"),
    "locked": (423, "locked"),
    "overload": (503, "unavailable"),
}
PASSING: dict[str, dict[str, object]] = {
    "conflict": {"status": 409, "code": "conflict", "message": "busy"},
    "rate limit": {"status": 429, "code": "rate_limit_exceeded", "headers": {"RateLimit-Reset": "1"}},
    "slow answer": {"delay_seconds": 2},
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack that all faults of this module hit in turn; each test adds a bridge to what the last one left."""
    workshop = Workshop.open(tmp_path_factory.mktemp("faults"))
    stack = workshop.stack(bridges=1)
    assert stack.up().status == 0
    yield stack
    destroyed = stack.destroy()
    left = workshop.left()
    workshop.close()
    assert (destroyed.status, left) == (0, []), destroyed.text


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_refusal_in_the_middle_is_named_and_the_next_up_goes_on(stack: Stack, reason: str) -> None:
    status, code = REFUSALS[reason]
    fault = {"status": status, "code": code, "message": f"refused on purpose: {reason}"}
    stack.workshop.fault("POST", "/servers$", fault, nth=1)
    failed = _grow(stack)
    assert failed.status != 0
    assert f"refused on purpose: {reason}" in failed.text
    _shows_no_traceback(failed.text)
    _converges(stack)


@pytest.mark.parametrize("trouble", PASSING)
def test_a_trouble_that_passes_is_waited_out(stack: Stack, trouble: str) -> None:
    stack.workshop.fault("POST", "/servers$", PASSING[trouble], nth=1)
    run = _grow(stack)
    assert run.status == 0, run.text
    _as_wanted(stack)


def test_a_cut_connection_leaves_no_orphan(stack: Stack) -> None:
    stack.workshop.fault("POST", "/servers$", {"cut": True}, nth=1, times=6)
    assert _grow(stack).status != 0
    stack.workshop.cloud.admin.clear_faults()
    _converges(stack)


def test_a_creation_that_ends_in_error_is_reported_and_converges(stack: Stack) -> None:
    """The engine keeps such a server (recorded, steps 22 and 23): its health is asked of the host, in a later part."""
    fault = {"action_error": {"code": "action_failed", "message": "on purpose"}}
    stack.workshop.fault("POST", "/servers$", fault, nth=1)
    failed = _grow(stack)
    assert failed.status != 0
    assert "on purpose" in failed.text
    _converges(stack)


def test_a_refused_record_is_named_and_the_next_up_goes_on(stack: Stack) -> None:
    fault = {"status": 400, "code": 81057, "message": "An identical record already exists."}
    stack.workshop.fault("POST", "/dns_records$", fault, nth=2)
    failed = _grow(stack)
    assert failed.status != 0
    assert "identical record" in failed.text
    _shows_no_traceback(failed.text)
    _converges(stack)


def _grow(stack: Stack) -> Run:
    """One more bridge."""
    bridges = len(stack.workshop.servers())
    stack.configure(bridges=bridges)
    return stack.up()


def _converges(stack: Stack) -> None:
    second = stack.up()
    assert second.status == 0, second.text
    _as_wanted(stack)


def _as_wanted(stack: Stack) -> None:
    """The cluster is as the settings want it, nobody's server is left over, and another up finds nothing to do."""
    roles = stack.workshop.labels("role")
    assert roles == ["bridge"] * stack.setting("bridges") + ["signaling"], "an orphan costs money and nobody sees it"
    assert all(server.private_net for server in stack.workshop.servers()), "every server has its leg"
    assert stack.up().steps == []


def _shows_no_traceback(text: str) -> None:
    assert "Traceback" not in text, text
    assert "KeyboardInterrupt" not in text, text
