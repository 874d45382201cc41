"""All hosts of an embedded cloud, by number, whichever API made them: numbers are ids of the state and never return."""

import asyncio
import shutil
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from . import cgroups
from .machine import BootError, Machine

PARTING_SECONDS = 15.0  # for all hosts together, when the cloud ends


class Machines:
    def __init__(
        self, bases: Mapping[str, Path], folder: Path, cgroup: Path, ended: Callable[[Machine, bool], None]
    ) -> None:
        """`bases`: prepared images; `folder` holds the disks; `ended`: see Machine."""
        self._bases, self._folder, self._cgroup, self._ended = bases, folder, cgroup, ended
        self._made: dict[int, Machine] = {}
        # Held by who does something to a host.
        self.one_at_a_time: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    def folder(self, number: int) -> Path:
        """Where the disk and the logs of a host are."""
        return self._folder / str(number)

    def find(self, number: int) -> Machine | None:
        return self._made.get(number)

    def get(self, number: int) -> Machine:
        """Made where there is none; it has no disk then, unless an earlier start of the cloud has left one."""
        if number not in self._made:
            self._made[number] = Machine(number, self.folder(number), self._cgroup, self._ended)
        return self._made[number]

    def runs(self, number: int) -> bool:
        machine = self.find(number)
        return machine is not None and machine.init is not None

    def create(self, number: int, image: str) -> None:
        """An empty disk on the image of this name; BootError where that is not prepared."""
        self.get(number).create(self.base(image))

    def base(self, image: str) -> Path:
        if image not in self._bases:
            raise BootError(f"image {image} is not prepared here: python -m local_cloud prepare --image {image}")
        return self._bases[image]

    async def delete(self, number: int) -> None:
        """The host and its disk."""
        await self.get(number).delete()
        self._made.pop(number, None)

    def strays(self, known: Collection[int]) -> set[int]:
        """Hosts or disks that belong to nobody who is known: the state was emptied meanwhile."""
        disks = {int(disk.name) for disk in self._folder.iterdir() if disk.name.isdecimal()}
        return (self._made.keys() | disks) - set(known)

    def forget(self, numbers: Collection[int]) -> None:
        """Remove disks of hosts that went while none ran."""
        for number in numbers:
            shutil.rmtree(self.folder(number), ignore_errors=True)

    async def stop(self) -> None:
        """Shut all hosts down in order and leave nothing of them but their disks."""
        await asyncio.gather(*(machine.shut_down(PARTING_SECONDS) for machine in self._made.values()))
        await asyncio.gather(*(machine.leave() for machine in self._made.values()))
        cgroups.remove(self._cgroup)
