"""One port of a host, open outside: connections and datagrams are carried in and out, as one process can.

The host sees WORLD as the other end. What is not allowed is refused before the host learns of it: TCP by a reset after
the handshake (a filter in the network would drop the first packet), UDP by silence. Who was let in once stays in.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from . import addresses

CHUNK = 64 * 1024  # bytes
CONNECT_SECONDS = 10.0
SESSION_SECONDS = 60.0  # of silence, until a UDP client is forgotten
MOST_SESSIONS = 1000  # UDP clients of one port
AT_ONCE = 50  # datagrams of one socket before others have their turn
RESET = struct.pack("ii", 1, 0)  # SO_LINGER, on, 0 seconds
# A host that lost its power says nothing: its connections are given up after 90 seconds of silence.
KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))

Allowed = Callable[[str], bool]  # of a client's address
Address = tuple[str, int]


class TcpPort:
    def __init__(self, outside: socket.socket, host: Address, allowed: Allowed) -> None:
        """`outside` is bound, `host` is where connections go."""
        self._outside = outside
        self._host = host
        self._allowed = allowed
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Raises OSError when another program listens there."""
        self._server = await asyncio.start_server(self._serve, sock=self._outside, backlog=128)

    @property
    def in_use(self) -> bool:
        return bool(self._connections)

    def close(self) -> None:
        """No new connections; the old ones go on."""
        if self._server:
            self._server.close()
        self._outside.close()

    async def abort(self) -> None:
        self.close()
        self._allowed = lambda _: False  # of connections that have come and were not begun
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def sweep(self) -> None:
        """TCP looks after itself."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        # One side failed, or abort() ended it; the other side learns it by the reset.
        with suppress(OSError, TimeoutError, ExceptionGroup, asyncio.CancelledError):
            try:
                if self._allowed(writer.get_extra_info("peername")[0]):
                    await self._carry(reader, writer)
            finally:
                _reset(writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Both ways, until both sides have ended; raises when one failed or the host does not take the connection."""
        async with asyncio.timeout(CONNECT_SECONDS):
            host_reader, host_writer = await asyncio.open_connection(*self._host, local_addr=(addresses.WORLD, 0))
        try:
            own = host_writer.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in KEEPALIVE:
                own.setsockopt(socket.IPPROTO_TCP, option, value)
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(reader, host_writer))
                both.create_task(_pump(host_reader, writer))
            for end in (host_writer, writer):
                end.close()
                await end.wait_closed()
        finally:
            _reset(host_writer)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, until its end; that end is handed on, and the other direction stays."""
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection at once, unless it has been closed in order."""
    own = writer.get_extra_info("socket")
    if own.fileno() != -1:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()


class UdpPort:
    """Sockets without buffers of their own: what cannot be sent at once is lost, as datagrams may be."""

    def __init__(self, outside: socket.socket, host: Address, allowed: Allowed) -> None:
        """`outside` is bound, `host` is where datagrams go."""
        self._outside = outside
        self._host = host
        self._allowed = allowed
        self._sessions: dict[Address, tuple[socket.socket, float]] = {}  # client -> (its socket inside, last used)

    async def open(self) -> None:
        asyncio.get_running_loop().add_reader(self._outside, self._inwards)

    @property
    def in_use(self) -> bool:
        return False  # nothing outlives the port

    def close(self) -> None:
        for client in list(self._sessions):
            self._forget(client)
        asyncio.get_running_loop().remove_reader(self._outside)
        self._outside.close()

    async def abort(self) -> None:
        self.close()

    def sweep(self) -> None:
        """Forget the clients that have been silent."""
        limit = time.monotonic() - SESSION_SECONDS
        for client in [client for client, (_, used) in self._sessions.items() if used < limit]:
            self._forget(client)

    def _inwards(self) -> None:
        for data, client in _received(self._outside):
            if client in self._sessions or self._allowed(client[0]):
                with suppress(OSError):  # lost, as datagrams may be
                    self._session(client).send(data)

    def _outwards(self, own: socket.socket, client: Address) -> None:
        for data, _ in _received(own):
            self._sessions[client] = own, time.monotonic()
            with suppress(OSError):
                self._outside.sendto(data, client)

    def _session(self, client: Address) -> socket.socket:
        """The client's socket inside, made where there is none; the most recent client is the last of the dict."""
        own, _ = self._sessions.pop(client, (None, 0.0))
        if own is None:
            if len(self._sessions) >= MOST_SESSIONS:
                self._forget(next(iter(self._sessions)))
            own = _towards(self._host)
            asyncio.get_running_loop().add_reader(own, self._outwards, own, client)
        self._sessions[client] = own, time.monotonic()
        return own

    def _forget(self, client: Address) -> None:
        own, _ = self._sessions.pop(client)
        asyncio.get_running_loop().remove_reader(own)
        own.close()


def _towards(host: Address) -> socket.socket:
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        own.setblocking(False)
        own.bind((addresses.WORLD, 0))
        own.connect(host)
    except OSError:
        own.close()
        raise
    return own


def _received(own: socket.socket) -> Iterator[tuple[bytes, Address]]:
    for _ in range(AT_ONCE):
        try:
            yield own.recvfrom(CHUNK)
        except ConnectionRefusedError:
            continue  # the host has closed the port; its open ports are looked at each second
        except OSError:
            return
