"""aws.ec2.Vpc."""

from typing import Any, ClassVar

from local_cloud.plugins.aws.api import MINUTE, Refused, doing, if_there
from local_cloud.plugins.aws.aws_resource import REGION, TAGS, AwsResource
from local_cloud.plugins.resource import Call, Created, Input
from local_cloud.plugins.values import Values

SWITCHES = {"enableDnsSupport": True, "enableDnsHostnames": False, "enableNetworkAddressUsageMetrics": False}
GONE = "InvalidVpcID.NotFound"


class Vpc(AwsResource):
    """A private network. Its first two switches are each a call of their own, where they differ from EC2's default."""

    type = "aws:ec2/vpc:Vpc"
    label = "EC2 VPC"
    tagged = "vpc"
    inputs: ClassVar = {
        "cidrBlock": Input(filled=True, replaces=True),
        "assignGeneratedIpv6CidrBlock": Input(default=False),
        "enableDnsHostnames": Input(filled=True),
        "enableDnsSupport": Input(default=True),
        "enableNetworkAddressUsageMetrics": Input(filled=True),
        "instanceTenancy": Input(default="default"),
        "ipv6CidrBlock": Input(filled=True),
        "ipv6CidrBlockNetworkBorderGroup": Input(filled=True),
        **REGION,
        **TAGS,
    }
    absent = ("ipv4IpamPoolId", "ipv4NetmaskLength", "ipv6IpamPoolId", "ipv6NetmaskLength")
    computed = (
        "arn",
        "defaultNetworkAclId",
        "defaultRouteTableId",
        "defaultSecurityGroupId",
        "dhcpOptionsId",
        "ipv6AssociationId",
        "mainRouteTableId",
        "ownerId",
        "tagsAll",
    )

    def create(self, call: Call, inputs: Values) -> Created:  # noqa: ARG002
        with doing(f"creating {self.label}"):
            id = self.api.call(
                "create_vpc",
                CidrBlock=inputs["cidrBlock"],
                AmazonProvidedIpv6CidrBlock=inputs.get("assignGeneratedIpv6CidrBlock"),
                InstanceTenancy=inputs.get("instanceTenancy"),
                TagSpecifications=self.tag_specifications(inputs),
            )["Vpc"]["VpcId"]
        try:
            self._switch(id, SWITCHES, inputs)
            return Created(id, self.now(id, inputs))
        except Refused as error:
            raise self.partial(id, inputs, error) from error

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:  # noqa: ARG002
        if bool(olds.get("assignGeneratedIpv6CidrBlock")) != bool(news.get("assignGeneratedIpv6CidrBlock")):
            raise Refused("", "a change of assignGeneratedIpv6CidrBlock is not part of this double")
        self._switch(id, olds, news)
        self.retag(id, olds, news)
        return self.now(id, news)

    def _switch(self, id: str, olds: Values, news: Values) -> None:
        for key, default in SWITCHES.items():
            wanted = news.get(key)
            wanted = default if wanted is None else wanted
            if wanted != olds.get(key):
                with doing(f"setting {self.label} ({id}) {key}"):
                    name = key[0].upper() + key[1:]
                    self.api.call("modify_vpc_attribute", VpcId=id, **{name: {"Value": wanted}})

    def delete(self, call: Call, id: str, olds: Values) -> None:  # noqa: ARG002
        what = f"deleting {self.label} ({id})"
        self.remove(
            call, what, 5 * MINUTE, ("DependencyViolation",), (GONE,), lambda: self.api.call("delete_vpc", VpcId=id)
        )

    def found(self, id: str) -> Values | None:
        answer = if_there(lambda: self.api.call("describe_vpcs", VpcIds=[id]), GONE)
        return answer["Vpcs"][0] if answer else None

    def outputs(self, found: Values, inputs: Values) -> Values:  # noqa: ARG002
        id, owner = found["VpcId"], found.get("OwnerId", "")
        blocks = [
            block
            for block in found.get("Ipv6CidrBlockAssociationSet", [])
            if block["Ipv6CidrBlockState"]["State"] == "associated"
        ]
        generated = blocks[0] if blocks else {}
        table = self._default("describe_route_tables", "RouteTables", "RouteTableId", id, ("association.main", "true"))
        return {
            "arn": self.api.arn(f"vpc/{id}", owner),
            "ownerId": owner,
            "cidrBlock": found["CidrBlock"],
            "dhcpOptionsId": found["DhcpOptionsId"],
            "instanceTenancy": found["InstanceTenancy"],
            **{key: self._switched(id, key) for key in SWITCHES},
            "assignGeneratedIpv6CidrBlock": bool(generated),
            "ipv6AssociationId": generated.get("AssociationId", ""),
            "ipv6CidrBlock": generated.get("Ipv6CidrBlock", ""),
            "ipv6CidrBlockNetworkBorderGroup": generated.get("NetworkBorderGroup", ""),
            "mainRouteTableId": table,
            "defaultRouteTableId": table,
            "defaultNetworkAclId": self._default(
                "describe_network_acls", "NetworkAcls", "NetworkAclId", id, ("default", "true")
            ),
            "defaultSecurityGroupId": self._default(
                "describe_security_groups", "SecurityGroups", "GroupId", id, ("group-name", "default")
            ),
        }

    def _switched(self, id: str, key: str) -> Any:
        answer = self.api.call("describe_vpc_attribute", VpcId=id, Attribute=key)
        return answer[key[0].upper() + key[1:]]["Value"]

    def _default(self, action: str, things: str, key: str, id: str, mark: tuple[str, str]) -> str:
        """The id of what came with the VPC."""
        filters = [{"Name": "vpc-id", "Values": [id]}, {"Name": mark[0], "Values": [mark[1]]}]
        found = self.api.call(action, Filters=filters)[things]
        return str(found[0][key]) if found else ""
