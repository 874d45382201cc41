"""aws.ec2.Subnet."""

from typing import ClassVar

from local_cloud.plugins.aws.api import MINUTE, Refused, doing, if_there
from local_cloud.plugins.aws.aws_resource import REGION, TAGS, AwsResource
from local_cloud.plugins.resource import Call, Created, Input
from local_cloud.plugins.values import Values, is_empty

SWITCHES = ("assignIpv6AddressOnCreation", "mapPublicIpOnLaunch")
GONE = "InvalidSubnetID.NotFound"


class Subnet(AwsResource):
    """A part of a VPC in one zone."""

    type = "aws:ec2/subnet:Subnet"
    label = "EC2 Subnet"
    tagged = "subnet"
    inputs: ClassVar = {
        "vpcId": Input(required=True, replaces=True),
        "cidrBlock": Input(replaces=True),
        "availabilityZone": Input(filled=True, replaces=True),
        "availabilityZoneId": Input(filled=True, replaces=True),
        "ipv6CidrBlock": Input(),
        "assignIpv6AddressOnCreation": Input(default=False),
        "mapPublicIpOnLaunch": Input(default=False),
        "enableDns64": Input(default=False),
        "enableResourceNameDnsARecordOnLaunch": Input(default=False),
        "enableResourceNameDnsAaaaRecordOnLaunch": Input(default=False),
        "ipv6Native": Input(default=False, replaces=True),
        "privateDnsHostnameTypeOnLaunch": Input(filled=True),
        **REGION,
        **TAGS,
    }
    absent = (
        "customerOwnedIpv4Pool",
        "enableLniAtDeviceIndex",
        "ipv4IpamPoolId",
        "ipv4NetmaskLength",
        "ipv6IpamPoolId",
        "ipv6NetmaskLength",
        "mapCustomerOwnedIpOnLaunch",
        "outpostArn",
    )
    computed = ("arn", "ipv6CidrBlockAssociationId", "ownerId", "tagsAll")
    unswitchable = (
        "enableDns64",
        "enableResourceNameDnsARecordOnLaunch",
        "enableResourceNameDnsAaaaRecordOnLaunch",
        "ipv6Native",
        "privateDnsHostnameTypeOnLaunch",
    )

    def check(self, news: Values, olds: Values, name: str) -> tuple[Values, dict[str, str]]:
        checked, failures = super().check(news, olds, name)
        off = (None, False, "", "ip-name")
        more = {key: f"'{key}' is not part of this double" for key in self.unswitchable if news.get(key) not in off}
        return checked, failures | more

    def create(self, call: Call, inputs: Values) -> Created:  # noqa: ARG002
        with doing(f"creating {self.label}"):
            id = self.api.call(
                "create_subnet",
                VpcId=inputs["vpcId"],
                CidrBlock=inputs.get("cidrBlock"),
                AvailabilityZone=inputs.get("availabilityZone"),
                AvailabilityZoneId=inputs.get("availabilityZoneId"),
                Ipv6CidrBlock=inputs.get("ipv6CidrBlock"),
                TagSpecifications=self.tag_specifications(inputs),
            )["Subnet"]["SubnetId"]
        try:
            self._switch(id, {}, inputs)
            return Created(id, self.now(id, inputs))
        except Refused as error:
            raise self.partial(id, inputs, error) from error

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:  # noqa: ARG002
        if not is_empty(olds.get("ipv6CidrBlock")) and olds["ipv6CidrBlock"] != news.get("ipv6CidrBlock"):
            association = olds["ipv6CidrBlockAssociationId"]
            with doing(f"disassociating {self.label} ({id}) IPv6 CIDR block ({association})"):
                self.api.call("disassociate_subnet_cidr_block", AssociationId=association)
        if not is_empty(news.get("ipv6CidrBlock")) and olds.get("ipv6CidrBlock") != news["ipv6CidrBlock"]:
            with doing(f"associating {self.label} ({id}) IPv6 CIDR block ({news['ipv6CidrBlock']})"):
                self.api.call("associate_subnet_cidr_block", SubnetId=id, Ipv6CidrBlock=news["ipv6CidrBlock"])
        self._switch(id, olds, news)
        self.retag(id, olds, news)
        return self.now(id, news)

    def _switch(self, id: str, olds: Values, news: Values) -> None:
        for key in SWITCHES:
            if bool(olds.get(key)) != bool(news.get(key)):
                name = key[0].upper() + key[1:]
                with doing(f"setting {self.label} ({id}) {name}"):
                    self.api.call("modify_subnet_attribute", SubnetId=id, **{name: {"Value": bool(news.get(key))}})

    def delete(self, call: Call, id: str, olds: Values) -> None:  # noqa: ARG002
        what = f"deleting {self.label} ({id})"
        self.remove(
            call,
            what,
            20 * MINUTE,
            ("DependencyViolation",),
            (GONE,),
            lambda: self.api.call("delete_subnet", SubnetId=id),
        )

    def found(self, id: str) -> Values | None:
        answer = if_there(lambda: self.api.call("describe_subnets", SubnetIds=[id]), GONE)
        return answer["Subnets"][0] if answer else None

    def outputs(self, found: Values, inputs: Values) -> Values:  # noqa: ARG002
        id, owner = found["SubnetId"], found.get("OwnerId", "")
        blocks = [
            block
            for block in found.get("Ipv6CidrBlockAssociationSet", [])
            if block["Ipv6CidrBlockState"].get("State") == "associated"
        ]
        names = found.get("PrivateDnsNameOptionsOnLaunch") or {}
        return {
            "arn": self.api.arn(f"subnet/{id}", owner),
            "ownerId": owner,
            "vpcId": found["VpcId"],
            "cidrBlock": found.get("CidrBlock", ""),
            "availabilityZone": found["AvailabilityZone"],
            "availabilityZoneId": found.get("AvailabilityZoneId", ""),
            "ipv6CidrBlock": blocks[0]["Ipv6CidrBlock"] if blocks else "",
            "ipv6CidrBlockAssociationId": blocks[0]["AssociationId"] if blocks else "",
            "assignIpv6AddressOnCreation": found.get("AssignIpv6AddressOnCreation", False),
            "mapPublicIpOnLaunch": found.get("MapPublicIpOnLaunch", False),
            "ipv6Native": found.get("Ipv6Native", False),
            "enableDns64": found.get("EnableDns64", False),
            "enableResourceNameDnsARecordOnLaunch": names.get("EnableResourceNameDnsARecord", False),
            "enableResourceNameDnsAaaaRecordOnLaunch": names.get("EnableResourceNameDnsAAAARecord", False),
            "privateDnsHostnameTypeOnLaunch": names.get("HostnameType", ""),
        }
