"""aws.ec2.Eip."""

from typing import Any, ClassVar

from local_cloud.plugins.aws.api import MINUTE, Refused, again, doing, if_there
from local_cloud.plugins.aws.aws_resource import REGION, TAGS, AwsResource
from local_cloud.plugins.resource import Call, Created, Input
from local_cloud.plugins.values import Values, is_empty

GONE = "InvalidAllocationID.NotFound"


class Eip(AwsResource):
    """A public IPv4 address that stays. Another instance is an update: it is taken off the one and put on the other."""

    type = "aws:ec2/eip:Eip"
    label = "EC2 EIP"
    tagged = "elastic-ip"
    inputs: ClassVar = {
        "domain": Input(filled=True, replaces=True),
        "instance": Input(filled=True),
        "networkBorderGroup": Input(filled=True, replaces=True),
        "networkInterface": Input(filled=True),
        "publicIpv4Pool": Input(filled=True, replaces=True),
        **REGION,
        **TAGS,
    }
    absent = ("address", "associateWithPrivateIp", "customerOwnedIpv4Pool", "ipamPoolId")
    computed = (
        "allocationId",
        "arn",
        "associationId",
        "carrierIp",
        "customerOwnedIp",
        "privateDns",
        "privateIp",
        "ptrRecord",
        "publicDns",
        "publicIp",
        "tagsAll",
    )
    unsettable = ("networkBorderGroup", "networkInterface", "publicIpv4Pool")

    def check(self, news: Values, olds: Values, name: str) -> tuple[Values, dict[str, str]]:
        checked, failures = super().check(news, olds, name)
        more = {key: f"'{key}' is not part of this double" for key in self.unsettable if not is_empty(news.get(key))}
        return checked, failures | more

    def create(self, call: Call, inputs: Values) -> Created:
        with doing(f"creating {self.label}"):
            id = self.api.call(
                "allocate_address", Domain=inputs.get("domain"), TagSpecifications=self.tag_specifications(inputs)
            )["AllocationId"]
        try:
            if not is_empty(inputs.get("instance")):
                self._associate(call, id, inputs["instance"])
            return Created(id, self.now(id, inputs))
        except Refused as error:
            raise self.partial(id, inputs, error) from error

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:
        wanted = news.get("instance")
        if not is_empty(wanted) and wanted != olds.get("instance"):
            self._disassociate(olds.get("associationId"), id)
            self._associate(call, id, wanted)
        self.retag(id, olds, news)
        return self.now(id, news)

    def delete(self, call: Call, id: str, olds: Values) -> None:
        self._disassociate(olds.get("associationId"), id)
        delete: Any = lambda: self.api.call("release_address", AllocationId=id)  # noqa: E731
        self.remove(call, f"deleting {self.label} ({id})", 3 * MINUTE, ("InvalidIPAddress.InUse",), (GONE,), delete)

    def _associate(self, call: Call, id: str, instance: Any) -> None:
        """The instance may not be running yet, nor the address known everywhere: both are waited for."""
        with doing(f"associating {self.label} ({id})"):
            again(
                call.cancelled,
                5 * MINUTE,
                (GONE, "IncorrectInstanceState"),
                lambda: self.api.call("associate_address", AllocationId=id, InstanceId=instance),
            )

    def _disassociate(self, association: Any, id: str) -> None:
        if is_empty(association):
            return
        with doing(f"disassociating {self.label} ({id})"):
            if_there(
                lambda: self.api.call("disassociate_address", AssociationId=association),
                "InvalidAssociationID.NotFound",
            )

    def found(self, id: str) -> Values | None:
        answer = if_there(lambda: self.api.call("describe_addresses", AllocationIds=[id]), GONE)
        return answer["Addresses"][0] if answer else None

    def outputs(self, found: Values, inputs: Values) -> Values:  # noqa: ARG002
        public, private = found["PublicIp"], found.get("PrivateIpAddress", "")
        region = self.api.region
        return {
            "allocationId": found["AllocationId"],
            "arn": self.api.arn(f"elastic-ip/{found['AllocationId']}"),
            "associationId": found.get("AssociationId", ""),
            "domain": found["Domain"],
            "instance": found.get("InstanceId", ""),
            "networkInterface": found.get("NetworkInterfaceId", ""),
            "networkBorderGroup": found.get("NetworkBorderGroup", region),
            "publicIpv4Pool": found.get("PublicIpv4Pool", "amazon"),
            "publicIp": public,
            "publicDns": f"ec2-{_dashed(public)}.{region}.compute.amazonaws.com",
            "privateIp": private,
            "privateDns": f"ip-{_dashed(private)}.{region}.compute.internal" if private else "",
            "ptrRecord": "",
            "carrierIp": "",
            "customerOwnedIp": "",
        }


def _dashed(address: str) -> str:
    return address.replace(".", "-")
