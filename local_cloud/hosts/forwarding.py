"""From this machine to the hosts: each host's open ports are open on its public address, 127.90.x.y, and no others.

The public address is a loopback address of the namespace outside, so that ssh, curl and browsers of this machine reach
a host as they would reach a server, and nobody else's machine does. What a host listens on is looked at each second.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import NamedTuple

from . import ports
from .netns import socket_in
from .relays import TcpPort, UdpPort

POLL_SECONDS = 1.0

Judge = Callable[[int, str, int, str], bool]  # server, protocol, port, client's address -> whether it may


class Host(NamedTuple):
    outside: str  # 127.90.x.y
    inside: str
    own: str  # what its programs know as its address: the inside one, or one that the cloud maps that to
    init: int  # its first process


class Port(NamedTuple):
    server: int
    outside: str
    inside: str
    protocol: str
    number: int


class Forwarder:
    def __init__(self, outside: int, allowed: Judge) -> None:
        """`outside`: a descriptor of the network namespace where the public addresses are."""
        self._outside = outside
        self._allowed = allowed
        self._hosts: dict[int, Host] = {}
        self._open: dict[Port, TcpPort | UdpPort] = {}
        self._closed: dict[TcpPort, int] = {}  # ports that are closed, with connections that go on -> server
        self._problems: list[str] = []

    def follow(self, hosts: Mapping[int, Host]) -> None:
        """Every host that runs, by the server's id; connections of others end."""
        self._hosts = dict(hosts)

    def problems(self) -> list[str]:
        """What is not forwarded although a host listens on it; tried again each second."""
        return list(self._problems)

    async def run(self) -> None:
        """Until it is cancelled; nothing is open any more then."""
        try:
            while True:
                await self._step()
                await asyncio.sleep(POLL_SECONDS)
        finally:
            for port in (*self._open.values(), *self._closed):
                await port.abort()
            self._open.clear()
            self._closed.clear()

    async def _step(self) -> None:
        problems: list[str] = []
        wanted = set()
        for server, host in self._hosts.items():
            try:
                found = ports.listening(host.init, host.own)
            except OSError as error:
                problems.append(f"server {server}: what it listens on cannot be seen: {error.strerror}")
                continue
            wanted |= {Port(server, host.outside, host.inside, protocol, number) for protocol, number in found}
        for port in self._open.keys() - wanted:
            self._shut(port)
        for port in sorted(wanted - self._open.keys()):
            try:
                self._open[port] = await self._opened(port)
            except OSError as error:
                problems.append(f"{port.outside}:{port.number} ({port.protocol}) cannot be opened: {error.strerror}")
        for relay in self._open.values():
            relay.sweep()
        for closed, server in list(self._closed.items()):
            if server not in self._hosts:
                await closed.abort()
            if not closed.in_use:
                del self._closed[closed]
        self._problems = problems

    def _shut(self, port: Port) -> None:
        relay = self._open.pop(port)
        relay.close()
        if isinstance(relay, TcpPort):
            self._closed[relay] = port.server

    async def _opened(self, port: Port) -> TcpPort | UdpPort:
        tcp = port.protocol == "tcp"
        own = socket_in(self._outside, socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        relay = (TcpPort if tcp else UdpPort)(
            own,
            (port.inside, port.number),
            lambda client: self._allowed(port.server, port.protocol, port.number, client),
        )
        try:
            if tcp:  # a UDP socket with this option would take the port from another program
                own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # of its connections: keystrokes go at once
            own.setblocking(False)
            own.bind((port.outside, port.number))
            await relay.open()
        except OSError:
            own.close()
            raise
        return relay
