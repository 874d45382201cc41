"""A conversation with a plugin over gRPC, in plain Python values: what the engine would send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from google.protobuf.json_format import MessageToDict, ParseDict  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from local_cloud.plugins.provider import Provider, start

MESSAGES: dict[str, type] = {
    "CheckConfig": provider_pb2.CheckRequest,
    "DiffConfig": provider_pb2.DiffRequest,
    "Configure": provider_pb2.ConfigureRequest,
    "Invoke": provider_pb2.InvokeRequest,
    "Check": provider_pb2.CheckRequest,
    "Diff": provider_pb2.DiffRequest,
    "Create": provider_pb2.CreateRequest,
    "Read": provider_pb2.ReadRequest,
    "Update": provider_pb2.UpdateRequest,
    "Delete": provider_pb2.DeleteRequest,
}


@dataclass(frozen=True)
class Plugin:
    """A running plugin; `channel` is open to it."""

    channel: Any

    def call(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request as JSON and return the answer as JSON; a refusal raises grpc.RpcError."""
        stub = provider_pb2_grpc.ResourceProviderStub(self.channel)
        answer = getattr(stub, method)(ParseDict(request, MESSAGES[method](), ignore_unknown_fields=True), timeout=120)
        plain: dict[str, Any] = whole_numbers(MessageToDict(answer))
        return plain

    def version(self) -> str:
        """Return the version that the plugin says it has."""
        info = provider_pb2_grpc.ResourceProviderStub(self.channel).GetPluginInfo(empty_pb2.Empty())
        return str(info.version)


def whole_numbers(value: Any) -> Any:
    """Write whole numbers as int, as the recordings have them; JSON of protobuf writes 1.0."""
    if isinstance(value, dict):
        return {key: whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@contextmanager
def running(provider: Provider) -> Iterator[Plugin]:
    """Serve a provider in this process and open a conversation with it."""
    server, port = start(provider)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Plugin(channel)
    server.stop(None)
