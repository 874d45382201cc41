"""Level: real TCP connections to 127.90.x.y of this machine, real services in a namespace that stands for a host."""

import asyncio
import os
import secrets
import socket
from contextlib import closing

import pytest

from local_cloud.hosts import addresses, relays
from local_cloud.hosts.netns import socket_in

from .border import SERVER, TCP, UDP, V4, Border, descriptors, echo, exchanged, in_the_site, until
from .namespaces import needs_namespaces

pytestmark = needs_namespaces


@in_the_site
async def test_what_a_host_serves_is_served_at_its_public_address(border: Border) -> None:
    seen: list[str] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("peername")[0])
        await echo(reader, writer)

    async with border.forwarded(), border.serving(4443, handler):
        streams = await border.connected(4443)
        assert await exchanged(streams, b"hello") == b"hello"
        assert streams[1].get_extra_info("peername") == (border.host.public, 4443)
        assert seen == [addresses.WORLD]
        streams[1].close()


@in_the_site
async def test_the_firewall_is_asked_about_the_real_client(border: Border) -> None:
    async with border.forwarded(), border.serving(4443, echo):
        (await border.connected(4443))[1].close()
        border.judged.clear()
        (await border.connect(4443, "127.0.0.9"))[1].close()
        await until(lambda: border.judged == [(SERVER, "tcp", 4443, "127.0.0.9")])


@in_the_site
async def test_a_refused_client_is_reset_and_the_host_learns_nothing(border: Border) -> None:
    seen: list[str] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append("a connection")
        await echo(reader, writer)

    border.refused.add("127.0.0.1")
    async with border.forwarded(), border.serving(4443, handler):
        reader, _ = await border.connected(4443)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        allowed = await border.connect(4443, "127.0.0.9")
        assert await exchanged(allowed, b"hello") == b"hello"
        assert seen == ["a connection"]
        allowed[1].close()


@in_the_site
async def test_one_side_may_end_while_the_other_goes_on(border: Border) -> None:
    async def late_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = await reader.read()
        await asyncio.sleep(0.1)
        writer.write(b"answer to " + question)
        writer.close()

    async with border.forwarded(), border.serving(4443, late_answer):
        reader, writer = await border.connected(4443)
        writer.write(b"question")
        writer.write_eof()
        assert await reader.read() == b"answer to question"
        writer.close()


@in_the_site
async def test_the_end_of_a_long_answer_is_not_cut_off(border: Border) -> None:
    answer = secrets.token_bytes(3_000_000)

    async def sender(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async with border.forwarded(), border.serving(4443, sender):
        reader, writer = await border.connected(4443)
        writer.write_eof()
        await asyncio.sleep(0.3)
        assert await reader.read() == answer
        writer.close()


@in_the_site
async def test_a_client_that_does_not_read_holds_the_host_back(border: Border) -> None:
    block, blocks, sent = b"x" * 65536, 800, 0

    async def sender(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
        nonlocal sent
        for _ in range(blocks):
            writer.write(block)
            await writer.drain()
            sent += len(block)
        writer.close()

    async with border.forwarded(), border.serving(4443, sender):
        reader, writer = await border.connected(4443)
        await asyncio.sleep(0.5)
        assert sent < blocks * len(block) / 2
        received = 0
        while data := await reader.read(1 << 20):
            received += len(data)
        assert received == blocks * len(block)
        writer.close()


@in_the_site
async def test_a_reset_by_either_side_reaches_the_other(border: Border) -> None:
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

    async with border.forwarded(), border.serving(4443, handler):
        reader, writer = await border.connected(4443)
        writer.write(b"R")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        _, writer = await border.connect(4443)
        writer.write(b"-")
        await writer.drain()
        await asyncio.sleep(0.1)
        relays._reset(writer)
        await until(lambda: endings == ["reset"])


@in_the_site
async def test_connections_of_a_host_that_is_gone_end(border: Border) -> None:
    async with border.forwarded() as forwarder, border.serving(4443, echo):
        streams = await border.connected(4443)
        assert await exchanged(streams, b"before") == b"before"
        forwarder.follow({})
        with pytest.raises(ConnectionResetError):
            await streams[0].read()
        assert not await border.is_open(4443)


@in_the_site
async def test_two_hundred_connections_at_once_leave_nothing_behind(border: Border) -> None:
    before = descriptors()
    async with border.forwarded(), border.serving(4443, echo):
        (await border.connected(4443))[1].close()
        everyone = await asyncio.gather(*(border.connect(4443) for _ in range(200)))
        for _ in range(3):
            data = secrets.token_bytes(10_000)
            assert await asyncio.gather(*(exchanged(one, data) for one in everyone)) == [data] * 200
        for number, (_, writer) in enumerate(everyone):
            relays._reset(writer) if number % 2 else writer.close()
        await until(lambda: descriptors() < before + 10)
    await until(lambda: descriptors() <= before)


@in_the_site
async def test_when_it_ends_everything_is_closed(border: Border) -> None:
    before = descriptors()
    with closing(border.bound(UDP, "0.0.0.0", 10000)):  # noqa: S104
        async with border.serving(4443, echo):
            async with border.forwarded():
                reader, writer = await border.connected(4443)
                with closing(border.client(UDP)) as client:
                    client.sendto(b"?", (border.host.public, 10000))
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()
            assert not await border.is_open(4443)
    await until(lambda: descriptors() <= before)


def test_a_socket_can_be_made_in_another_namespace_and_the_own_one_stays(border: Border) -> None:
    own = os.readlink("/proc/self/ns/net")
    with closing(socket_in(border.host.fd, V4, TCP)) as there:
        there.bind((border.host.ipv4, 0))
    with closing(socket.socket(V4, TCP)) as here, pytest.raises(OSError, match="Cannot assign"):
        here.bind((border.host.ipv4, 0))
    assert os.readlink("/proc/self/ns/net") == own
    with open("/dev/null") as file, pytest.raises(OSError, match="cannot enter the network namespace"):
        socket_in(file.fileno(), V4, TCP)
