"""Stacks for the tests of level 3: the program of this checkout, applied by the real engine in a folder of its own.

`Workshop` is one embedded cloud, one state backend and one PULUMI_HOME, all in a temporary folder. A `Stack` runs
`pulumi` there and returns what the engine did as plain data.
"""

import hashlib
import json
import re
import secrets
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cloudflare
import hcloud
import yaml
from hcloud.servers import BoundServer

from local_cloud.process import LocalCloud, start
from tests.level3_applied import loaded_python
from tests.level3_applied.machines import HetznerMachines, Machine, Machines, machines
from tests.level3_applied.staying import attached
from tools.engine.environment import hermetic

CHECKOUT = Path(__file__).parents[2]
LINKED = ("__main__.py", "components", "cloud_init")
QUIET_STEPS = {"same", "read", "refresh"}


@dataclass(frozen=True)
class Call:
    """One HTTP call that a plugin made: `kind` has numbers and ids replaced, e.g. `POST /servers/{id}/actions/x`."""

    method: str
    path: str
    status: int

    @property
    def kind(self) -> str:
        parts = [("{id}" if _is_id(part) else part) for part in self.path.split("/")]
        return f"{self.method} {'/'.join(parts)}"


@dataclass(frozen=True)
class Run:
    """One run of the engine: its exit status and text, its steps as `(operation, kind, name)`, the HTTP calls."""

    status: int
    text: str
    steps: list[tuple[str, str, str]]
    calls: list[Call]

    def names(self, operation: str, kind: str = "") -> list[str]:
        """Logical names of the resources that `operation` was done to, sorted; all kinds where none is given."""
        return sorted({name for op, of, name in self.steps if op == operation and kind in ("", of)})

    def changed(self) -> Counter[str]:
        """How many resources per operation, those left alone not counted."""
        return Counter(op for op, _, _ in self.steps)

    def kinds(self) -> Counter[str]:
        return Counter(call.kind for call in self.calls)


@dataclass
class Workshop:
    folder: Path
    cloud: LocalCloud
    environment: dict[str, str]
    machines: Machines
    """The cloud where the servers are."""
    virtualenv: str = ".venv"
    hosts: bool = False
    cloudflare_token: str = field(default_factory=lambda: secrets.token_hex(20))
    _seen: int = 0

    @classmethod
    def open(
        cls,
        folder: Path,
        where: str = "hetzner",
        *,
        action_seconds: float = 0.05,
        hosts: bool = False,
        first_address: str = "127.90.0.1",
    ) -> "Workshop":
        """`where` is the cloud of the servers, as the setting `cloud` names it."""
        aws = where == "aws"
        (folder / "state").mkdir()
        environment = hermetic(folder / "home", f"file://{folder / 'state'}", aws=aws)
        # The engine writes its events to a file only where its debugging commands are on.
        environment["PULUMI_DEBUG_COMMANDS"] = "true"
        environment["GOGC"] = "off"  # a run is too short to be worth a collection of garbage
        cloud = start(
            folder / "cloud", action_seconds=action_seconds, hosts=hosts, aws=aws, first_address=first_address
        )
        return cls(folder, cloud, environment, machines(where, cloud), ".venv-aws" if aws else ".venv", hosts)

    def close(self) -> None:
        self.cloud.stop()

    def stack(self, name: str = "test", **config: Any) -> "Stack":
        return Stack(self, name, config)

    def servers(self) -> list[BoundServer]:
        """Hetzner's, in the words of its own client."""
        return self.hetzner.servers.get_all()

    def labels(self, key: str) -> list[str]:
        """The label `key` of every server, sorted: one entry per server."""
        return sorted(server.labels[key] for server in self.machines.all())

    def left(self) -> list[str]:
        """Names of everything that the clouds still hold, except the zone itself."""
        records = self._cloudflare.dns.records.list(zone_id=zone_id("fleet.test"))
        return self.machines.left() + [record.name for record in records]

    def one(self, name: str) -> Machine:
        """The server of this logical name."""
        (server,) = [server for server in self.machines.all() if server.name == name]
        return server

    def delete_server(self, name: str) -> None:
        """Delete a server behind the engine's back; `name` is the logical one."""
        self.machines.delete(self.one(name).instance)

    def fault(self, method: str, path: str, fault: Mapping[str, Any], *, nth: int, times: int = 1) -> None:
        """Let calls fail from the nth matching one on (docs/local-cloud.md, faults)."""
        self.cloud.admin.fault(match={"method": method, "path": path}, fault=dict(fault), nth=nth, times=times)

    def news(self) -> list[Call]:
        """The calls since this was asked last."""
        found = self.cloud.admin.log(self._seen)
        self._seen = found[-1]["n"] if found else self._seen
        return [Call(call["method"], call["path"], call["status"]) for call in found]

    def calls(self, method: str, path: str) -> list[int]:
        """The numbers of the calls, from the clouds' log; `path` is a regular expression for whole path and query."""
        return [
            call["n"]
            for call in self.cloud.admin.log()
            if call["method"] == method
            and re.fullmatch(path, call["path"] + ("?" * bool(call["query"])) + call["query"])
        ]

    @property
    def hetzner(self) -> hcloud.Client:
        return self._hetzner.client

    @property
    def hetzner_token(self) -> str:
        return self._hetzner.token

    @hetzner_token.setter
    def hetzner_token(self, token: str) -> None:
        self._hetzner.token = token

    @property
    def _hetzner(self) -> HetznerMachines:
        assert isinstance(self.machines, HetznerMachines)
        return self.machines

    @property
    def _cloudflare(self) -> cloudflare.Cloudflare:
        return cloudflare.Cloudflare(api_token=self.cloudflare_token, base_url=self.cloud.cloudflare_url)


class Stack:
    """One stack of the program; `config` are settings in plain Python values."""

    def __init__(self, workshop: Workshop, name: str, config: Mapping[str, Any]) -> None:
        self.workshop = workshop
        self.name = name
        self.folder = workshop.folder / f"stack-{name}"
        self.folder.mkdir()
        for part in LINKED:
            (self.folder / part).symlink_to(CHECKOUT / part)
        loaded_python.environment(self.folder / workshop.virtualenv, CHECKOUT / workshop.virtualenv)
        project = yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text())
        del project["backend"]
        project["runtime"]["options"]["virtualenv"] = workshop.virtualenv
        (self.folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
        self._config: dict[str, Any] = {}
        self.pulumi("stack", "init", name, check=True)
        self.configure(**config)

    def configure(self, **config: Any) -> None:
        """Change settings; they hold from the next run on. None takes a setting away."""
        defaults = {
            "domain": f"{self.name}.fleet.test",
            "zone": "fleet.test",
            "zoneId": zone_id("fleet.test"),
            "tls": "cluster",
            "adminCidrs": ["127.0.0.0/8", "198.19.255.1/32"],  # the second is this machine as hosts see it
            "bridges": 2,
            **self.workshop.machines.settings(),
            "drain": self.workshop.hosts,  # without hosts nobody answers by SSH; nodes.py has who does
        }
        self._config = {**(self._config or defaults), **config}
        values: dict[str, Any] = {
            k if ":" in k else f"jitsi-fleet:{k}": _yaml(v) for k, v in self._config.items() if v is not None
        }
        cloud = self.workshop.cloud
        providers = {
            **self.workshop.machines.configuration(),
            "cloudflare:baseUrl": cloud.cloudflare_url,
            "cloudflare:apiToken": self.workshop.cloudflare_token,
        }
        path = self.folder / f"Pulumi.{self.name}.yaml"
        stack_file = yaml.safe_load(path.read_text()) if path.exists() else {}
        path.write_text(yaml.safe_dump({**(stack_file or {}), "config": {**providers, **values}}))

    def setting(self, key: str) -> Any:
        """As configured; None where the default holds."""
        return self._config.get(key)

    def up(self, *arguments: str) -> Run:
        return self.engine("up", "--yes", "--skip-preview", *arguments)

    def preview(self) -> Run:
        return self.engine("preview")

    def refresh(self) -> Run:
        return self.engine("refresh", "--yes", "--skip-preview")

    def destroy(self) -> Run:
        return self.engine("destroy", "--yes", "--skip-preview")

    def recover(self) -> subprocess.CompletedProcess[str]:
        """What the README says to do after a killed engine."""
        command = [sys.executable, "-m", "tools.recover", "--stack", self.name]
        env = {**self.workshop.environment, "PYTHONPATH": str(CHECKOUT)}
        done = subprocess.run(command, cwd=self.folder, env=env, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def outputs(self) -> dict[str, Any]:
        result = self.pulumi("stack", "output", "--json", check=True)
        outputs: dict[str, Any] = json.loads(result.stdout)
        return outputs

    def state(self, *, show_secrets: bool = False) -> dict[str, Any]:
        asked = ["stack", "export", *(["--show-secrets"] if show_secrets else [])]
        exported: dict[str, Any] = json.loads(self.pulumi(*asked, check=True).stdout)
        return exported

    def engine(self, *command: str) -> Run:
        """Run a command that applies or previews; its steps come from the engine's own event log."""
        events = self.folder / "events.jsonl"
        events.unlink(missing_ok=True)
        self.workshop.news()
        environment = self.workshop.environment
        environment = environment | attached(Path(environment["PULUMI_HOME"]))
        result = self.pulumi(*command, "--event-log", str(events), "--color", "never", environment=environment)
        return Run(
            status=result.returncode,
            text=result.stdout + result.stderr,
            steps=_steps(events),
            calls=self.workshop.news(),
        )

    def pulumi(
        self, *command: str, check: bool = False, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*command),
            cwd=self.folder,
            env=environment or self.workshop.environment,
            check=check,
            text=True,
            capture_output=True,
        )

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command and return at once, for tests that kill it; it leads a process group of its own."""
        return subprocess.Popen(
            self.command(*command),
            cwd=self.folder,
            env=self.workshop.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def command(self, *command: str) -> list[str]:
        stack = [] if command[:2] == ("stack", "init") else ["--stack", self.name]
        pulumi = shutil.which("pulumi", path=self.workshop.environment["PATH"])
        assert pulumi, "no pulumi: run `make test`, it installs one"
        return [pulumi, *command, *stack, "--non-interactive"]


def zone_id(zone: str) -> str:
    """Zone ids of the embedded cloud follow from the name (docs/local-cloud.md)."""
    return hashlib.md5(zone.encode(), usedforsecurity=False).hexdigest()


def _yaml(value: Any) -> Any:
    return value if isinstance(value, list | dict) else str(value).lower() if isinstance(value, bool) else str(value)


def _steps(events: Path) -> list[tuple[str, str, str]]:
    steps = []
    for line in events.read_text().splitlines() if events.exists() else []:
        event = json.loads(line)
        done = event.get("resOutputsEvent") or event.get("resOpFailedEvent") or {}
        metadata = done.get("metadata")
        if metadata and metadata["op"] not in QUIET_STEPS:
            failed = "failed " if "resOpFailedEvent" in event else ""
            steps.append((failed + metadata["op"], metadata["type"].split(":")[-1], metadata["urn"].split("::")[-1]))
    return steps


def _is_id(part: str) -> bool:
    return part.isdigit() or (len(part) == 32 and all(letter in "0123456789abcdef" for letter in part))
