"""The site: makes true on this machine what the state of the APIs says of servers, networks, firewalls and names.

The state is the only truth. After each API call the site looks for actions that are its to perform, performs them and
ends them; a server that should run and does not is booted. So a restart of the cloud goes on wherever the last one was.
"""

import asyncio
import ipaddress
import shutil
import time
from collections import defaultdict
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path

from ..hetzner import actions, catalogue
from ..images.prepare import Prepared
from ..images.web import Archives
from ..store import Doc, Store
from . import acme, addresses, firewalls
from .acme import Acme
from .forwarding import Forwarder
from .machine import CGROUPS, BootError, Machine, cgroup_name, remove_cgroup
from .names import Resolver
from .networks import Networks, Plug
from .shell import CommandError

# Actions that are done when the host has done them; all others end by the clock.
COMMANDS = frozenset(
    {
        *("create_server", "start_server", "stop_server", "shutdown_server", "reboot_server", "reset_server"),
        *("rebuild_server", "delete_server", "attach_to_network", "detach_from_network"),
    }
)
PARTING_SECONDS = 15.0  # for all hosts together, when the cloud ends


class Site:
    def __init__(self, store: Store, folder: Path, prepared: Prepared, outside: int) -> None:
        """`folder` holds the disks; `outside` is a descriptor of the machine's own network namespace."""
        self._store, self._folder, self._prepared = store, folder, prepared
        self._cgroup = CGROUPS / cgroup_name(folder.parent)
        self.machines: dict[int, Machine] = {}
        self.archives, self.acme = Archives(prepared), Acme(prepared.authority)
        self._networks = Networks(Path("/run/jitsi-fleet-dhcp"))
        names = dict.fromkeys((place.name for place in prepared.archives.iterdir()), addresses.ARCHIVES)
        self._resolver = Resolver(store, {**names, acme.NAME: addresses.ACME})
        self._forwarder = Forwarder(outside, self._allowed)
        self._one_at_a_time: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._begun: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._ruleset = ""

    async def start(self) -> None:
        """The networks and services, then every server that should run."""
        remove_cgroup(self._cgroup)  # what a killed cloud has left
        self._cgroup.mkdir(exist_ok=True)
        await self._networks.start()
        await self._firewalls()
        await self._resolver.start(addresses.RESOLVER)
        await self.archives.start(addresses.ARCHIVES)
        await self.acme.start()
        self._forget_the_deleted()
        for project, server in self._servers():
            if server["status"] in ("running", "starting"):
                self._spawn(self._boot_again(project, server["id"]))
        self._spawn(self._forwarder.run())
        self._spawn(self._follow())

    async def stop(self) -> None:
        """Shut all hosts down in order; the state still says that they should run."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(machine.shut_down(PARTING_SECONDS) for machine in self.machines.values()))
        await asyncio.gather(*(machine.leave() for machine in self.machines.values()))
        await self.acme.stop()

    def wake(self) -> None:
        """Something in the state may have changed."""
        self._changed.set()

    async def service(self, name: str, away: bool) -> None:
        """Take a service away from the hosts, or give it back; KeyError if there is none of that name."""
        match name:
            case "archives":
                await (self.archives.stop() if away else self.archives.start(addresses.ARCHIVES))
            case "names":
                await (self._resolver.stop() if away else self._resolver.start(addresses.RESOLVER))
            case "acme":
                await (self.acme.stop() if away else self.acme.start())
            case _:
                raise KeyError(name)

    def asking(self, address: str) -> tuple[str, Doc] | None:
        """Project and server behind an inside address."""
        for project, server in self._servers():
            if self._ipv4(project, server) == address:
                return project, server
        return None

    def report(self) -> list[Doc]:
        """For `status`: one entry per server, those that are off included."""
        entries = []
        for project, server in self._servers():
            machine = self.machines.get(server["id"])
            ipv4 = self._ipv4(project, server)
            entries.append(
                {
                    "id": server["id"],
                    "name": server["name"],
                    "status": server["status"],
                    "public": addresses.outside(ipv4) if ipv4 else None,
                    "private": [interface["ip"] for interface in server["networks"] if not interface["pending"]],
                    "init": machine and machine.init,
                    "since": machine and machine.since,
                    "cloud_init": machine.cloud_init() if machine else None,
                    "folder": str(self._folder / str(server["id"])),
                }
            )
        return entries

    def problems(self) -> list[str]:
        return self._forwarder.problems()

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._firewalls()
            for project in self._store.counts():
                for action in self._store.running(project):
                    if action["command"] in COMMANDS and action["id"] not in self._begun:
                        self._begun.add(action["id"])
                        self._spawn(self._perform(project, action))
            gone = self.machines.keys() - {server["id"] for _, server in self._servers()}
            for number in gone:  # by a reset
                if not self._one_at_a_time[number].locked():
                    self._spawn(self._remove(number))
            networks = [
                network["id"] for project in self._store.counts() for network in self._store.all("network", project)
            ]
            await self._networks.forget(networks)

    async def _firewalls(self) -> None:
        wanted = firewalls.ruleset(self._store)
        if wanted != self._ruleset:
            try:
                await firewalls.apply(wanted)
            except firewalls.RulesetError as error:  # the rules before stay in force
                print(f"firewalls: {error}", flush=True)
            self._ruleset = wanted

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            asyncio.get_running_loop().call_exception_handler({"message": "hosts", "exception": task.exception()})

    async def _perform(self, project: str, action: Doc) -> None:
        number, error = action["resources"][0]["id"], action["_fails"]
        async with self._one_at_a_time[number]:
            if error is None:
                try:
                    await self._do(project, number, action)
                except (BootError, CommandError, OSError) as problem:
                    error = {"code": "action_failed", "message": str(problem)}
            with self._store.transaction():
                self._store.end(action["id"], time.time(), error)
                actions.settle(self._store, time.time())
            self._begun.discard(action["id"])
            self._changed.set()

    async def _do(self, project: str, number: int, action: Doc) -> None:
        server = self._store.get("server", project, number)
        if server is None:
            return
        machine = self._machine(number)
        match action["command"]:
            case "create_server":
                machine.create(self._base(server["image"]))
            case "start_server":
                await self._boot(project, server)
            case "shutdown_server":
                if not await machine.shut_down():
                    raise BootError("the server did not shut down")
            case "stop_server":
                await self._cut_power(number)
            case "reboot_server":
                if not await machine.shut_down():
                    raise BootError("the server did not shut down")
                await self._boot(project, server)
            case "reset_server":
                await self._cut_power(number)
                await self._boot(project, server)
            case "rebuild_server":
                base = self._base(action["_arguments"]["changes"]["image"])
                await self._cut_power(number)
                await machine.delete()
                machine.create(base)
                await self._boot(project, server)
            case "delete_server":
                await self._remove(number)
            case "attach_to_network":
                if machine.init is not None:
                    await self._attach(project, server, action["resources"][1]["id"])
            case "detach_from_network":
                await self._networks.detach(number, action["resources"][1]["id"])

    async def _cut_power(self, number: int) -> None:
        await self._networks.cut(number)
        await self._machine(number).kill()

    async def _remove(self, number: int) -> None:
        await self._cut_power(number)
        await self._machine(number).delete()
        await self._networks.unplug(number)
        self.machines.pop(number, None)

    async def _boot(self, project: str, server: Doc) -> None:
        machine = self._machine(server["id"])
        if machine.init is not None:
            return
        if not (machine.folder / "base").exists():
            machine.create(self._base(server["image"]))
        ipv6 = self._store.get("primary_ip", project, server["ipv6"]) if server["ipv6"] else None
        network = ipaddress.IPv6Network(ipv6["ip"]) if ipv6 else None
        await self._networks.plug_in(Plug(server["id"], self._ipv4(project, server), network))
        for interface in server["networks"]:
            if not interface["pending"]:
                await self._attach(project, server, interface["network"])
        kind = catalogue.find(catalogue.SERVER_TYPES, server["server_type"]) or {}
        await machine.boot(kind["memory"])
        self._forwarder.follow(self._public())

    async def _boot_again(self, project: str, number: int) -> None:
        async with self._one_at_a_time[number]:
            server = self._store.get("server", project, number)
            if server is None:
                return
            try:
                await self._boot(project, server)
            except (BootError, CommandError, OSError) as problem:
                print(f"{server['name']} does not boot: {problem}", flush=True)
                self._set_status(project, number, "off")

    async def _attach(self, project: str, server: Doc, network: int) -> None:
        plan = self._store.get("network", project, network)
        for interface in server["networks"]:
            if plan is not None and interface["network"] == network:
                await self._networks.attach(server["id"], plan, interface)

    def _machine(self, number: int) -> Machine:
        if number not in self.machines:
            self.machines[number] = Machine(number, self._folder / str(number), self._cgroup, self._ended)
        return self.machines[number]

    def _ended(self, machine: Machine, reboots: bool) -> None:
        """A host stopped or rebooted by itself, from the inside."""
        for project, server in self._servers():
            if server["id"] == machine.server:
                if reboots:
                    self._spawn(self._boot_again(project, machine.server))
                else:
                    self._set_status(project, machine.server, "off")

    def _set_status(self, project: str, number: int, status: str) -> None:
        server = self._store.get("server", project, number)
        if server is not None:
            with self._store.transaction():
                self._store.put("server", project, {**server, "status": status})

    def _base(self, image: int) -> Path:
        name = (catalogue.find(catalogue.IMAGES, image) or {}).get("name", "")
        if name not in self._prepared.bases:
            raise BootError(f"image {name} is not prepared here: python -m local_cloud prepare --image {name}")
        return self._prepared.bases[name]

    def _servers(self) -> list[tuple[str, Doc]]:
        return [(project, server) for project in self._store.counts() for server in self._store.all("server", project)]

    def _ipv4(self, project: str, server: Doc) -> str | None:
        address = self._store.get("primary_ip", project, server["ipv4"]) if server["ipv4"] else None
        return addresses.inside(address["ip"]) if address else None

    def _public(self) -> dict[int, tuple[str, str, int]]:
        """What the forwarder follows: outside and inside address and init of every running host."""
        found = {}
        for project, server in self._servers():
            machine, ipv4 = self.machines.get(server["id"]), self._ipv4(project, server)
            if machine and machine.init and ipv4:
                found[server["id"]] = (addresses.outside(ipv4), ipv4, machine.init)
        return found

    def _allowed(self, server: int, protocol: str, port: int, client: str) -> bool:
        return firewalls.allowed(self._store, server, protocol, port, client)

    def _forget_the_deleted(self) -> None:
        """Disks of servers that went while no site ran."""
        known = {str(server["id"]) for _, server in self._servers()}
        for folder in self._folder.iterdir():
            if folder.is_dir() and folder.name not in known:
                with suppress(OSError):
                    shutil.rmtree(folder)
