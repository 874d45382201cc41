"""A provider double: its name, version and resources, and how it is served to the engine."""

import os
import signal
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import grpc  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2_grpc

from local_cloud.plugins.resource import ProviderError, Resource
from local_cloud.plugins.servicer import Servicer
from local_cloud.plugins.values import Values

PARALLEL = 128
"""Calls at a time; the engine itself sends at most four per processor unless told otherwise."""
GRACE = 30.0
"""Seconds that running calls get after the engine has gone."""


class Provider:
    """One provider: its name, exact version and resources; subclasses take the configuration."""

    accepts_secrets = False
    accepts_outputs = False
    accepts_resources = True
    accepts_autonaming = True
    """Whether `pulumi:autonaming` of the stack reaches `Check`."""

    def __init__(self, name: str, version: str, resources: Iterable[Resource]) -> None:
        self.name, self.version = name, version
        self.resources = {resource.type: resource for resource in resources}
        self.cancelled = threading.Event()

    def check_config(self, news: Values) -> tuple[Values, dict[str, str]]:
        """Complete the provider's configuration; return it with the refusals by key."""
        return news, {}

    def configure(self, config: Values) -> None:
        """Take the configuration; secrets arrive in plain. Raise ProviderError to refuse it."""

    def invoke(self, token: str, arguments: Values) -> Values:
        """Answer a data source."""
        raise ProviderError(f"{self.name}: the function {token} ({', '.join(arguments)}) is not part of this double")

    def servicer(self, engine: str) -> Servicer:
        """Return the protocol's side of this provider; `engine` is the address of the engine, "" for none."""
        return Servicer(self, engine)


def start(provider: Provider, engine: str = "") -> tuple[grpc.Server, int]:
    """Serve on a free loopback port; return the running server and its port."""
    server = grpc.server(
        ThreadPoolExecutor(PARALLEL),
        options=[("grpc.max_receive_message_length", 400 << 20), ("grpc.max_send_message_length", 400 << 20)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider.servicer(engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def serve(provider: Provider, arguments: list[str] | None = None) -> NoReturn:
    """Run as the engine starts a plugin: `[flags] <engine address>`; first line of stdout is the port."""
    words = [word for word in (sys.argv[1:] if arguments is None else arguments) if not word.startswith("-")]
    parent = os.getppid()
    server, port = start(provider, words[-1] if words else "")
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    print(port, flush=True)
    while not over.wait(1.0) and os.getppid() == parent:
        pass
    provider.cancelled.set()
    server.stop(GRACE).wait(GRACE)
    sys.exit(0)
