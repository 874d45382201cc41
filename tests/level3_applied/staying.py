"""Doubles that stay from run to run, in this process: the engine attaches to them instead of starting its own.

Their start was almost half of the processor time of an `up`. Real plugins are always started; so are doubles in
whatever `Stack.start` begins, since an engine that is killed takes its plugins along.
"""

import functools
from collections.abc import Callable
from pathlib import Path

from local_cloud.plugins.cloudflare import CloudflareProvider
from local_cloud.plugins.command import CommandProvider
from local_cloud.plugins.hcloud.hcloud_provider import HcloudProvider
from local_cloud.plugins.provider import Provider, start
from local_cloud.plugins.random import RandomProvider
from local_cloud.plugins.tls.__main__ import TlsProvider
from tools.engine.doubles import is_double


def _aws() -> Provider:
    from local_cloud.plugins.aws.aws_provider import AwsProvider  # boto3, only where somebody builds there

    return AwsProvider()


DOUBLES: dict[str, Callable[[], Provider]] = {
    "aws": _aws,
    "cloudflare": CloudflareProvider,
    "command": CommandProvider,
    "hcloud": HcloudProvider,
    "random": RandomProvider,
    "tls": TlsProvider,
}
_SERVERS: list[object] = []  # one that nobody holds ends


def attached(pulumi_home: Path) -> dict[str, str]:
    """What to add to the environment of an engine, for the plugins that are doubles in this home."""
    folders = [folder for folder in (pulumi_home / "plugins").iterdir() if is_double(folder)]
    names = {folder.name.removeprefix("resource-").rpartition("-v")[0] for folder in folders}
    return {"PULUMI_DEBUG_PROVIDERS": ",".join(f"{name}:{_port(name)}" for name in sorted(names))} if names else {}


@functools.cache
def _port(name: str) -> int:
    server, port = start(DOUBLES[name]())
    _SERVERS.append(server)
    return port
