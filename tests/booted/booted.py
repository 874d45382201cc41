"""Clusters whose hosts boot, for the tests of level 4, and the questions that are asked of them."""

import json
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType

from local_cloud.hosts.command_line import inside
from tests.level3_applied.applied import Run, Stack, Workshop
from tools import booted

Value = TypeVar("Value")
Service = Literal["archives", "names", "acme"]


@dataclass(frozen=True)
class Host:
    """One server of the embedded cloud; `name` is the API's, with what the engine appended."""

    cluster: "Cluster"
    name: str

    @property
    def entry(self) -> dict[str, Any]:
        """What `local_cloud status` knows of it: id, status, public, private, init, since, cloud_init, folder."""
        (found,) = [host for host in self.cluster.workshop.cloud.admin.hosts() if host["name"] == self.name]
        return found

    @property
    def address(self) -> str:
        """Its public address as seen from this machine, 127.90.x.y."""
        return str(self.entry["public"])

    @property
    def private(self) -> str:
        return str(self.entry["private"][0])

    @property
    def disk(self) -> Path:
        """What it changed on its image; also there while it is off."""
        return Path(self.entry["folder"]) / "upper"

    @property
    def made(self) -> float:
        """When its disk was, in seconds of the epoch."""
        return (self.disk.parent / "base").stat().st_mtime

    def run(self, command: str, *, check: bool = True, timeout: float = 60) -> str:
        """A shell command on the host as root; its standard output. CalledProcessError where it fails."""
        asked = [*inside(self.cluster.workshop.cloud, self.entry), "bash", "-c", command]
        done = subprocess.run(asked, text=True, capture_output=True, timeout=timeout)
        if check and done.returncode:
            raise AssertionError(
                f"{self.name}: {command}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        return done.stdout.strip()

    def succeeds(self, command: str) -> bool:
        asked = [*inside(self.cluster.workshop.cloud, self.entry), "bash", "-c", command]
        return subprocess.run(asked, capture_output=True, timeout=60).returncode == 0

    def installed(self) -> bool:
        return self.entry["cloud_init"] == "done" and (self.disk / "var/lib/jitsi-fleet/installed").exists()

    def server(self) -> Any:
        """Its handle in Hetzner's client: power_off(), reboot(), ..."""
        (found,) = [server for server in self.cluster.workshop.servers() if server.name == self.name]
        return found

    def act(self, action: str, **arguments: Any) -> None:
        """An action of the API (power_on, power_off, shutdown, reboot, reset, delete ...), waited for to its end."""
        begun = getattr(self.server(), action)(**arguments)
        begun.wait_until_finished(max_retries=600)


class Cluster:
    """A stack of the program whose servers boot."""

    def __init__(self, workshop: Workshop, name: str = "test", **config: Any) -> None:
        self.workshop = workshop
        self.stack: Stack = workshop.stack(name, **config)
        self._described: dict[str, Any] = {}
        self._written = 0

    def up(self, *, wait: bool = True) -> Run:
        """`pulumi up`, then wait until every host of the stack has installed its role."""
        run = self.stack.up()
        assert run.status == 0, run.text
        if wait:
            self.wait()
        return run

    def wait(self) -> None:
        described = self.described()
        hosts = (*described["shards"], *described["bridges"])
        booted.wait(self.workshop.cloud, {host["publicIpv4"] for host in hosts}, longest=300)

    def described(self) -> dict[str, Any]:
        """The output `cluster` (docs/cluster.schema.json); asked again only when the state has changed."""
        (state,) = self.workshop.folder.glob(f"state/.pulumi/stacks/*/{self.stack.name}.json")
        written = state.stat().st_mtime_ns
        if written != self._written:
            self._described, self._written = self.stack.outputs()["cluster"], written
        return self._described

    @property
    def domain(self) -> str:
        return str(self.stack.setting("domain"))

    def host(self, logical: str) -> Host:
        """By its logical name, as in `bridge-2`."""
        described = self.described()
        (address,) = [h["publicIpv4"] for h in (*described["shards"], *described["bridges"]) if h["name"] == logical]
        (name,) = [host["name"] for host in self.workshop.cloud.admin.hosts() if host["public"] == address]
        return Host(self, name)

    def hosts(self) -> list[Host]:
        described = self.described()
        return [self.host(host["name"]) for host in (*described["shards"], *described["bridges"])]

    @property
    def shard(self) -> Host:
        return self.host("shard-1")

    def jicofo(self, path: str = "/stats", *, check: bool = True) -> Any:
        """What jicofo's REST answers on the signaling node; without `check` None where it does not answer."""
        answer = self.shard.run(f"curl -sf -m 5 http://127.0.0.1:8888{shlex.quote(path)}", check=check)
        return json.loads(answer) if answer else None

    def bridges_in_the_brewery(self) -> int:
        """Bridges that jicofo would give a room to; 0 while it does not answer."""
        stats = self.jicofo(check=False)
        return int(stats["bridge_selector"]["operational_bridge_count"]) if stats else 0

    def operational_bridges(self) -> set[str]:
        """Their addresses in the brewery; none while jicofo does not answer."""
        debug = self.jicofo("/debug", check=False)
        known = debug["bridge_selector"]["bridge"] if debug else {}
        return {jid for jid, bridge in known.items() if bridge["operational"]}

    @contextmanager
    def without(self, service: Service) -> Iterator[None]:
        """While package archives, the name service or Let's Encrypt are away."""
        self.workshop.cloud.admin.service(service, away=True)
        try:
            yield
        finally:
            self.workshop.cloud.admin.service(service, away=False)

    def user_data(self, logical: str) -> str:
        """What a host of the cluster was made from."""
        for resource in self.stack.state(show_secrets=True)["deployment"]["resources"]:
            if resource["type"] == "hcloud:index/server:Server" and resource["urn"].endswith(f"::{logical}"):
                return str(json.loads(resource["inputs"]["userData"]["plaintext"]))
        raise AssertionError(f"no {logical} in the state")

    @contextmanager
    def stranger(
        self, name: str, user_data: str = "", *, image: str = "debian-12", in_network: bool = False, start: bool = True
    ) -> Iterator[Host]:
        """A server beside the cluster's own, made through the API and deleted at the end.

        With `in_network` it gets an address in the bridges' subnet, as a bridge would.
        """
        client = self.workshop.hetzner
        made = client.servers.create(
            name=name,
            server_type=ServerType(name="ccx13"),
            image=Image(name=image),
            location=Location(name="fsn1"),
            user_data=user_data,
            start_after_create=start,
        )
        for action in (made.action, *made.next_actions):
            action.wait_until_finished(max_retries=600)
        host = Host(self, name)
        try:
            if in_network:
                self.attach(host)
            yield host
        finally:
            host.act("delete")

    def attach(self, host: Host) -> None:
        """Into the private network, with an address in the bridges' subnet."""
        (network,) = self.workshop.hetzner.networks.get_all()
        assert network.subnets
        bridges = network.subnets[1].ip_range
        host.act("attach_to_network", network=network, ip_range=bridges)


def eventually(question: Callable[[], Value], seconds: float = 60, pause: float = 0.5) -> Value:
    """The first true answer; AssertionError with the last one when none comes in time."""
    limit = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < limit, f"not within {seconds:.0f} s: {answer!r}"
        time.sleep(pause)
