"""What Hetzner Cloud asks of a stack file."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network

from components.clouds.terms import Shape, Terms, UserDataLimit
from components.rules.secret_shapes import shown

# The gateway of the public side is 172.31.1.1: a private network around it would cut hosts from the internet.
_TAKEN = IPv4Network("172.31.0.0/16")
_ONLY_ELSEWHERE = "is of another cloud: the cluster's network is always its own here. Remove the line"


def _check_network(network: IPv4Network) -> None:
    if network == _TAKEN:
        raise ValueError(f"{network} holds 172.31.1.1, the gateway of the public side; write one such as 10.80.0.0/16")


def _check_label(key: str) -> None:
    if key.startswith("hetzner.cloud/"):
        raise ValueError(f"{shown(key)} has the prefix that Hetzner keeps for itself; choose another, or none")


def _mistakes(_config: Mapping[str, str], _locations: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    yield from ()


TERMS = Terms(
    title="Hetzner Cloud",
    shapes={
        "server_type": Shape(pattern=r"[a-z][a-z0-9-]{1,31}", what="a server type", example="ccx13"),
        "image": Shape(
            pattern=r"[a-z0-9][a-z0-9.-]{0,62}", what="an image's name or a snapshot's number", example="debian-12"
        ),
        "location": Shape(
            pattern=r"[a-z]{3}[a-z0-9]{0,13}", what="a location (which is not a datacenter)", example="fsn1"
        ),
    },
    defaults={
        "bridgeType": "ccx13",
        "signalingType": "ccx23",
        "locations": ("fsn1",),
        "networkZone": "eu-central",
    },
    foreign={"vpc": _ONLY_ELSEWHERE, "internetGateway": _ONLY_ELSEWHERE},
    max_admin_ranges=100,
    user_data=UserDataLimit(most=32 * 1024, in_base64=True),
    tokens={"hcloud:token": "hcloud:endpoint"},
    region=lambda location: location,
    check_network=_check_network,
    check_label=_check_label,
    mistakes=_mistakes,
)
