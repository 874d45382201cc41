"""What AWS asks of a stack file. A location is an availability zone; the region is the provider's (`aws:region`)."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network

from components.clouds.terms import Shape, Terms, UserDataLimit
from components.rules.secret_shapes import shown

ZONE = re.compile(r"([a-z]{2}(?:-[a-z]+){1,3}-[0-9]{1,2})([a-p])")
"""A region and the zone's letter. A role's range has room for sixteen zones; Local Zones are named otherwise."""
MAX_TAG_KEY = 128


def _region(zone: str) -> str:
    return zone[:-1]


def _check_network(_network: IPv4Network) -> None:
    """Any private /16 will do: the largest range that a VPC takes."""


def _check_label(key: str) -> None:
    if key == "Name":
        raise ValueError("Name is a tag of the program, by which the console shows servers; choose another key")
    if key.lower().startswith("aws"):
        raise ValueError(f"{shown(key)} begins as the tags that AWS keeps for itself; choose another key")
    if len(key) > MAX_TAG_KEY:
        raise ValueError(f"{shown(key)} has {len(key)} characters; AWS takes {MAX_TAG_KEY}, shorten it")


def _mistakes(config: Mapping[str, str], locations: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    region = config.get("aws:region", "")
    if not region:
        found = next((match[1] for zone in locations if (match := ZONE.fullmatch(zone))), "eu-central-1")
        yield (
            "aws:region",
            "is missing; the stack must say where it is, otherwise the shell that runs it would. Write it with "
            f"`pulumi config set aws:region {found}`",
        )
    for number, zone in enumerate(locations):
        if region and ZONE.fullmatch(zone) and _region(zone) != region:
            yield (
                f"locations[{number}]",
                f"{zone} is not in {region}, the region of this stack (aws:region); a network lies in one region. "
                f"Write zones such as {region}a, or another region and a stack of its own",
            )


TERMS = Terms(
    title="AWS",
    shapes={
        "server_type": Shape(
            pattern=r"[a-z][a-z0-9-]{1,15}\.[a-z0-9][a-z0-9-]{3,15}", what="an instance type", example="c7i.xlarge"
        ),
        "image": Shape(
            pattern=r"debian-1[23]|ami-[0-9a-f]{8,17}", what="debian-12, debian-13 or an AMI's id", example="debian-12"
        ),
        "location": Shape(
            pattern=ZONE.pattern, what="an availability zone (a region and its letter)", example="eu-central-1a"
        ),
    },
    defaults={"bridgeType": "c7i.xlarge", "signalingType": "c7i.2xlarge", "networkZone": ""},
    required={
        "locations": "zones differ from account to account. Write a list such as [eu-central-1a, eu-central-1b]; "
        "`aws ec2 describe-availability-zones` lists yours"
    },
    foreign={"networkZone": "is of another cloud: zones and their network lie in aws:region here. Remove the line"},
    # A security group takes 60 rules of each family; the table of doors needs six of a signaling node's.
    max_admin_ranges=50,
    user_data=UserDataLimit(most=16 * 1024, in_base64=False),
    tokens={"aws:secretKey": "aws:endpoints", "aws:token": "aws:endpoints"},
    region=_region,
    check_network=_check_network,
    check_label=_check_label,
    mistakes=_mistakes,
)
