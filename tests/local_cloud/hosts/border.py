"""A host whose ports are forwarded to 127.90.x.y of this machine.

Everything runs in one event loop in the site's namespace, as the embedded cloud itself does; what is "outside" is the
namespace of the test.
"""

import asyncio
import functools
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from local_cloud.hosts import forwarding
from local_cloud.hosts.forwarding import Forwarder
from local_cloud.hosts.netns import socket_in

from .namespaces import Host, Site

SERVER = 7  # the id of the host's server
TCP, UDP, V4, V6 = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.AF_INET, socket.AF_INET6
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Border:
    def __init__(self) -> None:
        self.outside = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.site = Site()
        self.host = Host(f"127.90.{240 + secrets.randbelow(15)}.{1 + secrets.randbelow(254)}", "2001:db8:0:7::/64")
        self.host.ip("addr add 10.0.0.2/32 dev lo")  # stands for an address on the private side
        self.site.plug(1, self.host)
        self.refused: set[str] = set()  # addresses of clients
        self.judged: list[tuple[int, str, int, str]] = []

    def close(self) -> None:
        for namespace in (self.site, self.host):
            namespace.close()
        os.close(self.outside)

    def _judge(self, server: int, protocol: str, port: int, client: str) -> bool:
        self.judged.append((server, protocol, port, client))
        return client not in self.refused

    @asynccontextmanager
    async def forwarded(self) -> AsyncIterator[Forwarder]:
        forwarder = Forwarder(self.outside, self._judge)
        forwarder.follow({SERVER: forwarding.Host(self.host.public, self.host.ipv4, self.host.ipv4, self.host.pid)})
        running = asyncio.create_task(forwarder.run())
        try:
            yield forwarder
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    @asynccontextmanager
    async def serving(self, port: int, handler: Handler, address: str = "0.0.0.0") -> AsyncIterator[None]:  # noqa: S104
        """A TCP service of the host."""
        server = await asyncio.start_server(handler, sock=self.bound(TCP, address, port))
        try:
            yield
        finally:
            server.close()

    def bound(self, kind: int, address: str, port: int, only_ipv6: bool = False) -> socket.socket:
        """A socket of the host."""
        own = self.host.socket(V6 if ":" in address else V4, kind)
        if kind == TCP:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in address:
            own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only_ipv6)
        own.setblocking(False)
        own.bind((address, port))
        if kind == TCP:
            own.listen()
        return own

    def client(self, kind: int, source: str = "127.0.0.1") -> socket.socket:
        """A socket outside."""
        own = socket_in(self.outside, V4, kind)
        own.setblocking(False)
        own.bind((source, 0))
        return own

    async def connect(self, port: int, source: str = "127.0.0.1") -> Streams:
        own = self.client(TCP, source)
        try:
            await asyncio.get_running_loop().sock_connect(own, (self.host.public, port))
        except OSError:
            own.close()
            raise
        return await asyncio.open_connection(sock=own)

    async def connected(self, port: int) -> Streams:
        """A connection as soon as the port is open."""
        async with asyncio.timeout(5):
            while True:
                try:
                    return await self.connect(port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.02)

    async def is_open(self, port: int) -> bool:
        try:
            _, writer = await self.connect(port)
        except ConnectionRefusedError:
            return False
        writer.close()
        return True


def in_the_site(test: Callable[[Border], Awaitable[None]]) -> Callable[[Border], None]:
    @functools.wraps(test)
    def run(border: Border) -> None:
        async def whole() -> None:
            async with asyncio.timeout(30):
                await test(border)

        border.site.run(lambda: asyncio.run(whole()))

    return run


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.02)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionResetError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


async def exchanged(streams: Streams, data: bytes) -> bytes:
    reader, writer = streams
    writer.write(data)
    return await reader.readexactly(len(data))


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
