"""Level 3: a cloud that fails in the middle of an up. What exists stays, the reason is named, the next up goes on.

A run of the engine costs seconds: what can go wrong side by side goes wrong in one up, a server each.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.level3_applied.applied import Run, Stack, Workshop

# The engine begins nothing new after a refusal: the first one comes when all servers have been asked for.
LATE = 4  # seconds
HETZNER: dict[str, dict[str, object]] = {
    "precondition": {"status": 412, "code": "resource_unavailable"},
    "sold out": {"status": 422, "code": "resource_unavailable"},
    "limit": {"status": 403, "code": "resource_limit_exceeded"},
    "placement": {"status": 422, "code": "placement_error"},
    "locked": {"status": 423, "code": "locked"},
    "overload": {"status": 503, "code": "unavailable"},
}
AWS: dict[str, dict[str, object]] = {
    "sold out": {"status": 500, "code": "InsufficientInstanceCapacity"},
    "limit": {"status": 400, "code": "VcpuLimitExceeded"},
    "placement": {"status": 400, "code": "InstanceLimitExceeded"},
    "type": {"status": 400, "code": "Unsupported"},
    "rights": {"status": 403, "code": "UnauthorizedOperation"},
    "opt in": {"status": 401, "code": "OptInRequired"},
}
REFUSALS = {"hetzner": HETZNER, "aws": AWS}
ENDS_IN_ERROR: dict[str, object] = {
    "action_error": {"code": "action_failed", "message": "the action failed on purpose"}
}
PASSING: dict[str, tuple[dict[str, object], ...]] = {
    "hetzner": (
        {"status": 409, "code": "conflict", "message": "busy"},
        {"status": 429, "code": "rate_limit_exceeded", "headers": {"RateLimit-Reset": "1"}},
        {"delay_seconds": 2},
    ),
    "aws": (
        {"status": 503, "code": "RequestLimitExceeded"},
        {"status": 500, "code": "InternalError"},
        {"delay_seconds": 2},
    ),
}


@pytest.fixture(scope="module")
def stack(where: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack that all faults of this module hit in turn; each test adds bridges to what the last one left."""
    with closing(Workshop.open(tmp_path_factory.mktemp("faults"), where)) as workshop:
        stack = workshop.stack(bridges=1)
        first = stack.up()
        assert first.status == 0, first.text
        yield stack
        destroyed = stack.destroy()
        assert (destroyed.status, workshop.left()) == (0, []), destroyed.text


@pytest.fixture(scope="module")
def refused(stack: Stack, where: str) -> Run:
    """An up in which each of seven new servers meets a trouble of its own."""
    faults = [fault | {"message": f"refused on purpose: {reason}"} for reason, fault in REFUSALS[where].items()]
    for nth, fault in enumerate([*faults, ENDS_IN_ERROR], 1):
        stack.workshop.fault(*stack.workshop.machines.words.make, fault | {"delay_seconds": LATE}, nth=nth)
    return _grow(stack, len(faults) + 1)


def test_each_refusal_in_the_middle_is_named(refused: Run, where: str) -> None:
    assert refused.status != 0
    for reason, fault in REFUSALS[where].items():
        assert f"refused on purpose: {reason}" in refused.text
        assert [call for call in refused.calls if call.status == fault["status"]], "it was refused, not told so"
    _shows_no_traceback(refused.text)


def test_a_creation_that_ends_in_error_is_named(refused: Run) -> None:
    """The engine keeps such a server (recorded, steps 22 and 23): its health is asked of the host, in a later part."""
    assert "the action failed on purpose" in refused.text


@pytest.mark.usefixtures("refused")
def test_after_refusals_and_a_creation_that_failed_the_next_up_goes_on(stack: Stack, where: str) -> None:
    """At EC2, what ends while it begins has gone, and the state does not know: a refresh finds out."""
    if where == "aws":
        assert stack.refresh().status == 0
    _converges(stack)


def test_troubles_that_pass_are_waited_out(stack: Stack, where: str) -> None:
    troubles, words = PASSING[where], stack.workshop.machines.words
    for nth, trouble in enumerate(troubles, 1):
        stack.workshop.fault(*words.make, trouble, nth=nth)
    run = _grow(stack, len(troubles))
    assert run.status == 0, run.text
    method, path, done = words.made
    met = Counter(call.status for call in run.calls if call.kind == f"{method} {path}")
    assert met == {**{trouble["status"]: 1 for trouble in troubles if "status" in trouble}, done: len(troubles)}
    _as_wanted(stack)


def test_a_cut_connection_leaves_no_orphan(stack: Stack) -> None:
    stack.workshop.fault(*stack.workshop.machines.words.make, {"cut": True}, nth=1, times=6)
    assert _grow(stack).status != 0
    stack.workshop.cloud.admin.clear_faults()
    _converges(stack)


def test_a_refused_record_is_named_and_the_next_up_goes_on(stack: Stack) -> None:
    fault = {"status": 400, "code": 81057, "message": "An identical record already exists."}
    stack.workshop.fault("POST", "/dns_records$", fault, nth=2)
    failed = _grow(stack)
    assert failed.status != 0
    assert "identical record" in failed.text
    _shows_no_traceback(failed.text)
    _converges(stack)


def test_what_all_of_this_left_is_as_wanted_and_another_up_finds_nothing_to_do(stack: Stack) -> None:
    _as_wanted(stack)
    assert stack.up().steps == []


def _grow(stack: Stack, more: int = 1) -> Run:
    stack.configure(bridges=stack.setting("bridges") + more)
    return stack.up()


def _converges(stack: Stack) -> None:
    second = stack.up()
    assert second.status == 0, second.text
    _as_wanted(stack)


def _as_wanted(stack: Stack) -> None:
    """The cluster is as the settings want it, and nobody's server is left over."""
    roles = stack.workshop.labels("role")
    assert roles == ["bridge"] * stack.setting("bridges") + ["signaling"], "an orphan costs money and nobody sees it"
    if stack.workshop.machines.words.server == "Server":
        assert all(server.private_net for server in stack.workshop.servers()), "every server has its leg"


def _shows_no_traceback(text: str) -> None:
    assert "Traceback" not in text, text
    assert "KeyboardInterrupt" not in text, text
