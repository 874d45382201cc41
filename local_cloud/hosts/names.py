"""The resolver of the hosts, over UDP and TCP: answers from records.py, and NXDOMAIN to everything else."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from ..store import Store
from . import records

LONGEST_CHAIN = 8  # names, each a CNAME of the next
LARGEST_UDP = 1232  # bytes; more goes over TCP
IDLE_SECONDS = 10.0  # of a TCP connection


class Resolver:
    def __init__(self, store: Store, fixed: Mapping[str, str]) -> None:
        self._store = store
        self._fixed = {dns.name.from_text(name): address for name, address in fixed.items()}
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, address: str, port: int = 53) -> None:
        """Listen on UDP and TCP; raises OSError."""
        self._tcp = await asyncio.start_server(self._serve, address, port)
        try:
            loop = asyncio.get_running_loop()
            self._udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(self.answer), (address, port))
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        if self._udp:
            self._udp.close()
        if self._tcp:
            self._tcp.close()
        self._udp = self._tcp = None
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def answer(self, wire: bytes, udp: bool) -> bytes | None:
        """The answer to a message; None where silence is right."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return _malformed(wire)
        if query.flags & dns.flags.QR:
            return None
        try:
            response = self._respond(query)
        except (dns.exception.DNSException, ValueError):  # a record that the API took and that has no form on the wire
            response = _blank(query, dns.rcode.SERVFAIL)
        asked = max(512, query.payload) if query.edns >= 0 else 512
        return response.to_wire(max_size=min(asked, LARGEST_UDP) if udp else 65535, prefer_truncation=True)

    def _respond(self, query: dns.message.Message) -> dns.message.Message:
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            return _blank(query, dns.rcode.NOTIMP)
        if query.question[0].rdclass != dns.rdataclass.IN:
            return _blank(query, dns.rcode.REFUSED)
        response = _blank(query, dns.rcode.NOERROR)
        self._fill(response, query.question[0].name, query.question[0].rdtype)
        return response

    def _fill(self, response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> None:
        """Answer, following CNAMEs; the code is that of the last name, as RFC 6604 has it."""
        names = records.Snapshot(self._store, self._fixed)
        for _ in range(LONGEST_CHAIN):
            found = names.look_up(name)
            chosen = [record for record in found or [] if records.is_of(record, kind)]
            aliases = [] if chosen else [record for record in found or [] if record["type"] == "CNAME"]
            if not aliases:
                break
            response.answer.append(records.rrset(name, aliases))
            name = response.answer[-1][0].target
        else:
            response.set_rcode(dns.rcode.SERVFAIL)
            return
        zone = names.zone_of(name)
        if chosen:
            response.answer.append(records.rrset(name, chosen))
        elif zone is not None:
            response.authority.append(records.soa(zone))
        if found is None:
            response.set_rcode(dns.rcode.NXDOMAIN)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with suppress(OSError, EOFError, TimeoutError, asyncio.CancelledError):  # stop() alone cancels
                while self._tcp:  # None for a connection that came while all was stopped
                    async with asyncio.timeout(IDLE_SECONDS):
                        size = int.from_bytes(await reader.readexactly(2), "big")
                        reply = self.answer(await reader.readexactly(size), udp=False)
                        if reply is None:
                            return
                        writer.write(len(reply).to_bytes(2, "big") + reply)
                        await writer.drain()
        finally:
            self._connections.discard(task)
            writer.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes, bool], bytes | None]) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._answer(data, True)
        if reply is not None:
            self._transport.sendto(reply, addr)


def _blank(query: dns.message.Message, code: dns.rcode.Rcode) -> dns.message.Message:
    response = dns.message.make_response(query, recursion_available=True, our_payload=LARGEST_UDP)
    response.set_rcode(code)
    return response


def _malformed(wire: bytes) -> bytes | None:
    if len(wire) < 12 or wire[2] & 0x80:
        return None
    response = dns.message.Message(id=int.from_bytes(wire[:2], "big"))
    response.flags |= dns.flags.QR
    response.set_rcode(dns.rcode.FORMERR)
    return response.to_wire()
