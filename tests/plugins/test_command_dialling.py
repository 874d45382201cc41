"""Level 3, one part alone: how often and how long the command double dials a host that does not answer."""

import secrets
import socket
import threading
import time
from collections.abc import Iterator

import grpc  # type: ignore[import-untyped]
import pytest

from local_cloud.plugins import ssh
from local_cloud.plugins.command import CommandProvider
from tests.plugins.conversation import Plugin, running
from tests.plugins.ssh_server import SshServer, serving
from tests.plugins.test_command import URN, create, refusal


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    with running(CommandProvider()) as conversation:
        yield conversation


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("limit", [1, 3])
def test_dialling_ends_at_its_limit_with_the_recorded_words(plugin: Plugin, closed_port: int, limit: int) -> None:
    connection = {"host": "127.0.0.1", "port": closed_port, "dialErrorLimit": limit}
    state = create(plugin, {"connection": connection, "delete": "true"})
    address = f"127.0.0.1:{closed_port}"
    assert refusal(plugin, state) == f"after {limit} failed attempts: dial tcp {address}: connect: connection refused"


def test_every_failed_dial_is_shown(closed_port: int) -> None:
    shown: list[tuple[str, str]] = []
    connection = {"host": "127.0.0.1", "port": closed_port, "user": "root", "dialErrorLimit": 2, "perDialTimeout": 1}
    with pytest.raises(ssh.CommandError):
        ssh.run(connection, "true", log=lambda *said: shown.append(said), cancelled=threading.Event())
    assert shown == [("status", "Dial 1/2 failed: retrying"), ("status", "Dial 2/2 failed: retrying")]


def test_a_host_that_accepts_and_stays_silent_holds_a_dial_no_longer_than_its_time(plugin: Plugin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        connection = {"host": "127.0.0.1", "port": port, "dialErrorLimit": 1, "perDialTimeout": 1}
        state = create(plugin, {"connection": connection, "delete": "true"})
        started = time.monotonic()
        assert refusal(plugin, state) == f"after 1 failed attempts: dial tcp 127.0.0.1:{port}: i/o timeout"
        assert time.monotonic() - started < 5


def test_dialling_without_a_limit_ends_when_the_engine_cancels(closed_port: int) -> None:
    cancelled = threading.Event()
    connection = {"host": "127.0.0.1", "port": closed_port, "user": "root", "dialErrorLimit": -1, "perDialTimeout": 1}
    threading.Timer(0.5, cancelled.set).start()
    with pytest.raises(ssh.CommandError, match="context canceled"):
        ssh.run(connection, "true", log=lambda *_: None, cancelled=cancelled)


def test_a_custom_timeout_ends_the_dialling(plugin: Plugin, closed_port: int) -> None:
    state = create(
        plugin, {"connection": {"host": "127.0.0.1", "port": closed_port, "dialErrorLimit": -1}, "delete": "x"}
    )
    with pytest.raises(grpc.RpcError, match="context deadline exceeded"):
        plugin.call("Delete", {"urn": URN, "id": "drain-1", "properties": state, "timeout": 0.5})


def test_a_host_that_comes_back_between_dials_is_reached(plugin: Plugin, closed_port: int) -> None:
    late = SshServer(secrets.token_hex(8), port=closed_port)
    connection = late.connection(dialErrorLimit=10)
    over = threading.Event()

    def come_back() -> None:
        time.sleep(0.5)
        with serving(late):
            over.wait(30)

    thread = threading.Thread(target=come_back)
    thread.start()
    try:
        assert create(plugin, {"connection": connection, "create": "echo back"})["stdout"] == "back"
    finally:
        over.set()
        thread.join()
