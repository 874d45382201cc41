"""Double of pulumi-command 1.2.1: remote.Command, over SSH by `asyncssh`.

Recorded: nothing runs on create or update where the program names no command for it; delete runs the text and the
connection of the state, and a failure leaves the resource there; the whole connection is secret, and the keys in it
once more; a diff names `connection` as a whole. `triggers` is reported as an update: it is the SDK that asks for a
replacement (`replace_on_changes`).

Different on purpose: connections through a proxy are refused; `logging` is accepted and every line is shown; a
preview of a creation foretells no id (a real id is random too). See ssh.py for the connection itself.
"""

# ruff: noqa: ARG002, N802 (the signatures are those of the base)

import secrets as randomness
from typing import Any, ClassVar

import grpc  # type: ignore[import-untyped]

from local_cloud.plugins import ssh
from local_cloud.plugins.diffs import Diff
from local_cloud.plugins.framework import planned, without_none
from local_cloud.plugins.provider import Provider, serve
from local_cloud.plugins.resource import Call, Created, Input, ProviderError, Resource
from local_cloud.plugins.servicer import Servicer
from local_cloud.plugins.values import UNKNOWN, Values, reveal, secret

CONNECTION_DEFAULTS = {"port": 22, "user": "root", "dialErrorLimit": 10, "perDialTimeout": 15}
CONNECTION_SECRETS = ("password", "privateKey", "privateKeyPassword")
GO_PROVIDER = ("__pulumi-go-provider-version", "1.2.0")


class RemoteCommand(Resource):
    type = "command:remote:Command"
    bridged = False
    inputs: ClassVar = {
        "connection": Input(required=True, whole=True),
        "create": Input(),
        "update": Input(),
        "delete": Input(),
        "stdin": Input(),
        "environment": Input(),
        "triggers": Input(),
        "logging": Input(),
        "addPreviousOutputInEnv": Input(default=True),
    }

    def check(self, news: Values, olds: Values, name: str) -> tuple[Values, dict[str, str]]:
        checked, failures = super().check(news, olds, name)
        connection = reveal(news.get("connection"))
        if isinstance(connection, dict):
            if "host" not in connection:
                failures["connection.host"] = "Missing required property 'host'"
            if connection.get("proxy") is not None:
                failures["connection.proxy"] = "this double makes no connection through a proxy"
            sealed = {key: secret(value) if key in CONNECTION_SECRETS else value for key, value in connection.items()}
            checked["connection"] = secret({**CONNECTION_DEFAULTS, **sealed})
        return planned(self.inputs, checked), failures

    def diff(self, id: str, olds: Values, news: Values, old_inputs: Values) -> Diff:
        return Diff(super().diff(id, olds, news, old_inputs).changes, detailed=True)

    def preview(self, inputs: Values, olds: Values | None) -> Values:
        runs = olds is None or "update" in inputs or "create" in inputs
        output = {"stdout": UNKNOWN, "stderr": UNKNOWN} if runs or olds is None else _output(olds)
        return {**without_none(inputs), **output}

    def create(self, call: Call, inputs: Values) -> Created:
        id = call.urn.split("::", 3)[3] + randomness.token_hex(4)
        return Created(id, {**inputs, **_run(call, inputs, inputs.get("create"), {})})

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:
        return {**news, **_run(call, news, news.get("update", news.get("create")), _output(olds))}

    def delete(self, call: Call, id: str, olds: Values) -> None:
        _run(call, olds, olds.get("delete"), _output(olds))


def _output(olds: Values) -> Values:
    return {"stdout": olds.get("stdout", ""), "stderr": olds.get("stderr", "")}


def _run(call: Call, inputs: Values, command: Any, previous: Values) -> Values:
    """Run a command and return its output; without a command, the previous output."""
    if command is None:
        return {"stdout": "", "stderr": "", **previous}
    plain, previous = reveal(inputs), reveal(previous)
    environment = dict(plain.get("environment") or {})
    if plain.get("addPreviousOutputInEnv", True):
        environment |= {f"PULUMI_COMMAND_{name.upper()}": text for name, text in previous.items() if text}
    try:
        output = ssh.run(
            {**CONNECTION_DEFAULTS, **plain["connection"]},
            reveal(command),
            stdin=plain.get("stdin"),
            environment=environment,
            log=call.log,
            cancelled=call.cancelled,
            dial_seconds=call.timeout,
        )
    except ssh.CommandError as error:
        raise ProviderError(str(error)) from error
    return {"stdout": output.stdout, "stderr": output.stderr}


class CommandServicer(Servicer):
    def DiffConfig(self, request: Any, context: Any) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "DiffConfig is not implemented")


class CommandProvider(Provider):
    accepts_secrets = True
    accepts_outputs = True
    accepts_autonaming = False

    def __init__(self) -> None:
        super().__init__("command", "1.2.1", [RemoteCommand()])

    def check_config(self, news: Values) -> tuple[Values, dict[str, str]]:
        key, version = GO_PROVIDER
        return {**news, key: version}, {}

    def servicer(self, engine: str) -> Servicer:
        return CommandServicer(self, engine)


if __name__ == "__main__":
    serve(CommandProvider())
