"""What is done to hosts: the actions of the API, performed one at a time for each server."""

import asyncio
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from ..store import Doc
from . import cgroups
from .inventory import Inventory, image_name, memory
from .machine import BootError, Machine
from .networks import Networks

# Actions that are done when the host has done them; all others end by the clock.
COMMANDS = frozenset(
    {
        *("create_server", "start_server", "stop_server", "shutdown_server", "reboot_server", "reset_server"),
        *("rebuild_server", "delete_server", "attach_to_network", "detach_from_network"),
    }
)
PARTING_SECONDS = 15.0  # for all hosts together, when the cloud ends


class Operations:
    def __init__(
        self,
        inventory: Inventory,
        networks: Networks,
        bases: Mapping[str, Path],
        folder: Path,
        cgroup: Path,
        ended: Callable[[Machine, bool], None],
    ) -> None:
        """`bases`: prepared images; `folder` holds the disks; `ended`: see Machine."""
        self._inventory, self._networks, self._bases = inventory, networks, bases
        self._folder, self._cgroup, self._ended = folder, cgroup, ended
        self.machines: dict[int, Machine] = {}
        # Held by who does something to a server.
        self.one_at_a_time: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    def folder(self, number: int) -> Path:
        """Where the disk and the logs of a server are."""
        return self._folder / str(number)

    def strays(self) -> set[int]:
        """Servers that hosts or disks are left of and that the state does not know: it was emptied meanwhile."""
        known = {server["id"] for _, server in self._inventory.servers()}
        return (
            self.machines.keys() | {int(disk.name) for disk in self._folder.iterdir() if disk.name.isdecimal()}
        ) - known

    async def perform(self, project: str, server: Doc, action: Doc) -> None:
        """BootError, CommandError or OSError where it cannot be done."""
        number = server["id"]
        machine = self._machine(number)
        match action["command"]:
            case "create_server":
                machine.create(self._base(server["image"]))
            case "start_server":
                await self.boot(project, server)
            case "shutdown_server":
                await self._shut_down(machine)
            case "stop_server":
                await self._cut_power(number)
            case "reboot_server":
                await self._shut_down(machine)
                await self.boot(project, server)
            case "reset_server":
                await self._cut_power(number)
                await self.boot(project, server)
            case "rebuild_server":
                base = self._base(action["_arguments"]["changes"]["image"])
                await self._cut_power(number)
                await machine.delete()
                machine.create(base)
                await self.boot(project, server)
            case "delete_server":
                await self.remove(number)
            case "attach_to_network":
                if machine.init is not None:
                    await self._attach(project, server, action["resources"][1]["id"])
            case "detach_from_network":
                await self._networks.detach(number, action["resources"][1]["id"])

    async def boot(self, project: str, server: Doc) -> None:
        """Plug it in and start it, unless it runs; a server that never had a disk gets an empty one."""
        machine = self._machine(server["id"])
        if machine.init is not None:
            return
        if not machine.has_disk:
            machine.create(self._base(server["image"]))
        await self._networks.plug_in(self._inventory.plug(project, server))
        for interface in server["networks"]:
            if not interface["pending"]:
                await self._attach(project, server, interface["network"])
        await machine.boot(memory(server))

    async def remove(self, number: int) -> None:
        """The host and its disk."""
        await self._cut_power(number)
        await self._machine(number).delete()
        await self._networks.unplug(number)
        self.machines.pop(number, None)

    async def stop(self) -> None:
        """Shut all hosts down in order and leave nothing of them but their disks."""
        await asyncio.gather(*(machine.shut_down(PARTING_SECONDS) for machine in self.machines.values()))
        await asyncio.gather(*(machine.leave() for machine in self.machines.values()))
        cgroups.remove(self._cgroup)

    def forget_the_deleted(self) -> None:
        """Disks of servers that went while no hosts ran."""
        for number in self.strays():
            shutil.rmtree(self.folder(number), ignore_errors=True)

    async def _shut_down(self, machine: Machine) -> None:
        if not await machine.shut_down():
            raise BootError("the server did not shut down")

    async def _cut_power(self, number: int) -> None:
        await self._networks.cut(number)
        await self._machine(number).kill()

    async def _attach(self, project: str, server: Doc, network: int) -> None:
        plan = self._inventory.network(project, network)
        for interface in server["networks"]:
            if plan is not None and interface["network"] == network:
                await self._networks.attach(server["id"], plan, interface)

    def _machine(self, number: int) -> Machine:
        if number not in self.machines:
            self.machines[number] = Machine(number, self.folder(number), self._cgroup, self._ended)
        return self.machines[number]

    def _base(self, image: int) -> Path:
        name = image_name(image)
        if name not in self._bases:
            raise BootError(f"image {name} is not prepared here: python -m local_cloud prepare --image {name}")
        return self._bases[name]
