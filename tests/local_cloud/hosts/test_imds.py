"""Level: EC2's metadata service as an application, asked without a network."""

import asyncio
import base64
import json
import time
from collections.abc import Mapping, MutableMapping
from typing import Any, NamedTuple

import pytest
from starlette.applications import Starlette

from local_cloud.hosts.aws import metadata
from local_cloud.store import Doc

from .instances import instance

PACKED = b"\x1f\x8b\x08\x00 as it is"
TTL, TOKEN = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, "X-aws-ec2-metadata-token"


class Answer(NamedTuple):
    status: int
    body: bytes


class Service:
    """The service, as several hosts ask it."""

    def __init__(self, **hosts: Doc) -> None:
        self.addresses = {name: f"198.19.0.{doc['id']}" for name, doc in hosts.items()} | {"unknown": "198.19.0.99"}
        by_address = {self.addresses[name]: doc for name, doc in hosts.items()}
        self.app = Starlette(routes=metadata.routes(by_address.get))

    def ask(self, name: str, method: str, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(dict(message))

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(key.lower().encode(), value.encode()) for key, value in (headers or {}).items()],
            "client": (self.addresses[name], 40000),
        }
        asyncio.run(self.app(scope, receive, send))
        return Answer(sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]))

    def token(self, name: str) -> str:
        answer = self.ask(name, "PUT", "/latest/api/token", TTL)
        assert answer.status == 200
        return answer.body.decode()

    def get(self, name: str, path: str, token: str | None = None) -> str | int:
        """The text, or the status where it is not 200."""
        headers = {TOKEN: self.token(name) if token is None else token} if token != "" else {}
        answer = self.ask(name, "GET", path, headers)
        return answer.body.decode(errors="replace") if answer.status == 200 else answer.status


@pytest.fixture
def service() -> Service:
    user_data = base64.b64encode(PACKED).decode()
    return Service(one=instance(1, "10.80.16.4", user_data=user_data), two=instance(2, "10.80.16.5", key=None))


def test_without_a_token_nothing_is_told_where_one_is_required(service: Service) -> None:
    assert service.get("one", "/latest/meta-data/instance-id", token="") == 401
    assert service.get("one", "/latest/meta-data/instance-id", token="made-up") == 401  # noqa: S106 - of nobody
    assert service.get("one", "/latest/meta-data/instance-id") == f"i-{1:017x}"


def test_a_token_is_its_instances_alone(service: Service) -> None:
    assert service.get("two", "/latest/user-data", token=service.token("one")) == 401


def test_a_token_ends_with_its_time(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    token = service.token("one")
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    assert service.get("one", "/latest/meta-data/", token=token) == 401


@pytest.mark.parametrize("seconds", ["", "0", "21601", "many", "-1"])
def test_a_token_is_for_one_second_to_six_hours(service: Service, seconds: str) -> None:
    assert service.ask("one", "PUT", "/latest/api/token", {next(iter(TTL)): seconds}).status == 400


def test_who_forwards_for_another_gets_no_token(service: Service) -> None:
    assert service.ask("one", "PUT", "/latest/api/token", {**TTL, "X-Forwarded-For": "10.0.0.1"}).status == 403


def test_where_tokens_are_optional_the_old_way_works() -> None:
    options = {"enabled": True, "token_required": False, "hops": 1}
    service = Service(one=instance(1, "10.80.16.4", metadata=options))
    assert service.get("one", "/2009-04-04/meta-data/local-ipv4", token="") == "10.80.16.4"


def test_a_service_that_is_switched_off_refuses() -> None:
    options = {"enabled": False, "token_required": False, "hops": 1}
    service = Service(one=instance(1, "10.80.16.4", metadata=options))
    assert service.get("one", "/latest/meta-data/", token="") == 403
    assert service.ask("one", "PUT", "/latest/api/token", TTL).status == 403


def test_who_is_no_instance_finds_nothing(service: Service) -> None:
    """So a host of the other cloud is told that there is no such question."""
    assert service.ask("unknown", "PUT", "/latest/api/token", TTL).status == 404
    assert service.ask("unknown", "GET", "/latest/meta-data/").status == 404


def test_user_data_is_told_byte_for_byte(service: Service) -> None:
    answer = service.ask("one", "GET", "/2018-09-24/user-data", {TOKEN: service.token("one")})
    assert answer == (200, PACKED)
    assert service.get("two", "/latest/user-data") == 404


def test_the_whole_tree_can_be_walked_and_has_what_a_host_must_know(service: Service) -> None:
    """As cloud-init walks it: names that end in a slash are places, all others are values."""
    token, found = service.token("one"), {}

    def walk(place: str) -> None:
        listing = service.get("one", f"/2021-03-23/{place}", token)
        assert isinstance(listing, str), place
        for name in listing.splitlines():
            below = f"{place}{name}"
            if name.endswith("/") and name != "public-keys/":
                walk(below)
            else:
                found[below] = service.get("one", f"/2021-03-23/{below}", token)

    walk("meta-data/")
    nic = "meta-data/network/interfaces/macs/02:00:00:00:01:01/"
    assert found["meta-data/instance-id"] == f"i-{1:017x}"
    assert (found["meta-data/local-ipv4"], found["meta-data/public-ipv4"]) == ("10.80.16.4", "127.90.250.1")
    assert (found["meta-data/placement/region"], found["meta-data/placement/availability-zone"]) == (
        "eu-central-1",
        "eu-central-1a",
    )
    assert found["meta-data/public-keys/"] == "0=somebody"
    assert service.get("one", "/latest/meta-data/public-keys/0/openssh-key", token) == (
        "ssh-ed25519 AAAA somebody@example.test"
    )
    assert found[f"{nic}subnet-ipv4-cidr-block"] == "10.80.16.0/24"
    assert found[f"{nic}ipv6s"] == "2001:db8:8000:10::1"
    assert found[f"{nic}ipv4-associations/127.90.250.1"] == "10.80.16.4"
    assert [place for place, value in found.items() if not isinstance(value, str)] == []


def test_the_identity_document_names_instance_and_account(service: Service) -> None:
    document = service.get("one", "/latest/dynamic/instance-identity/document")
    assert isinstance(document, str)
    told = json.loads(document)
    assert (told["instanceId"], told["accountId"]) == (f"i-{1:017x}", "123456789012")


def test_what_is_not_there_is_not_found(service: Service) -> None:
    for path in ("/latest/meta-data/iam", "/latest/meta-data/instance-id/below", "/2030-01-01/meta-data/"):
        assert service.get("one", path) == 404


def test_an_instance_without_a_public_address_is_told_of_none() -> None:
    service = Service(one=instance(1, "10.80.16.4", public_ipv4=None))
    assert service.get("one", "/latest/meta-data/public-ipv4") == 404
