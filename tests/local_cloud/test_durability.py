"""What was answered stays: restart, kill -9 among 16 writers, actions across a restart."""

import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from hcloud import APIException

from local_cloud.process import LocalCloud, start

from .conftest import hetzner_client, make_server

WRITERS = 16


def write_until_cut(client: Any, writer: int, answered: list[str]) -> None:
    for number in range(500):
        name = f"group-{writer}-{number}"
        try:
            client.placement_groups.create(name, "spread")
        except (requests.RequestException, APIException):
            return
        answered.append(name)


def test_a_kill_among_16_writers_loses_nothing_that_was_answered(own_cloud: LocalCloud) -> None:
    answered: list[str] = []
    tokens = [secrets.token_hex(32) for _ in range(WRITERS)]  # 50 groups is the limit of one project
    with ThreadPoolExecutor(WRITERS) as pool:
        running = [
            pool.submit(write_until_cut, hetzner_client(own_cloud, token), number, answered)
            for number, token in enumerate(tokens)
        ]
        while len(answered) < 100 and not all(writer.done() for writer in running):
            time.sleep(0.01)
        own_cloud.kill()
    again = start(own_cloud.state)
    try:
        kept = [g.name for token in tokens for g in hetzner_client(again, token).placement_groups.get_all()]
    finally:
        again.stop()
    assert len(answered) >= 100
    assert set(answered) - set(kept) == set()
    assert len(kept) <= len(answered) + WRITERS


def test_16_callers_at_once_get_16_names_and_addresses(own_cloud: LocalCloud) -> None:
    token, gate = secrets.token_hex(32), threading.Barrier(WRITERS)

    def create(number: int) -> tuple[int, str]:
        client: Any = hetzner_client(own_cloud, token)
        gate.wait()
        server = make_server(client, f"bridge-{number}")
        return server.id, server.public_net.ipv4.ip

    with ThreadPoolExecutor(WRITERS) as pool:
        made = list(pool.map(create, range(WRITERS)))
    assert len({number for number, _ in made}) == WRITERS
    assert len({address for _, address in made}) == WRITERS


def test_one_of_16_callers_gets_a_name(own_cloud: LocalCloud) -> None:
    token, gate = secrets.token_hex(32), threading.Barrier(WRITERS)

    def create(_: int) -> str:
        client: Any = hetzner_client(own_cloud, token)
        gate.wait()
        try:
            make_server(client, "bridge-1", wait=False)
        except APIException as refused:
            return str(refused.code)
        return "made"

    with ThreadPoolExecutor(WRITERS) as pool:
        results = sorted(pool.map(create, range(WRITERS)))
    assert results == ["made"] + ["uniqueness_error"] * (WRITERS - 1)


def test_an_action_that_a_restart_interrupts_still_ends(own_cloud: LocalCloud) -> None:
    token = secrets.token_hex(32)
    server = make_server(hetzner_client(own_cloud, token), "bridge-1", wait=False)
    own_cloud.kill()
    again = start(own_cloud.state)
    time.sleep(0.1)
    try:
        found = hetzner_client(again, token).servers.get_by_id(server.id)
        log = again.admin.log()
    finally:
        again.stop()
    assert (found.status, found.locked) == ("running", False)
    assert [entry["n"] for entry in log] == sorted({entry["n"] for entry in log})


@pytest.mark.parametrize("how", ["reset", "stop"])
def test_a_reset_empties_the_cloud_and_a_stop_does_not(own_cloud: LocalCloud, how: str) -> None:
    token = secrets.token_hex(32)
    make_server(hetzner_client(own_cloud, token), "bridge-1")
    if how == "reset":
        own_cloud.admin.reset()
    own_cloud.stop()
    again = start(own_cloud.state)
    try:
        left = hetzner_client(again, token).servers.get_all()
    finally:
        again.stop()
    assert len(left) == (0 if how == "reset" else 1)
