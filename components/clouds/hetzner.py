"""Hetzner Cloud: network, firewalls, placement groups and servers.

The private network is a resource of its own per server (`ServerNetwork`): an inline one that failed half way is never
noticed again. No change of a server's own properties reaches the plugin as an update: for another type it would power
off every server at once, another placement group it refuses while a server runs.
"""

import pulumi
import pulumi_hcloud as hcloud

from components.clouds import Server, ServerArgs, group_name, place
from components.clouds.opening import CloudArgs
from components.doors import EVERYONE, ROLES, Role, doors_of, source_ranges
from components.settings import Settings
from components.user_data import packed


class HetznerCloud(pulumi.ComponentResource):
    """What all servers share. Makes no server by itself."""

    # Half of what a spread group holds, so that every server of a group can be replaced new-first.
    servers_per_group = 5

    def __init__(self, name: str, args: CloudArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("jitsi-fleet:hetzner:HetznerCloud", name, {}, opts)
        settings = args.settings
        self._labels = dict(args.labels)
        self._groups: dict[str, hcloud.PlacementGroup] = {}
        child = pulumi.ResourceOptions(parent=self)
        network = hcloud.Network("network", ip_range=str(settings.plan.network), labels=self._labels, opts=child)
        self._subnets: dict[Role, hcloud.NetworkSubnet] = {}
        for role in ROLES:
            self._subnets[role] = hcloud.NetworkSubnet(
                role,
                network_id=network.id.apply(int),
                type="cloud",
                network_zone=settings.network_zone,
                ip_range=str(settings.plan.subnet(role)),
                # One after the other: a network takes one change at a time and refuses a second with a conflict.
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(self._subnets.values())),
            )
        self._firewall_ids = {
            role: hcloud.Firewall(role, labels=self._labels, rules=_rules(role, settings), opts=child).id.apply(int)
            for role in ROLES
        }
        # Without a key Hetzner mails a root password.
        self._key = hcloud.SshKey("unused", public_key=args.unused_public_key, labels=self._labels, opts=child)
        self.register_outputs({"network": network.name})

    def server(self, name: str, args: ServerArgs, *, parent: pulumi.Resource) -> Server:
        group = self._placement_group(args)
        server = hcloud.Server(
            name,
            location=args.location,
            server_type=args.server_type,
            image=args.image,
            user_data=args.user_data.apply(packed),
            ssh_keys=[self._key.id],
            firewall_ids=[self._firewall_ids[args.role]],
            placement_group_id=group.id.apply(int),
            labels=self._labels | {"role": args.role},
            opts=self._server_options(args, parent, place(name, args, parent=parent)),
        )
        leg = hcloud.ServerNetwork(
            name,
            server_id=server.id.apply(int),
            subnet_id=self._subnets[args.role].id,
            # The leg ends with its server: its removal needs no call.
            opts=pulumi.ResourceOptions(parent=parent, deleted_with=server),
        )
        return Server(
            name=name,
            instance=server.id,
            location=server.location,
            server_type=server.server_type,
            placement_group=group.name,
            public_ipv4=server.ipv4_address,
            public_ipv6=server.ipv6_address,
            private_ipv4=leg.ip,
        )

    def _server_options(
        self, args: ServerArgs, parent: pulumi.Resource, in_place: pulumi.Resource
    ) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            parent=parent,
            # The subnet must outlive the server.
            depends_on=[self._subnets[args.role], in_place],
            ignore_changes=["userData", "serverType", "image", "location", "placementGroupId", "sshKeys"],
            replacement_trigger=args.made_from,
            protect=args.protect,
        )

    def _placement_group(self, args: ServerArgs) -> hcloud.PlacementGroup:
        """The group that the server's rank falls into, made when its first server needs it."""
        name = group_name(args, self.servers_per_group)
        if name not in self._groups:
            self._groups[name] = hcloud.PlacementGroup(
                name, type="spread", labels=self._labels, opts=pulumi.ResourceOptions(parent=self)
            )
        return self._groups[name]


def _rules(role: Role, settings: Settings) -> list[hcloud.FirewallRuleArgs]:
    """The public doors of a role, and ping: path MTU discovery needs ICMP."""
    doors = [
        hcloud.FirewallRuleArgs(
            direction="in",
            protocol=door.protocol,
            port=str(door.port),
            source_ips=list(source_ranges(door.source, settings.plan, settings.admin_cidrs)),
            description=door.why,
        )
        for door in doors_of(role)
        if door.public
    ]
    ping = hcloud.FirewallRuleArgs(
        direction="in", protocol="icmp", source_ips=list(EVERYONE), description="ping, path MTU"
    )
    return [*doors, ping]
