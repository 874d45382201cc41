"""The table of doors as security groups: one per role, and a resource per rule, which a change touches alone."""

from collections.abc import Callable, Sequence

import pulumi
from pulumi_aws import ec2, vpc

from components.doors import EVERYONE, ROLES, Door, Role, doors_of, role_of, source_ranges
from components.settings import Settings

ALL = -1
"""In place of ports: every type of ICMP."""


class AwsSecurity:
    """`groups` by role, and their `rules`. A private door is open to its source's group, a public one to ranges."""

    def __init__(
        self,
        settings: Settings,
        vpc_id: pulumi.Output[str],
        tags: Callable[[str], dict[str, str]],
        *,
        parent: pulumi.Resource,
    ) -> None:
        self._settings = settings
        self._child = pulumi.ResourceOptions(parent=parent)
        self.groups: dict[Role, ec2.SecurityGroup] = {
            role: ec2.SecurityGroup(
                role,
                description=f"Doors of the {role} role",
                vpc_id=vpc_id,
                tags=tags(role),
                opts=self._child,
            )
            for role in ROLES
        }
        self.rules: Sequence[pulumi.Resource] = [
            rule for role in ROLES for rule in [*self._doors(role), *self._ping(role), *self._outwards(role)]
        ]

    def _doors(self, role: Role) -> list[pulumi.Resource]:
        return [rule for door in doors_of(role) for rule in self._door(door)]

    def _door(self, door: Door) -> list[pulumi.Resource]:
        name = f"{door.role}-{door.protocol}-{door.port}"
        source = role_of(door.source)
        if source is not None:
            return [self._ingress(f"{name}-{source}", door, group=self.groups[source].id)]
        ranges = source_ranges(door.source, self._settings.plan, self._settings.admin_cidrs)
        return [self._ingress(f"{name}-{_word(cidr)}", door, cidr=cidr) for cidr in ranges]

    def _ingress(
        self, name: str, door: Door, *, cidr: str = "", group: pulumi.Output[str] | None = None
    ) -> vpc.SecurityGroupIngressRule:
        return vpc.SecurityGroupIngressRule(
            name,
            security_group_id=self.groups[door.role].id,
            ip_protocol=door.protocol,
            from_port=door.port,
            to_port=door.port,
            cidr_ipv4=_ipv4(cidr),
            cidr_ipv6=_ipv6(cidr),
            referenced_security_group_id=group,
            description=door.why,
            opts=self._child,
        )

    def _ping(self, role: Role) -> list[pulumi.Resource]:
        """Path MTU discovery needs ICMP."""
        return [
            vpc.SecurityGroupIngressRule(
                f"{role}-{protocol}",
                security_group_id=self.groups[role].id,
                ip_protocol=protocol,
                from_port=ALL,
                to_port=ALL,
                cidr_ipv4=_ipv4(cidr),
                cidr_ipv6=_ipv6(cidr),
                description="ping, path MTU",
                opts=self._child,
            )
            for protocol, cidr in zip(("icmp", "icmpv6"), EVERYONE, strict=True)
        ]

    def _outwards(self, role: Role) -> list[pulumi.Resource]:
        """Without a rule a group lets nothing out."""
        return [
            vpc.SecurityGroupEgressRule(
                f"{role}-out-{_word(cidr)}",
                security_group_id=self.groups[role].id,
                ip_protocol="-1",
                cidr_ipv4=_ipv4(cidr),
                cidr_ipv6=_ipv6(cidr),
                description="everything",
                opts=self._child,
            )
            for cidr in EVERYONE
        ]


def _ipv4(cidr: str) -> str | None:
    return cidr if cidr and ":" not in cidr else None


def _ipv6(cidr: str) -> str | None:
    return cidr if ":" in cidr else None


def _word(cidr: str) -> str:
    """A range as part of a resource's name, in which two colons would mean something."""
    return {"0.0.0.0/0": "ipv4", "::/0": "ipv6"}.get(cidr) or cidr.replace(":", "-").replace("/", "_")
