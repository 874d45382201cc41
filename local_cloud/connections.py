"""What is done to the connection of a call: cutting it, as a broken network does; bounding how far answers get."""

import asyncio
import socket

from starlette.requests import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

_OPEN: dict[tuple[str, int], asyncio.BaseTransport] = {}


class Protocol(H11Protocol):
    """uvicorn's HTTP protocol; it only notes which connection belongs to which client."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        if peer:
            _OPEN[peer[:2]] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client:
            _OPEN.pop(self.client, None)
        super().connection_lost(exc)


async def cut(request: Request) -> None:
    """Close the client's connection without a word; what is answered afterwards goes nowhere."""
    transport = _of(request)
    if isinstance(transport, asyncio.Transport):
        transport.abort()
        await asyncio.sleep(0)  # lets the server notice that nobody listens any more


def bound_to(request: Request, hops: int) -> None:
    """Let the answer get over so many routers and no further."""
    transport = _of(request)
    if transport is not None:
        own: socket.socket = transport.get_extra_info("socket")
        own.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)


def _of(request: Request) -> asyncio.BaseTransport | None:
    client = request.client
    return _OPEN.get((client.host, client.port)) if client else None
