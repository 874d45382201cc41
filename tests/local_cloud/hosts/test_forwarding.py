"""Level: real sockets on 127.90.x.y of this machine, real services in a namespace that stands for a host.

Everything runs in one event loop in the site's namespace, as the embedded cloud itself does; what is "outside" is the
namespace of the test.
"""

import asyncio
import functools
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest

from local_cloud.hosts import addresses, forwarding, ports, relays
from local_cloud.hosts.forwarding import Forwarder
from local_cloud.hosts.netns import socket_in

from .namespaces import Host, Site, needs_root

pytestmark = needs_root

SERVER = 7  # the id of the host's server
TCP, UDP, V4, V6 = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.AF_INET, socket.AF_INET6
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Lab:
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
        forwarder.follow({SERVER: (self.host.public, self.host.ipv4, self.host.pid)})
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


@pytest.fixture(scope="module")
def whole_lab() -> Iterator[Lab]:
    lab = Lab()
    yield lab
    lab.close()


@pytest.fixture
def lab(whole_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(forwarding, "POLL_SECONDS", 0.05)
    whole_lab.refused, whole_lab.judged = set(), []
    return whole_lab


def in_the_site(test: Callable[[Lab], Awaitable[None]]) -> Callable[[Lab], None]:
    @functools.wraps(test)
    def run(lab: Lab) -> None:
        async def whole() -> None:
            async with asyncio.timeout(30):
                await test(lab)

        lab.site.run(lambda: asyncio.run(whole()))

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


@in_the_site
async def test_what_a_host_serves_is_served_at_its_public_address(lab: Lab) -> None:
    seen: list[str] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("peername")[0])
        await echo(reader, writer)

    async with lab.forwarded(), lab.serving(4443, handler):
        streams = await lab.connected(4443)
        assert await exchanged(streams, b"hello") == b"hello"
        assert streams[1].get_extra_info("peername") == (lab.host.public, 4443)
        assert seen == [addresses.WORLD]
        streams[1].close()


@in_the_site
async def test_the_firewall_is_asked_about_the_real_client(lab: Lab) -> None:
    async with lab.forwarded(), lab.serving(4443, echo):
        (await lab.connected(4443))[1].close()
        lab.judged.clear()
        (await lab.connect(4443, "127.0.0.9"))[1].close()
        await until(lambda: lab.judged == [(SERVER, "tcp", 4443, "127.0.0.9")])


@in_the_site
async def test_a_refused_client_is_reset_and_the_host_learns_nothing(lab: Lab) -> None:
    seen: list[str] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append("a connection")
        await echo(reader, writer)

    lab.refused.add("127.0.0.1")
    async with lab.forwarded(), lab.serving(4443, handler):
        reader, _ = await lab.connected(4443)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        allowed = await lab.connect(4443, "127.0.0.9")
        assert await exchanged(allowed, b"hello") == b"hello"
        assert seen == ["a connection"]
        allowed[1].close()


@in_the_site
async def test_one_side_may_end_while_the_other_goes_on(lab: Lab) -> None:
    async def late_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = await reader.read()
        await asyncio.sleep(0.1)
        writer.write(b"answer to " + question)
        writer.close()

    async with lab.forwarded(), lab.serving(4443, late_answer):
        reader, writer = await lab.connected(4443)
        writer.write(b"question")
        writer.write_eof()
        assert await reader.read() == b"answer to question"
        writer.close()


@in_the_site
async def test_the_end_of_a_long_answer_is_not_cut_off(lab: Lab) -> None:
    answer = secrets.token_bytes(3_000_000)

    async def sender(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async with lab.forwarded(), lab.serving(4443, sender):
        reader, writer = await lab.connected(4443)
        writer.write_eof()
        await asyncio.sleep(0.3)
        assert await reader.read() == answer
        writer.close()


@in_the_site
async def test_a_client_that_does_not_read_holds_the_host_back(lab: Lab) -> None:
    block, blocks, sent = b"x" * 65536, 800, 0

    async def sender(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
        nonlocal sent
        for _ in range(blocks):
            writer.write(block)
            await writer.drain()
            sent += len(block)
        writer.close()

    async with lab.forwarded(), lab.serving(4443, sender):
        reader, writer = await lab.connected(4443)
        await asyncio.sleep(0.5)
        assert sent < blocks * len(block) / 2
        received = 0
        while data := await reader.read(1 << 20):
            received += len(data)
        assert received == blocks * len(block)
        writer.close()


@in_the_site
async def test_a_reset_by_either_side_reaches_the_other(lab: Lab) -> None:
    endings: list[str] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(1) == b"R":
            relays._reset(writer)
            return
        try:
            await reader.read()
        except ConnectionResetError:
            endings.append("reset")
        writer.close()

    async with lab.forwarded(), lab.serving(4443, handler):
        reader, writer = await lab.connected(4443)
        writer.write(b"R")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        _, writer = await lab.connect(4443)
        writer.write(b"-")
        await writer.drain()
        await asyncio.sleep(0.1)
        relays._reset(writer)
        await until(lambda: endings == ["reset"])


@in_the_site
async def test_datagrams_go_to_the_host_and_each_answer_to_its_client(lab: Lab) -> None:
    loop = asyncio.get_running_loop()
    seen: set[tuple[str, int]] = set()
    with closing(lab.bound(UDP, "0.0.0.0", 10000)) as service:  # noqa: S104

        def answer() -> None:
            data, client = service.recvfrom(100)
            seen.add(client)
            service.sendto(b"to " + data, client)

        loop.add_reader(service, answer)
        async with lab.forwarded():
            for name in (b"one", b"two"):
                with closing(lab.client(UDP)) as client:
                    async with asyncio.timeout(5):
                        while True:
                            await loop.sock_sendto(client, name, (lab.host.public, 10000))
                            try:
                                received = await asyncio.wait_for(loop.sock_recvfrom(client, 100), 0.2)
                                break
                            except TimeoutError:
                                continue
                    assert received == (b"to " + name, (lab.host.public, 10000))
        loop.remove_reader(service)
    assert {address for address, _ in seen} == {addresses.WORLD}
    assert len(seen) == 2


@in_the_site
async def test_datagrams_of_a_refused_client_do_not_reach_the_host(lab: Lab) -> None:
    loop = asyncio.get_running_loop()
    lab.refused.add("127.0.0.1")
    with (
        closing(lab.bound(UDP, "0.0.0.0", 10000)) as service,  # noqa: S104
        closing(lab.client(UDP)) as refused,
        closing(lab.client(UDP, "127.0.0.9")) as allowed,
    ):
        async with lab.forwarded():
            await until(lambda: bool(lab.judged) or bool(refused.sendto(b"refused", (lab.host.public, 10000)) * 0))
            await loop.sock_sendto(allowed, b"allowed", (lab.host.public, 10000))
            async with asyncio.timeout(5):
                assert (await loop.sock_recvfrom(service, 100))[0] == b"allowed"


@in_the_site
async def test_clients_of_udp_are_forgotten_after_silence_and_when_there_are_too_many(lab: Lab) -> None:
    loop = asyncio.get_running_loop()
    with (
        pytest.MonkeyPatch.context() as patch,
        closing(lab.bound(UDP, "0.0.0.0", 10000)) as service,  # noqa: S104
    ):
        patch.setattr(relays, "MOST_SESSIONS", 5)
        patch.setattr(relays, "SESSION_SECONDS", 0.3)
        async with lab.forwarded() as forwarder:
            await until(lambda: bool(forwarder._open))
            before = descriptors()
            for _ in range(20):
                with closing(lab.client(UDP)) as client:
                    await loop.sock_sendto(client, b"?", (lab.host.public, 10000))
                    await asyncio.wait_for(loop.sock_recvfrom(service, 100), 5)
            assert descriptors() == before + 5
            await until(lambda: descriptors() <= before)


@in_the_site
async def test_only_what_the_public_side_can_reach_is_forwarded(lab: Lab) -> None:
    public = [
        lab.bound(TCP, "0.0.0.0", 4001),  # noqa: S104
        lab.bound(TCP, lab.host.ipv4, 4002),
        lab.bound(TCP, "::", 4003),
        lab.bound(TCP, f"::ffff:{lab.host.ipv4}", 4004),
        lab.bound(UDP, lab.host.ipv4, 4001),
    ]
    hidden = [
        lab.bound(TCP, "127.0.0.1", 4011),
        lab.bound(TCP, "10.0.0.2", 4012),
        lab.bound(TCP, "::1", 4013),
        lab.bound(TCP, "::", 4014, only_ipv6=True),
        lab.bound(TCP, lab.host.ipv6, 4015),
        lab.bound(UDP, "127.0.0.1", 4016),
        lab.bound(UDP, "0.0.0.0", 68),  # noqa: S104 - the DHCP client
    ]
    try:
        found = ports.listening(lab.host.pid, lab.host.ipv4)
        assert found == {("tcp", 4001), ("tcp", 4002), ("tcp", 4003), ("tcp", 4004), ("udp", 4001)}
        async with lab.forwarded() as forwarder:
            await until(lambda: {(port.protocol, port.number) for port in forwarder._open} == found)
            assert [port for port in range(4000, 4020) if await lab.is_open(port)] == [4001, 4002, 4003, 4004]
    finally:
        for own in public + hidden:
            own.close()


@in_the_site
async def test_a_port_that_the_host_closes_is_closed_and_its_connections_stay(lab: Lab) -> None:
    async with lab.forwarded():
        async with lab.serving(4443, echo):
            streams = await lab.connected(4443)
            assert await exchanged(streams, b"before") == b"before"
        async with asyncio.timeout(5):
            while await lab.is_open(4443):
                await asyncio.sleep(0.05)
        assert await exchanged(streams, b"after") == b"after"
        streams[1].close()


@in_the_site
async def test_connections_of_a_host_that_is_gone_end(lab: Lab) -> None:
    async with lab.forwarded() as forwarder, lab.serving(4443, echo):
        streams = await lab.connected(4443)
        assert await exchanged(streams, b"before") == b"before"
        forwarder.follow({})
        with pytest.raises(ConnectionResetError):
            await streams[0].read()
        assert not await lab.is_open(4443)


@in_the_site
async def test_a_host_without_processes_listens_on_nothing(lab: Lab) -> None:
    assert ports.listening(2**22 + 1, lab.host.ipv4) == set()


@in_the_site
async def test_a_port_that_is_taken_outside_is_a_problem_until_it_is_free(lab: Lab) -> None:
    for kind, name in ((TCP, "tcp"), (UDP, "udp")):
        with closing(lab.bound(kind, "0.0.0.0", 4443)):  # noqa: S104
            taken = socket_in(lab.outside, V4, kind)
            if kind == TCP:
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((lab.host.public, 4443))
            if kind == TCP:
                taken.listen()
            async with lab.forwarded() as forwarder:
                await until(lambda forwarder=forwarder: bool(forwarder.problems()))  # type: ignore[misc]
                expected = f"{lab.host.public}:4443 ({name}) cannot be opened: Address already in use"
                assert forwarder.problems() == [expected]
                taken.close()
                await until(lambda forwarder=forwarder: bool(forwarder._open))  # type: ignore[misc]
                assert forwarder.problems() == []


@in_the_site
async def test_two_hundred_connections_at_once_leave_nothing_behind(lab: Lab) -> None:
    before = descriptors()
    async with lab.forwarded(), lab.serving(4443, echo):
        (await lab.connected(4443))[1].close()
        everyone = await asyncio.gather(*(lab.connect(4443) for _ in range(200)))
        for _ in range(3):
            data = secrets.token_bytes(10_000)
            assert await asyncio.gather(*(exchanged(one, data) for one in everyone)) == [data] * 200
        for number, (_, writer) in enumerate(everyone):
            relays._reset(writer) if number % 2 else writer.close()
        await until(lambda: descriptors() < before + 10)
    await until(lambda: descriptors() <= before)


@in_the_site
async def test_when_it_ends_everything_is_closed(lab: Lab) -> None:
    before = descriptors()
    with closing(lab.bound(UDP, "0.0.0.0", 10000)):  # noqa: S104
        async with lab.serving(4443, echo):
            async with lab.forwarded():
                reader, writer = await lab.connected(4443)
                with closing(lab.client(UDP)) as client:
                    client.sendto(b"?", (lab.host.public, 10000))
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()
            assert not await lab.is_open(4443)
    await until(lambda: descriptors() <= before)


def test_a_socket_can_be_made_in_another_namespace_and_the_own_one_stays(lab: Lab) -> None:
    own = os.readlink("/proc/self/ns/net")
    with closing(socket_in(lab.host.fd, V4, TCP)) as there:
        there.bind((lab.host.ipv4, 0))
    with closing(socket.socket(V4, TCP)) as here, pytest.raises(OSError, match="Cannot assign"):
        here.bind((lab.host.ipv4, 0))
    assert os.readlink("/proc/self/ns/net") == own
    with open("/dev/null") as file, pytest.raises(OSError, match="cannot enter the network namespace"):
        socket_in(file.fileno(), V4, TCP)
