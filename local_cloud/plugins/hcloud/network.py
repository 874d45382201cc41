"""hcloud.Network."""

from typing import ClassVar

from local_cloud.plugins.hcloud.hcloud_resource import HcloudResource, sent
from local_cloud.plugins.resource import Call, Created, Input
from local_cloud.plugins.values import Values


class Network(HcloudResource):
    """A private IPv4 network of the project."""

    type = "hcloud:index/network:Network"
    kind = "networks"
    inputs: ClassVar = {
        "name": Input(filled=True),
        "ipRange": Input(required=True, replaces=True),
        "labels": Input(),
        "deleteProtection": Input(default=False),
        "exposeRoutesToVswitch": Input(default=False),
    }

    def create(self, call: Call, inputs: Values) -> Created:
        exposed = bool(inputs.get("exposeRoutesToVswitch"))
        body = sent(name=inputs["name"], ip_range=inputs["ipRange"], labels=inputs.get("labels"))
        found = self.api.call("POST", "/networks", {**body, "expose_routes_to_vswitch": exposed})["network"]
        if inputs.get("deleteProtection"):
            self._protect(call, found["id"], True)
        return Created(str(found["id"]), self._get(str(found["id"])))

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:
        self.put_changes(id, olds, news, name="name", labels="labels", exposeRoutesToVswitch="expose_routes_to_vswitch")
        protect = bool(news.get("deleteProtection"))
        if protect != bool(olds.get("deleteProtection")):
            self._protect(call, id, protect)
        return self._get(id)

    def _protect(self, call: Call, id: str, protect: bool) -> None:
        answer = self.api.call("POST", f"/networks/{id}/actions/change_protection", {"delete": protect})
        self.api.wait(call.cancelled, answer["action"])

    def _get(self, id: str) -> Values:
        return self.outputs(self.api.get(f"/networks/{id}")["network"], {})

    def outputs(self, found: Values, inputs: Values) -> Values:  # noqa: ARG002
        return {
            "name": found["name"],
            "ipRange": found["ip_range"],
            "labels": found["labels"],
            "deleteProtection": found["protection"]["delete"],
            "exposeRoutesToVswitch": found.get("expose_routes_to_vswitch", False),
        }
