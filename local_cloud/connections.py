"""Cutting a connection in the middle of a call, as a broken network does."""

import asyncio

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
    client = request.client
    transport = _OPEN.get((client.host, client.port)) if client else None
    if isinstance(transport, asyncio.Transport):
        transport.abort()
        await asyncio.sleep(0)  # lets the server notice that nobody listens any more
