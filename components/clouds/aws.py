"""AWS: VPC, subnets, security groups, placement groups and EC2 instances, in the provider's one region.

A server's one interface has its private address; the public one is mapped to it. No change of an instance's own
properties reaches the plugin as an update: for another type or user-data it would stop every instance at once, another
AMI or subnet would replace them, and Debian's newest AMI is another one every few weeks.
"""

import pulumi
from pulumi_aws import ec2

from components.clouds import Server, ServerArgs, group_name, place
from components.clouds.aws_images import architecture, image_id
from components.clouds.aws_network import AwsNetwork
from components.clouds.aws_security import AwsSecurity
from components.clouds.opening import CloudArgs
from components.user_data import packed

DISK_GB = 20
METADATA = ec2.InstanceMetadataOptionsArgs(
    http_endpoint="enabled",
    # Session tokens, which the host's own programs must ask for; one hop, so that nothing behind the host can.
    http_tokens="required",
    http_put_response_hop_limit=1,
    http_protocol_ipv6="disabled",
    instance_metadata_tags="disabled",
)
# Each would stop, replace or restart a running instance, or would not reach it at all.
FIXED_AT_CREATION = [
    "ami",
    "associatePublicIpAddress",
    "instanceType",
    "ipv6AddressCount",
    "keyName",
    "placementGroup",
    "rootBlockDevice",
    "subnetId",
    "userDataBase64",
]


class AwsCloud(pulumi.ComponentResource):
    """What all servers share. Makes no server by itself."""

    # A spread group holds seven running instances per zone: with three, every one can be replaced new-first.
    servers_per_group = 3

    def __init__(self, name: str, args: CloudArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("jitsi-fleet:aws:AwsCloud", name, {}, opts)
        self._labels = dict(args.labels)
        self._images: dict[tuple[str, str], pulumi.Output[str]] = {}
        self._groups: dict[str, ec2.PlacementGroup] = {}
        self._network = AwsNetwork(args.settings, self._tags, parent=self)
        self._security = AwsSecurity(args.settings, self._network.vpc_id, self._tags, parent=self)
        for location in sorted(args.shard_locations):
            self._network.subnet("signaling", location)
        self._key = ec2.KeyPair(
            "unused",
            public_key=args.unused_public_key,
            tags=self._tags("unused"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"network": self._network.vpc_id})

    def server(self, name: str, args: ServerArgs, *, parent: pulumi.Resource) -> Server:
        subnet = self._network.subnet(args.role, args.location)
        tags = self._tags(name) | {"role": args.role}
        fixed_address = args.role == "signaling"
        instance = ec2.Instance(
            name,
            ami=self._image(args),
            instance_type=args.server_type,
            subnet_id=subnet.id,
            vpc_security_group_ids=[self._security.groups[args.role].id],
            placement_group=self._placement_group(args).name,
            key_name=self._key.key_name,
            associate_public_ip_address=not fixed_address,
            ipv6_address_count=1,
            user_data_base64=args.user_data.apply(packed),
            metadata_options=METADATA,
            root_block_device=ec2.InstanceRootBlockDeviceArgs(
                volume_type="gp3", volume_size=DISK_GB, encrypted=True, delete_on_termination=True
            ),
            disable_api_termination=args.protect,
            tags=tags,
            volume_tags=tags,
            opts=pulumi.ResourceOptions(
                parent=parent,
                # What a host is reached through must outlive it: drains come in by these rules and routes.
                depends_on=[
                    *self._network.ways(args.role, args.location),
                    *self._security.rules,
                    place(name, args, parent=parent),
                ],
                ignore_changes=FIXED_AT_CREATION,
                replacement_trigger=args.made_from,
                protect=args.protect,
            ),
        )
        return Server(
            name=name,
            instance=instance.id,
            location=instance.availability_zone,
            server_type=instance.instance_type,
            placement_group=instance.placement_group,
            public_ipv4=self._elastic_ip(name, instance, args, parent) if fixed_address else instance.public_ip,
            public_ipv6=instance.ipv6_addresses.apply(lambda addresses: addresses[0] if addresses else ""),
            private_ipv4=instance.private_ip,
        )

    def _image(self, args: ServerArgs) -> pulumi.Output[str]:
        """Looked up once in a run, not for every server."""
        key = (args.image, architecture(args.server_type))
        if key not in self._images:
            self._images[key] = image_id(*key, parent=self)
        return self._images[key]

    def _elastic_ip(
        self, name: str, instance: ec2.Instance, args: ServerArgs, parent: pulumi.Resource
    ) -> pulumi.Output[str]:
        """An address that a stop does not take away. A new server gets one of its own, and the name moves after it."""
        address = ec2.Eip(
            name,
            domain="vpc",
            instance=instance.id,
            tags=self._tags(name) | {"role": args.role},
            opts=pulumi.ResourceOptions(
                parent=parent,
                depends_on=list(self._network.gateway_routes),
                replacement_trigger=args.made_from,
            ),
        )
        return address.public_ip

    def _placement_group(self, args: ServerArgs) -> ec2.PlacementGroup:
        """The group that the server's rank falls into, made when its first server needs it."""
        name = group_name(args, self.servers_per_group)
        if name not in self._groups:
            self._groups[name] = ec2.PlacementGroup(
                name, strategy="spread", tags=self._tags(name), opts=pulumi.ResourceOptions(parent=self)
            )
        return self._groups[name]

    def _tags(self, name: str) -> dict[str, str]:
        return self._labels | {"Name": f"{self._labels['cluster']}-{name}"}
