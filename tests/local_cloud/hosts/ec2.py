"""An embedded cloud with EC2 and hosts for tests: one VPC with a subnet, a way to the internet, and plain instances."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from local_cloud import process
from tests.bootable import prepare_or_skip
from tests.ec2 import DEBIAN, REGION, Keys

from .plain import Host, until

ASK = (
    "token() { curl -sf -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "
    "http://169.254.169.254/latest/api/token; }; "
    'ask() { curl -sf -m 5 -H "X-aws-ec2-metadata-token: $(token)" "http://169.254.169.254/latest/$1"; }; '
)


class Ec2Lab:
    def __init__(self, state: Path, first_address: str) -> None:
        self.cloud = process.start(state, action_seconds=0.05, hosts=True, aws=True, first_address=first_address)
        self.client = Keys().client(self.cloud)

    def entries(self) -> list[dict[str, Any]]:
        return self.cloud.admin.hosts()

    @cached_property
    def vpc(self) -> str:
        return str(self.client.create_vpc(CidrBlock="10.90.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"])

    @cached_property
    def subnet(self) -> str:
        client, vpc = self.client, self.vpc
        (found,) = client.describe_vpcs(VpcIds=[vpc])["Vpcs"]
        block = found["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("/56", "/64")
        where = {"VpcId": vpc, "AvailabilityZone": f"{REGION}a"}
        made = client.create_subnet(CidrBlock="10.90.1.0/24", Ipv6CidrBlock=block, **where)["Subnet"]["SubnetId"]
        gateway = client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        client.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        table = client.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        client.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        client.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", GatewayId=gateway)
        client.associate_route_table(RouteTableId=table, SubnetId=made)
        return str(made)

    def group(self, name: str) -> str:
        """A security group that lets everything out and nothing in."""
        made = self.client.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)
        return str(made["GroupId"])

    def open(self, group: str, port: int, **peer: Any) -> None:
        """`peer`: IpRanges, Ipv6Ranges or UserIdGroupPairs."""
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}
        self.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])

    def begin(self, name: str, group: str, *, image: str = "debian-12", public: bool = True, **more: Any) -> str:
        """Launch an instance with this tag Name, and wait for nothing; its id."""
        filters = [{"Name": "name", "Values": [f"{image}-amd64-*"]}]
        images = self.client.describe_images(Owners=[DEBIAN], Filters=filters)["Images"]
        interface = {
            "DeviceIndex": 0,
            "SubnetId": self.subnet,
            "Groups": [group],
            "AssociatePublicIpAddress": public,
            "Ipv6AddressCount": 1,
        }
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
        wanted = {
            "ImageId": images[0]["ImageId"],
            "InstanceType": "c7i.large",
            "NetworkInterfaces": [interface],
            "TagSpecifications": tags,
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            **more,
        }
        return str(self.client.run_instances(MinCount=1, MaxCount=1, **wanted)["Instances"][0]["InstanceId"])

    def instance(self, id: str) -> dict[str, Any]:
        """As the API shows it now."""
        found: dict[str, Any] = self.client.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]
        return found

    def state(self, id: str) -> str:
        return str(self.instance(id)["State"]["Name"])

    def host(self, id: str) -> Host:
        (name,) = [entry["name"] for entry in self.entries() if entry["instance"] == id]
        return Host(self, name)  # type: ignore[arg-type]

    def ready(self, id: str) -> Host:
        """Once it runs and cloud-init has ended well."""
        until(lambda: self.state(id) == "running", 60)
        host = self.host(id)
        ended = until(lambda: host.entry["cloud_init"] not in (None, "running") and host.entry["cloud_init"], 120)
        assert ended == "done", f"{host.name}: {ended}"
        return host


def lab(state: Path, first_address: str) -> Iterator[Ec2Lab]:
    """For a fixture: an embedded cloud of its own, with part of 127.90.0.0/16 to itself; ended at the end."""
    prepare_or_skip()
    made = Ec2Lab(state, first_address)
    yield made
    made.cloud.stop()
