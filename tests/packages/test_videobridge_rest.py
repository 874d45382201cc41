"""Level 2: the stand-in of the bridge, running, answers REST as the real one was recorded to (recordings/bridge)."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.packages.bridge_lab import PUBLIC, Answer, Bridge, Lab, Watcher, room, wait_for
from tests.packages.certificates import other_authority

RECORDED = json.loads((Path(__file__).parent / "recordings/bridge/rest.json").read_text())
ANSWERS = {each["name"]: each for each in RECORDED["answers"]}
# States in which one bridge can be asked everything that was recorded, one after the other.
STATES = ("idle", "conference", "draining", "shutting-down", "default-switches", "rest-on-shutdown-off",
          "unhealthy-private-only", "private-only-first-minute", "wrong-password", "tls-untrusted", "drain",
          "graceful")  # fmt: skip
# Each of these changes the bridge's state.
ENDINGS = ("shutdown.graceful-false", "shutdown.graceful-true-idle", "shutdown.graceful-true",
           "wrong.shutdown-boolean-true-not-string")  # fmt: skip


def of(state: str) -> list[dict[str, Any]]:
    return [each for name, each in sorted(ANSWERS.items()) if name.startswith(f"{state}.") and name not in ENDINGS]


@contextmanager
def in_state(state: str, lab: Lab) -> Iterator[Bridge]:
    """A bridge in one of STATES."""
    switches: dict[str, Any] = {
        "default-switches": {"videobridge.apis.rest.enabled": False, "videobridge.rest.shutdown.enabled": False},
        "rest-on-shutdown-off": {"videobridge.rest.shutdown.enabled": False},
        "unhealthy-private-only": {"ice4j.harvest.blocked-addresses": [PUBLIC], "videobridge.health.interval": "0.3 s"},
        "private-only-first-minute": {"ice4j.harvest.blocked-addresses": [PUBLIC]},
    }
    shard: dict[str, Any] = {"PASSWORD": "wrong"} if state == "wrong-password" else {}
    trust = other_authority() if state == "tls-untrusted" else lab.authority
    watcher = lab.watcher()
    with lab.trusting(trust), lab.bridge(switches.get(state), **shard) as bridge:
        if "health.interval" in str(switches.get(state)):
            wait_for(lambda: "Health check failed" in bridge.log, "the bridge has looked at its health")
        if state in ("conference", "draining", "graceful", "shutting-down"):
            occupied(watcher, bridge)
        if state in ("draining", "shutting-down"):
            watcher.ask(bridge.nick, room("m", expire=["a", "b"]))
        if state == "draining":
            bridge.ask("POST", "/colibri/drain/enable")
        if state in ("graceful", "shutting-down"):
            bridge.shut_down("true")
        yield bridge


def occupied(watcher: Watcher, bridge: Bridge) -> None:
    wait_for(lambda: "Joined MUC" in bridge.log, "the bridge is in the brewery")
    assert "conference-modified" in watcher.ask(bridge.nick, room("m", create=["a", "b"]))


def replay(bridge: Bridge, recorded: dict[str, Any]) -> Answer:
    answer = bridge.ask(recorded["method"], recorded["path"], recorded.get("body"), **recorded.get("send", {}))
    assert answer, recorded["name"]
    return answer


def compare(recorded: dict[str, Any], answer: Answer) -> None:
    name, parts = recorded["name"], RECORDED["parts"]
    assert answer.status == recorded["status"], name
    headers = {key: value for key, value in answer.headers.items() if key != "Date"}
    if headers.get("Content-Length") != "0":
        headers.pop("Content-Length", None)
    assert headers == recorded["headers"], name
    if "shape" in recorded:
        assert shape(answer.body) == parts[recorded["shape"]], name
    elif "families" in recorded:
        assert dict(re.findall(r"^# TYPE (\S+) (\S+)$", answer.text, re.MULTILINE)) == parts[recorded["families"]], name
    elif name == "wrong.shutdown-bad-json":
        assert answer.text  # a sentence of the reader's own
    else:
        # The sentences of a Java library end with where it was in its own code.
        wanted = recorded.get("text", "").partition("\n at [Source")[0]
        assert re.sub(r"http://[\d.:]+", "http://HOST", answer.text.rstrip("\n")) == wanted, name


def shape(value: Any, key: str = "") -> Any:
    """Keys and types; ids of conferences and endpoints are a star, as in the reduced recordings."""
    if isinstance(value, dict) and key in ("conferences", "endpoints") and value:
        inner = next(iter(value.values()))
        return {"*": shape(inner) if key == "conferences" else "object" if inner else None}
    if isinstance(value, dict):
        return sorted(value) if "bucket_le_+Inf" in value else {name: shape(each, name) for name, each in value.items()}
    return ["str"] if isinstance(value, list) else type(value).__name__


@pytest.mark.parametrize("state", STATES)
def test_every_recorded_request_is_answered_as_recorded(state: str, bridge_lab: Lab) -> None:
    assert of(state)
    with in_state(state, bridge_lab) as bridge:
        for recorded in of(state):
            compare(recorded, replay(bridge, recorded))


def test_wrong_requests_are_refused_as_recorded_and_change_nothing(bridge_lab: Lab) -> None:
    with in_state("idle", bridge_lab) as bridge:
        for recorded in of("wrong"):
            compare(recorded, replay(bridge, recorded))
        stats = bridge.stats()
        assert stats
        assert not any(stats[flag] for flag in ("drain", "graceful_shutdown", "shutting_down"))


@pytest.mark.parametrize("name", ENDINGS)
def test_a_request_to_shut_down_is_answered_as_recorded(name: str, bridge_lab: Lab) -> None:
    with in_state("idle", bridge_lab) as bridge:
        compare(ANSWERS[name], replay(bridge, ANSWERS[name]))
        stats = bridge.stats()
        assert stats
        assert stats["shutting_down"]
        assert stats["graceful_shutdown"] is (name != "shutdown.graceful-false")


def test_every_recorded_request_is_replayed() -> None:
    replayed = {each["name"] for state in (*STATES, "wrong") for each in of(state)} | set(ENDINGS)
    assert replayed == set(ANSWERS)


def test_a_closed_gate_hides_only_its_own_path(bridge_lab: Lab) -> None:
    gates = {"rest.health": "/about/health", "rest.version": "/about/version", "rest.prometheus": "/metrics",
             "rest.debug": "/debug", "rest.drain": "/colibri/drain", "apis.rest": "/colibri/stats"}  # fmt: skip
    closed = ("rest.health", "rest.debug", "rest.drain")
    with bridge_lab.bridge({f"videobridge.{gate}.enabled": False for gate in closed}) as bridge:
        for gate, path in gates.items():
            answer = bridge.ask("GET", path, Accept="*/*")
            assert answer
            assert answer.status == ("404 Not Found" if gate in closed else "200 OK"), gate
