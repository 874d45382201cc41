"""Packets from one namespace to another: whether they arrive."""

import itertools
import socket
import struct
from collections.abc import Callable
from contextlib import closing
from typing import Any

from .namespaces import Namespace

PATIENCE = 5.0  # seconds for what should arrive
SILENCE = 0.1  # seconds after which what should be dropped counts as dropped
ECHOES = itertools.count(1)
V4, V6, TCP, UDP = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM, socket.SOCK_DGRAM


def tcp(
    source: Namespace, target: Namespace, address: str, port: int, bound: str = "", patience: float = PATIENCE
) -> bool:
    """Whether a TCP connection from one namespace arrives in the other."""
    family = V6 if ":" in address else V4
    with closing(target.socket(family, TCP)) as listener, closing(source.socket(family, TCP)) as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen()
        client.settimeout(patience)
        if bound:
            client.bind((bound, 0))
        try:
            client.connect((address, port))
        except TimeoutError:
            return False
        return True


def udp(
    source: Namespace, target: Namespace, address: str, port: int, bound: str = "", patience: float = PATIENCE
) -> bool:
    """Whether a datagram arrives, and the answer to it."""
    family = V6 if ":" in address else V4
    with closing(target.socket(family, UDP)) as server, closing(source.socket(family, UDP)) as client:
        server.bind((address, port))
        for end in (server, client):
            end.settimeout(patience)
        if bound:
            client.bind((bound, 0))
        client.sendto(b"?", (address, port))
        try:
            _, sender = server.recvfrom(10)
        except TimeoutError:
            return False
        server.sendto(b"!", sender)
        return client.recv(10) == b"!"


def ping(source: Namespace, _: Namespace, address: str, patience: float = PATIENCE) -> bool:
    """Whether the target's kernel answers an echo request."""
    family, protocol, request, reply = (V6, 58, 128, 129) if ":" in address else (V4, 1, 8, 0)
    body = struct.pack("!HH", next(ECHOES), 1)  # a number of its own: the filter takes the same one for the same talk
    checksum = 0xFFFF - sum(struct.unpack("!HH", body), request << 8)  # the kernel makes the one of IPv6 itself
    with closing(source.socket(family, socket.SOCK_RAW, protocol)) as raw:
        raw.settimeout(patience)
        raw.sendto(struct.pack("!BBH", request, 0, checksum) + body, (address, 0))
        try:
            while True:
                answer = raw.recv(200)
                if answer[0 if family == V6 else 20] == reply:
                    return True
        except TimeoutError:
            return False


def raw_packet(source: Namespace, target: Namespace, address: str, protocol: int, patience: float = PATIENCE) -> bool:
    """Whether a packet of another IP protocol arrives."""
    with (
        closing(target.socket(V4, socket.SOCK_RAW, protocol)) as receiver,
        closing(source.socket(V4, socket.SOCK_RAW, protocol)) as sender,
    ):
        receiver.settimeout(patience)
        sender.sendto(b"\0" * 16, (address, 0))
        try:
            receiver.recv(100)
        except TimeoutError:
            return False
        return True


def dropped(probe: Callable[..., bool], *about: Any) -> bool:
    return not probe(*about, patience=SILENCE)
