"""hcloud.Server: what it is, its creation and removal. Changes in place: server_changes.py, state: server_state.py."""

from typing import Any, ClassVar

from local_cloud.plugins.hcloud import server_changes
from local_cloud.plugins.hcloud.api import PLUGIN_CAP
from local_cloud.plugins.hcloud.hcloud_resource import HcloudResource, if_there, sent
from local_cloud.plugins.hcloud.server_network import attach
from local_cloud.plugins.hcloud.server_state import (
    COMPUTED_OF_NETWORK,
    COMPUTED_OF_PUBLIC_NET,
    finished,
    hashed,
    unfinished,
)
from local_cloud.plugins.resource import Call, Created, Input, PartialCreate, ProviderError
from local_cloud.plugins.values import UNKNOWN, Values, is_empty

NOT_HERE = ("iso", "rescue", "backups")


def _same_user_data(state: Any, written: Any) -> bool:
    return isinstance(written, str) and state in (hashed(written), written)


class Server(HcloudResource):
    """A host. `iso`, `rescue` and `backups` are not part of the double."""

    type = "hcloud:index/server:Server"
    kind = "servers"
    inputs: ClassVar = {
        "name": Input(filled=True),
        "serverType": Input(required=True),
        "image": Input(replaces=True),
        "location": Input(filled=True, replaces=True),
        "datacenter": Input(filled=True, replaces=True),
        "userData": Input(replaces=True, same=_same_user_data),
        "sshKeys": Input(replaces=True),
        "labels": Input(),
        "firewallIds": Input(unordered=True),
        "ignoreRemoteFirewallIds": Input(default=False),
        "networks": Input(unordered=True, nested=frozenset({"aliasIps", "networkId", *COMPUTED_OF_NETWORK})),
        "publicNets": Input(unordered=True, nested=frozenset(COMPUTED_OF_PUBLIC_NET)),
        "placementGroupId": Input(),
        "keepDisk": Input(default=False),
        "deleteProtection": Input(default=False),
        "rebuildProtection": Input(default=False),
        "shutdownBeforeDeletion": Input(default=False),
        "allowDeprecatedImages": Input(),
        "backups": Input(default=False),
        "iso": Input(),
        "rescue": Input(),
    }
    computed = ("ipv4Address", "ipv6Address", "ipv6Network", "status", "primaryDiskSize", "backupWindow")

    def check(self, news: Values, olds: Values, name: str) -> tuple[Values, dict[str, str]]:
        checked, failures = super().check(news, olds, name)
        if news.get("datacenter") is not None:
            failures["datacenter"] = "The datacenter is no longer supported by the API; set the location"
        if bool(news.get("deleteProtection")) != bool(news.get("rebuildProtection")):
            failures["deleteProtection"] = "deleteProtection and rebuildProtection must have the same value"
        failures |= {key: "not part of this double" for key in NOT_HERE if not is_empty(news.get(key))}
        return checked, failures

    def complete(self, key: str, value: Any) -> Any:
        if key == "networks" and isinstance(value, list):
            return [{"aliasIps": [], **link} if isinstance(link, dict) else link for link in value]
        return value

    def preview(self, inputs: Values, olds: Values | None) -> Values:
        outputs = super().preview(inputs, olds)
        if isinstance(outputs["userData"], str) and outputs["userData"] != UNKNOWN:
            outputs["userData"] = hashed(outputs["userData"])
        for key, computed in (("networks", COMPUTED_OF_NETWORK), ("publicNets", COMPUTED_OF_PUBLIC_NET)):
            unknown = dict.fromkeys(computed, UNKNOWN)
            if isinstance(outputs[key], list):
                outputs[key] = [unknown | item if isinstance(item, dict) else item for item in outputs[key]]
        return outputs

    def create(self, call: Call, inputs: Values) -> Created:
        answer = self.api.call("POST", "/servers", self._request(inputs))
        id = str(answer["server"]["id"])
        try:
            self._finish(call, id, answer, inputs)
        except ProviderError as error:
            raise PartialCreate(f"creating {call.urn}: {error}", id, unfinished(inputs, self.computed)) from error
        return Created(id, self.outputs(self.api.get(f"/servers/{id}")["server"], inputs))

    def _request(self, inputs: Values) -> Values:
        """Look up what the request names, one call each, and write the request."""
        architecture = self.api.look_up("server_types", inputs["serverType"])["architecture"]
        image = self.api.look_up("images", inputs["image"], architecture=architecture, include_deprecated="true")
        keys = [self.api.look_up("ssh_keys", key)["id"] for key in inputs.get("sshKeys") or []]
        group = inputs.get("placementGroupId")
        if group:
            self.api.get(f"/placement_groups/{group}")
        public = inputs.get("publicNets") or []
        return sent(
            name=inputs["name"],
            server_type=inputs["serverType"],
            image=image["id"],
            ssh_keys=keys,
            location=inputs.get("location"),
            user_data=inputs.get("userData"),
            labels=inputs.get("labels"),
            firewalls=[{"firewall": firewall} for firewall in inputs.get("firewallIds") or []],
            placement_group=group,
            public_net=_public_net(public[0]) if public else None,
            start_after_create=False if _waits_for_network(inputs) else None,
        )

    def _finish(self, call: Call, id: str, answer: Values, inputs: Values) -> None:
        self.api.wait(call.cancelled, answer["action"])
        for action in answer["next_actions"]:
            self.api.wait(call.cancelled, action)
        for link in inputs.get("networks") or []:
            attach(self.api, call, id, link, PLUGIN_CAP)
        if _waits_for_network(inputs):
            server_changes.act(self.api, call, id, "poweron")
        if inputs.get("deleteProtection"):
            server_changes.act(self.api, call, id, "change_protection", {"delete": True, "rebuild": True})

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:
        found = self.api.get(f"/servers/{id}")["server"]
        server_changes.apply(self.api, call, found, olds, news)
        return self.outputs(self.api.get(f"/servers/{id}")["server"], news)

    def delete(self, call: Call, id: str, olds: Values) -> None:
        if olds.get("shutdownBeforeDeletion"):
            server_changes.shut_down(self.api, call, id)
        answer = if_there(lambda: self.api.call("DELETE", f"/servers/{id}"))
        if answer is not None:
            self.api.wait(call.cancelled, answer["action"])

    def outputs(self, found: Values, inputs: Values) -> Values:
        return finished(found, inputs)


def _public_net(net: Values) -> Values:
    flags = {"enable_ipv4": net.get("ipv4Enabled", True), "enable_ipv6": net.get("ipv6Enabled", True)}
    return flags | sent(ipv4=net.get("ipv4"), ipv6=net.get("ipv6"))


def _waits_for_network(inputs: Values) -> bool:
    """A server without public addresses is started after its networks are attached."""
    public = inputs.get("publicNets") or [{}]
    return not (public[0].get("ipv4Enabled", True) or public[0].get("ipv6Enabled", True)) and bool(
        inputs.get("networks")
    )
