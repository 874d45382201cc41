"""Level 3, one part alone: the hcloud double answers the engine, and calls the API, as the real plugin did.

`recorded/hcloud.jsonl` holds the real engine's calls to the real plugin, their answers and, for calls that reach the
API, the HTTP calls that the real plugin made for them (key `http`). Made smaller: calls that are equal but for names,
ids and addresses are there once; `__pulumi_raw_state_delta` (a private note of the real plugin) and seeds are left
out; a value that was unknown is the engine's mark for it again; hashes of user data are those of the text as it
stands there, whose passwords the recording had replaced.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from google.rpc import status_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2

from local_cloud.plugins.hcloud.hcloud_provider import HcloudProvider
from local_cloud.plugins.values import Values, from_struct
from tests.plugins.conversation import Plugin, running
from tests.plugins.replayed_api import ReplayedApi, serving

Recorded = dict[str, Any]

CALLS: list[Recorded] = [
    json.loads(line) for line in (Path(__file__).parent / "recorded" / "hcloud.jsonl").read_text().splitlines()
]
ANSWERED_ALONE = ("CheckConfig", "DiffConfig", "Configure", "Check", "Diff")
AUTOMATIC_NAME = re.compile(r"(?<=-)[0-9a-f]{7}$")


def cases(chosen: Callable[[Recorded], bool]) -> list[Any]:
    return [
        pytest.param(call, id=f"{call['method']}-{call['step']}-{call['request']['urn'].rsplit(':', 1)[1]}-{number}")
        for number, call in enumerate(CALLS)
        if chosen(call)
    ]


@pytest.fixture(scope="module")
def api() -> Iterator[ReplayedApi]:
    with serving() as replayed:
        yield replayed


@pytest.fixture(scope="module")
def plugin(api: ReplayedApi) -> Iterator[Plugin]:
    with pytest.MonkeyPatch.context() as environment, running(HcloudProvider()) as conversation:
        environment.setenv("HCLOUD_ENDPOINT", f"{api.url}/v1/")
        environment.setenv("HCLOUD_TOKEN", "t" * 64)
        conversation.call("Configure", {"args": {"version": "1.39.1"}})
        yield conversation


@pytest.mark.parametrize("call", cases(lambda call: call["method"] in ANSWERED_ALONE))
def test_checks_and_diffs_are_answered_as_recorded(plugin: Plugin, call: Recorded) -> None:
    answer = plugin.call(call["method"], call["request"])
    if call["method"] == "Check" and "name" not in call["request"]["olds"]:
        # Seven digits are drawn anew, by another method: the only difference allowed here.
        assert _named_alike(answer["inputs"]) == _named_alike(call["response"]["inputs"])
    else:
        assert answer == call["response"]


def _named_alike(inputs: Values) -> Values:
    return {key: AUTOMATIC_NAME.sub("0000000", value) if key == "name" else value for key, value in inputs.items()}


@pytest.mark.parametrize("call", cases(lambda call: bool(call["request"].get("preview"))))
def test_a_preview_knows_as_much_as_recorded(plugin: Plugin, call: Recorded) -> None:
    foretold = plugin.call("Create", call["request"])["properties"]
    expected = call["response"]["properties"]
    # The real plugin's `__meta` also holds the user data in plain, for its own Create; the double needs no such note.
    assert {key: foretold[key] for key in foretold if key != "__meta"} == {
        key: expected[key] for key in expected if key != "__meta"
    }


@pytest.mark.parametrize("call", cases(lambda call: "http" in call and "error" not in call))
def test_the_same_calls_of_the_api_lead_to_the_same_answer(plugin: Plugin, api: ReplayedApi, call: Recorded) -> None:
    api.expect(call["http"])
    answer = plugin.call(call["method"], call["request"])
    assert api.unexpected == []
    assert api.pending == [], "calls that the real plugin made"
    assert _as_sets(answer) == _as_sets(call["response"])


def _as_sets(answer: Values) -> Values:
    """Firewall rules are a set; the real plugin orders them by a hash of its own."""
    text = json.loads(json.dumps(answer))
    for part in ("properties", "inputs"):
        if "rules" in text.get(part, {}):
            text[part]["rules"].sort(key=lambda rule: json.dumps(rule, sort_keys=True))
    plain: Values = text
    return plain


@pytest.mark.parametrize("call", cases(lambda call: "http" in call and "error" in call))
def test_a_refusal_of_the_api_reads_as_recorded(plugin: Plugin, api: ReplayedApi, call: Recorded) -> None:
    api.expect(call["http"])
    with pytest.raises(grpc.RpcError) as refused:
        plugin.call(call["method"], call["request"])
    assert (api.unexpected, api.pending) == ([], [])
    assert f"rpc error: code = Unknown desc = {refused.value.details()}" == call["error"]


def test_a_server_whose_creation_failed_half_way_stays_in_the_state(plugin: Plugin, api: ReplayedApi) -> None:
    failed = next(call for call in CALLS if call["step"] == "22-action-fails" and "http" in call)
    # What the state held afterwards is what the next run's update was given.
    kept = next(call for call in CALLS if call["step"] == "23-action-fails-again" and call["method"] == "Update")
    api.expect(failed["http"])
    with pytest.raises(grpc.RpcError) as refused:
        plugin.call("Create", failed["request"])
    trailer = dict(refused.value.trailing_metadata())["grpc-status-details-bin"]
    detail = provider_pb2.ErrorResourceInitFailed()
    status_pb2.Status.FromString(trailer).details[0].Unpack(detail)
    assert detail.id == kept["request"]["id"]
    assert from_struct(detail.properties) == kept["request"]["olds"]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"endpoint": "https://api.hetzner.cloud/v1", "token": "t" * 64}, "double of the hcloud plugin"),
        ({"endpoint": "http://192.0.2.1/v1", "token": "t" * 64}, "on this machine"),
        ({"endpoint": "http://127.0.0.1/v1", "token": "t" * 63}, "exactly 64 characters"),
        ({"endpoint": "http://127.0.0.1/v1", "token": "t" * 64, "pollInterval": "soon"}, "duration"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_with_the_reason(variables: Values, words: str) -> None:
    with running(HcloudProvider()) as plugin, pytest.raises(grpc.RpcError) as refused:
        plugin.call("Configure", {"args": variables})
    assert words in refused.value.details()
    assert "tttt" not in refused.value.details(), "a token never appears in a message"


SERVER = "urn:pulumi:dev::p::hcloud:index/server:Server::s"


@pytest.mark.parametrize("key", ["image", "location", "sshKeys", "userData"])
def test_what_is_read_once_at_boot_replaces_the_server(plugin: Plugin, key: str) -> None:
    olds = {"name": "s", "image": "a", "location": "a", "sshKeys": ["1"], "userData": "a", "serverType": "t"}
    news = olds | {key: ["2"] if key == "sshKeys" else "b", "__defaults": ["name"]}
    answer = plugin.call("Diff", {"id": "1", "urn": SERVER, "olds": olds, "news": news})
    assert answer["replaces"] == [key]


@pytest.mark.parametrize("key", ["serverType", "name", "placementGroupId", "firewallIds", "labels"])
def test_what_the_api_can_change_does_not_replace_the_server(plugin: Plugin, key: str) -> None:
    olds = {"name": "s", "serverType": "t", "placementGroupId": 1, "firewallIds": [1], "labels": {"a": "b"}}
    new = {"serverType": "u", "name": "n", "placementGroupId": 2, "firewallIds": [2], "labels": {"a": "c"}}
    answer = plugin.call("Diff", {"id": "1", "urn": SERVER, "olds": olds, "news": olds | {key: new[key]}})
    assert answer["diffs"] == [key]
    assert "replaces" not in answer


def test_a_server_with_a_name_of_the_programs_own_goes_before_its_replacement_comes(plugin: Plugin) -> None:
    olds = {"name": "s", "image": "a", "serverType": "t"}
    for defaults, first in (([], True), (["name"], None)):
        news = olds | {"image": "b", "__defaults": defaults}
        answer = plugin.call("Diff", {"id": "1", "urn": SERVER, "olds": olds, "news": news})
        assert answer.get("deleteBeforeReplace") == first


def test_another_server_or_subnet_replaces_the_attachment_and_an_address_given_by_the_api_does_not(
    plugin: Plugin,
) -> None:
    urn = "urn:pulumi:dev::p::hcloud:index/serverNetwork:ServerNetwork::s"
    olds = {"serverId": 1, "networkId": 2, "subnetId": "2-10.0.0.0/24", "ip": "10.0.0.2", "aliasIps": []}
    same = {"serverId": 1, "subnetId": "2-10.0.0.0/24"}
    assert plugin.call("Diff", {"id": "1-2", "urn": urn, "olds": olds, "news": same})["changes"] == "DIFF_NONE"
    for key, value in (("serverId", 3), ("subnetId", "4-10.1.0.0/24")):
        answer = plugin.call("Diff", {"id": "1-2", "urn": urn, "olds": olds, "news": same | {key: value}})
        assert answer["replaces"] == [key]
