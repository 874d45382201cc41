"""Level 3, one part alone: the cloudflare double on the embedded cloud, call by call."""

import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import grpc  # type: ignore[import-untyped]
import pytest

from local_cloud.plugins.cloudflare import CloudflareProvider
from local_cloud.plugins.values import Values
from local_cloud.process import LocalCloud, start
from tests.plugins.conversation import Plugin, running

URN = "urn:pulumi:dev::project::cloudflare:index/dnsRecord:DnsRecord::bridge-1"
ZONE = hashlib.md5(b"fleet.test", usedforsecurity=False).hexdigest()
A: Values = {"zoneId": ZONE, "name": "bridge-1.fleet.test", "type": "A", "content": "192.0.2.1", "ttl": 60}
SRV: Values = {"priority": 1, "weight": 2, "port": 8080, "target": "bridge-1.internal.fleet.test"}
TYPES: list[Values] = [
    {"comment": "jitsi-fleet", "proxied": False},
    {"type": "AAAA", "content": "2001:db8::1"},
    {"type": "TXT", "content": '"hello"'},
    {"type": "CNAME", "content": "shard-1.fleet.test"},
    {"type": "SRV", "name": "_jitsi-bridge-metrics._tcp.fleet.test", "content": None, "data": SRV},
    {"type": "CAA", "name": "fleet.test", "content": None, "data": {"flags": 0, "tag": "issue", "value": "ca.test"}},
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    handle = start(Path(tmp_path_factory.mktemp("cloud")))
    yield handle
    handle.stop()


@pytest.fixture
def plugin(cloud: LocalCloud) -> Iterator[Plugin]:
    """A plugin with a token, so a zone, of its own."""
    with running(CloudflareProvider()) as conversation:
        conversation.call("Configure", {"args": {"apiToken": secrets.token_hex(20), "baseUrl": cloud.cloudflare_url}})
        yield conversation


class Watch:
    """The calls that reach the cloud from now on, by kind."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud, self.since = cloud, len(cloud.admin.log())

    def kinds(self) -> list[str]:
        return [f"{call['method']} {call['status']}" for call in self.cloud.admin.log()[self.since :]]


def record(more: Values) -> Values:
    return {key: value for key, value in {**A, **more}.items() if value is not None}


@pytest.mark.parametrize("more", TYPES, ids=[str(more.get("type", "A")) for more in TYPES])
def test_a_record_lives_through_one_call_per_step_and_never_differs_by_itself(
    cloud: LocalCloud, plugin: Plugin, more: Values
) -> None:
    inputs, watch = record(more), Watch(cloud)
    made = plugin.call("Create", {"urn": URN, "properties": inputs})
    request = {"urn": URN, "id": made["id"]}
    read = plugin.call("Read", {**request, "properties": made["properties"], "inputs": inputs})
    assert read["inputs"] == inputs
    for state in (made["properties"], read["properties"]):
        assert plugin.call("Diff", {**request, "olds": state, "news": inputs}) == {"changes": "DIFF_NONE"}
    news = {**inputs, "ttl": 120}
    updated = plugin.call("Update", {**request, "olds": read["properties"], "news": news})["properties"]
    assert plugin.call("Diff", {**request, "olds": updated, "news": news}) == {"changes": "DIFF_NONE"}
    plugin.call("Delete", {**request, "properties": updated})
    assert watch.kinds() == ["POST 200", "GET 200", "PUT 200", "DELETE 200"]


def test_a_record_deleted_by_hand_leaves_the_state_at_a_refresh(cloud: LocalCloud, plugin: Plugin) -> None:
    made = plugin.call("Create", {"urn": URN, "properties": A})
    request = {"urn": URN, "id": made["id"], "properties": made["properties"]}
    plugin.call("Delete", request)
    watch = Watch(cloud)
    assert plugin.call("Read", {**request, "inputs": A}) == {}
    assert watch.kinds() == ["GET 404"]


def test_a_record_that_exists_already_is_refused_in_the_clouds_words(plugin: Plugin) -> None:
    plugin.call("Create", {"urn": URN, "properties": A})
    with pytest.raises(grpc.RpcError) as caught:
        plugin.call("Create", {"urn": URN, "properties": A})
    assert "failed to make http request: POST" in str(caught.value.details())
    assert "400 Bad Request" in str(caught.value.details())


def test_a_cloud_that_is_busy_for_a_moment_is_asked_again(cloud: LocalCloud, plugin: Plugin) -> None:
    watch = Watch(cloud)
    cloud.admin.fault(match={"api": "cloudflare", "method": "POST"}, fault={"status": 503}, nth=1, times=2)
    try:
        plugin.call("Create", {"urn": URN, "properties": A})
    finally:
        cloud.admin.clear_faults()
    assert watch.kinds() == ["POST 503", "POST 503", "POST 200"]


def test_two_tokens_do_not_see_each_others_records(cloud: LocalCloud, plugin: Plugin) -> None:
    made = plugin.call("Create", {"urn": URN, "properties": A})
    with running(CloudflareProvider()) as other:
        other.call("Configure", {"args": {"apiToken": secrets.token_hex(20), "baseUrl": cloud.cloudflare_url}})
        request = {"urn": URN, "id": made["id"], "properties": made["properties"], "inputs": A}
        assert other.call("Read", request) == {}
        assert plugin.call("Read", request)["id"] == made["id"]
