"""Networks as AWS has them: a network namespace for each VPC, its router, with a bridge for each subnet in it.

A host has one interface, with its private address. Whatever it sends goes through the router, also to a neighbour in
its subnet (ports are isolated, and the router answers for all addresses): so security groups are where the routing is.
The router has one way out, the internet gateway, behind which the site is; there hosts have their public addresses.
"""

import asyncio
import ipaddress
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ...store import Doc
from .. import addresses
from ..dhcp import DhcpServer
from ..networks import GATEWAY_MAC, NO_REDIRECTS, make_namespace, remove_namespace
from ..rulesets import apply
from ..shell import CommandError, ip, run
from . import rules

INTERFACE = "ens5"  # as instances of most types call theirs
MTU = 9001  # within a VPC; what goes to the internet has 1500
SETTINGS = (
    *("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"),
    *("net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.default.send_redirects=0"),
    # The router answers for the neighbours of the host that asks.
    "net.ipv4.conf.default.proxy_arp_pvlan=1",
)


@dataclass
class Router:
    """`name`: of its namespace. `link`: its address towards the site, whose interface to it is `port`."""

    name: str
    link: str
    port: str
    bridges: dict[str, str] = field(default_factory=dict)  # by subnet
    ruleset: str = ""
    routes: set[str] = field(default_factory=set)  # of the site, to hosts behind it


class Vpcs:
    def __init__(self, folder: Path) -> None:
        self._folder = folder  # for the DHCP servers' files
        self._one_at_a_time = asyncio.Lock()  # so that two instances at once make one router
        self._routers: dict[str, Router] = {}  # by VPC
        self._dhcp: dict[str, DhcpServer] = {}  # by bridge
        self._made = 0
        self._plugged: dict[int, tuple[str, str]] = {}  # by number of the instance: VPC, bridge
        self._asks_as: dict[int, str] = {}  # likewise: its address at the site's services

    async def plug_in(self, doc: Doc) -> None:
        """A network namespace for the instance, new, with its one interface."""
        number = doc["id"]
        await self.unplug(number)
        async with self._one_at_a_time:
            router = self._routers.get(doc["vpc"]) or await self._router(doc["vpc"])
            bridge = router.bridges.get(doc["subnet"]) or await self._subnet(router, doc)
        host = await make_namespace(number)
        ipv6 = "".join(f",[{address}]" for address in doc["ipv6"])
        self._dhcp[bridge].lease(number, doc["mac"], doc["private_ipv4"] + ipv6)
        self._plugged[number] = doc["vpc"], bridge
        taken = set(self._asks_as.values())
        self._asks_as[number] = next(text for a in addresses.ASKING.hosts() if (text := str(a)) not in taken)
        port = f"h{number}"
        await ip(
            f"""link add {port} mtu {MTU} type veth peer name {INTERFACE} address {doc["mac"]} netns {host}
            link set {port} master {bridge} up
            link set {port} type bridge_slave isolated on"""
            # Who takes another's address gets no answers: they go to whom it belongs.
            + "".join(
                f"\nneigh replace {address} lladdr {doc['mac']} dev {bridge} nud permanent"
                for address in (doc["private_ipv4"], *doc["ipv6"])
            ),
            router.name,
        )

    async def unplug(self, number: int) -> None:
        """Its interface is gone, and its namespace."""
        self._asks_as.pop(number, None)
        vpc, bridge = self._plugged.pop(number, ("", ""))
        if vpc not in self._routers:
            return
        self._dhcp[bridge].forget(number)
        # The other end goes with it, at once: a namespace alone would take its time.
        with suppress(CommandError):
            await ip(f"link del h{number}", self._routers[vpc].name)
        await remove_namespace(number)

    async def cut(self, number: int) -> None:
        """Pull the cable: whoever talks to the host learns nothing."""
        vpc, _ = self._plugged.get(number, ("", ""))
        if vpc in self._routers:
            with suppress(CommandError):
                await ip(f"link set h{number} down", self._routers[vpc].name)

    async def apply(self, found: list[Doc], groups: Mapping[str, Doc]) -> None:
        """Security groups and public addresses of these instances, which are all that there are. RulesetError."""
        async with self._one_at_a_time:
            for vpc, router in self._routers.items():
                own = [doc for doc in found if doc["vpc"] == vpc]
                ruleset = rules.ruleset(own, groups, self._asks_as)
                if ruleset != router.ruleset:
                    await apply(ruleset, router.name)
                    router.ruleset = ruleset
                await self._routes(router, own)

    async def forget(self, wanted: Collection[str]) -> None:
        """Remove the routers of VPCs that no instance is in."""
        async with self._one_at_a_time:
            used = {vpc for vpc, _ in self._plugged.values()}
            for vpc in self._routers.keys() - set(wanted) - used:
                router = self._routers.pop(vpc)
                for bridge in router.bridges.values():
                    await self._dhcp.pop(bridge).stop()
                await ip(f"link del {router.port}")
                await run("ip", "netns", "del", router.name)

    def asking(self, address: str) -> int | None:
        """The number of the instance that asks the site's services as this one."""
        return next((number for number, own in self._asks_as.items() if own == address), None)

    async def _routes(self, router: Router, found: list[Doc]) -> None:
        """The site's, to public addresses and to those under which hosts ask its services."""
        public = [addresses.inside(doc["public_ipv4"]) for doc in found if rules.mapped(doc)]
        asking = [self._asks_as[doc["id"]] for doc in found if doc["id"] in self._asks_as]
        routes = {f"{address}/32 via {router.link} dev {router.port} onlink" for address in public + asking}
        routes |= {
            f"{doc['network']['subnet_ipv6']} via fe80::2 dev {router.port}"
            for doc in found
            if doc["network"]["subnet_ipv6"] and "::/0" in doc["network"]["internet"]
        }
        changes = [f"route del {route}" for route in router.routes - routes]
        changes += [f"route replace {route}" for route in routes - router.routes]
        if changes:
            await ip("\n".join(changes))
        router.routes = routes

    async def _router(self, vpc: str) -> Router:
        self._made += 1
        number = self._made
        router = Router(f"v{number}", str(addresses.ROUTERS[number]), f"w{number}")
        await run("ip", "netns", "add", router.name)
        await run("ip", "netns", "exec", router.name, "sysctl", "-qw", *SETTINGS)
        await ip(
            f"""link add {router.port} type veth peer name {rules.GATEWAY} netns {router.name}
            addr add fe80::1/64 dev {router.port} nodad
            link set {router.port} up
            route replace {router.link}/32 dev {router.port}"""
        )
        Path(f"/proc/sys/net/ipv4/conf/{router.port}/send_redirects").write_text("0")
        await ip(
            f"""link set lo up
            addr add {router.link}/32 dev {rules.GATEWAY}
            addr add fe80::2/64 dev {rules.GATEWAY} nodad
            link set {rules.GATEWAY} up
            route add default via {addresses.DHCP_SERVER} dev {rules.GATEWAY} onlink
            route add default via fe80::1 dev {rules.GATEWAY}""",
            router.name,
        )
        await run("ip", "netns", "exec", router.name, "nft", "-f", "-", text=NO_REDIRECTS)
        self._routers[vpc] = router
        return router

    async def _subnet(self, router: Router, doc: Doc) -> str:
        """Its bridge: the router's first address is on it, and DHCP tells each host its addresses."""
        self._made += 1
        bridge, network = f"s{self._made}", doc["network"]
        range4 = ipaddress.IPv4Network(network["subnet_ipv4"])
        gateway = range4.network_address + 1
        range6 = ipaddress.IPv6Network(network["subnet_ipv6"]) if network["subnet_ipv6"] else None
        await ip(
            f"""link add {bridge} address {GATEWAY_MAC} mtu {MTU} type bridge
            link set {bridge} addrgenmode none
            addr add {gateway}/{range4.prefixlen} dev {bridge}
            addr add fe80::1/64 dev {bridge} nodad
            """
            + (f"addr add {range6.network_address + 1}/64 dev {bridge} nodad\n" if range6 else "")
            + f"link set {bridge} up",
            router.name,
        )
        options = [
            f"3,{gateway}",
            f"6,{rules.second(network['vpc_ipv4'])}",
            f"15,{doc['region']}.compute.internal",
            f"26,{MTU}",
        ]
        folder = self._folder / bridge
        self._dhcp[bridge] = DhcpServer(folder, router.name, bridge, range4, options, range6)
        router.bridges[doc["subnet"]] = bridge
        return bridge
