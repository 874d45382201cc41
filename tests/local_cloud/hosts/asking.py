"""The hosts' resolver on loopback, with the API's own store, and zones to put records into."""

import asyncio
import errno
import secrets
import socket
import threading
from dataclasses import dataclass
from typing import Any

import dns.message
import dns.query
import dns.rcode

from local_cloud.hosts import addresses
from local_cloud.hosts.names import Resolver
from local_cloud.process import LocalCloud
from local_cloud.store import Store

from ..conftest import cloudflare_client

FIXED = {"deb.debian.org": addresses.ARCHIVES, "acme.example": "2001:db8:ffff::44"}


def free_port() -> int:
    """A port on which nobody receives datagrams; a connection may have it for its own end all the same."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Service:
    """The resolver, in a thread with a loop of its own."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.resolver = self.do(self._make(cloud))

    async def _make(self, cloud: LocalCloud) -> Resolver:
        self.store = Store(cloud.state)
        resolver = Resolver(self.store, FIXED)
        for _ in range(50):
            self.port = free_port()
            try:
                await resolver.start("127.0.0.1", self.port)
                return resolver
            except OSError as error:  # somebody was faster
                if error.errno != errno.EADDRINUSE:
                    raise
        raise AssertionError("no port is free for both UDP and TCP")

    def do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    async def _end(self) -> None:
        await self.resolver.stop()
        self.store.close()

    def close(self) -> None:
        self.do(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def ask(self, name: str, kind: str = "A", **more: Any) -> dns.message.Message:
        query = dns.message.make_query(name, kind, **more)
        return dns.query.udp(query, "127.0.0.1", timeout=5, port=self.port)

    def texts(self, name: str, kind: str = "A") -> list[str]:
        """The data of the last set of the answer."""
        answer = self.ask(name, kind)
        assert answer.rcode() == dns.rcode.NOERROR, answer
        return sorted(data.to_text() for data in answer.answer[-1])


@dataclass
class Zone:
    """A zone of its own for each test."""

    api: Any
    name: str

    def __post_init__(self) -> None:
        self.uid = self.api.zones.create(account={}, name=self.name).id

    def add(self, name: str, kind: str, content: str | None = None, **more: Any) -> Any:
        given = {"content": content} if content is not None else {}
        return self.api.dns.records.create(
            zone_id=self.uid,
            name=f"{name}.{self.name}" if name else self.name,
            type=kind,
            **({"ttl": 60} | given | more),
        )


def new_zone(cloud: LocalCloud) -> Zone:
    return Zone(cloudflare_client(cloud), f"z{secrets.token_hex(4)}.test")


def code(answer: dns.message.Message) -> str:
    return dns.rcode.to_text(answer.rcode())
