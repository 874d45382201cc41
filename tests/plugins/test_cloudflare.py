"""Level 3, one part alone: the cloudflare double makes the recorded HTTP calls, and takes answers as recorded."""

import secrets
from collections.abc import Iterator
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest

from local_cloud.plugins.cloudflare import CloudflareProvider
from local_cloud.plugins.values import Values
from tests.plugins.conversation import Plugin, running
from tests.plugins.scripted_api import Answer, ScriptedApi, scripted
from tests.plugins.test_recorded_small_plugins import Recorded, recorded

URN = "urn:pulumi:dev::project::cloudflare:index/dnsRecord:DnsRecord::bridge-1"
ZONE = "0" * 32
ID = "1" * 32
RECORD: Values = {"zoneId": ZONE, "name": "bridge-1.fleet.test", "type": "A", "content": "192.0.2.1", "ttl": 60}
TOKEN = secrets.token_hex(20)


def found(**more: Any) -> Answer:
    answer = {"id": ID, "name": RECORD["name"], "type": "A", "content": "192.0.2.1", "ttl": 60, "proxied": False}
    return Answer(200, {"success": True, "errors": [], "messages": [], "result": {**answer, **more}})


def refused(status: int, code: int, message: str, **headers: str) -> Answer:
    body = {"success": False, "errors": [{"code": code, "message": message}], "messages": [], "result": None}
    return Answer(status, body, headers)


@pytest.fixture(scope="module")
def api() -> Iterator[ScriptedApi]:
    with scripted() as server:
        yield server


@pytest.fixture(scope="module")
def plugin(api: ScriptedApi) -> Iterator[Plugin]:
    with running(CloudflareProvider()) as conversation:
        conversation.call("Configure", {"args": {"apiToken": TOKEN, "baseUrl": api.url}})
        yield conversation


def create(plugin: Plugin, inputs: Values) -> Values:
    answer: Values = plugin.call("Create", {"urn": URN, "properties": inputs})
    return answer


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(call, id=f"{call['method']}-{call['step']}-{number}")
        for number, call in enumerate(recorded("cloudflare"))
        if "http" in call
    ],
)
def test_each_call_is_made_and_answered_as_recorded(api: ScriptedApi, plugin: Plugin, call: Recorded) -> None:
    http = call["http"]
    api.script(Answer(http["status"], http["response"]))
    answer = plugin.call(call["method"], call["request"])
    assert api.asked == [(http["method"], http["path"], http["request"])]
    want = {key: value for key, value in call["response"].items() if value}
    assert answer == want


def test_the_token_is_sent_as_a_bearer_token(api: ScriptedApi, plugin: Plugin) -> None:
    api.authorizations.clear()
    api.script(found())
    create(plugin, RECORD)
    assert api.authorizations == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("inputs", "sent"),
    [
        ({"type": "AAAA", "content": "2001:db8::1"}, {"content": "2001:db8::1"}),
        ({"type": "CNAME", "content": "fleet.test", "proxied": True, "ttl": 1}, {"proxied": True, "ttl": 1}),
        (
            {"type": "CAA", "content": None, "data": {"flags": 0, "tag": "issue", "value": "ca.test"}},
            {"data": {"flags": 0, "tag": "issue", "value": "ca.test"}},
        ),
        ({"type": "TXT", "settings": {"ipv4Only": True}}, {"settings": {"ipv4_only": True}}),
        ({"type": "MX", "priority": 10, "tags": ["a:b"]}, {"priority": 10, "tags": ["a:b"]}),
    ],
)
def test_every_type_of_record_is_sent_in_the_apis_own_spelling(
    api: ScriptedApi, plugin: Plugin, inputs: Values, sent: Values
) -> None:
    api.script(found())
    create(plugin, {key: value for key, value in {**RECORD, **inputs}.items() if value is not None})
    ((_, _, body),) = api.asked
    assert {key: body.get(key) for key in sent} == sent
    assert ("content" in body) == ("data" not in body)
    assert "zone_id" not in body


def test_what_the_api_adds_to_a_service_record_is_no_difference(api: ScriptedApi, plugin: Plugin) -> None:
    """Cloudflare answers a record that was given by `data` with `content` and `priority` too."""
    data = {"priority": 1, "weight": 2, "port": 8080, "target": "bridge-1.internal.fleet.test"}
    inputs = {"zoneId": ZONE, "name": "_x._tcp.fleet.test", "type": "SRV", "ttl": 60, "data": data}
    answered = found(type="SRV", name=inputs["name"], data=data, content="2 8080 x", priority=1)
    api.script(answered)
    state = create(plugin, inputs)["properties"]
    for _ in range(2):
        answer = plugin.call("Diff", {"urn": URN, "id": ID, "olds": state, "news": inputs})
        assert answer == {"changes": "DIFF_NONE"}
        read = plugin.call("Read", {"urn": URN, "id": ID, "properties": state, "inputs": inputs})
        assert read["inputs"] == inputs
        state = read["properties"]


@pytest.mark.parametrize(
    ("changed", "replaces"),
    [({"zoneId": "2" * 32}, ["zoneId"]), ({"type": "AAAA"}, ["type"]), ({"comment": "mine"}, []), ({"name": "n"}, [])],
)
def test_only_zone_and_type_replace_a_record(
    api: ScriptedApi, plugin: Plugin, changed: Values, replaces: list[str]
) -> None:
    api.script(found())
    state = create(plugin, RECORD)["properties"]
    answer = plugin.call("Diff", {"urn": URN, "id": ID, "olds": state, "news": {**RECORD, **changed}})
    assert answer.get("replaces", []) == replaces
    assert set(changed) <= set(answer["diffs"])


def test_a_change_made_by_hand_shows_in_a_refresh_and_in_the_next_diff(api: ScriptedApi, plugin: Plugin) -> None:
    api.script(found(), found(content="192.0.2.9"))
    state = create(plugin, RECORD)["properties"]
    read = plugin.call("Read", {"urn": URN, "id": ID, "properties": state, "inputs": RECORD})
    assert read["inputs"]["content"] == "192.0.2.9"
    answer = plugin.call("Diff", {"urn": URN, "id": ID, "olds": read["properties"], "news": RECORD})
    assert answer["diffs"] == ["content", "modifiedOn"]


def test_a_refusal_names_the_call_the_status_and_the_apis_own_words(api: ScriptedApi, plugin: Plugin) -> None:
    api.script(refused(400, 81058, "An identical record already exists."))
    with pytest.raises(grpc.RpcError) as caught:
        create(plugin, RECORD)
    text = str(caught.value.details())
    assert text.startswith(
        f'failed to make http request: POST "{api.url}/zones/{ZONE}/dns_records": 400 Bad Request {{'
    )
    assert "An identical record already exists." in text
    assert len(api.asked) == 1


@pytest.mark.parametrize("method", ["Update", "Delete"])
def test_a_record_that_is_gone_is_an_error_outside_a_refresh(api: ScriptedApi, plugin: Plugin, method: str) -> None:
    api.script(refused(404, 81044, "Record does not exist."))
    states = {"olds": RECORD, "news": RECORD} if method == "Update" else {"properties": RECORD}
    with pytest.raises(grpc.RpcError, match="404 Not Found"):
        plugin.call(method, {"urn": URN, "id": ID, **states})


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_api_is_asked_again_until_it_answers(api: ScriptedApi, plugin: Plugin, status: int) -> None:
    busy = refused(status, 10013, "busy", **{"Retry-After": "0.01"})
    api.script(busy, busy, busy, found())
    assert create(plugin, RECORD)["id"] == ID
    assert [method for method, _, _ in api.asked] == ["POST"] * 4


def test_an_api_that_stays_busy_is_given_up_after_ten_retries(api: ScriptedApi, plugin: Plugin) -> None:
    api.script(refused(503, 10013, "busy", **{"Retry-After": "0.01"}))
    with pytest.raises(grpc.RpcError, match="503 Service Unavailable"):
        create(plugin, RECORD)
    assert len(api.asked) == 11


def test_an_import_takes_everything_from_the_record(api: ScriptedApi, plugin: Plugin) -> None:
    api.script(found(comment="by hand"))
    read = plugin.call("Read", {"urn": URN, "id": f"{ZONE}/{ID}"})
    assert read["inputs"] == {**RECORD, "proxied": False, "comment": "by hand"}
    assert api.asked[0][1] == f"/client/v4/zones/{ZONE}/dns_records/{ID}"


def test_a_proxied_record_needs_the_automatic_ttl(plugin: Plugin) -> None:
    answer = plugin.call("Check", {"urn": URN, "news": {**RECORD, "proxied": True}})
    assert answer["failures"][0]["property"] == "ttl"
