"""Level: real UDP datagrams to 127.90.x.y of this machine, a real service in a namespace that stands for a host."""

import asyncio
from contextlib import closing

import pytest

from local_cloud.hosts import addresses, relays

from .border import UDP, Border, descriptors, in_the_site, until
from .namespaces import needs_namespaces

pytestmark = needs_namespaces


@in_the_site
async def test_datagrams_go_to_the_host_and_each_answer_to_its_client(border: Border) -> None:
    loop = asyncio.get_running_loop()
    seen: set[tuple[str, int]] = set()
    with closing(border.bound(UDP, "0.0.0.0", 10000)) as service:  # noqa: S104

        def answer() -> None:
            data, client = service.recvfrom(100)
            seen.add(client)
            service.sendto(b"to " + data, client)

        loop.add_reader(service, answer)
        async with border.forwarded():
            for name in (b"one", b"two"):
                with closing(border.client(UDP)) as client:
                    async with asyncio.timeout(5):
                        while True:
                            await loop.sock_sendto(client, name, (border.host.public, 10000))
                            try:
                                received = await asyncio.wait_for(loop.sock_recvfrom(client, 100), 0.2)
                                break
                            except TimeoutError:
                                continue
                    assert received == (b"to " + name, (border.host.public, 10000))
        loop.remove_reader(service)
    assert {address for address, _ in seen} == {addresses.WORLD}
    assert len(seen) == 2


@in_the_site
async def test_datagrams_of_a_refused_client_do_not_reach_the_host(border: Border) -> None:
    loop = asyncio.get_running_loop()
    border.refused.add("127.0.0.1")
    with (
        closing(border.bound(UDP, "0.0.0.0", 10000)) as service,  # noqa: S104
        closing(border.client(UDP)) as refused,
        closing(border.client(UDP, "127.0.0.9")) as allowed,
    ):
        async with border.forwarded():
            while not border.judged:
                await loop.sock_sendto(refused, b"refused", (border.host.public, 10000))
                await asyncio.sleep(0.02)
            await loop.sock_sendto(allowed, b"allowed", (border.host.public, 10000))
            async with asyncio.timeout(5):
                assert (await loop.sock_recvfrom(service, 100))[0] == b"allowed"


@in_the_site
async def test_clients_of_udp_are_forgotten_after_silence_and_when_there_are_too_many(border: Border) -> None:
    loop = asyncio.get_running_loop()
    with (
        pytest.MonkeyPatch.context() as patch,
        closing(border.bound(UDP, "0.0.0.0", 10000)) as service,  # noqa: S104
    ):
        patch.setattr(relays, "MOST_SESSIONS", 5)
        patch.setattr(relays, "SESSION_SECONDS", 0.3)
        async with border.forwarded() as forwarder:
            await until(lambda: bool(forwarder._open))
            before = descriptors()
            for _ in range(20):
                with closing(border.client(UDP)) as client:
                    await loop.sock_sendto(client, b"?", (border.host.public, 10000))
                    await asyncio.wait_for(loop.sock_recvfrom(service, 100), 5)
            assert descriptors() == before + 5
            await until(lambda: descriptors() <= before)
