"""Which ports a host listens on where the public side can reach them, asked of the kernel (sock_diag(7)).

The same is in /proc/net/tcp, but reading that takes 4 ms each time on a machine with a large table of connections, in
whichever namespace; this takes 0.03 ms, so every host can be asked each second.
"""

import os
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from .netns import run_in

# From the kernel's netlink.h, sock_diag.h, inet_diag.h and tcp_states.h; Python's socket module has none of them.
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, REQUEST_DUMP = 4, 20, 0x301
ERROR, DONE, ONLY_IPV6 = 2, 3, 11
LISTENING = {("tcp", socket.IPPROTO_TCP, 10), ("udp", socket.IPPROTO_UDP, 7)}  # state LISTEN; UDP without a peer
HEADER = struct.Struct("=IHHII")
MESSAGE_SIZE = 72  # bytes of struct inet_diag_msg
DHCP_CLIENT = 68  # its packets never come from beyond the own network


def listening(init: int, own_address: str) -> set[tuple[str, int]]:
    """("tcp" | "udp", port) of the host with this first process, on its IPv4 address or on all; {} when it is gone."""
    try:
        netns = os.open(Path("/proc", str(init), "ns/net"), os.O_RDONLY)
    except (FileNotFoundError, ProcessLookupError):
        return set()
    try:
        found = run_in(netns, lambda: list(_sockets()))
    finally:
        os.close(netns)
    own = {ip_address("0.0.0.0"), ip_address("::"), ip_address(own_address)}  # noqa: S104 - compared, not bound
    return {
        (protocol, port)
        for protocol, address, port in found
        if address in own and (protocol, port) != ("udp", DHCP_CLIENT)
    }


def _sockets() -> Iterator[tuple[str, IPv4Address | IPv6Address, int]]:
    for protocol, number, state in LISTENING:
        for family in (socket.AF_INET, socket.AF_INET6):
            for message in _dump(struct.pack("=BBBxI48x", family, number, 0, 1 << state)):
                found = _address(family, message)
                if found is not None:
                    yield protocol, found, int.from_bytes(message[4:6], "big")


def _address(family: int, message: bytes) -> IPv4Address | IPv6Address | None:
    """Where the socket is bound; None when IPv4 does not reach it."""
    if family == socket.AF_INET:
        return IPv4Address(message[8:12])
    offset = MESSAGE_SIZE
    while offset < len(message):
        size, kind = struct.unpack_from("=HH", message, offset)
        if kind == ONLY_IPV6 and message[offset + 4]:
            return None
        offset += (size + 3) & ~3
    address = IPv6Address(message[8:24])
    return address.ipv4_mapped or address


def _dump(request: bytes) -> Iterator[bytes]:
    """The messages of the answer; raises OSError when the kernel has no such thing."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
        kernel.send(HEADER.pack(HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, REQUEST_DUMP, 1, 0) + request)
        while True:
            data, offset = kernel.recv(1 << 16), 0
            while offset < len(data):
                size, kind, *_ = HEADER.unpack_from(data, offset)
                body = data[offset + HEADER.size : offset + size]
                if kind == DONE:
                    return
                if kind == ERROR:
                    number = -struct.unpack_from("=i", body)[0]
                    raise OSError(number, os.strerror(number))
                yield body
                offset += (size + 3) & ~3
