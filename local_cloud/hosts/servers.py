"""Hetzner's servers as tenants of the site.

After each API call they look for actions that are the hosts' to perform, perform them and end them.
"""

import time
import traceback

from ..hetzner import actions
from ..store import Doc, Store
from . import addresses, firewalls, report, rulesets
from .forwarding import Host
from .inventory import Inventory
from .machine import BootError, Machine
from .machines import Machines
from .networks import Networks
from .operations import COMMANDS, Operations
from .shell import CommandError
from .tenants import Landlord

SHOULD_RUN = ("running", "starting")


class Servers:
    def __init__(self, store: Store, machines: Machines, networks: Networks, landlord: Landlord) -> None:
        self._store, self._inventory = store, Inventory(store)
        self._machines, self._networks, self._landlord = machines, networks, landlord
        self._operations = Operations(self._inventory, networks, machines)
        self._begun: set[int] = set()
        self._ruleset = ""

    async def start(self) -> None:
        await self._firewalls()
        for _, server in self._inventory.servers():
            if server["status"] in SHOULD_RUN:
                self._set_status(server["id"], "starting")
                self._landlord.spawn(self._boot_again(server["id"]))

    async def follow(self) -> None:
        await self._firewalls()
        for project, action in self._inventory.running():
            if action["command"] in COMMANDS and action["id"] not in self._begun:
                self._begun.add(action["id"])
                self._landlord.spawn(self._perform(project, action))
        await self._networks.forget(self._inventory.networks())

    def known(self) -> set[int]:
        return {server["id"] for _, server in self._inventory.servers()}

    async def unplug(self, number: int) -> None:
        await self._networks.unplug(number)

    def ended(self, machine: Machine, reboots: bool) -> None:
        found = self._inventory.find(machine.server)
        if found is not None and found[1]["status"] in SHOULD_RUN:
            self._set_status(machine.server, "starting" if reboots else "off")
            if reboots:
                self._landlord.spawn(self._boot_again(machine.server))

    def report(self) -> list[Doc]:
        return [self._entry(project, server) for project, server in self._inventory.servers()]

    def public(self) -> dict[int, Host]:
        found = {}
        for project, server in self._inventory.servers():
            machine, ipv4 = self._machines.find(server["id"]), self._inventory.ipv4(project, server)
            if machine and machine.init and ipv4:
                found[server["id"]] = Host(addresses.outside(ipv4), ipv4, ipv4, machine.init)
        return found

    def allowed(self, number: int, protocol: str, port: int, client: str) -> bool:
        return firewalls.allowed(self._store, number, protocol, port, client)

    def asking(self, address: str) -> tuple[str, Doc] | None:
        """Project and server behind an inside address."""
        return self._inventory.asking(address)

    def _entry(self, project: str, server: Doc) -> Doc:
        ipv4 = self._inventory.ipv4(project, server)
        return report.entry(
            self._machines,
            server["id"],
            name=server["name"],
            instance=str(server["id"]),
            status=server["status"],
            public=addresses.outside(ipv4) if ipv4 else None,
            private=[interface["ip"] for interface in server["networks"] if not interface["pending"]],
        )

    async def _firewalls(self) -> None:
        wanted = firewalls.ruleset(self._store)
        if wanted != self._ruleset:
            try:
                await rulesets.apply(wanted)
                self._ruleset = wanted
            except rulesets.RulesetError as problem:
                print(problem, flush=True)

    async def _perform(self, project: str, action: Doc) -> None:
        number, error = action["resources"][0]["id"], action["_fails"]
        async with self._machines.one_at_a_time[number]:
            server = self._store.get("server", project, number)
            if error is None and server is not None:
                error = await self._tried(project, server, action)
            with self._store.transaction():
                self._store.end(action["id"], time.time(), error)
                actions.settle(self._store, time.time())
            if error is not None:
                self._set_status(number, "running" if self._machines.runs(number) else "off")
        self._begun.discard(action["id"])
        self._landlord.moved()

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
        async with self._machines.one_at_a_time[number]:
            found = self._inventory.find(number)
            if found is None or found[1]["status"] not in SHOULD_RUN:
                return
            try:
                await self._operations.boot(*found)
            except (BootError, CommandError, OSError) as problem:
                print(f"{found[1]['name']} does not boot: {problem}", flush=True)
            self._set_status(number, "running" if self._machines.runs(number) else "off")
        self._landlord.moved()

    def _set_status(self, number: int, status: str) -> None:
        found = self._inventory.find(number)
        if found is not None:
            with self._store.transaction():
                self._store.put("server", found[0], {**found[1], "status": status})
