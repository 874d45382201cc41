"""The site: makes true on this machine what the state of the APIs says of servers, networks, firewalls and names.

The state is the only truth. After each API call the site looks for actions that are its to perform, performs them and
ends them; a server that should run and does not is booted. So a restart of the cloud goes on wherever the last one was.
"""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Coroutine
from pathlib import Path

from ..hetzner import actions
from ..images.prepare import Prepared
from ..store import Doc, Store
from . import addresses, cgroups, firewalls, report
from .forwarding import Forwarder
from .inventory import Inventory
from .machine import BootError, Machine
from .networks import Networks
from .operations import COMMANDS, Operations
from .services import Services
from .shell import CommandError

SHOULD_RUN = ("running", "starting")


class Site:
    def __init__(self, store: Store, folder: Path, prepared: Prepared, outside: int) -> None:
        """`folder` holds the disks; `outside` is a descriptor of the machine's own network namespace."""
        self._store, self._inventory = store, Inventory(store)
        self._cgroup = cgroups.TOP / cgroups.name(folder.parent)
        self._networks = Networks(Path("/run/jitsi-fleet-dhcp"))
        hosts = (prepared.bases, folder, self._cgroup, self._ended)
        self._operations = Operations(self._inventory, self._networks, *hosts)
        self._services = Services(store, prepared)
        self._forwarder = Forwarder(outside, self._allowed)
        self._begun: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._ruleset = ""

    async def start(self) -> None:
        """The networks and services, then every server that should run."""
        cgroups.remove(self._cgroup)  # what a killed cloud has left
        self._cgroup.mkdir(exist_ok=True)
        await self._networks.start()
        await self._firewalls()
        await self._services.start()
        self._operations.forget_the_deleted()
        for _, server in self._inventory.servers():
            if server["status"] in SHOULD_RUN:
                self._set_status(server["id"], "starting")
                self._spawn(self._boot_again(server["id"]))
        self._spawn(self._forwarder.run())
        self._spawn(self._follow())
        self.wake()  # to what the last one had begun

    async def stop(self) -> None:
        """Shut all hosts down in order; the state still says that they should run."""
        for task in self._tasks:
            task.cancel()
        await self._operations.stop()
        await self._services.stop()

    def wake(self) -> None:
        """Something in the state may have changed."""
        self._changed.set()

    async def service(self, name: str, away: bool) -> None:
        """Take a service away from the hosts, or give it back; KeyError if there is none of that name."""
        await self._services.change(name, away)

    def asking(self, address: str) -> tuple[str, Doc] | None:
        """Project and server behind an inside address."""
        return self._inventory.asking(address)

    def report(self) -> list[Doc]:
        """For `status`: one entry per server, those that are off included."""
        return report.entries(self._inventory, self._operations)

    def problems(self) -> list[str]:
        """Ports of hosts that cannot be reached from this machine, and why."""
        return self._forwarder.problems()

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await _attempt(self._firewalls())
            for project, action in self._inventory.running():
                if action["command"] in COMMANDS and action["id"] not in self._begun:
                    self._begun.add(action["id"])
                    self._spawn(self._perform(project, action))
            for number in self._operations.strays():
                if not self._operations.one_at_a_time[number].locked():
                    self._spawn(self._remove_stray(number))
            await _attempt(self._networks.forget(self._inventory.networks()))

    async def _firewalls(self) -> None:
        wanted = firewalls.ruleset(self._store)
        if wanted != self._ruleset:
            await firewalls.apply(wanted)
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
        async with self._operations.one_at_a_time[number]:
            server = self._store.get("server", project, number)
            if error is None and server is not None:
                error = await self._tried(project, server, action)
            with self._store.transaction():
                self._store.end(action["id"], time.time(), error)
                actions.settle(self._store, time.time())
            if error is not None:
                self._set_status(number, "running" if self._runs(number) else "off")
        self._begun.discard(action["id"])
        self._forwarder.follow(self._public())
        self.wake()

    async def _tried(self, project: str, server: Doc, action: Doc) -> Doc | None:
        """The error of the action, None when it was done."""
        try:
            await self._operations.perform(project, server, action)
        except Exception as problem:
            if not isinstance(problem, (BootError, CommandError, OSError)):
                traceback.print_exc()
            return {"code": "action_failed", "message": str(problem)}
        return None

    async def _boot_again(self, number: int) -> None:
        """A server that should run, after a restart of the cloud or of the host by itself."""
        async with self._operations.one_at_a_time[number]:
            found = self._inventory.find(number)
            if found is None or found[1]["status"] not in SHOULD_RUN:
                return
            try:
                await self._operations.boot(*found)
            except (BootError, CommandError, OSError) as problem:
                print(f"{found[1]['name']} does not boot: {problem}", flush=True)
            self._set_status(number, "running" if self._runs(number) else "off")
            self._forwarder.follow(self._public())

    async def _remove_stray(self, number: int) -> None:
        async with self._operations.one_at_a_time[number]:
            if number in self._operations.strays():
                await self._operations.remove(number)
        self._forwarder.follow(self._public())

    def _ended(self, machine: Machine, reboots: bool) -> None:
        """A host stopped or rebooted by itself, from the inside."""
        self._forwarder.follow(self._public())
        found = self._inventory.find(machine.server)
        if found is not None and found[1]["status"] in SHOULD_RUN:
            self._set_status(machine.server, "starting" if reboots else "off")
            if reboots:
                self._spawn(self._boot_again(machine.server))

    def _runs(self, number: int) -> bool:
        machine = self._operations.machines.get(number)
        return machine is not None and machine.init is not None

    def _set_status(self, number: int, status: str) -> None:
        found = self._inventory.find(number)
        if found is not None:
            with self._store.transaction():
                self._store.put("server", found[0], {**found[1], "status": status})

    def _public(self) -> dict[int, tuple[str, str, int]]:
        """What the forwarder follows: outside and inside address and init of every running host."""
        found = {}
        for project, server in self._inventory.servers():
            machine, ipv4 = self._operations.machines.get(server["id"]), self._inventory.ipv4(project, server)
            if machine and machine.init and ipv4:
                found[server["id"]] = (addresses.outside(ipv4), ipv4, machine.init)
        return found

    def _allowed(self, server: int, protocol: str, port: int, client: str) -> bool:
        return firewalls.allowed(self._store, server, protocol, port, client)


async def _attempt(work: Awaitable[None]) -> None:
    """What fails is said; it is tried again after the next call."""
    try:
        await work
    except (CommandError, firewalls.RulesetError) as problem:
        print(problem, flush=True)
