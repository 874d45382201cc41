"""aws.ec2.PlacementGroup."""

from typing import Any, ClassVar

from local_cloud.plugins.aws.api import MINUTE, doing, if_there
from local_cloud.plugins.aws.aws_resource import REGION, TAGS, AwsResource
from local_cloud.plugins.resource import Call, Created, Input
from local_cloud.plugins.values import Values

GONE = "InvalidPlacementGroup.Unknown"


class PlacementGroup(AwsResource):
    """Instances of a spread group stand on different racks. Its id is its name; only tags change in place."""

    type = "aws:ec2/placementGroup:PlacementGroup"
    label = "EC2 Placement Group"
    tagged = "placement-group"
    autoname = "name"
    inputs: ClassVar = {
        "name": Input(filled=True, replaces=True),
        "strategy": Input(required=True, replaces=True),
        "partitionCount": Input(filled=True, replaces=True),
        "spreadLevel": Input(filled=True, replaces=True),
        **REGION,
        **TAGS,
    }
    computed = ("arn", "placementGroupId", "tagsAll")

    def create(self, call: Call, inputs: Values) -> Created:  # noqa: ARG002
        name = inputs["name"]
        with doing(f"creating {self.label} ({name})"):
            self.api.call(
                "create_placement_group",
                GroupName=name,
                Strategy=inputs["strategy"],
                PartitionCount=inputs.get("partitionCount"),
                SpreadLevel=inputs.get("spreadLevel"),
                TagSpecifications=self.tag_specifications(inputs),
            )
        return Created(name, self.now(name, inputs))

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:  # noqa: ARG002
        self.retag(olds["placementGroupId"], olds, news)
        return self.now(id, news)

    def delete(self, call: Call, id: str, olds: Values) -> None:  # noqa: ARG002
        delete: Any = lambda: self.api.call("delete_placement_group", GroupName=id)  # noqa: E731
        self.remove(call, f"deleting {self.label} ({id})", 5 * MINUTE, (), (GONE,), delete)

    def found(self, id: str) -> Values | None:
        answer = if_there(lambda: self.api.call("describe_placement_groups", GroupNames=[id]), GONE)
        return answer["PlacementGroups"][0] if answer else None

    def outputs(self, found: Values, inputs: Values) -> Values:  # noqa: ARG002
        return {
            "arn": self.api.arn(f"placement-group/{found['GroupName']}"),
            "placementGroupId": found["GroupId"],
            "name": found["GroupName"],
            "strategy": found["Strategy"],
            "partitionCount": found.get("PartitionCount", 0),
            "spreadLevel": found.get("SpreadLevel", ""),
        }
