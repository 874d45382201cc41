"""Network namespaces for tests: a site that routes, and hosts with the addresses that the API gave their servers.

The shape is that of the embedded cloud (every host routed, /32 and /64, the cloud's own services in the site), with a
pair of virtual Ethernet devices for each host in place of a bridge. A namespace lives as long as a process in it, which
ends when its input does: however a test ends, nothing is left behind.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from local_cloud.hosts import addresses
from local_cloud.hosts.netns import run_in, socket_in

T = TypeVar("T")


def _lacking() -> str | None:
    """Why tests cannot make namespaces here."""
    if os.geteuid() != 0:
        return "network namespaces can be made by root alone"
    missing = [tool for tool in ("ip", "nft", "unshare") if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        return "this root may not make network namespaces"
    return None


LACKING = _lacking()
needs_namespaces = pytest.mark.skipif(LACKING is not None, reason=str(LACKING))


class Namespace:
    def __init__(self) -> None:
        self._holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE)
        own, link = os.readlink("/proc/self/ns/net"), f"/proc/{self._holder.pid}/ns/net"
        for _ in range(500):
            if os.readlink(link) != own:
                break
            time.sleep(0.01)
        else:
            raise TimeoutError("unshare made no network namespace")
        self.pid = self._holder.pid
        self.fd = os.open(link, os.O_RDONLY)
        self.ip("link set lo up")

    def close(self) -> None:
        os.close(self.fd)
        self._holder.communicate()

    def ip(self, *lines: str) -> None:
        """Lines of an `ip -batch` file."""
        self.run(lambda: subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True))

    def run(self, work: Callable[[], T]) -> T:
        return run_in(self.fd, work)

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        if protocol:
            return self.run(lambda: socket.socket(family, kind, protocol))
        return socket_in(self.fd, family, kind)


class Host(Namespace):
    def __init__(self, public: str, network: str) -> None:
        """`public`: 127.90.x.y, `network`: the IPv6 /64, as the API shows them."""
        super().__init__()
        self.public, self.ipv4 = public, addresses.inside(public)
        self.network, self.ipv6 = network, network.replace("/64", "1")


class Site(Namespace):
    """Routes between hosts; holds the addresses of the cloud's services."""

    def __init__(self) -> None:
        super().__init__()
        services = (addresses.METADATA, addresses.RESOLVER, addresses.ARCHIVES, addresses.ACME, addresses.WORLD)
        self.ip(*(f"addr add {address}/32 dev lo" for address in services))
        self.run(_forward)

    def plug(self, number: int, host: Host) -> None:
        self.ip(
            f"link add p{number} type veth peer name eth0 netns {host.pid}",
            f"link set p{number} up",
            f"addr add {addresses.GATEWAY}/32 dev p{number}",
            f"addr add fe80::1/64 dev p{number} nodad",
            f"route add {host.ipv4}/32 dev p{number}",
            f"route add {host.network} dev p{number}",
        )
        host.ip(
            "link set eth0 up",
            f"addr add {host.ipv4}/32 dev eth0",
            f"addr add {host.ipv6}/64 dev eth0 nodad",
            f"route add {addresses.GATEWAY}/32 dev eth0",
            f"route add default via {addresses.GATEWAY} dev eth0",
            "route add default via fe80::1 dev eth0",
        )


def _forward() -> None:
    for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        Path("/proc/sys/net", name).write_text("1")


def until(true: Callable[[], Any], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)
