"""The site: makes true on this machine what the state of the APIs says of servers, networks, firewalls and names.

The state is the only truth. After each API call each cloud's tenant looks at it for what is to be done with hosts; a
server that should run and does not is booted. So a restart of the cloud goes on wherever the last one was.
"""

import asyncio
from collections.abc import Awaitable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette

from ..images.prepare import Prepared
from ..store import Doc, Store
from . import cgroups, metadata
from .forwarding import Forwarder
from .machine import Machine
from .machines import Machines
from .networks import Networks
from .rulesets import RulesetError
from .servers import Servers
from .services import Services
from .shell import CommandError
from .tenants import Landlord, Tenant

if TYPE_CHECKING:
    from ..aws.ec2 import Ec2


class Site:
    def __init__(self, store: Store, folder: Path, prepared: Prepared, outside: int, ec2: "Ec2 | None") -> None:
        """`folder` holds the disks; `outside` is a descriptor of the machine's own network namespace."""
        self._cgroup = cgroups.TOP / cgroups.name(folder.parent)
        self._networks = Networks(Path("/run/jitsi-fleet-dhcp"))
        self._machines = Machines(prepared.bases, folder, self._cgroup, self._ended)
        landlord = Landlord(self._spawn, self._moved)
        servers = Servers(store, self._machines, self._networks, landlord)
        self._tenants: list[Tenant] = [servers]
        told = metadata.routes(store, servers.asking)
        if ec2 is not None:
            from .aws.instances import Instances

            instances = Instances(store, ec2, self._machines, landlord)
            self._tenants.append(instances)
            told += instances.metadata()
        self.metadata = Starlette(routes=told)
        self._services = Services(store, prepared)
        self._forwarder = Forwarder(outside, self._allowed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """The networks and services, then every server that should run."""
        cgroups.remove(self._cgroup)  # what a killed cloud has left
        self._cgroup.mkdir(exist_ok=True)
        await self._networks.start()
        await self._services.start()
        self._machines.forget(self._strays())
        for tenant in self._tenants:
            await tenant.start()
        self._spawn(self._forwarder.run())
        self._spawn(self._follow())
        self.wake()  # to what the last one had begun

    async def stop(self) -> None:
        """Shut all hosts down in order; the state still says that they should run."""
        for task in self._tasks:
            task.cancel()
        await self._machines.stop()
        await self._services.stop()

    def wake(self) -> None:
        """Something in the state may have changed."""
        self._changed.set()

    async def service(self, name: str, away: bool) -> None:
        """Take a service away from the hosts, or give it back; KeyError if there is none of that name."""
        await self._services.change(name, away)

    def report(self) -> list[Doc]:
        """For `status`: one entry per server, those that are off included."""
        return [entry for tenant in self._tenants for entry in tenant.report()]

    def problems(self) -> list[str]:
        """Ports of hosts that cannot be reached from this machine, and why."""
        return self._forwarder.problems()

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            for tenant in self._tenants:
                await _attempt(tenant.follow())
            self._forward()
            for number in self._strays():
                if not self._machines.one_at_a_time[number].locked():
                    self._spawn(self._remove_stray(number))

    def _moved(self) -> None:
        self._forward()
        self.wake()

    def _forward(self) -> None:
        self._forwarder.follow({number: host for tenant in self._tenants for number, host in tenant.public().items()})

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            asyncio.get_running_loop().call_exception_handler({"message": "hosts", "exception": task.exception()})

    def _strays(self) -> set[int]:
        return self._machines.strays({number for tenant in self._tenants for number in tenant.known()})

    async def _remove_stray(self, number: int) -> None:
        async with self._machines.one_at_a_time[number]:
            if number in self._strays():
                for tenant in self._tenants:
                    await tenant.unplug(number)
                await self._machines.delete(number)
        self._forward()

    def _ended(self, machine: Machine, reboots: bool) -> None:
        self._forward()
        for tenant in self._tenants:
            tenant.ended(machine, reboots)

    def _allowed(self, number: int, protocol: str, port: int, client: str) -> bool:
        return any(tenant.allowed(number, protocol, port, client) for tenant in self._tenants)


async def _attempt(work: Awaitable[None]) -> None:
    """What fails is said; it is tried again after the next call."""
    try:
        await work
    except (CommandError, RulesetError) as problem:
        print(problem, flush=True)
