"""Every port that a host of the cluster answers on, and to whom.

This table is the only place that opens a port. Public doors become rules of the cloud's firewall; all doors become
rules of the host's own nftables, because not every cloud filters the private side.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal, assert_never

Role = Literal["signaling", "bridge"]
Source = Literal["world", "admins", "signaling", "bridges"]

ROLES: tuple[Role, ...] = ("signaling", "bridge")
EVERYONE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True, kw_only=True)
class Door:
    """One open port: `source` says who may come in, `why` what answers there."""

    role: Role
    protocol: Literal["tcp", "udp"]
    port: int
    source: Source
    why: str

    @property
    def public(self) -> bool:
        """Whether the door is reached over the public side; else only from the private network."""
        return self.source in ("world", "admins")


DOORS: tuple[Door, ...] = (
    Door(role="signaling", protocol="tcp", port=22, source="admins", why="SSH"),
    Door(role="signaling", protocol="tcp", port=80, source="world", why="redirect to HTTPS, ACME challenges"),
    Door(role="signaling", protocol="tcp", port=443, source="world", why="web site and signaling"),
    Door(role="signaling", protocol="tcp", port=5222, source="bridges", why="XMPP of the bridges"),
    Door(role="signaling", protocol="tcp", port=8100, source="bridges", why="manifest of package versions"),
    Door(role="signaling", protocol="tcp", port=8888, source="signaling", why="REST of jicofo, for drains"),
    Door(role="bridge", protocol="tcp", port=22, source="admins", why="SSH"),
    Door(role="bridge", protocol="udp", port=10000, source="world", why="media"),
    Door(role="bridge", protocol="tcp", port=8080, source="signaling", why="REST of the bridge, for drains"),
)


@dataclass(frozen=True, kw_only=True)
class AddressPlan:
    """The private network and one range of it per role: a source can so be told from its address."""

    network: IPv4Network
    signaling: IPv4Network
    bridges: IPv4Network

    @classmethod
    def within(cls, network: IPv4Network) -> "AddressPlan":
        """Plan for `network` (a /16): a /20 per role, which a cloud may cut into up to sixteen subnets."""
        ranges = list(network.subnets(new_prefix=20))
        return cls(network=network, signaling=ranges[1], bridges=ranges[2])

    def subnet(self, role: Role) -> IPv4Network:
        return {"signaling": self.signaling, "bridge": self.bridges}[role]


def doors_of(role: Role) -> tuple[Door, ...]:
    return tuple(door for door in DOORS if door.role == role)


def role_of(source: Source) -> Role | None:
    """The role that a private source is; None for those on the public side."""
    match source:
        case "signaling":
            return "signaling"
        case "bridges":
            return "bridge"
        case "world" | "admins":
            return None
        case _:
            assert_never(source)


def source_ranges(source: Source, plan: AddressPlan, admin_cidrs: tuple[str, ...]) -> tuple[str, ...]:
    """The CIDRs that a source stands for."""
    match source:
        case "world":
            return EVERYONE
        case "admins":
            return admin_cidrs
        case "signaling":
            return (str(plan.signaling),)
        case "bridges":
            return (str(plan.bridges),)
        case _:
            assert_never(source)
