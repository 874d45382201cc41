"""Level: the embedded cloud's APIs, driven by the vendors' own clients.

Every call of theirs is held to the vendor's description where that is at hand (specs.py). Their types call every field
of an answer optional; the tests read answers as Any, so that a missing field fails where it is read.
"""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudflare
import hcloud
import httpx
import pytest
import requests
from hcloud.firewalls import FirewallRule
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.networks import NetworkSubnet
from hcloud.server_types import ServerType

from local_cloud import process
from local_cloud.cloudflare.zones import zone_id

from .specs import spec

ACTION_SECONDS = 0.05
ZONE = zone_id("fleet.test")


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.LocalCloud]:
    """One server for all tests; each test has projects of its own."""
    handle = process.start(tmp_path_factory.mktemp("cloud"), action_seconds=ACTION_SECONDS)
    yield handle
    handle.stop()


@pytest.fixture
def own_cloud(tmp_path: Path) -> Iterator[process.LocalCloud]:
    """A server for one test alone, which may kill it."""
    handle = process.start(tmp_path / "state", action_seconds=ACTION_SECONDS)
    yield handle
    handle.stop()


def hetzner_client(cloud: process.LocalCloud, token: str | None = None) -> hcloud.Client:
    client = hcloud.Client(
        token or secrets.token_hex(32),
        api_endpoint=cloud.hetzner_url,
        poll_interval=0.02,
        poll_max_retries=1500,
        timeout=10,
    )
    client._client._session.hooks["response"].append(_check_hetzner)
    client._client._retry_max_retries = 0
    return client


def _check_hetzner(answer: requests.Response, *_: Any, **__: Any) -> None:
    found = spec("hetzner")
    if found is not None:
        sent: Any = answer.request.body
        path = answer.request.path_url.partition("?")[0].removeprefix("/hetzner/v1")
        body = json.loads(answer.content) if answer.content else None
        request = json.loads(sent) if sent else None
        if request and "ssh_keys" in request:  # described as texts; the vendor's own client sends ids as numbers
            request["ssh_keys"] = [str(key) for key in request["ssh_keys"]]
        found.check(str(answer.request.method), path, answer.status_code, request, body)


def cloudflare_client(cloud: process.LocalCloud, token: str | None = None) -> cloudflare.Cloudflare:
    return cloudflare.Cloudflare(
        api_token=token or secrets.token_hex(20),
        base_url=cloud.cloudflare_url,
        max_retries=0,
        http_client=httpx.Client(event_hooks={"response": [_check_cloudflare]}, timeout=10),
    )


def _check_cloudflare(answer: httpx.Response) -> None:
    found = spec("cloudflare")
    if found is not None:
        sent, path = answer.request.content, answer.request.url.path.removeprefix("/cloudflare/client/v4")
        body, request = json.loads(answer.read()), json.loads(sent) if sent else None
        if request and "/dns_records" in path:  # described with the fields that only the server makes
            request = {"id": ZONE, "proxiable": True, "created_on": "", "modified_on": "", "content": "", **request}
        found.check(answer.request.method, path, answer.status_code, request, _without_null_comments(body))


def _without_null_comments(body: Any) -> Any:
    """The real API answers null where a record has no comment; its description allows only text."""
    results = body["result"] if isinstance(body["result"], list) else [body["result"]]
    for record in results:
        if record and record.get("comment", "") is None:
            del record["comment"]
    return body


@pytest.fixture
def hetzner(cloud: process.LocalCloud) -> hcloud.Client:
    return hetzner_client(cloud)


@pytest.fixture
def dns(cloud: process.LocalCloud) -> cloudflare.Cloudflare:
    return cloudflare_client(cloud)


@pytest.fixture(autouse=True)
def _no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "cloud" in request.fixturenames:
        request.getfixturevalue("cloud").admin.clear_faults()


def make_server(client: hcloud.Client, name: str, location: str = "fsn1", *, wait: bool = True, **more: Any) -> Any:
    made = client.servers.create(
        name, ServerType(name="cx23"), Image(name="debian-12"), location=Location(name=location), **more
    )
    if wait:
        for action in [made.action, *made.next_actions]:
            action.wait_until_finished()
        made.server.reload()
    return made.server


def make_network(client: hcloud.Client, ranges: tuple[str, ...] = ("10.0.1.0/24",)) -> Any:
    network = client.networks.create("inside", "10.0.0.0/16")
    for text in ranges:
        subnet = NetworkSubnet(type="cloud", ip_range=text, network_zone="eu-central")
        network.add_subnet(subnet).wait_until_finished()
    network.reload()
    return network


def open_port(port: str = "443") -> FirewallRule:
    return FirewallRule("in", "tcp", ["0.0.0.0/0", "::/0"], port=port)
