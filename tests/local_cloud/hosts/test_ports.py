"""Level: real sockets of a namespace that stands for a host, and what is open of them on 127.90.x.y of this machine."""

import asyncio
import socket
from contextlib import closing

from local_cloud.hosts import ports
from local_cloud.hosts.netns import socket_in

from .border import TCP, UDP, V4, Border, echo, exchanged, in_the_site, until
from .namespaces import needs_namespaces

pytestmark = needs_namespaces


@in_the_site
async def test_only_what_the_public_side_can_reach_is_forwarded(border: Border) -> None:
    public = [
        border.bound(TCP, "0.0.0.0", 4001),  # noqa: S104
        border.bound(TCP, border.host.ipv4, 4002),
        border.bound(TCP, "::", 4003),
        border.bound(TCP, f"::ffff:{border.host.ipv4}", 4004),
        border.bound(UDP, border.host.ipv4, 4001),
    ]
    hidden = [
        border.bound(TCP, "127.0.0.1", 4011),
        border.bound(TCP, "10.0.0.2", 4012),
        border.bound(TCP, "::1", 4013),
        border.bound(TCP, "::", 4014, only_ipv6=True),
        border.bound(TCP, border.host.ipv6, 4015),
        border.bound(UDP, "127.0.0.1", 4016),
        border.bound(UDP, "0.0.0.0", 68),  # noqa: S104 - the DHCP client
    ]
    try:
        found = ports.listening(border.host.pid, border.host.ipv4)
        assert found == {("tcp", 4001), ("tcp", 4002), ("tcp", 4003), ("tcp", 4004), ("udp", 4001)}
        assert ("tcp", 4012) in ports.listening(border.host.pid, "10.0.0.2"), "what a public address may be mapped to"
        async with border.forwarded() as forwarder:
            await until(lambda: {(port.protocol, port.number) for port in forwarder._open} == found)
            assert [port for port in range(4000, 4020) if await border.is_open(port)] == [4001, 4002, 4003, 4004]
    finally:
        for own in public + hidden:
            own.close()


@in_the_site
async def test_a_port_that_the_host_closes_is_closed_and_its_connections_stay(border: Border) -> None:
    async with border.forwarded() as forwarder:
        async with border.serving(4443, echo):
            streams = await border.connected(4443)
            assert await exchanged(streams, b"before") == b"before"
        async with asyncio.timeout(5):
            while await border.is_open(4443):
                await asyncio.sleep(0.05)
        assert await exchanged(streams, b"after") == b"after"
        assert forwarder._closed
        streams[1].close()
        await until(lambda: not forwarder._closed)


@in_the_site
async def test_a_host_without_processes_listens_on_nothing(border: Border) -> None:
    assert ports.listening(2**22 + 1, border.host.ipv4) == set()


@in_the_site
async def test_a_port_that_is_taken_outside_is_a_problem_until_it_is_free(border: Border) -> None:
    for kind, name in ((TCP, "tcp"), (UDP, "udp")):
        with closing(border.bound(kind, "0.0.0.0", 4443)):  # noqa: S104
            taken = socket_in(border.outside, V4, kind)
            if kind == TCP:
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((border.host.public, 4443))
            if kind == TCP:
                taken.listen()
            async with border.forwarded() as forwarder:
                await until(lambda forwarder=forwarder: bool(forwarder.problems()))  # type: ignore[misc]
                expected = f"{border.host.public}:4443 ({name}) cannot be opened: Address already in use"
                assert forwarder.problems() == [expected]
                taken.close()
                await until(lambda forwarder=forwarder: bool(forwarder._open))  # type: ignore[misc]
                assert forwarder.problems() == []
