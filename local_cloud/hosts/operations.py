"""What is done to the hosts of Hetzner's servers: the actions of the API, performed one at a time for each server."""

from ..store import Doc
from .inventory import Inventory, image_name, memory
from .machine import BootError, Machine
from .machines import Machines
from .networks import Networks

# Actions that are done when the host has done them; all others end by the clock.
COMMANDS = frozenset(
    {
        *("create_server", "start_server", "stop_server", "shutdown_server", "reboot_server", "reset_server"),
        *("rebuild_server", "delete_server", "attach_to_network", "detach_from_network"),
    }
)


class Operations:
    def __init__(self, inventory: Inventory, networks: Networks, machines: Machines) -> None:
        self._inventory, self._networks, self._machines = inventory, networks, machines

    async def perform(self, project: str, server: Doc, action: Doc) -> None:
        """BootError, CommandError or OSError where it cannot be done."""
        number = server["id"]
        machine = self._machines.get(number)
        match action["command"]:
            case "create_server":
                self._machines.create(number, image_name(server["image"]))
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
                base = self._machines.base(image_name(action["_arguments"]["changes"]["image"]))
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
        machine = self._machines.get(server["id"])
        if machine.init is not None:
            return
        if not machine.has_disk:
            self._machines.create(server["id"], image_name(server["image"]))
        await self._networks.plug_in(self._inventory.plug(project, server))
        for interface in server["networks"]:
            if not interface["pending"]:
                await self._attach(project, server, interface["network"])
        await machine.boot(memory(server), firmware(server))

    async def remove(self, number: int) -> None:
        """The host and its disk."""
        await self._cut_power(number)
        await self._machines.delete(number)
        await self._networks.unplug(number)

    async def _shut_down(self, machine: Machine) -> None:
        if not await machine.shut_down():
            raise BootError("the server did not shut down")

    async def _cut_power(self, number: int) -> None:
        await self._networks.cut(number)
        await self._machines.get(number).kill()

    async def _attach(self, project: str, server: Doc, network: int) -> None:
        plan = self._inventory.network(project, network)
        for interface in server["networks"]:
            if plan is not None and interface["network"] == network:
                await self._networks.attach(server["id"], plan, interface)


def firmware(server: Doc) -> dict[str, str]:
    """By this cloud-init knows Hetzner's servers."""
    return {
        "system-manufacturer": "Hetzner",
        "system-product-name": "vServer",
        "system-serial-number": str(server["id"]),
    }
