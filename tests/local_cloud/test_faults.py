"""Faults on demand: each kind, and how calls are counted."""

import time
from typing import Any
from urllib.error import HTTPError

import cloudflare
import pytest
import requests
from hcloud import APIException
from hcloud.actions import ActionFailedException

from local_cloud.hetzner.errors import STATUS
from local_cloud.process import LocalCloud

from .conftest import ZONE, make_network, make_server

CREATE = {"method": "POST", "path": "^/servers$"}


@pytest.mark.parametrize(
    "code",
    [
        *("conflict", "locked", "rate_limit_exceeded", "server_error", "unavailable", "invalid_input"),
        *("resource_unavailable", "placement_error", "resource_limit_exceeded"),
    ],
)
def test_a_code_brings_its_status_once(cloud: LocalCloud, hetzner: Any, code: str) -> None:
    cloud.admin.fault(match=CREATE, fault={"code": code, "message": "on purpose"})
    before = cloud.admin.log()[-1:]
    with pytest.raises(APIException) as refused:
        make_server(hetzner, "bridge-1")
    assert (refused.value.code, refused.value.message) == (code, "on purpose")
    (entry,) = [e for e in cloud.admin.log(before[0]["n"] if before else 0) if e["path"] == "/servers"]
    assert entry["status"] == STATUS[code]
    assert make_server(hetzner, "bridge-1").status == "running"


def test_a_fault_hits_the_nth_call_and_the_following(cloud: LocalCloud, hetzner: Any) -> None:
    cloud.admin.fault(match={"path": "^/locations$"}, fault={"status": 503}, nth=2, times=2)
    results: list[object] = []
    for _ in range(5):
        try:
            hetzner.locations.get_list()
            results.append(200)
        except APIException as refused:
            results.append(refused.code)
    assert results == [200, "unavailable", "unavailable", 200, 200]
    assert [(f["seen"], f["fired"]) for f in cloud.admin.faults()] == [(5, 2)]


def test_a_share_of_calls_is_the_same_for_the_same_seed(cloud: LocalCloud, hetzner: Any) -> None:
    runs = []
    for _ in range(2):
        cloud.admin.fault(match={"path": "^/locations$"}, fault={"status": 500}, share=0.5, seed=7)
        run = []
        for _ in range(20):
            try:
                hetzner.locations.get_list()
                run.append(True)
            except APIException:
                run.append(False)
        runs.append(run)
        cloud.admin.clear_faults()
    assert runs[0] == runs[1]
    assert 4 < sum(runs[0]) < 16


def test_headers_travel_with_a_fault(cloud: LocalCloud) -> None:
    fault = {"status": 429, "code": "rate_limit_exceeded", "headers": {"Retry-After": "3"}}
    cloud.admin.fault(match={"path": "^/locations$"}, fault=fault)
    header = {"Authorization": "Bearer " + "h" * 64}
    answer = requests.get(cloud.hetzner_url + "/locations", headers=header, timeout=5)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")


@pytest.mark.parametrize(("when", "made"), [(True, 0), ("before", 0), ("after", 1)])
def test_a_connection_is_cut_before_or_after_the_effect(
    cloud: LocalCloud, hetzner: Any, when: bool | str, made: int
) -> None:
    cloud.admin.fault(match=CREATE, fault={"cut": when})
    with pytest.raises(requests.ConnectionError):
        make_server(hetzner, "bridge-1")
    assert len(hetzner.servers.get_all()) == made
    assert [e["status"] for e in cloud.admin.log() if e["method"] == "POST" and e["path"] == "/servers"][-1] == 0


def test_a_slow_answer_comes_late_and_holds_up_nobody_else(cloud: LocalCloud, hetzner: Any) -> None:
    cloud.admin.fault(match={"path": "^/locations$"}, fault={"delay_seconds": 0.5})
    begun = time.monotonic()
    hetzner.locations.get_list()
    assert time.monotonic() - begun >= 0.5


def test_an_action_ends_in_error_and_the_server_stays_without_its_network(cloud: LocalCloud, hetzner: Any) -> None:
    network, server = make_network(hetzner), make_server(hetzner, "bridge-1")
    error: Any = {"code": "action_failed", "message": "on purpose"}
    cloud.admin.fault(match={"path": "attach_to_network$"}, fault={"action_error": error})
    with pytest.raises(ActionFailedException) as failed:
        server.attach_to_network(network).wait_until_finished()
    assert failed.value.action.error == error
    server.reload()
    assert (server.private_net, server.locked) == ([], False)
    server.attach_to_network(network).wait_until_finished()


def test_a_creation_that_fails_leaves_a_server_that_is_off(cloud: LocalCloud, hetzner: Any) -> None:
    cloud.admin.fault(match=CREATE, fault={"action_error": {}})
    with pytest.raises(ActionFailedException):
        make_server(hetzner, "bridge-1")
    time.sleep(0.2)
    (server,) = hetzner.servers.get_all()
    assert server.status == "off"


def test_a_deletion_that_fails_leaves_the_server_as_it_was(cloud: LocalCloud, hetzner: Any) -> None:
    server = make_server(hetzner, "bridge-1")
    server.power_off().wait_until_finished()
    cloud.admin.fault(match={"method": "DELETE"}, fault={"action_error": {}})
    with pytest.raises(ActionFailedException):
        server.delete().wait_until_finished()
    server.reload()
    assert server.status == "off"


def test_cloudflare_fails_in_its_own_words(cloud: LocalCloud, dns: Any) -> None:
    match = {"api": "cloudflare", "method": "POST", "path": "/dns_records$"}
    cloud.admin.fault(match=match, fault={"status": 400, "code": 81057, "message": "on purpose"})
    with pytest.raises(cloudflare.BadRequestError) as refused:
        dns.dns.records.create(zone_id=ZONE, name="a", type="A", content="192.0.2.1", ttl=60)
    assert refused.value.body["errors"] == [{"code": 81057, "message": "on purpose"}]  # type: ignore[index]


def test_a_fault_can_be_for_one_project_only(cloud: LocalCloud, hetzner: Any) -> None:
    cloud.admin.fault(match={"project": "hetzner-000000000000"}, fault={"status": 500}, share=1)
    assert len(hetzner.locations.get_all()) == 6


@pytest.mark.parametrize(
    "order",
    [
        {"fault": {}},
        {"fault": {"status": 200}},
        {"fault": {"cut": True, "status": 500}},
        {"fault": {"cut": True}, "nth": 1, "share": 0.5},
        {"fault": {"cut": True}, "match": {"path": "("}},
        {"fault": {"cut": True}, "colour": "red"},
    ],
)
def test_a_senseless_order_is_refused(cloud: LocalCloud, order: dict[str, object]) -> None:
    with pytest.raises(HTTPError) as refused:
        cloud.admin.fault(**order)
    assert refused.value.code == 422
