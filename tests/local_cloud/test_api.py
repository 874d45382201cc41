"""What holds for every call of the Hetzner API: token, lists, actions, rate limit, errors, projects apart."""

import secrets
from pathlib import Path
from typing import Any

import pytest
import requests
from hcloud import APIException

from local_cloud.process import LocalCloud, start

from .conftest import hetzner_client, make_server
from .specs import FOLDER, missing, spec


def get(cloud: LocalCloud, path: str, token: str = "t" * 64, method: str = "GET", body: str = "") -> requests.Response:
    header = {"Authorization": f"Bearer {token}"}
    return requests.request(method, cloud.hetzner_url + path, headers=header, data=body, timeout=10)


def test_calls_of_these_tests_are_held_to_the_vendor_s_description(hetzner: Any) -> None:
    if missing():
        pytest.skip(f"no {', '.join(missing())} in {FOLDER}; JITSI_FLEET_SPECS names the folder")
    found = spec("hetzner")
    before = found.checked if found else 0
    for everything in (hetzner.locations, hetzner.server_types, hetzner.images, hetzner.servers, hetzner.networks):
        everything.get_all()
    assert found is not None
    assert found.checked == before + 5


@pytest.mark.parametrize("token", ["", "short", "t" * 63, "t" * 65])
def test_a_token_has_64_characters(cloud: LocalCloud, token: str) -> None:
    answer = get(cloud, "/servers", token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


def test_two_projects_see_nothing_of_each_other(cloud: LocalCloud) -> None:
    one, other = hetzner_client(cloud), hetzner_client(cloud)
    mine, yours = make_server(one, "bridge-1"), make_server(other, "bridge-1")
    assert [server.id for server in one.servers.get_all()] == [mine.id]
    with pytest.raises(APIException) as refused:
        one.servers.get_by_id(yours.id)
    assert refused.value.code == "not_found"
    assert mine.public_net.ipv4.ip != yours.public_net.ipv4.ip


def test_lists_come_in_pages_sorted_as_asked(hetzner: Any) -> None:
    for number in range(7):
        hetzner.placement_groups.create(f"group-{number}", "spread")
    first = hetzner.placement_groups.get_list(page=1, per_page=3, sort="name:desc")
    assert [group.name for group in first.placement_groups] == ["group-6", "group-5", "group-4"]
    page = first.meta.pagination
    assert (page.last_page, page.next_page, page.previous_page, page.total_entries) == (3, 2, None, 7)
    assert len(hetzner.placement_groups.get_list(page=4, per_page=3).placement_groups) == 0
    assert len(hetzner.placement_groups.get_all()) == 7


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("role", ["bridge-1", "bridge-2", "shard-1"]),
        ("!region", ["shard-1"]),
        ("role=bridge,region!=eu", ["bridge-2"]),
        ("region in (eu,us)", ["bridge-1", "bridge-2"]),
        ("region notin (eu)", ["bridge-2", "shard-1"]),
    ],
)
def test_label_selectors_choose(hetzner: Any, selector: str, names: list[str]) -> None:
    for name, labels in [
        ("bridge-1", {"role": "bridge", "region": "eu"}),
        ("bridge-2", {"role": "bridge", "region": "us"}),
        ("shard-1", {"role": "shard"}),
    ]:
        hetzner.placement_groups.create(name, "spread", labels=labels)
    assert [group.name for group in hetzner.placement_groups.get_all(label_selector=selector)] == names


def test_every_action_that_is_asked_for_comes_back(cloud: LocalCloud) -> None:
    token = secrets.token_hex(32)
    servers = [make_server(hetzner_client(cloud, token), f"s-{number}") for number in range(15)]
    ids = [action.id for server in servers for action in server.get_actions()]
    assert len(ids) == 30
    query = "&".join(f"id={number}" for number in ids[:25])
    answer = get(cloud, f"/actions?{query}&page=1&sort=status&sort=id", token).json()
    assert [action["id"] for action in answer["actions"]] == sorted(ids[:25])


def test_an_action_shows_progress_then_success(hetzner: Any) -> None:
    server = make_server(hetzner, "bridge-1")
    action = server.reboot()
    assert (action.status, action.finished) == ("running", None)
    action.wait_until_finished()
    assert (action.status, action.progress, action.error) == ("success", 100, None)


def test_the_rate_limit_is_told_kept_and_refilled(tmp_path: Path) -> None:
    small = start(tmp_path, calls_per_hour=5)
    try:
        left = [get(small, "/locations").headers["RateLimit-Remaining"] for _ in range(5)]
        refused = get(small, "/locations")
        other = get(small, "/locations", "o" * 64)
    finally:
        small.stop()
    assert left == ["4", "3", "2", "1", "0"]
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert (refused.headers["RateLimit-Limit"], refused.headers["RateLimit-Remaining"]) == ("5", "0")
    assert other.status_code == 200


def test_mistakes_of_a_caller_have_the_api_s_own_words(cloud: LocalCloud) -> None:
    for method, path, body, status, code in [
        ("GET", "/nothing", "", 404, "not_found"),
        ("GET", "/servers/abc", "", 404, "not_found"),
        ("PATCH", "/servers", "", 405, "method_not_allowed"),
        ("POST", "/servers", "{", 400, "json_error"),
        ("POST", "/servers", "{}", 422, "invalid_input"),
        ("GET", "/servers?page=0", "", 422, "invalid_input"),
        ("GET", "/datacenters", "", 410, "deprecated_api_endpoint"),
        ("GET", "/actions", "", 422, "invalid_input"),
    ]:
        answer = get(cloud, path, method=method, body=body)
        assert (method, path, answer.status_code, answer.json()["error"]["code"]) == (method, path, status, code)


def test_every_call_leaves_one_line_without_its_token(cloud: LocalCloud) -> None:
    token = secrets.token_hex(32)
    before = cloud.admin.log()[-1]["n"]
    get(cloud, "/servers?name=x", token)
    (entry,) = cloud.admin.log(before)
    assert (entry["method"], entry["path"], entry["query"], entry["status"]) == ("GET", "/servers", "name=x", 200)
    assert token not in (cloud.state / "calls.jsonl").read_text()


def test_prices_name_every_server_type(hetzner: Any, cloud: LocalCloud) -> None:
    sold = {kind["name"] for kind in get(cloud, "/pricing").json()["pricing"]["server_types"]}
    assert sold == {kind.name for kind in hetzner.server_types.get_all()}
