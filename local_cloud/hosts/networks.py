"""The networks that hosts are plugged into: one public side for all, one namespace for each private network.

As at Hetzner, a host has its addresses alone (/32) and reaches everybody through a gateway: ports are isolated, so that
every packet between hosts is routed, and firewalls can be where the routing is.
"""

import asyncio
import ipaddress
import zlib
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..store import Doc
from . import addresses
from .dhcp import DhcpServer
from .shell import CommandError, ip, run

SERVICES = (addresses.RESOLVER, addresses.ARCHIVES, addresses.ACME, addresses.WORLD)
# A bridge without one of its own takes that of a port: with each new server the gateway would be somewhere else, and
# hosts that remember where it was would reach nobody for half a minute.
GATEWAY_MAC = "02:00:00:00:00:01"
# What a host calls its second interface depends on the machine that it runs on.
PRIVATE_NAMES = ("enp7s0", "ens10")

# Two hosts are behind one interface, so the kernel would tell one to send to the other directly, which ports do not
# let through. For IPv4 there is a switch.
NO_REDIRECTS = """\
table ip6 site {
  chain output {
    type filter hook output priority 0
    icmpv6 type nd-redirect drop
  }
}
"""


@dataclass(frozen=True)
class Plug:
    """What a server has on the public side."""

    server: int
    ipv4: str | None  # inside address
    ipv6: ipaddress.IPv6Network | None

    @property
    def mac(self) -> str:
        return "96:00:" + ":".join(f"{(self.server >> shift) & 255:02x}" for shift in (24, 16, 8, 0))


class Networks:
    def __init__(self, folder: Path) -> None:
        self._folder = folder  # for the DHCP servers' files
        self._routers = asyncio.Lock()  # so that two servers at once make one router
        self._dhcp: dict[str, DhcpServer] = {}  # by network: "public", or the name of a router
        self._plugged: defaultdict[int, set[str]] = defaultdict(set)  # by server: networks

    async def start(self) -> None:
        for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            Path("/proc/sys/net", name).write_text("1")
        await ip(
            f"""link set lo up
            link add public address {GATEWAY_MAC} type bridge
            addr add {addresses.DHCP_SERVER}/15 dev public
            addr add {addresses.GATEWAY}/32 dev public
            addr add {addresses.METADATA}/32 dev public
            addr add fe80::1/64 dev public nodad
            link set public up
            """
            + "".join(f"addr add {address}/32 dev lo\n" for address in SERVICES)
        )
        for device in ("all", "public"):
            Path(f"/proc/sys/net/ipv4/conf/{device}/send_redirects").write_text("0")
        await run("nft", "-f", "-", text=NO_REDIRECTS)
        options = ["1,255.255.255.255", f"3,{addresses.GATEWAY}", f"6,{addresses.RESOLVER}"]
        network = ipaddress.IPv4Network("198.18.0.0/15")
        self._dhcp["public"] = DhcpServer(self._folder / "public", None, "public", network, options)

    async def plug_in(self, plug: Plug) -> None:
        """A network namespace for the server, new and with nothing but its public interface."""
        await self.unplug(plug.server)
        host, port = await make_namespace(plug.server), f"p{plug.server}"
        if plug.ipv4 is None and plug.ipv6 is None:
            return
        if plug.ipv4:
            self._dhcp["public"].lease(plug.server, plug.mac, plug.ipv4)
        self._plugged[plug.server].add("public")
        await ip(
            f"""link add {port} type veth peer name eth0 address {plug.mac} netns {host}
            link set {port} master public up
            link set {port} type bridge_slave isolated on"""
            # Who takes another's address gets no answers: they go to whom it belongs.
            + (f"\nneigh replace {plug.ipv4} lladdr {plug.mac} dev public nud permanent" if plug.ipv4 else "")
            + (f"\nroute replace {plug.ipv6} dev public" if plug.ipv6 else "")
        )

    async def unplug(self, server: int) -> None:
        """Everything that was plugged in is gone, and the server's namespace."""
        for router, port in self._ports(server):
            self._dhcp[router].forget(server)
            # The other end goes with it, at once: a namespace alone would take its time.
            with suppress(CommandError):
                await ip(f"link del {port}", _namespace_of(router))
        self._plugged.pop(server, None)
        await remove_namespace(server)

    async def attach(self, server: int, network: Doc, interface: Doc) -> None:
        """A second interface, with its address by DHCP."""
        router = f"n{network['id']}"
        async with self._routers:
            if router not in self._dhcp:
                await self._private_network(router, ipaddress.IPv4Network(network["ip_range"]))
        port = f"h{server}"
        taken = await _links(namespace(server))
        name = next(name for name in _private_names(server) if name not in taken)
        self._dhcp[router].lease(server, interface["mac_address"], interface["ip"])
        self._plugged[server].add(router)
        await ip(
            f"""link add {port} type veth peer name {name} address {interface["mac_address"]} netns {namespace(server)}
            link set {port} mtu 1450 master net up
            link set {port} type bridge_slave isolated on""",
            router,
        )

    async def detach(self, server: int, network: int) -> None:
        router = f"n{network}"
        if router in self._plugged[server]:
            self._plugged[server].remove(router)
            self._dhcp[router].forget(server)
            await ip(f"link del h{server}", router)

    async def forget(self, wanted: Iterable[int]) -> None:
        """Remove the routers of networks that are no longer there."""
        kept = {f"n{number}" for number in wanted}
        for router in self._dhcp.keys() - kept - {"public"}:
            await self._dhcp.pop(router).stop()
            for networks in self._plugged.values():
                networks.discard(router)
            await run("ip", "netns", "del", router)

    async def cut(self, server: int) -> None:
        """Pull all cables: whoever talks to the host learns nothing."""
        for router, port in self._ports(server):
            with suppress(CommandError):
                await ip(f"link set {port} down", _namespace_of(router))

    def _ports(self, server: int) -> list[tuple[str, str]]:
        """Where the server is plugged in: network, and the name of the port there."""
        networks = self._plugged[server]
        return [(name, f"p{server}" if name == "public" else f"h{server}") for name in networks]

    async def _private_network(self, router: str, network: ipaddress.IPv4Network) -> None:
        gateway = network.network_address + 1
        await run("ip", "netns", "add", router)
        await ip(
            f"""link set lo up
            link add net address {GATEWAY_MAC} type bridge
            addr add {gateway}/{network.prefixlen} dev net
            link set net mtu 1450 up""",
            router,
        )
        await run("ip", "netns", "exec", router, "sysctl", "-qw", "net.ipv4.ip_forward=1",
                  "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.net.send_redirects=0")  # fmt: skip
        options = ["1,255.255.255.255", "3", "26,1450", f"121,{gateway}/32,0.0.0.0,{network},{gateway}"]
        self._dhcp[router] = DhcpServer(self._folder / router, router, "net", network, options)


def namespace(server: int) -> str:
    return f"h{server}"


async def make_namespace(server: int) -> str:
    """A server's network namespace, empty; its name."""
    host = namespace(server)
    await run("ip", "netns", "add", host)
    # Nobody else can have its address: to look for duplicates would cost each boot two seconds.
    await run("ip", "netns", "exec", host, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
    await ip("link set lo up", host)
    return host


async def remove_namespace(server: int) -> None:
    if namespace(server) in await _namespaces():
        await run("ip", "netns", "del", namespace(server))


def _namespace_of(network: str) -> str | None:
    return None if network == "public" else network


def _private_names(server: int) -> tuple[str, ...]:
    # Ids of servers that are made one after the other differ by an even number, or all by an odd one.
    first, second = PRIVATE_NAMES if zlib.crc32(str(server).encode()) % 2 else reversed(PRIVATE_NAMES)
    return (first, second, "enp9s0", "enp10s0")


async def _namespaces() -> set[str]:
    return {line.split()[0] for line in (await run("ip", "netns", "list")).splitlines()}


async def _links(host: str) -> list[str]:
    lines = (await run("ip", "-netns", host, "-oneline", "link", "show")).splitlines()
    return [name for line in lines if (name := line.split(":")[1].strip().split("@")[0]) != "lo"]
