"""aws.ec2.InternetGateway."""

from typing import Any, ClassVar

from local_cloud.plugins.aws.api import MINUTE, Refused, again, doing, if_there
from local_cloud.plugins.aws.aws_resource import REGION, TAGS, AwsResource
from local_cloud.plugins.resource import Call, Created, Input
from local_cloud.plugins.values import Values, is_empty

GONE = "InvalidInternetGatewayID.NotFound"


class InternetGateway(AwsResource):
    """The way between a VPC and the internet. Attached by a call of its own; public addresses keep it from leaving."""

    type = "aws:ec2/internetGateway:InternetGateway"
    label = "EC2 Internet Gateway"
    tagged = "internet-gateway"
    inputs: ClassVar = {"vpcId": Input(filled=True), **REGION, **TAGS}
    computed = ("arn", "ownerId", "tagsAll")

    def create(self, call: Call, inputs: Values) -> Created:
        with doing(f"creating {self.label}"):
            made = self.api.call("create_internet_gateway", TagSpecifications=self.tag_specifications(inputs))
        id = made["InternetGateway"]["InternetGatewayId"]
        try:
            if not is_empty(inputs.get("vpcId")):
                self._attach(call, id, inputs["vpcId"])
            return Created(id, self.now(id, inputs))
        except Refused as error:
            raise self.partial(id, inputs, error) from error

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:
        if not is_empty(news.get("vpcId")) and news["vpcId"] != olds.get("vpcId"):
            self._detach(call, id, olds.get("vpcId"))
            self._attach(call, id, news["vpcId"])
        self.retag(id, olds, news)
        return self.now(id, news)

    def delete(self, call: Call, id: str, olds: Values) -> None:
        self._detach(call, id, olds.get("vpcId"))
        what = f"deleting {self.label} ({id})"
        delete: Any = lambda: self.api.call("delete_internet_gateway", InternetGatewayId=id)  # noqa: E731
        self.remove(call, what, 20 * MINUTE, ("DependencyViolation",), (GONE,), delete)

    def _attach(self, call: Call, id: str, vpc: str) -> None:
        with doing(f"attaching {self.label} ({id}) to EC2 VPC ({vpc})"):
            again(
                call.cancelled,
                4 * MINUTE,
                (GONE,),
                lambda: self.api.call("attach_internet_gateway", InternetGatewayId=id, VpcId=vpc),
            )

    def _detach(self, call: Call, id: str, vpc: str | None) -> None:
        if is_empty(vpc):
            return
        what = f"detaching {self.label} ({id}) from EC2 VPC ({vpc})"
        detach: Any = lambda: self.api.call("detach_internet_gateway", InternetGatewayId=id, VpcId=vpc)  # noqa: E731
        self.remove(call, what, 20 * MINUTE, ("DependencyViolation",), (GONE, "Gateway.NotAttached"), detach)

    def found(self, id: str) -> Values | None:
        answer = if_there(lambda: self.api.call("describe_internet_gateways", InternetGatewayIds=[id]), GONE)
        return answer["InternetGateways"][0] if answer else None

    def outputs(self, found: Values, inputs: Values) -> Values:  # noqa: ARG002
        owner, attached = found.get("OwnerId", ""), found.get("Attachments") or []
        return {
            "arn": self.api.arn(f"internet-gateway/{found['InternetGatewayId']}", owner),
            "ownerId": owner,
            "vpcId": attached[0]["VpcId"] if attached else "",
        }
