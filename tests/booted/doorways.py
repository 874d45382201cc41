"""Which doors of a host are open, seen from another host, from this machine, and by the host itself."""

import json
import shlex
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hcloud.networks import NetworkSubnet

from components.doors import DOORS, Role, Source, doors_of
from local_cloud.hosts import addresses
from tests.booted.booted import Cluster, Host
from tests.booted.scan import SOURCE

ELSEWHERE = "10.80.9.0/24"  # a subnet of the private network that is neither the signaling nodes' nor the bridges'
DOORS_ALONE = ",".join(str(door.port) for door in DOORS)
SCAN = (Path(__file__).parent / "scan.py").read_text()
Protocol = Literal["tcp", "udp"]

# Sees each packet from `SENDERS` that the host's own firewall has let through, also where no program listens.
WATCH = """
table inet watched {
  set tcp_ports { type inet_service; flags dynamic; size 65535; }
  set udp_ports { type inet_service; flags dynamic; size 65535; }
  chain input {
    type filter hook input priority filter + 10; policy accept;
    FAMILY saddr SENDER tcp flags & (syn | ack) == syn add @tcp_ports { tcp dport }
    FAMILY saddr SENDER meta l4proto udp add @udp_ports { udp dport }
  }
}
"""


ASK_AS_EVERYBODY = """
import os, pwd, socket, sys
for user in pwd.getpwall():
    if os.fork() == 0:
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
        with socket.socket() as asked:
            asked.settimeout(5)
            print(user.pw_name, asked.connect_ex(("169.254.169.254", 80)) == 0)
        sys.stdout.flush()
        os._exit(0)
    os.wait()
"""


UNTRACKED = f"""
table inet scanning {{
  chain output {{ type filter hook output priority raw; policy accept; tcp sport {SOURCE} notrack; }}
}}
"""


@dataclass(frozen=True)
class Place:
    """A host of the cluster with its addresses as other hosts see them."""

    host: Host
    role: Role
    ipv4: str
    ipv6: str
    private: str


def places(cluster: Cluster) -> list[Place]:
    described = cluster.described()
    roles: tuple[tuple[str, Role], ...] = (("shards", "signaling"), ("bridges", "bridge"))
    return [
        Place(
            cluster.host(host["name"]),
            role,
            addresses.inside(host["publicIpv4"]),
            host["publicIpv6"],
            host["privateIpv4"],
        )
        for kind, role in roles
        for host in described[kind]
    ]


def doors(role: Role, protocol: Protocol, *sources: Source) -> list[int]:
    """What the table of doors promises to who is one of `sources`."""
    return sorted({door.port for door in doors_of(role) if door.protocol == protocol and door.source in sources})


def open_to(scanner: Host, others: Iterable[str], ports: str = "all") -> dict[str, list[int]]:
    """The TCP ports that accept the scanner's connections, by address.

    A port that refuses fails the test: a closed door is silent. Doors are asked once more than others: a packet may be
    lost on a busy machine.
    """
    names = list(others)
    scan = f"python3 -c {shlex.quote(SCAN)} tcp {ports},{DOORS_ALONE} {' '.join(names)}"
    # Followed connections would be let in again, where the host is scanned itself soon after.
    scanner.run(f"nft -f - <<'EOT'\n{UNTRACKED}\nEOT")
    found = json.loads(scanner.run(f"({scan}); nft delete table inet scanning", timeout=300))
    assert [name for name in names if found[name]["closed"]] == [], found
    return {name: found[name]["open"] for name in names}


def send_to_all_udp_ports(scanner: Host, others: Iterable[str]) -> None:
    scanner.run(f"python3 -c {shlex.quote(SCAN)} udp all {' '.join(others)}", timeout=300)


@contextmanager
def watched(host: Host, sender: str) -> Iterator[dict[Protocol, list[int]]]:
    """Ports on which packets from `sender` come through the host's own firewall; filled in at the end."""
    family = "ip6" if ":" in sender else "ip"
    table = WATCH.replace("FAMILY", family).replace("SENDER", sender)
    host.run(f"nft -f - <<'EOT'\n{table}\nEOT")
    seen: dict[Protocol, list[int]] = {}
    try:
        yield seen
        for protocol in ("tcp", "udp"):
            listed = json.loads(host.run(f"nft -j list set inet watched {protocol}_ports"))["nftables"][-1]["set"]
            seen[protocol] = sorted(listed.get("elem", []))
    finally:
        host.run("nft delete table inet watched")


@contextmanager
def on_the_private_network(cluster: Cluster, host: Host) -> Iterator[None]:
    """With an address in a subnet of its own."""
    (network,) = cluster.workshop.hetzner.networks.get_all()
    subnet = NetworkSubnet(type="cloud", ip_range=ELSEWHERE, network_zone="eu-central")
    network.add_subnet(subnet).wait_until_finished()
    try:
        host.act("attach_to_network", network=network, ip_range=ELSEWHERE)
        try:
            host.run("for each in /sys/class/net/en*; do dhclient -1 ${each##*/}; done")
            yield
        finally:
            host.act("detach_from_network", network=network)
    finally:
        network.delete_subnet(subnet).wait_until_finished()


def who_reaches_metadata(host: Host) -> list[str]:
    """The users of a host who may ask the cloud's metadata service."""
    answers = dict(line.split() for line in host.run(f"python3 -c {shlex.quote(ASK_AS_EVERYBODY)}").split("\n"))
    assert {"root", "nobody", "_apt"} < set(answers), answers
    return [user for user, reached in answers.items() if reached == "True"]


def open_from_here(address: str) -> list[int]:
    """TCP ports of 127.90.x.y that this machine can use; one that is reset before it was asked anything is closed.

    Ports that a program of this machine holds on all its addresses answer there, too: they say nothing of the host.
    """
    accepted = []
    for port in range(1, 65536):
        attempt = socket.socket()
        if attempt.connect_ex((address, port)) == 0:
            accepted.append((port, attempt))
        else:
            attempt.close()
    return [port for port, connection in accepted if not _is_reset(connection) and port not in taken_here()]


def _is_reset(connection: socket.socket) -> bool:
    with connection:
        connection.settimeout(0.5)
        try:
            connection.recv(1)
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        return False


def taken_here() -> set[int]:
    """Listening on every address of this machine, according to the kernel's tables."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]]
    return {int(local[-4:], 16) for _, local, _, state, *_ in rows if state == "0A" and not local[:-5].strip("0")}
