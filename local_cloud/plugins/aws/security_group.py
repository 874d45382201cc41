"""aws.ec2.SecurityGroup, without rules of its own."""

from typing import Any, ClassVar

from local_cloud.plugins.aws.api import MINUTE, Refused, doing, if_there
from local_cloud.plugins.aws.aws_resource import REGION, TAGS, AwsResource
from local_cloud.plugins.resource import Call, Created, Input
from local_cloud.plugins.values import Values

GONE = "InvalidGroup.NotFound"
DESCRIPTION = "Managed by Pulumi"


class SecurityGroup(AwsResource):
    """A group of instances that rules are about. EC2 lets a new one out everywhere; the plugin takes that away.

    A read tells the rules that other resources made: they are in the outputs after a refresh, and never a difference.
    """

    type = "aws:ec2/securityGroup:SecurityGroup"
    label = "Security Group"
    tagged = "security-group"
    autoname = "name"
    inputs: ClassVar = {
        "name": Input(filled=True, replaces=True),
        "description": Input(filled=True, replaces=True),
        "vpcId": Input(filled=True, replaces=True),
        "revokeRulesOnDelete": Input(default=False),
        **REGION,
        **TAGS,
    }
    absent = ("egress", "ingress", "namePrefix")
    computed = ("arn", "egress", "ingress", "namePrefix", "ownerId", "tagsAll")

    def check(self, news: Values, olds: Values, name: str) -> tuple[Values, dict[str, str]]:
        checked, failures = super().check(news, olds, name)
        if news.get("revokeRulesOnDelete"):
            failures["revokeRulesOnDelete"] = "'revokeRulesOnDelete' is not part of this double"
        if news.get("description") is None:
            checked["description"] = DESCRIPTION
            checked["__defaults"] = sorted([*checked["__defaults"], "description"])
        return checked, failures

    def create(self, call: Call, inputs: Values) -> Created:  # noqa: ARG002
        name = inputs["name"]
        with doing(f"creating {self.label} ({name})"):
            id = self.api.call(
                "create_security_group",
                GroupName=name,
                Description=inputs["description"],
                VpcId=inputs.get("vpcId"),
                TagSpecifications=self.tag_specifications(inputs),
            )["GroupId"]
        try:
            with doing(f"revoking default egress rule for {self.label} ({id})"):
                rules = (self.found(id) or {}).get("IpPermissionsEgress") or []
                if rules:
                    self.api.call("revoke_security_group_egress", GroupId=id, IpPermissions=[_asked(r) for r in rules])
            return Created(id, self.now(id, inputs))
        except Refused as error:
            raise self.partial(id, inputs, error) from error

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:  # noqa: ARG002
        self.retag(id, olds, news)
        return self.now(id, news)

    def delete(self, call: Call, id: str, olds: Values) -> None:  # noqa: ARG002
        delete: Any = lambda: self.api.call("delete_security_group", GroupId=id)  # noqa: E731
        busy = ("DependencyViolation", "InvalidGroup.InUse")
        self.remove(call, f"deleting {self.label} ({id})", 15 * MINUTE, busy, (GONE,), delete)

    def found(self, id: str) -> Values | None:
        answer = if_there(lambda: self.api.call("describe_security_groups", GroupIds=[id]), GONE)
        return answer["SecurityGroups"][0] if answer else None

    def outputs(self, found: Values, inputs: Values) -> Values:
        id, owner = found["GroupId"], found.get("OwnerId", "")
        return {
            "arn": self.api.arn(f"security-group/{id}", owner),
            "ownerId": owner,
            "name": found["GroupName"],
            "namePrefix": "",
            "description": found["Description"],
            "vpcId": found.get("VpcId", ""),
            "revokeRulesOnDelete": bool(inputs.get("revokeRulesOnDelete")),
            "ingress": [_rule(id, rule) for rule in found.get("IpPermissions") or []],
            "egress": [_rule(id, rule) for rule in found.get("IpPermissionsEgress") or []],
        }


def _asked(rule: Values) -> Values:
    """A rule as it is revoked: without what only a description has."""
    return {key: value for key, value in rule.items() if value not in ([], None)}


def _rule(id: str, rule: Values) -> Values:
    groups = [pair["GroupId"] for pair in rule.get("UserIdGroupPairs") or []]
    sources = [*(rule.get("IpRanges") or []), *(rule.get("Ipv6Ranges") or []), *(rule.get("UserIdGroupPairs") or [])]
    return {
        "protocol": rule["IpProtocol"],
        "fromPort": rule.get("FromPort", 0),
        "toPort": rule.get("ToPort", 0),
        "cidrBlocks": [source["CidrIp"] for source in rule.get("IpRanges") or []],
        "ipv6CidrBlocks": [source["CidrIpv6"] for source in rule.get("Ipv6Ranges") or []],
        "securityGroups": [group for group in groups if group != id],
        "prefixListIds": [],
        "self": id in groups,
        "description": next((source["Description"] for source in sources if source.get("Description")), ""),
    }
