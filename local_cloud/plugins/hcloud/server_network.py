"""hcloud.ServerNetwork, the attachment of a server to a network; in the real plugin on the plugin framework."""

from typing import Any, ClassVar

from local_cloud.plugins.hcloud.api import FRAMEWORK_CAP, Api, Refused
from local_cloud.plugins.hcloud.hcloud_resource import HcloudResource, if_there, sent
from local_cloud.plugins.resource import Call, Created, Input, ProviderError
from local_cloud.plugins.values import Values

BUSY = ("conflict", "locked", "service_error", "no_subnet_available")


def attach(api: Api, call: Call, server: Any, link: Values, cap: float) -> None:
    """Attach a server to the network or subnet of `link`; attached already counts as done."""
    network, ip_range = link.get("networkId"), None
    if link.get("subnetId"):
        number, ip_range = link["subnetId"].split("-", 1)
        network = int(number)
    body = sent(network=network, ip=link.get("ip"), alias_ips=link.get("aliasIps"), ip_range=ip_range)
    path = f"/servers/{server}/actions/attach_to_network"
    try:
        answer = api.again(call.cancelled, 5, BUSY, lambda: api.call("POST", path, body))
    except Refused as refusal:
        if refusal.code != "server_already_attached":
            raise
        return
    api.wait(call.cancelled, answer["action"], cap=cap)


class ServerNetwork(HcloudResource):
    """Its id is `<server>-<network>`."""

    type = "hcloud:index/serverNetwork:ServerNetwork"
    kind = "servers"
    autoname = None
    bridged = False
    inputs: ClassVar = {
        "serverId": Input(required=True, replaces=True),
        "networkId": Input(filled=True, replaces=True),
        "subnetId": Input(replaces=True),
        "ip": Input(filled=True, replaces=True),
        "aliasIps": Input(filled=True, unordered=True),
    }
    computed = ("macAddress",)

    def check(self, news: Values, olds: Values, name: str) -> tuple[Values, dict[str, str]]:
        checked, failures = super().check(news, olds, name)
        if (news.get("networkId") is None) == (news.get("subnetId") is None):
            failures["subnetId"] = "Exactly one of networkId and subnetId must be set"
        return checked, failures

    def create(self, call: Call, inputs: Values) -> Created:
        attach(self.api, call, inputs["serverId"], inputs, FRAMEWORK_CAP)
        network = inputs.get("networkId") or int(inputs["subnetId"].split("-", 1)[0])
        id = f"{inputs['serverId']}-{network}"
        outputs = self._link(self.api.get(f"/servers/{inputs['serverId']}")["server"], id, inputs)
        if outputs is None:
            raise ProviderError(f"1 error occurred:\n\t* server network {id} is missing after its creation\n\n")
        return Created(id, outputs)

    def read(self, call: Call, id: str, olds: Values, inputs: Values) -> tuple[Values, Values] | None:  # noqa: ARG002
        server = self.api.find("servers", id.split("-", 1)[0])
        outputs = None if server is None else self._link(server, id, olds)
        return None if outputs is None else ({"id": id} | outputs, self.refreshed(inputs, outputs))

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:  # noqa: ARG002
        server, network = map(int, id.split("-", 1))
        body = {"network": network, "alias_ips": news.get("aliasIps") or []}
        answer = self.api.call("POST", f"/servers/{server}/actions/change_alias_ips", body)
        self.api.wait(call.cancelled, answer["action"], cap=FRAMEWORK_CAP)
        outputs = self._link(self.api.get(f"/servers/{server}")["server"], id, news)
        if outputs is None:
            raise ProviderError(f"1 error occurred:\n\t* server network {id} is gone\n\n")
        return outputs

    def delete(self, call: Call, id: str, olds: Values) -> None:  # noqa: ARG002
        server, network = map(int, id.split("-", 1))
        path = f"/servers/{server}/actions/detach_from_network"
        answer = if_there(
            lambda: self.api.again(call.cancelled, 5, BUSY, lambda: self.api.call("POST", path, {"network": network}))
        )
        if answer is not None:
            self.api.wait(call.cancelled, answer["action"], cap=FRAMEWORK_CAP)

    def _link(self, server: Values, id: str, inputs: Values) -> Values | None:
        for link in server["private_net"]:
            if f"{server['id']}-{link['network']}" == id:
                return {
                    "serverId": server["id"],
                    "networkId": link["network"],
                    "subnetId": inputs.get("subnetId"),
                    "ip": link["ip"],
                    "macAddress": link["mac_address"],
                    "aliasIps": link["alias_ips"],
                }
        return None
