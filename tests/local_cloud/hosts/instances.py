"""Documents of instances and security groups as local_cloud/aws/instances.py writes them, for tests without EC2."""

from typing import Any

from local_cloud.store import Doc


def instance(number: int, private: str, **more: Any) -> Doc:
    """A running one with a public and an IPv6 address, in a subnet with routes to the internet."""
    return {
        "id": number,
        "instance": f"i-{number:017x}",
        "owner": "123456789012",
        "region": "eu-central-1",
        "zone": "eu-central-1a",
        "status": "running",
        "by_host": False,
        "reboots": 0,
        "launched": "2026-11-21T12:00:00Z",
        "reservation": "r-1",
        "type": "c7i.xlarge",
        "memory": 8192,
        "image": "debian-12-amd64-20261109-2293",
        "image_id": "ami-1",
        "architecture": "x86_64",
        "root_device": "/dev/xvda",
        "tags": {},
        "placement_group": "",
        "security_groups": ["sg-1"],
        "subnet": "subnet-1",
        "vpc": "vpc-1",
        "network": {
            "vpc_ipv4": "10.80.0.0/16",
            "vpc_ipv6": ["2001:db8:8000::/56"],
            "subnet_ipv4": "10.80.16.0/24",
            "subnet_ipv6": "2001:db8:8000:10::/64",
            "internet": ["0.0.0.0/0", "::/0"],
        },
        "interface": "eni-1",
        "private_ipv4": private,
        "private_name": f"ip-{private.replace('.', '-')}.eu-central-1.compute.internal",
        "public_ipv4": f"127.90.250.{number}",
        "ipv6": [f"2001:db8:8000:10::{number}"],
        "mac": f"02:00:00:00:01:{number:02x}",
        "key": {"name": "somebody", "public": "ssh-ed25519 AAAA somebody@example.test"},
        "metadata": {"enabled": True, "token_required": True, "hops": 1},
        "halt": "stop",
        "user_data": "",
    } | more


def rule(
    protocol: str,
    first: int | None = None,
    last: int | None = None,
    *,
    cidr_ipv4: str | None = None,
    cidr_ipv6: str | None = None,
    group: str | None = None,
) -> Doc:
    ports = {"from": first, "to": first if last is None else last}
    return {"protocol": protocol, **ports, "cidr_ipv4": cidr_ipv4, "cidr_ipv6": cidr_ipv6, "group": group}


EVERYTHING_OUT = [rule("-1", cidr_ipv4="0.0.0.0/0"), rule("-1", cidr_ipv6="::/0")]


def group(name: str, into: list[Doc], out: list[Doc] | None = None) -> dict[str, Doc]:
    """By its id; everything may go out unless something else is said."""
    rules = {"in": into, "out": EVERYTHING_OUT if out is None else out}
    return {name: {"group": name, "name": name, "vpc": "vpc-1", **rules}}
