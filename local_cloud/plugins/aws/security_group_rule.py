"""aws.vpc.SecurityGroupIngressRule and SecurityGroupEgressRule; in the real plugin on the plugin framework."""

from typing import Any, ClassVar

from local_cloud.plugins.aws.api import MINUTE, doing, if_there
from local_cloud.plugins.aws.aws_resource import REGION, TAGS, AwsResource
from local_cloud.plugins.resource import Call, Created, Input
from local_cloud.plugins.values import UNKNOWN, Values, is_empty

GONE = ("InvalidSecurityGroupRuleId.NotFound", "InvalidGroup.NotFound")
SOURCES = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")
ALL = "-1"


class _Rule(AwsResource):
    """One source or target of one group. Everything but the group changes in place."""

    label = "VPC Security Group Rule"
    tagged = "security-group-rule"
    bridged = False
    inputs: ClassVar = {
        "securityGroupId": Input(required=True, replaces=True),
        "ipProtocol": Input(required=True),
        "fromPort": Input(),
        "toPort": Input(),
        "cidrIpv4": Input(),
        "cidrIpv6": Input(),
        "prefixListId": Input(),
        "referencedSecurityGroupId": Input(),
        "description": Input(),
        **REGION,
        **TAGS,
    }
    computed = ("arn", "securityGroupRuleId", "tagsAll")
    way: ClassVar[str]

    def check(self, news: Values, olds: Values, name: str) -> tuple[Values, dict[str, str]]:
        checked, failures = super().check(news, olds, name)
        if len([key for key in SOURCES if not is_empty(news.get(key))]) != 1:
            failures["cidrIpv4"] = f"Exactly one of {', '.join(SOURCES)} must be set"
        if not is_empty(news.get("prefixListId")):
            failures["prefixListId"] = "'prefixListId' is not part of this double"
        if news.get("ipProtocol") == ALL and not (news.get("fromPort") is None and news.get("toPort") is None):
            failures["fromPort"] = "fromPort and toPort must not be set when ipProtocol is -1"
        if news.get("ipProtocol") not in (ALL, UNKNOWN) and (
            news.get("fromPort") is None or news.get("toPort") is None
        ):
            failures["fromPort"] = "fromPort and toPort must be set unless ipProtocol is -1"
        return checked, failures

    def create(self, call: Call, inputs: Values) -> Created:  # noqa: ARG002
        with doing(f"creating {self.label}"):
            made = self.api.call(
                f"authorize_security_group_{self.way}",
                GroupId=inputs["securityGroupId"],
                IpPermissions=[_permission(inputs)],
                TagSpecifications=self.tag_specifications(inputs),
            )
        id = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        return Created(id, self.now(id, inputs))

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:  # noqa: ARG002
        if any(olds.get(key) != news.get(key) for key in self.inputs if key not in ("tags", "region")):
            rule = {
                "IpProtocol": news["ipProtocol"],
                "FromPort": news.get("fromPort", -1),
                "ToPort": news.get("toPort", -1),
                "CidrIpv4": news.get("cidrIpv4"),
                "CidrIpv6": news.get("cidrIpv6"),
                "ReferencedGroupId": news.get("referencedSecurityGroupId"),
                "Description": news.get("description"),
            }
            changed = {"SecurityGroupRuleId": id, "SecurityGroupRule": {k: v for k, v in rule.items() if v is not None}}
            with doing(f"updating {self.label} ({id})"):
                group = news["securityGroupId"]
                self.api.call("modify_security_group_rules", GroupId=group, SecurityGroupRules=[changed])
        self.retag(id, olds, news)
        return self.now(id, news)

    def delete(self, call: Call, id: str, olds: Values) -> None:
        group = olds["securityGroupId"]
        delete: Any = lambda: self.api.call(  # noqa: E731
            f"revoke_security_group_{self.way}", GroupId=group, SecurityGroupRuleIds=[id]
        )
        gone = (*GONE, "InvalidPermission.NotFound")
        self.remove(call, f"deleting {self.label} ({id})", 5 * MINUTE, (), gone, delete)

    def found(self, id: str) -> Values | None:
        answer = if_there(lambda: self.api.call("describe_security_group_rules", SecurityGroupRuleIds=[id]), *GONE)
        return answer["SecurityGroupRules"][0] if answer and answer["SecurityGroupRules"] else None

    def outputs(self, found: Values, inputs: Values) -> Values:  # noqa: ARG002
        id, every = found["SecurityGroupRuleId"], found["IpProtocol"] == ALL
        return {
            "arn": self.api.arn(f"security-group-rule/{id}", found.get("GroupOwnerId", "")),
            "securityGroupRuleId": id,
            "securityGroupId": found["GroupId"],
            "ipProtocol": found["IpProtocol"],
            "fromPort": None if every else found.get("FromPort"),
            "toPort": None if every else found.get("ToPort"),
            "cidrIpv4": found.get("CidrIpv4"),
            "cidrIpv6": found.get("CidrIpv6"),
            "referencedSecurityGroupId": (found.get("ReferencedGroupInfo") or {}).get("GroupId"),
            "description": found.get("Description") or None,
        }


def _permission(inputs: Values) -> Values:
    told = {"Description": inputs["description"]} if inputs.get("description") else {}
    permission = {
        "IpProtocol": inputs["ipProtocol"],
        "FromPort": inputs.get("fromPort"),
        "ToPort": inputs.get("toPort"),
    }
    if not is_empty(inputs.get("cidrIpv4")):
        permission["IpRanges"] = [{"CidrIp": inputs["cidrIpv4"], **told}]
    if not is_empty(inputs.get("cidrIpv6")):
        permission["Ipv6Ranges"] = [{"CidrIpv6": inputs["cidrIpv6"], **told}]
    if not is_empty(inputs.get("referencedSecurityGroupId")):
        permission["UserIdGroupPairs"] = [{"GroupId": inputs["referencedSecurityGroupId"], **told}]
    return {key: value for key, value in permission.items() if value is not None}


class SecurityGroupIngressRule(_Rule):
    """Who may come in."""

    type = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    way = "ingress"


class SecurityGroupEgressRule(_Rule):
    """Where to one may go."""

    type = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    way = "egress"
