"""Asks ports of other hosts, run on a host that plays the stranger; the Python of its image is all that it needs.

    python3 scan.py tcp PORTS ADDRESS...   prints {address: {"open": [ports], "closed": [ports]}} as JSON
    python3 scan.py udp PORTS ADDRESS...   sends a datagram to each port; who is asked has to look what arrives

PORTS has commas, and "all" in it stands for all of them. A TCP port gets one SYN each time that it is named, no more: a
connection that is tried to the end waits for seconds where a firewall is silent. Open is what accepts, closed what
refuses; whatever answers nothing is in neither list. Answers are read from the wire: the asking host's own firewall
does not matter.
"""

import json
import selectors
import socket
import struct
import sys

SOURCE = 9999  # below the ports that the kernel gives to connections
BURST = 128  # packets until answers are read
PATIENCE = 0.5  # seconds without an answer after the last packet
SYN, RST, SYN_ACK = 0x02, 0x04, 0x12
PROTOCOL = {socket.AF_INET: 0x0800, socket.AF_INET6: 0x86DD}


class Target:
    """Another host's address, and the connections that are asked of it."""

    def __init__(self, address: str) -> None:
        """OSError where no route leads there."""
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(self.family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
            own = probe.getsockname()[0]
        self.address = address
        self.packed = socket.inet_pton(self.family, address)
        pseudo = socket.inet_pton(self.family, own) + self.packed + struct.pack("!II", 20, socket.IPPROTO_TCP)
        self._sum = sum(struct.unpack(f"!{len(pseudo + self.segment(0, 0)) // 2}H", pseudo + self.segment(0, 0)))

    def segment(self, port: int, checksum: int) -> bytes:
        """The header of TCP, RFC 9293, 3.1."""
        return struct.pack("!HHIIBBHHH", SOURCE, port, 1, 0, 5 << 4, SYN, 64240, checksum, 0)

    def syn(self, port: int) -> bytes:
        total = self._sum + port
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        return self.segment(port, ~total & 0xFFFF)

    def answer(self, packet: bytes) -> tuple[int, int] | None:
        """Port and flags of an answer to `syn`; None if the packet is something else."""
        if self.family == socket.AF_INET:
            protocol, sender, start = packet[9], packet[12:16], (packet[0] & 15) * 4
        else:
            protocol, sender, start = packet[6], packet[8:24], 40
        if protocol != socket.IPPROTO_TCP or sender != self.packed:
            return None
        port, to = struct.unpack("!HH", packet[start : start + 4])
        return (port, packet[start + 13]) if to == SOURCE else None


def tcp(ports: list[int], address: str) -> dict[str, list[int]]:
    found: dict[str, set[int]] = {"open": set(), "closed": set()}
    try:
        target = Target(address)
    except OSError:
        return {name: [] for name in found}
    with (
        socket.socket(target.family, socket.SOCK_RAW, socket.IPPROTO_TCP) as asking,
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(PROTOCOL[target.family])) as wire,
    ):
        asking.connect((address, 0))
        wire.setblocking(False)
        for start in range(0, len(ports), BURST):
            for port in ports[start : start + BURST]:
                send(asking, target.syn(port))
            read(wire, target, found)
        while ready(wire, PATIENCE):
            read(wire, target, found)
    return {name: sorted(ports) for name, ports in found.items()}


def send(asking: socket.socket, packet: bytes) -> None:
    """An error may be an earlier packet's, told by ICMP: so twice. What nobody takes is lost, as on any network."""
    for _ in range(2):
        try:
            asking.send(packet)
            return
        except OSError:
            continue


def ready(wire: socket.socket, seconds: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(wire, selectors.EVENT_READ)
        return bool(selector.select(seconds))


def read(wire: socket.socket, target: Target, found: dict[str, set[int]]) -> None:
    while True:
        try:
            packet = wire.recv(2048)
        except BlockingIOError:
            return
        answer = target.answer(packet)
        if answer and answer[1] & SYN_ACK == SYN_ACK:
            found["open"].add(answer[0])
        elif answer and answer[1] & RST:
            found["closed"].add(answer[0])


def udp(ports: list[int], address: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for port in ports:
            try:
                sender.sendto(b"hello", (address, port))
            except OSError:
                continue  # no route, or told by ICMP


if __name__ == "__main__":
    how, asked, *addresses = sys.argv[1:]
    wanted = [port for part in asked.split(",") for port in (range(1, 65536) if part == "all" else [int(part)])]
    if how == "tcp":
        print(json.dumps({address: tcp(wanted, address) for address in addresses}))
    else:
        for address in addresses:
            udp(wanted, address)
