"""The cluster's network at AWS: a VPC of its own or a given one, and a public subnet per role and zone.

A subnet's place in the network depends on its role and its zone's letter alone, so that none moves because another
comes: the third octet of its IPv4 range is also the number of its /64 in the VPC's IPv6 block.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv6Network

import pulumi
from pulumi_aws import ec2

from components.clouds.aws_terms import ZONE
from components.doors import EVERYONE, Role
from components.settings import Settings


class AwsNetwork:
    """`vpc_id`, and `gateway_routes`, which lead to the internet. Makes subnets when they are first asked for."""

    def __init__(self, settings: Settings, tags: Callable[[str], dict[str, str]], *, parent: pulumi.Resource) -> None:
        self._plan = settings.plan
        self._tags = tags
        self._child = pulumi.ResourceOptions(parent=parent)
        self._subnets: dict[str, ec2.Subnet] = {}
        self._associations: dict[str, ec2.RouteTableAssociation] = {}
        self._vpc = (
            self._own_vpc(settings) if not settings.vpc else ec2.Vpc.get("given", settings.vpc, opts=self._child)
        )
        self.vpc_id: pulumi.Output[str] = self._vpc.id
        gateway = settings.internet_gateway or self._own_gateway().id
        self._routes = ec2.RouteTable("public", vpc_id=self.vpc_id, tags=tags("public"), opts=self._child)
        ipv4, ipv6 = EVERYONE
        self.gateway_routes: Sequence[pulumi.Resource] = [
            ec2.Route(
                "ipv4",
                route_table_id=self._routes.id,
                destination_cidr_block=ipv4,
                gateway_id=gateway,
                opts=self._child,
            ),
            ec2.Route(
                "ipv6",
                route_table_id=self._routes.id,
                destination_ipv6_cidr_block=ipv6,
                gateway_id=gateway,
                opts=self._child,
            ),
        ]

    def subnet(self, role: Role, zone: str) -> ec2.Subnet:
        name = f"{role}-{zone}"
        if name not in self._subnets:
            found = ZONE.fullmatch(zone)
            assert found, "settings let no other through"
            range_ = list(self._plan.subnet(role).subnets(new_prefix=24))[ord(found[2]) - ord("a")]
            number = range_.network_address.packed[2]
            self._subnets[name] = ec2.Subnet(
                name,
                vpc_id=self.vpc_id,
                availability_zone=zone,
                cidr_block=str(range_),
                ipv6_cidr_block=self._vpc.ipv6_cidr_block.apply(lambda block: _subnet_of(block, number)),
                tags=self._tags(name),
                opts=self._child,
            )
            self._associations[name] = ec2.RouteTableAssociation(
                name, route_table_id=self._routes.id, subnet_id=self._subnets[name].id, opts=self._child
            )
        return self._subnets[name]

    def ways(self, role: Role, zone: str) -> Sequence[pulumi.Resource]:
        """All that a host in this subnet reaches the internet through."""
        return [*self.gateway_routes, self._associations[f"{role}-{zone}"]]

    def _own_vpc(self, settings: Settings) -> ec2.Vpc:
        return ec2.Vpc(
            "network",
            cidr_block=str(settings.plan.network),
            assign_generated_ipv6_cidr_block=True,
            tags=self._tags("network"),
            opts=self._child,
        )

    def _own_gateway(self) -> ec2.InternetGateway:
        return ec2.InternetGateway("gateway", vpc_id=self.vpc_id, tags=self._tags("gateway"), opts=self._child)


def _subnet_of(block: str, number: int) -> str:
    """The /64 of this number in the VPC's IPv6 block, which is a /56."""
    if not block:
        raise pulumi.RunError(
            "The VPC that the setting vpc names has no IPv6 block, and hosts need an address of it. Let Amazon provide "
            "one (console: VPC, Edit CIDRs), then run pulumi up again"
        )
    whole = IPv6Network(block)
    first = int(whole.network_address) + (number << 64)
    return str(IPv6Network((first, 64)))
