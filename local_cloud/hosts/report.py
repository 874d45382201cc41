"""What `status` says of hosts."""

from ..store import Doc
from . import addresses
from .inventory import Inventory
from .operations import Operations


def entries(inventory: Inventory, operations: Operations) -> list[Doc]:
    """One entry per server, those that are off included."""
    found = []
    for project, server in inventory.servers():
        machine = operations.machines.get(server["id"])
        ipv4 = inventory.ipv4(project, server)
        found.append(
            {
                "id": server["id"],
                "name": server["name"],
                "status": server["status"],
                "public": addresses.outside(ipv4) if ipv4 else None,
                "private": [interface["ip"] for interface in server["networks"] if not interface["pending"]],
                "init": machine and machine.init,
                "since": machine and machine.since,
                "cloud_init": machine.cloud_init() if machine else None,
                "folder": str(operations.folder(server["id"])),
            }
        )
    return found
