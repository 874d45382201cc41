"""One host: a systemd-nspawn container on an overlay of a prepared image, in its own network namespace and cgroup."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from . import cgroups
from .networks import namespace
from .shell import run

REBOOT = 133  # nspawn's exit status when the host asked for one
ORDERLY_SECONDS = 120.0
KILLED = 15.0


class BootError(Exception):
    """The host's init did not start; the message has the end of its console."""


class Machine:
    def __init__(self, server: int, folder: Path, cgroup: Path, ended: Callable[["Machine", bool], None]) -> None:
        """`folder` is the disk; `ended(self, reboots)` is called when the host stopped without being told to."""
        self.server, self.folder, self._cgroup, self._ended = server, folder, cgroup / str(server), ended
        self.root = Path(f"/run/jitsi-fleet/{server}")
        self.init: int | None = None  # process id of the host's systemd
        self.since: float | None = None
        self._nspawn: asyncio.subprocess.Process | None = None
        self._told = False
        self._watch: asyncio.Task[None] | None = None

    @property
    def console(self) -> Path:
        return self.folder / "console.log"

    @property
    def disk(self) -> Path:
        """What the host changed on its image."""
        return self.folder / "upper"

    @property
    def has_disk(self) -> bool:
        return (self.folder / "base").exists()

    def create(self, base: Path) -> None:
        """An empty disk on the image; what was there is gone."""
        for name in ("upper", "work"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir(parents=True)
        (self.folder / "base").write_text(str(base))

    async def boot(self, memory: float, firmware: Mapping[str, str]) -> None:
        """Start it with so much memory to be seen (GB); returns when its init runs. BootError if it does not.

        `firmware`: what its tables say, by the names of dmidecode; by them cloud-init tells where it is.
        """
        base = Path((self.folder / "base").read_text())
        if not base.is_dir():
            raise BootError(f"the image that its disk lies on was removed, {base}: rebuild the server")
        await self._mount(base)
        self._firmware(memory, firmware)
        self._told = False
        with self.console.open("ab") as console:
            self._nspawn = await asyncio.create_subprocess_exec(
                *self._command(), stdin=subprocess.DEVNULL, stdout=console, stderr=console
            )
        limit = time.monotonic() + 30
        while (found := _systemd(self._nspawn.pid)) is None:
            if self._nspawn.returncode is not None or time.monotonic() > limit:
                with suppress(ProcessLookupError):
                    self._nspawn.kill()
                raise BootError(f"it does not boot: {tail(self.console, 3)}")
            await asyncio.sleep(0.02)
        self.init, self.since = found, time.time()
        self._watch = asyncio.create_task(self._wait(self._nspawn))
        # A container sees the memory of the machine below it; the roles size their programs by what they see.
        await run("nsenter", "-t", str(found), "-m", "mount", "--bind", "/etc/test-dmi/meminfo", "/proc/meminfo")

    async def shut_down(self, seconds: float = ORDERLY_SECONDS) -> bool:
        """Ask it to end in order, as by ACPI; False if it still runs after `seconds`."""
        if self.init is not None:
            self._told = True
            with suppress(ProcessLookupError):
                os.kill(self.init, signal.SIGRTMIN + 4)
        over = await self._over(seconds)
        if not over:
            self._told = False  # when it ends after all, it does so by itself
        return over

    async def kill(self) -> None:
        """As if its power went."""
        if self.init is not None:
            self._told = True
            with suppress(ProcessLookupError):
                os.kill(self.init, signal.SIGKILL)
        if not await self._over(KILLED):
            raise BootError("its processes do not end")

    def cloud_init(self) -> str | None:
        """`running`, `done`, or what went wrong; None while the host is off."""
        if self.init is None:
            return None
        try:
            result = json.loads(Path(f"/proc/{self.init}/root/run/cloud-init/result.json").read_text())
        except (OSError, ValueError):
            return "running"
        errors = result["v1"]["errors"]
        return f"error: {'; '.join(errors)}" if errors else "done"

    async def leave(self) -> None:
        """Give back what it holds of this machine; the disk stays."""
        await self.kill()
        await self._unmount()
        cgroups.remove(self._cgroup)

    async def delete(self) -> None:
        await self.leave()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.root, ignore_errors=True)

    async def _over(self, seconds: float) -> bool:
        if self._watch is not None:
            await asyncio.wait([self._watch], timeout=seconds)
            return self._watch.done()
        return True

    async def _wait(self, nspawn: asyncio.subprocess.Process) -> None:
        status = await nspawn.wait()
        self.init = self.since = None
        if not self._told:
            self._ended(self, status == REBOOT)

    async def _mount(self, base: Path) -> None:
        if self.root.is_mount():
            return
        # Commas and colons separate what mount is given: so it gets names that have none, whatever the folders' are.
        links = self.root.with_name(f"{self.server}.layers")
        for folder in (self.root, links):
            folder.mkdir(parents=True, exist_ok=True)
        for name, place in (("base", base), ("disk", self.folder)):
            (links / name).unlink(missing_ok=True)
            (links / name).symlink_to(place)
        layers = f"lowerdir={links}/base,upperdir={links}/disk/upper,workdir={links}/disk/work"
        await run("mount", "-t", "overlay", "overlay", "-o", layers, str(self.root))

    async def _unmount(self) -> None:
        if self.root.is_mount():
            await run("umount", "--recursive", "--lazy", str(self.root))

    def _firmware(self, memory: float, firmware: Mapping[str, str]) -> None:
        """What a server's firmware says of it, where the image's cloud-init looks for it."""
        folder = self.root / "etc/test-dmi"
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in firmware.items():
            (folder / name).write_text(f"{value}\n")
        kilobytes = int(memory * 1_000_000 * 0.96)
        real = Path("/proc/meminfo").read_text()
        (folder / "meminfo").write_text(re.sub(r"(MemTotal|MemFree|MemAvailable):.*", rf"\1: {kilobytes} kB", real))

    def _command(self) -> list[str]:
        self._cgroup.mkdir(parents=True, exist_ok=True)
        # nspawn runs inside the host's namespace: with --network-namespace-path /sys would show the site's interfaces.
        # `ip netns exec` mounts a new /sys, so the cgroups have to be mounted again.
        enter = (
            'echo $$ >"$0/cgroup.procs" && exec ip netns exec "$1" sh -c '
            '\'mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"\' sh "${@:2}"'
        )
        nspawn = [
            *("env", "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network", "systemd-nspawn", "--quiet", "--boot"),
            *("--register=no", "--keep-unit", f"--machine=host-{self.server}", f"--directory={self.root}"),
            *("--capability=CAP_NET_ADMIN", "--resolv-conf=off", "--timezone=off", "--link-journal=no"),
            *("--console=read-only", "--suppress-sync=yes", "--kill-signal=SIGRTMIN+3"),
        ]
        return ["bash", "-c", enter, str(self._cgroup), namespace(self.server), *nspawn]


def _systemd(nspawn: int) -> int | None:
    """The process id of the init that nspawn has started."""
    with suppress(OSError):
        for child in Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split():
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return int(child)
    return None


def tail(file: Path, lines: int) -> str:
    """The last lines of a log, without the codes that colour a terminal."""
    if not file.exists():
        return ""
    with file.open("rb") as log:
        log.seek(max(0, file.stat().st_size - 200 * lines - 2000))
        text = log.read().decode(errors="replace")
    plain = re.sub(r"\x1b(\[[0-9;?]*[A-Za-z])?|\r", "", text)  # systemd cuts lines, also within a code
    return "\n".join(plain.rstrip().splitlines()[-lines:])
