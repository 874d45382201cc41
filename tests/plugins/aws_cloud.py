"""The aws double on the EC2 of an embedded cloud: conversations with it, as the engine has them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]

from local_cloud.plugins.aws.aws_provider import AwsProvider
from local_cloud.plugins.values import Values
from local_cloud.process import LocalCloud, start
from tests.ec2 import DEBIAN, REGION, Keys
from tests.plugins import aws_schema
from tests.plugins.conversation import Plugin, running

SEED = "MDEyMzQ1Njc4OWFiY2RlZg=="


def configuration(cloud: LocalCloud, **more: Any) -> Values:
    """As a stack's keys `aws:...` reach the plugin: what is no text is written as text."""
    keys = Keys()
    return {
        "region": REGION,
        "accessKey": keys.access,
        "secretKey": keys.secret,
        "endpoints": f'[{{"ec2": "{cloud.ec2_url}"}}]',
        "skipCredentialsValidation": "true",
        "skipRequestingAccountId": "true",
        "maxRetries": "2",
    } | more


@dataclass
class Made:
    """A resource as the engine's state has it."""

    account: "Account"
    type: str
    id: str
    inputs: Values
    outputs: Values
    name: str = "it"

    def diff(self, **changes: Any) -> Values:
        """What the plugin says of changed inputs; None takes one away."""
        request, _ = self._change(changes)
        return self.account.plugin.call("Diff", request)

    def kinds(self, **changes: Any) -> dict[str, str]:
        """The changed paths, each with ADD, UPDATE, ... or with _REPLACE behind it."""
        answer = self.diff(**changes)
        if "hasDetailedDiff" not in answer:  # of the newer half of the plugin
            replaces = answer.get("replaces", [])
            return {key: "UPDATE_REPLACE" if key in replaces else "UPDATE" for key in answer.get("diffs", [])}
        return {path: change.get("kind", "ADD") for path, change in answer.get("detailedDiff", {}).items()}

    def update(self, **changes: Any) -> None:
        request, failures = self._change(changes)
        assert not failures
        self.outputs = self.account.plugin.call("Update", request).get("properties", {})
        self.inputs = request["news"]
        self.id = self.outputs["id"]
        self.conforms()

    def read(self) -> bool:
        """As a refresh does; False when the resource has gone."""
        request = {"urn": urn(self.type, self.name), "id": self.id, "properties": self.outputs, "inputs": self.inputs}
        answer = self.account.plugin.call("Read", request)
        if answer:
            self.outputs, self.inputs = answer["properties"], answer.get("inputs", {})
            self.conforms()
        return bool(answer)

    def delete(self) -> None:
        self.account.plugin.call(
            "Delete", {"urn": urn(self.type, self.name), "id": self.id, "properties": self.outputs}
        )

    def conforms(self) -> None:
        """Every value has its published type."""
        if aws_schema.installed():
            schema = aws_schema.resource(self.type)
            wrong = {
                k: v
                for k, v in self.outputs.items()
                if k in schema.outputs and not aws_schema.conforms(v, schema.outputs[k])
            }
            assert not wrong, f"{self.type}: not of the published type"
            unknown = {key for key in self.outputs if key != "id" and key[:2] != "__"} - schema.outputs.keys()
            assert not unknown, f"{self.type}: not published"

    def _change(self, changes: Values) -> tuple[Values, list[Values]]:
        """What the engine asks about changed inputs, and what the plugin's check refused of them."""
        news, failures = self.account.check(self.type, self._changed(changes), self.inputs, self.name)
        request = {
            "urn": urn(self.type, self.name),
            "id": self.id,
            "olds": self.outputs,
            "news": news,
            "oldInputs": self.inputs,
        }
        return request, failures

    def _changed(self, changes: Values) -> Values:
        written = {key: value for key, value in {**self.inputs, **changes}.items() if value is not None}
        automatic = written.pop("__defaults", [])
        return {key: value for key, value in written.items() if key not in automatic or key in changes}


@dataclass
class Account:
    """One account in an embedded cloud, and a plugin that is configured for it."""

    cloud: LocalCloud
    plugin: Plugin
    config: Values
    since: int = field(default=0)

    @property
    def ec2(self) -> Any:
        """AWS's own client of the account: what somebody does by hand."""
        return Keys(self.config["accessKey"], self.config["secretKey"]).client(self.cloud)

    def check(
        self, type: str, inputs: Values, olds: Values | None = None, name: str = "it"
    ) -> tuple[Values, list[Values]]:
        request = {"urn": urn(type, name), "news": inputs, "olds": olds or {}, "randomSeed": SEED}
        answer = self.plugin.call("Check", request)
        return answer["inputs"], answer.get("failures", [])

    def make(self, type: str, **inputs: Any) -> Made:
        return self.named("it", type, inputs)

    def named(self, name: str, type: str, inputs: Values) -> Made:
        """Make a resource of this logical name."""
        checked, failures = self.check(type, inputs, name=name)
        assert not failures, failures
        answer = self.plugin.call("Create", {"urn": urn(type, name), "properties": checked})
        made = Made(self, type, answer["id"], checked, answer["properties"], name)
        made.conforms()
        return made

    def refusal(self, type: str, **inputs: Any) -> str:
        """The text of a creation that is refused."""
        checked, _ = self.check(type, inputs)
        try:
            self.plugin.call("Create", {"urn": urn(type), "properties": checked})
        except grpc.RpcError as error:
            return str(error.details())
        raise AssertionError("it was not refused")

    def image(self, pattern: str = "debian-12-amd64-*") -> str:
        return str(self.invoke(pattern)["id"])

    def invoke(self, pattern: str, *, most_recent: bool = True) -> Values:
        filters = [{"name": "name", "values": [pattern]}]
        arguments = {"owners": [DEBIAN], "filters": filters, "mostRecent": most_recent}
        found: Values = self.plugin.call("Invoke", {"tok": "aws:ec2/getAmi:getAmi", "args": arguments})["return"]
        return found

    def fault(self, action: str, fault: Values, **how: Any) -> None:
        self.cloud.admin.fault(match={"api": "ec2", "path": f"^/{action}$"}, fault=fault, **how)

    def actions(self, *, reading: bool = False) -> list[str]:
        """The calls since the last question, those that change something, by action and status."""
        log = [call for call in self.cloud.admin.log(self.since) if call["api"] == "ec2"]
        self.since = log[-1]["n"] if log else self.since
        told = [(call["path"][1:], call["status"]) for call in log]
        return [f"{name} {status}" for name, status in told if reading or not name.startswith("Describe")]


def urn(type: str, name: str = "it") -> str:
    return f"urn:pulumi:dev::project::{type}::{name}"


@contextmanager
def opened(folder: Path) -> Iterator[LocalCloud]:
    cloud = start(folder, aws=True, action_seconds=0.05)
    yield cloud
    cloud.stop()


@contextmanager
def account(cloud: LocalCloud, **config: Any) -> Iterator[Account]:
    """An account of its own, which sees nothing of others."""
    wanted = configuration(cloud, **config)
    with running(AwsProvider()) as plugin:
        plugin.call("Configure", {"args": wanted})
        last = cloud.admin.log()[-1:]
        yield Account(cloud, plugin, wanted, last[0]["n"] if last else 0)
