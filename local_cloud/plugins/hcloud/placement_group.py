"""hcloud.PlacementGroup."""

from typing import ClassVar

from local_cloud.plugins.hcloud.hcloud_resource import HcloudResource, sent
from local_cloud.plugins.resource import Call, Created, Input
from local_cloud.plugins.values import Values


class PlacementGroup(HcloudResource):
    """Servers of a group stand on different hosts; at most ten."""

    type = "hcloud:index/placementGroup:PlacementGroup"
    kind = "placement_groups"
    inputs: ClassVar = {"name": Input(filled=True), "type": Input(required=True), "labels": Input()}
    computed = ("servers",)

    def create(self, call: Call, inputs: Values) -> Created:
        body = sent(name=inputs["name"], type=inputs["type"], labels=inputs.get("labels"))
        answer = self.api.call("POST", "/placement_groups", body)
        self.api.wait(call.cancelled, answer.get("action"))
        id = str(answer["placement_group"]["id"])
        return Created(id, self._get(id))

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:  # noqa: ARG002
        self._get(id)
        self.put_changes(id, olds, news, name="name", labels="labels")
        return self._get(id)

    def _get(self, id: str) -> Values:
        return self.outputs(self.api.get(f"/placement_groups/{id}")["placement_group"], {})

    def outputs(self, found: Values, inputs: Values) -> Values:  # noqa: ARG002
        return {key: found[key] for key in ("name", "type", "labels", "servers")}
