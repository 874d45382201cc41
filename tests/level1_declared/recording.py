"""Runs the program against an engine that only writes down what it is asked for.

`declare(config)` runs `__main__.py` once, in an event loop and stack of its own, and returns plain data.
"""

import asyncio
import base64
import gzip
import json
import logging
import runpy
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime import stack as stack_module

from tests.level1_declared.providers import Provider

PROGRAM = Path(__file__).parents[2] / "__main__.py"
SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the wire's mark of a secret value, from Pulumi's protocol
STACK_TYPE = "pulumi:pulumi:Stack"

MINIMAL: Mapping[str, Any] = {
    "domain": "meet.example.org",
    "zone": "example.org",
    "zoneId": "0123456789abcdef0123456789abcdef",
    "email": "ops@example.org",
    "adminCidrs": ["198.51.100.0/24"],
}
OF_CLOUD: Mapping[str, Mapping[str, Any]] = {
    "hetzner": {},
    "aws": {"cloud": "aws", "locations": ["eu-central-1a"], "aws:region": "eu-central-1"},
}
"""What each cloud needs in addition."""
SERVER = {"hetzner": "Server", "aws": "Instance"}
USER_DATA = {"Server": "userData", "Instance": "userDataBase64"}

logging.getLogger("asyncio").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Resource:
    """One registration: `inputs` as sent, with secrets unwrapped; `secret` names the inputs that were marked."""

    urn: str
    kind: str
    name: str
    parent: str
    inputs: dict[str, Any]
    secret: frozenset[str]
    options: Any


@dataclass
class Declared:
    resources: list[Resource] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)
    """What the providers' functions were asked."""

    def all(self, kind: str) -> list[Resource]:
        """Resources whose type ends with `kind`, by name as a person sorts them (bridge-2 before bridge-10)."""
        found = [resource for resource in self.resources if resource.kind.split(":")[-1] == kind]
        return sorted(found, key=lambda resource: _natural(resource.name))

    def one(self, kind: str, name: str) -> Resource:
        (found,) = [resource for resource in self.all(kind) if resource.name == name]
        return found

    def servers(self) -> list[Resource]:
        """Those of either cloud."""
        return [server for kind in SERVER.values() for server in self.all(kind)]

    def server(self, name: str) -> Resource:
        (found,) = [server for server in self.servers() if server.name == name]
        return found

    def user_data(self, name: str) -> str:
        """What the server reads, as plain text."""
        server = self.server(name)
        packed = server.inputs[USER_DATA[server.kind.split(":")[-1]]]
        return gzip.decompress(base64.b64decode(packed)).decode()

    def outline(self) -> str:
        """The tree of components and resources, one line each."""
        return "\n".join(self._lines("", 0)) + "\n"

    def _lines(self, parent: str, depth: int) -> Iterable[str]:
        children = [r for r in self.resources if r.parent == parent and r.kind != STACK_TYPE]
        if not parent:
            stack = next(r for r in self.resources if r.kind == STACK_TYPE)
            children = [r for r in self.resources if r.parent == stack.urn]
        for child in sorted(children, key=lambda r: (r.kind.split(":")[-1], _natural(r.name))):
            yield f"{'  ' * depth}{child.kind.split(':')[-1]} {child.name}"
            yield from self._lines(child.urn, depth + 1)


def declare(
    config: Mapping[str, Any] | None = None,
    *,
    cloud: str = "hetzner",
    secrets: Iterable[str] = (),
    preview: bool = False,
    before: Mapping[str, Any] | None = None,
    drawn: str = "",
    provider: Provider | None = None,
) -> Declared:
    """Run the program with MINIMAL plus `config`; values travel as the CLI sends them (lists and maps as JSON).

    Keys have no namespace, but for those of a provider.

    `before` are the outputs that the stack had. What providers make depends on the resource's name alone; another
    `drawn` stands for other passwords. Another `provider` makes what is declared in its own way.
    """
    raw = {key: value for key, value in {**MINIMAL, **OF_CLOUD[cloud], **(config or {})}.items() if value is not None}
    wire = {key if ":" in key else f"jitsi-fleet:{key}": _text(value) for key, value in raw.items()}
    monitor = _Monitor(provider or Provider(before or {}, drawn))
    # In a thread of its own, for its short stack: with each resource Pulumi sends all frames, and pytest has many.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _run(monitor, wire, [f"jitsi-fleet:{key}" for key in secrets], preview)).result()
    return monitor.declared


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, list | dict) else str(value)


async def _run(monitor: "_Monitor", wire: dict[str, str], secret_keys: list[str], preview: bool) -> None:
    settings.configure(
        settings.Settings(
            "jitsi-fleet", "test", monitor=monitor, engine=mocks.MockEngine(None), dry_run=preview, organization="us"
        )
    )
    settings.set_root_resource(None)  # type: ignore[arg-type]
    pulumi.runtime.set_all_config(wire, secret_keys)
    await stack_module.run_in_stack(_program)


def _program() -> None:
    runpy.run_path(str(PROGRAM), run_name="__main__")


class _Monitor(mocks.MockMonitor):
    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self.declared = Declared(calls=provider.calls)
        self._urns: set[str] = set()

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        chain = parent.split("::")[2] if parent else ""
        qualified = type_ if chain in ("", STACK_TYPE) else f"{chain}${type_}"
        return f"urn:pulumi:test::jitsi-fleet::{qualified}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        urn = self.make_urn(request.parent, request.type, request.name)
        assert urn not in self._urns, f"declared twice: {urn}"
        self._urns.add(urn)
        raw = rpc.deserialize_properties(request.object, keep_unknowns=True)
        inputs = {key: _unwrap(value) for key, value in raw.items()}
        secret = frozenset(key for key, value in raw.items() if _holds_secret(value))
        self.declared.resources.append(
            Resource(urn, request.type, request.name, request.parent, inputs, secret, request)
        )
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        if request.urn.split("::")[2] == STACK_TYPE:
            self.declared.outputs = rpc.deserialize_properties(request.outputs, keep_unknowns=True)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def _holds_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return SECRET in value or any(_holds_secret(part) for part in value.values())
    return isinstance(value, list) and any(_holds_secret(part) for part in value)


def _unwrap(value: Any) -> Any:
    if isinstance(value, dict):
        return _unwrap(value["value"]) if SECRET in value else {key: _unwrap(part) for key, part in value.items()}
    return [_unwrap(part) for part in value] if isinstance(value, list) else value


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in name.replace("-", " - ").split()]
