"""The engine's plugin protocol on one side, a `Provider` with its `Resource` classes on the other.

Differs from the real plugins on purpose: there is no schema (`GetSchema`), which running a program does not need.
`Handshake` is not implemented, as recorded. The protocol fixes the names and arguments of the methods.
"""

# ruff: noqa: ARG002, N802

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import any_pb2, empty_pb2  # type: ignore[import-untyped]
from google.rpc import status_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc

from local_cloud.plugins.resource import Call, PartialCreate, ProviderError, Resource, automatic_name
from local_cloud.plugins.values import Values, from_struct, reveal, to_struct

if TYPE_CHECKING:
    from local_cloud.plugins.provider import Provider


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """The plugin protocol, method by method, in plain Python values."""

    def __init__(self, provider: Provider, engine: str) -> None:
        self.provider = provider
        self.engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(engine)) if engine else None

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=self.provider.version)

    def Attach(self, request: Any, context: Any) -> Any:
        """A double that was there before takes its next engine. What the last one has cancelled stays so."""
        self.engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(request.address))
        self.provider.cancelled = threading.Event()
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        self.provider.cancelled.set()
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: Any) -> Any:
        inputs, failures = self.provider.check_config(from_struct(request.news))
        return provider_pb2.CheckResponse(inputs=to_struct(inputs), failures=_failures(failures))

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse()

    def Configure(self, request: Any, context: Any) -> Any:
        with _Refusals(context):
            self.provider.configure(reveal(from_struct(request.args)))
        return provider_pb2.ConfigureResponse(
            acceptSecrets=self.provider.accepts_secrets,
            supportsPreview=True,
            acceptResources=self.provider.accepts_resources,
            acceptOutputs=self.provider.accepts_outputs,
            supports_autonaming_configuration=self.provider.accepts_autonaming,
        )

    def Invoke(self, request: Any, context: Any) -> Any:
        with _Refusals(context):
            answer = self.provider.invoke(request.tok, from_struct(request.args))
        return provider_pb2.InvokeResponse(**{"return": to_struct(answer)})

    def Check(self, request: Any, context: Any) -> Any:
        resource = self._resource(request.urn, context)
        name = automatic_name(_logical(request.urn), request.randomSeed or os.urandom(16))
        if request.HasField("autonaming"):
            disabled = request.autonaming.mode == provider_pb2.CheckRequest.AutonamingOptions.DISABLE
            name = "" if disabled else request.autonaming.proposed_name
        inputs, failures = resource.check(from_struct(request.news), from_struct(request.olds), name)
        return provider_pb2.CheckResponse(inputs=to_struct(inputs), failures=_failures(failures))

    def Diff(self, request: Any, context: Any) -> Any:
        resource = self._resource(request.urn, context)
        olds, news, old_inputs = map(from_struct, (request.olds, request.news, request.old_inputs))
        for key in request.ignoreChanges:
            news[key] = old_inputs.get(key)
        return resource.diff(request.id, olds, news, old_inputs).message()

    def Create(self, request: Any, context: Any) -> Any:
        resource = self._resource(request.urn, context)
        inputs = from_struct(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=to_struct(resource.preview(inputs, None)))
        with _Refusals(context):
            made = resource.create(self._call(request), inputs)
        return provider_pb2.CreateResponse(id=made.id, properties=to_struct({"id": made.id} | made.outputs))

    def Read(self, request: Any, context: Any) -> Any:
        resource = self._resource(request.urn, context)
        olds, inputs = from_struct(request.properties), from_struct(request.inputs)
        with _Refusals(context):
            found = resource.read(self._call(request), request.id, olds, inputs)
        if found is None:
            return provider_pb2.ReadResponse()
        outputs, inputs = found
        return provider_pb2.ReadResponse(id=request.id, properties=to_struct(outputs), inputs=to_struct(inputs))

    def Update(self, request: Any, context: Any) -> Any:
        resource = self._resource(request.urn, context)
        olds, news, old_inputs = map(from_struct, (request.olds, request.news, request.old_inputs))
        if request.preview:
            return provider_pb2.UpdateResponse(properties=to_struct(resource.preview(news, olds)))
        with _Refusals(context):
            outputs = resource.update(self._call(request, old_inputs), request.id, olds, news)
        return provider_pb2.UpdateResponse(properties=to_struct({"id": request.id} | outputs))

    def Delete(self, request: Any, context: Any) -> Any:
        resource = self._resource(request.urn, context)
        with _Refusals(context):
            resource.delete(
                self._call(request, from_struct(request.old_inputs)), request.id, from_struct(request.properties)
            )
        return empty_pb2.Empty()

    def _resource(self, urn: str, context: Any) -> Resource:
        token = urn.split("::")[2].rsplit("$", 1)[-1]
        if token not in self.provider.resources:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{token} is not part of the double of {self.provider.name}")
        return self.provider.resources[token]

    def _call(self, request: Any, old_inputs: Values | None = None) -> Call:
        return Call(
            urn=request.urn,
            preview=getattr(request, "preview", False),
            log=lambda severity, text: self._log(request.urn, severity, text),
            cancelled=self.provider.cancelled,
            old_inputs=old_inputs or {},
            timeout=getattr(request, "timeout", 0.0),
        )

    def _log(self, urn: str, severity: str, text: str) -> None:
        """Tell the engine; severity `status` shows beside the running step only and is not kept."""
        if self.engine is not None:
            passing = severity == "status"
            level = engine_pb2.LogSeverity.Value("INFO" if passing else severity.upper())
            self.engine.Log(engine_pb2.LogRequest(severity=level, message=text, urn=urn, ephemeral=passing))


def _logical(urn: str) -> str:
    return urn.split("::", 3)[3]


def _failures(by_property: dict[str, str]) -> list[Any]:
    return [provider_pb2.CheckFailure(property=key, reason=reason) for key, reason in by_property.items()]


class _Status(grpc.Status):  # type: ignore[misc]
    """A refusal with details, for `ServicerContext.abort_with_status`."""

    def __init__(self, message: str, detail: Any) -> None:
        packed = any_pb2.Any()
        packed.Pack(detail)
        self.code = grpc.StatusCode.UNKNOWN
        self.details = message
        status = status_pb2.Status(code=self.code.value[0], message=message, details=[packed])
        self.trailing_metadata = (("grpc-status-details-bin", status.SerializeToString()),)


class _Refusals:
    """Turn a refusal raised inside into the status that the engine understands."""

    def __init__(self, context: Any) -> None:
        self.context = context

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PartialCreate):
            outputs = to_struct({"id": error.id} | error.outputs)
            detail = provider_pb2.ErrorResourceInitFailed(id=error.id, properties=outputs, reasons=error.reasons)
            self.context.abort_with_status(_Status(str(error), detail))
        if isinstance(error, ProviderError):
            self.context.abort(grpc.StatusCode.UNKNOWN, str(error))
