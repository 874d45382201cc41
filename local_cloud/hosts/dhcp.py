"""DHCP for one network: Debian's dnsmasq, which knows the servers with an address there and answers nobody else."""

import asyncio
import ipaddress
import signal
from contextlib import suppress
from pathlib import Path

AGAIN_SECONDS = 0.5  # until one that ended is started again


class DhcpServer:
    """It reads a folder in which each server has a file."""

    def __init__(
        self,
        folder: Path,
        namespace: str | None,
        interface: str,
        network: ipaddress.IPv4Network,
        options: list[str],
        network6: ipaddress.IPv6Network | None = None,
    ) -> None:
        """`folder` is made; `namespace`: where the interface is, None for that of this process.

        With `network6` also DHCPv6, told of by router advertisements: each address is reached by way of the router.
        """
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            *(("ip", "netns", "exec", namespace) if namespace else ()),
            *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--no-ping"),
            *("--quiet-dhcp", f"--log-facility={folder}.log", "--dhcp-authoritative", "--leasefile-ro"),
            "--dhcp-broadcast",  # else it writes into the table of neighbours, over what stands there for good
            *(f"--interface={interface}", "--bind-dynamic", "--except-interface=lo", f"--pid-file={folder}.pid"),
            f"--dhcp-range={network.network_address},static,{network.netmask},24h",
            f"--dhcp-hostsdir={folder}",
            *(f"--dhcp-option={option}" for option in options),
            *((f"--dhcp-range={network6.network_address},static,off-link,64,24h", "--enable-ra") if network6 else ()),
        ]
        self._process: asyncio.subprocess.Process | None = None
        self._running = asyncio.create_task(self._kept_running(command))

    def lease(self, server: int, mac: str, address: str) -> None:
        (self._folder / str(server)).write_text(f"{mac},{address},24h\n")

    def forget(self, server: int) -> None:
        """Its addresses can be another server's: dnsmasq learns of a file that has gone by SIGHUP (its manual)."""
        file = self._folder / str(server)
        if file.exists():
            file.unlink()
            if self._process:
                with suppress(ProcessLookupError):
                    self._process.send_signal(signal.SIGHUP)

    async def stop(self) -> None:
        self._running.cancel()
        await asyncio.wait([self._running])

    async def _kept_running(self, command: list[str]) -> None:
        """Until it is cancelled; a program that ends is started again."""
        while True:
            self._process = process = await asyncio.create_subprocess_exec(*command)
            try:
                print(f"dnsmasq has ended with {await process.wait()} and is started again", flush=True)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            await asyncio.sleep(AGAIN_SECONDS)
