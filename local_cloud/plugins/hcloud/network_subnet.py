"""hcloud.NetworkSubnet; its id is `<network>-<range>`."""

from typing import ClassVar

from local_cloud.plugins.hcloud.hcloud_resource import HcloudResource, if_there, sent
from local_cloud.plugins.resource import Call, Created, Input, ProviderError
from local_cloud.plugins.values import Values

BUSY = ("conflict", "locked", "resource_in_use", "service_error")


class NetworkSubnet(HcloudResource):
    """A range of a network where servers get their addresses."""

    type = "hcloud:index/networkSubnet:NetworkSubnet"
    kind = "networks"
    autoname = None
    inputs: ClassVar = {
        "networkId": Input(required=True, replaces=True),
        "type": Input(required=True, replaces=True),
        "networkZone": Input(required=True, replaces=True),
        "ipRange": Input(required=True, replaces=True),
        "vswitchId": Input(replaces=True),
    }
    computed = ("gateway",)

    def create(self, call: Call, inputs: Values) -> Created:
        network, ip_range = inputs["networkId"], inputs["ipRange"]
        body = sent(
            type=inputs["type"],
            ip_range=ip_range,
            network_zone=inputs["networkZone"],
            vswitch_id=inputs.get("vswitchId"),
        )
        self._act(call, f"/networks/{network}/actions/add_subnet", body, tries=5)
        id = f"{network}-{ip_range}"
        outputs = self._subnet(self.api.get(f"/networks/{network}")["network"], id)
        if outputs is None:
            raise ProviderError(f"1 error occurred:\n\t* subnet {id} is missing after its creation\n\n")
        return Created(id, outputs)

    def read(self, call: Call, id: str, olds: Values, inputs: Values) -> tuple[Values, Values] | None:  # noqa: ARG002
        network = self.api.find("networks", id.split("-", 1)[0])
        outputs = None if network is None else self._subnet(network, id)
        return None if outputs is None else ({"id": id} | outputs, self.refreshed(inputs, outputs))

    def delete(self, call: Call, id: str, olds: Values) -> None:  # noqa: ARG002
        """Remove the range; servers that are just leaving it are waited for."""
        path = f"/networks/{olds['networkId']}/actions/delete_subnet"
        if_there(lambda: self._act(call, path, {"ip_range": olds["ipRange"]}, tries=50))

    def _act(self, call: Call, path: str, body: Values, tries: int) -> None:
        answer = self.api.again(call.cancelled, tries, BUSY, lambda: self.api.call("POST", path, body))
        self.api.wait(call.cancelled, answer["action"])

    def _subnet(self, network: Values, id: str) -> Values | None:
        for subnet in network["subnets"]:
            if f"{network['id']}-{subnet['ip_range']}" == id:
                return {
                    "networkId": network["id"],
                    "type": subnet["type"],
                    "networkZone": subnet["network_zone"],
                    "ipRange": subnet["ip_range"],
                    "gateway": subnet["gateway"],
                    "vswitchId": subnet.get("vswitch_id"),
                }
        return None
