"""Level 3, one part alone: the aws double on the embedded cloud's EC2, a walk with each resource but the instance.

Not held to recordings: there are none (local_cloud/plugins/aws/__init__.py).
"""

from dataclasses import dataclass

import grpc  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from local_cloud.process import LocalCloud
from tests.plugins import aws_cloud
from tests.plugins.aws_cloud import Account, Made

VPC, SUBNET = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet"
GATEWAY, TABLE, ROUTE = (
    "aws:ec2/internetGateway:InternetGateway",
    "aws:ec2/routeTable:RouteTable",
    "aws:ec2/route:Route",
)
ASSOCIATION, GROUP = "aws:ec2/routeTableAssociation:RouteTableAssociation", "aws:ec2/securityGroup:SecurityGroup"
INGRESS, EGRESS = (f"aws:vpc/securityGroup{way}Rule:SecurityGroup{way}Rule" for way in ("Ingress", "Egress"))
PLACEMENT, KEY, EIP = "aws:ec2/placementGroup:PlacementGroup", "aws:ec2/keyPair:KeyPair", "aws:ec2/eip:Eip"


def never_differs(made: Made) -> None:
    """Neither after a step nor after a refresh does the plugin see a change."""
    assert made.kinds() == {}
    assert made.read()
    assert made.kinds() == {}


def leaves_at_a_refresh(made: Made) -> None:
    made.delete()
    made.delete()  # a second time is no error
    assert not made.read()


@dataclass
class Net:
    vpc: Made
    subnet: Made


@pytest.fixture
def net(account: Account) -> Net:
    vpc = account.make(VPC, cidrBlock="10.80.0.0/16", assignGeneratedIpv6CidrBlock=True)
    return Net(vpc, account.make(SUBNET, vpcId=vpc.id, cidrBlock="10.80.16.0/24", availabilityZone="eu-central-1a"))


def test_a_vpc(account: Account) -> None:
    vpc = account.make(
        VPC, cidrBlock="10.80.0.0/16", assignGeneratedIpv6CidrBlock=True, enableDnsHostnames=True, tags={"a": "b"}
    )
    assert account.actions() == ["CreateVpc 200", "ModifyVpcAttribute 200"]
    assert vpc.outputs["ipv6CidrBlock"].endswith("::/56")
    assert vpc.outputs["tagsAll"] == {"a": "b"}
    for key in ("defaultSecurityGroupId", "mainRouteTableId", "defaultNetworkAclId", "dhcpOptionsId"):
        assert vpc.outputs[key], key
    never_differs(vpc)
    assert vpc.kinds(cidrBlock="10.81.0.0/16") == {"cidrBlock": "UPDATE_REPLACE"}
    account.actions()
    vpc.update(enableDnsHostnames=False, tags={"a": "c"})
    assert account.actions() == ["ModifyVpcAttribute 200", "CreateTags 200"]
    never_differs(vpc)
    leaves_at_a_refresh(vpc)


def test_a_subnet(account: Account, net: Net) -> None:
    block = net.vpc.outputs["ipv6CidrBlock"].replace("::/56", "::/64")
    subnet = account.make(
        SUBNET,
        vpcId=net.vpc.id,
        cidrBlock="10.80.32.0/24",
        availabilityZone="eu-central-1b",
        ipv6CidrBlock=block,
        assignIpv6AddressOnCreation=True,
    )
    assert (subnet.outputs["ipv6CidrBlock"], subnet.outputs["assignIpv6AddressOnCreation"]) == (block, True)
    never_differs(subnet)
    assert subnet.kinds(availabilityZone="eu-central-1a") == {"availabilityZone": "UPDATE_REPLACE"}
    account.actions()
    subnet.update(mapPublicIpOnLaunch=True)
    assert account.actions() == ["ModifySubnetAttribute 200"]
    never_differs(subnet)
    leaves_at_a_refresh(subnet)


def test_a_gateway_is_attached_by_a_call_of_its_own(account: Account, net: Net) -> None:
    account.actions()
    gateway = account.make(GATEWAY, vpcId=net.vpc.id)
    assert account.actions() == ["CreateInternetGateway 200", "AttachInternetGateway 200"]
    never_differs(gateway)
    other = account.make(VPC, cidrBlock="10.90.0.0/16")
    account.actions()
    gateway.update(vpcId=other.id)
    assert account.actions() == ["DetachInternetGateway 200", "AttachInternetGateway 200"]
    leaves_at_a_refresh(gateway)


def test_routes(account: Account, net: Net) -> None:
    gateway, table = account.make(GATEWAY, vpcId=net.vpc.id), account.make(TABLE, vpcId=net.vpc.id)
    everywhere = {"destinationCidrBlock": "0.0.0.0/0", "destinationIpv6CidrBlock": "::/0"}
    routes = [account.make(ROUTE, routeTableId=table.id, gatewayId=gateway.id, **{k: v}) for k, v in everywhere.items()]
    assert routes[0].id == f"r-{table.id}1080289494", "as the provider's source makes it"
    assert routes[0].outputs["state"] == "active"
    for route in routes:
        never_differs(route)
        assert set(route.kinds(routeTableId="rtb-0").values()) == {"UPDATE_REPLACE"}
    never_differs(table)
    assert len(table.outputs["routes"]) == 2, "a refresh shows routes of other resources, which are no difference"

    on = account.make(ASSOCIATION, routeTableId=table.id, subnetId=net.subnet.id)
    never_differs(on)
    other = account.make(TABLE, vpcId=net.vpc.id)
    before = on.id
    assert on.kinds(routeTableId=other.id) == {"routeTableId": "UPDATE"}
    on.update(routeTableId=other.id)
    assert on.id != before
    for made in (on, *routes, table, other):
        leaves_at_a_refresh(made)


def test_a_security_group_begins_with_no_rule_at_all(account: Account, net: Net) -> None:
    account.actions()
    group = account.make(GROUP, vpcId=net.vpc.id, tags={"role": "bridge"})
    assert account.actions() == ["CreateSecurityGroup 200", "RevokeSecurityGroupEgress 200"]
    assert group.outputs["description"] == "Managed by Pulumi"
    assert group.inputs["__defaults"] == ["description", "name"]
    assert group.outputs["egress"] == []
    never_differs(group)
    assert group.kinds(description="other") == {"description": "UPDATE_REPLACE"}
    group.update(tags={"role": "signaling"})
    never_differs(group)
    leaves_at_a_refresh(group)


def test_rules(account: Account, net: Net) -> None:
    group, other = (account.make(GROUP, vpcId=net.vpc.id, name=name) for name in ("bridge", "signaling"))
    media = {"securityGroupId": group.id, "ipProtocol": "udp", "fromPort": 10000, "toPort": 10000}
    rules = [
        account.make(INGRESS, **media, cidrIpv4="0.0.0.0/0", description="media"),
        account.make(INGRESS, **media, cidrIpv6="::/0"),
        account.make(
            INGRESS,
            **{**media, "ipProtocol": "tcp"},
            referencedSecurityGroupId=other.id,
            description="REST",
            tags={"a": "b"},
        ),
        account.make(INGRESS, **{**media, "ipProtocol": "icmp", "fromPort": -1, "toPort": -1}, cidrIpv4="0.0.0.0/0"),
        account.make(INGRESS, **{**media, "ipProtocol": "icmpv6", "fromPort": -1, "toPort": -1}, cidrIpv6="::/0"),
        account.make(EGRESS, securityGroupId=group.id, ipProtocol="-1", cidrIpv4="0.0.0.0/0"),
        account.make(EGRESS, securityGroupId=group.id, ipProtocol="-1", cidrIpv6="::/0"),
    ]
    for rule in rules:
        never_differs(rule)
        assert rule.kinds(securityGroupId="sg-0") == {"securityGroupId": "UPDATE_REPLACE"}
    account.actions()
    rules[0].update(cidrIpv4="192.0.2.0/24", description="elsewhere")
    assert account.actions() == ["ModifySecurityGroupRules 200"]
    never_differs(rules[0])
    never_differs(group)
    assert (len(group.outputs["ingress"]), len(group.outputs["egress"])) == (4, 1), "by protocol and ports"
    assert "api error InvalidPermission.Duplicate" in account.refusal(INGRESS, **media, cidrIpv6="::/0")
    rules[1].update(cidrIpv6="2001:db8::/32")
    third = account.make(GROUP, vpcId=net.vpc.id, name="monitor")
    rules[2].update(tags={"a": "c"}, referencedSecurityGroupId=third.id, description="metrics")
    for rule in rules:
        never_differs(rule)
        leaves_at_a_refresh(rule)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cidrIpv4": "0.0.0.0/0", "cidrIpv6": "::/0", "ipProtocol": "-1"},
        {"ipProtocol": "-1"},
        {"cidrIpv4": "0.0.0.0/0", "ipProtocol": "tcp"},
        {"cidrIpv4": "0.0.0.0/0", "ipProtocol": "-1", "fromPort": 1, "toPort": 2},
    ],
)
def test_a_rule_that_says_too_much_or_too_little_is_refused(account: Account, wrong: dict[str, object]) -> None:
    assert account.check(INGRESS, {"securityGroupId": "sg-0", **wrong})[1]


def test_a_placement_group(account: Account) -> None:
    group = account.make(PLACEMENT, strategy="spread", tags={"a": "b"})
    assert group.id == group.outputs["name"]
    assert group.outputs["spreadLevel"] == "rack"
    never_differs(group)
    assert group.kinds(strategy="partition") == {"strategy": "UPDATE_REPLACE"}
    group.update(tags={"a": "c"})
    never_differs(group)
    leaves_at_a_refresh(group)


def test_a_key_pair(account: Account) -> None:
    key = Ed25519PrivateKey.generate().public_key()
    text = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    pair = account.make(KEY, publicKey=f"{text}\n")
    assert pair.outputs["keyType"] == "ed25519"
    never_differs(pair)
    assert pair.kinds(publicKey="ssh-ed25519 other") == {"publicKey": "UPDATE_REPLACE"}
    leaves_at_a_refresh(pair)


def test_an_address_without_an_instance(account: Account) -> None:
    address = account.make(EIP, domain="vpc", tags={"a": "b"})
    assert address.outputs["publicIp"].startswith("127.90."), "from the range of the embedded cloud"
    never_differs(address)
    leaves_at_a_refresh(address)


def test_what_others_need_is_not_deleted_until_they_have_gone(account: Account, net: Net) -> None:
    """The plugin waits for them; how long is bounded, here by the resource's own timeout."""
    request = {"urn": aws_cloud.urn(VPC), "id": net.vpc.id, "properties": net.vpc.outputs, "timeout": 0.3}
    with pytest.raises(grpc.RpcError) as refused:
        account.plugin.call("Delete", request)
    assert "api error DependencyViolation: The vpc " in str(refused.value.details())
    assert account.actions().count("DeleteVpc 400") > 1, "it was tried again"
    net.subnet.delete()
    net.vpc.delete()
    assert not net.vpc.read()


def test_a_group_that_another_groups_rule_names_stays(account: Account, net: Net) -> None:
    group, other = (account.make(GROUP, vpcId=net.vpc.id, name=name) for name in ("bridge", "signaling"))
    rule = account.make(
        INGRESS,
        securityGroupId=group.id,
        ipProtocol="tcp",
        fromPort=22,
        toPort=22,
        referencedSecurityGroupId=other.id,
    )
    request = {"urn": aws_cloud.urn(GROUP), "id": other.id, "properties": other.outputs, "timeout": 0.2}
    with pytest.raises(grpc.RpcError) as refused:
        account.plugin.call("Delete", request)
    assert f"resource {other.id} has a dependent object" in str(refused.value.details())
    rule.delete()
    other.delete()


def test_default_tags_are_in_tags_all_and_no_difference(ec2_cloud: LocalCloud) -> None:
    with aws_cloud.account(ec2_cloud, defaultTags='{"tags": {"fleet": "yes"}}') as account:
        vpc = account.make(VPC, cidrBlock="10.80.0.0/16", tags={"a": "b"})
        assert vpc.outputs["tags"] == {"a": "b"}
        assert vpc.outputs["tagsAll"] == {"a": "b", "fleet": "yes"}
        never_differs(vpc)


def test_what_is_not_part_of_the_double_is_refused_by_name(account: Account) -> None:
    _, (failure,) = account.check(VPC, {"cidrBlock": "10.0.0.0/16", "ipv4IpamPoolId": "ipam-pool-0"})
    assert failure == {"property": "ipv4IpamPoolId", "reason": "'ipv4IpamPoolId' is not part of this double"}
    with pytest.raises(grpc.RpcError, match="is not part of"):
        account.plugin.call("Invoke", {"tok": "aws:index/getRegion:getRegion", "args": {}})


def test_a_tag_changed_by_hand_is_found_and_put_right(account: Account) -> None:
    vpc = account.make(VPC, cidrBlock="10.80.0.0/16", tags={"a": "b"})
    account.ec2.create_tags(Resources=[vpc.id], Tags=[{"Key": "a", "Value": "other"}])
    wanted = vpc.inputs
    assert vpc.read()
    assert vpc.inputs["tags"] == {"a": "other"}
    vpc.inputs = wanted
    assert vpc.kinds() == {"tags.a": "UPDATE"}
    vpc.update()
    never_differs(vpc)
