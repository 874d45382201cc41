"""The SSH keys of a cluster's state, and logging in with them at its hosts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncssh

from tests.booted.booted import Cluster, Host
from tests.booted.secret_values import plain

Answer = TypeVar("Answer")
KEYS = ("operations", "rotation", "signaling-host")


def resource(cluster: Cluster, name: str) -> dict[str, Any]:
    """A key of the state as the engine stores it."""
    resources = cluster.stack.state(show_secrets=True)["deployment"]["resources"]
    (found,) = [each for each in resources if each["urn"].endswith(f"PrivateKey::{name}")]
    return dict(found)


def key(cluster: Cluster, name: str) -> asyncssh.SSHKey:
    return asyncssh.import_private_key(plain(resource(cluster, name)["outputs"]["privateKeyOpenssh"]))


def host_key(cluster: Cluster) -> asyncssh.SSHKey:
    """What the node shows that it is the node."""
    return asyncssh.import_public_key(cluster.stack.outputs()["operationsHostKey"])


def logged_in(
    host: Host,
    user: str,
    with_key: asyncssh.SSHKey,
    work: Callable[[asyncssh.SSHClientConnection], Awaitable[Answer]],
    shows: asyncssh.SSHKey | None = None,
) -> Answer:
    """The answer of `work`; PermissionDenied or HostKeyNotVerifiable before. Any host will do unless it `shows` one."""

    async def work_there() -> Answer:
        known: tuple[list[asyncssh.SSHKey], ...] | None = ([shows], [], []) if shows else None
        async with asyncssh.connect(
            host.address, username=user, client_keys=[with_key], known_hosts=known, config=None, agent_path=None
        ) as connection:
            return await work(connection)

    return asyncio.run(work_there())
