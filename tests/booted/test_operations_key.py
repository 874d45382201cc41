"""Level 4: the operations key can ask for drains and nothing else, the rotation key can name it and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncssh
import pytest

from tests.booted.booted import Cluster
from tests.booted.doorways import taken_here
from tests.booted.operator import KEYS, host_key, key, logged_in, resource

Connection = asyncssh.SSHClientConnection
OTHER_COMMANDS = (
    "id",
    "",
    "status; id",
    "status $(id)",
    "status\nid",
    "ready bridge-1 10.80.32.2 1 1 && id",
    "drain bridge-1 8.8.8.8 1 0 1",
    "drain bridge-1 10.80.32.2 ../1 0 1",
    "scp -t /tmp",
    "/usr/lib/openssh/sftp-server",
)
pytestmark = pytest.mark.skipif(22 in taken_here(), reason="a program of this machine has port 22 on all addresses")


async def ways_out(connection: Connection) -> list[str]:
    """All that a session could be used for beside a command; those that the node granted."""

    async def copies() -> object:
        return await connection.start_sftp_client()

    async def reaches_jicofo() -> object:
        return await connection.open_connection("127.0.0.1", 8888)

    async def reaches_a_socket() -> object:
        return await connection.open_unix_connection("/run/dbus/system_bus_socket")

    async def listens() -> object:
        return await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", 1)

    async def has_a_terminal() -> object:
        return await connection.run("status", term_type="xterm", check=True)

    tried: dict[str, Callable[[], Awaitable[object]]] = {
        "copies files": copies,
        "reaches jicofo": reaches_jicofo,
        "reaches a socket": reaches_a_socket,
        "lets somebody in": listens,
        "has a terminal": has_a_terminal,
    }
    granted = []
    for name, way in tried.items():
        try:
            async with asyncio.timeout(20):
                await way()
            granted.append(name)
        except (asyncssh.Error, asyncssh.ChannelListenError, OSError):
            continue
    return granted


async def answers(connection: Connection, commands: tuple[str, ...]) -> list[tuple[int | None, str, str]]:
    done = [await connection.run(command or None, check=False, stdin=asyncssh.DEVNULL) for command in commands]
    return [(each.exit_status, str(each.stdout), str(each.stderr)) for each in done]


def test_the_operations_key_asks_for_drains_and_can_do_nothing_else(cluster: Cluster) -> None:
    operations, shows = key(cluster, "operations"), host_key(cluster)

    async def asks(connection: Connection) -> list[tuple[int | None, str, str]]:
        return await answers(connection, ("status", *OTHER_COMMANDS))

    (status, *others) = logged_in(cluster.shard, "operations", operations, asks, shows)
    assert (status[0], status[1].startswith("[")) == (0, True), status
    for command, (code, printed, why) in zip(OTHER_COMMANDS, others, strict=True):
        assert (code, printed) == (2, ""), f"{command!r}: {code} {printed} {why}"
        assert why.startswith("refused: ")
        assert "forecast" in why
    assert logged_in(cluster.shard, "operations", operations, ways_out, shows) == []


def test_the_operations_key_is_taken_from_administrators_addresses_only(cluster: Cluster) -> None:
    """Its owner may have lost it. The node asks itself here: from 127.0.0.1, which may, and from its private side."""
    shard = cluster.shard
    key_file = "/run/operations-key"
    attempt = (
        f"ssh -i {key_file} -F none -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no "
        "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    )
    text = key(cluster, "operations").export_private_key("openssh").decode()
    try:
        shard.run(f"install -m 600 /dev/null {key_file} && cat >{key_file} <<'KEY'\n{text}\nKEY")
        assert shard.run(f"{attempt} operations@127.0.0.1 status").startswith("[")
        assert "Permission denied" in shard.run(f"{attempt} operations@{shard.private} status 2>&1", check=False)
    finally:
        shard.run(f"rm -f {key_file}")


def test_the_rotation_key_names_the_operations_key_and_can_do_nothing_else(cluster: Cluster) -> None:
    rotation, shows = key(cluster, "rotation"), host_key(cluster)
    commands = ("status", "id", "authorize 0.0.0.0/0 ssh-rsa AAAA", 'authorize 10.0.0.0/8 ssh-ed25519 AA" command="id')

    async def asks(connection: Connection) -> list[tuple[int | None, str, str]]:
        return await answers(connection, commands)

    for code, printed, why in logged_in(cluster.shard, "operations", rotation, asks, shows):
        assert (code, printed, "this key can do one thing" in why) == (2, "", True), why
    assert logged_in(cluster.shard, "operations", rotation, ways_out, shows) == []


def test_no_key_of_the_state_opens_another_account_or_another_host(cluster: Cluster) -> None:
    async def nothing(_: Connection) -> None:
        return None

    for name in KEYS:
        with_key = key(cluster, name)
        for host in cluster.hosts():
            for user in ("root", "debian", "jicofo") + (() if host == cluster.shard else ("operations",)):
                with pytest.raises(asyncssh.PermissionDenied):
                    logged_in(host, user, with_key, nothing)
    with pytest.raises(asyncssh.PermissionDenied):
        logged_in(cluster.shard, "operations", key(cluster, "signaling-host"), nothing)


def test_a_rotated_operations_key_is_taken_at_once_and_touches_no_bridge(cluster: Cluster) -> None:
    async def asks(connection: Connection) -> str:
        return str((await connection.run("status", check=True)).stdout)

    before, servers = key(cluster, "operations"), {host.name for host in cluster.hosts()}
    run = cluster.stack.up("--replace", resource(cluster, "operations")["urn"])
    assert run.status == 0, run.text
    after = key(cluster, "operations")
    assert logged_in(cluster.shard, "operations", after, asks).startswith("[")
    with pytest.raises(asyncssh.PermissionDenied):
        logged_in(cluster.shard, "operations", before, asks)
    assert "drains:" not in run.text
    assert "is ready" not in run.text
    assert {host.name for host in cluster.hosts()} == servers
    assert run.names("replace") == ["operations", "operations-key"]
