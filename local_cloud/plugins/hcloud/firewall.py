"""hcloud.Firewall."""

from typing import Any, ClassVar

from local_cloud.plugins.hcloud.hcloud_resource import HcloudResource, if_there, sent
from local_cloud.plugins.resource import Call, Created, Input
from local_cloud.plugins.values import Values, is_empty

FIELDS = {
    "direction": "direction",
    "protocol": "protocol",
    "port": "port",
    "sourceIps": "source_ips",
    "destinationIps": "destination_ips",
    "description": "description",
}


class Firewall(HcloudResource):
    """Rules for the public side of servers; everything changes in place, rules travel as a whole."""

    type = "hcloud:index/firewall:Firewall"
    kind = "firewalls"
    inputs: ClassVar = {
        "name": Input(filled=True),
        "labels": Input(),
        "rules": Input(unordered=True, whole=True),
        "applyTos": Input(filled=True, unordered=True, whole=True),
    }

    def preview(self, inputs: Values, olds: Values | None) -> Values:
        outputs = super().preview(inputs, olds)
        outputs["applyTos"] = inputs.get("applyTos") or (olds or {}).get("applyTos") or []
        if isinstance(outputs["rules"], list):
            nothing = {key: _nothing(key) for key in FIELDS}
            outputs["rules"] = [nothing | rule for rule in outputs["rules"]]
        return outputs

    def create(self, call: Call, inputs: Values) -> Created:
        body = sent(
            name=inputs["name"],
            labels=inputs.get("labels"),
            rules=_rules(inputs),
            apply_to=[_target(target) for target in inputs.get("applyTos") or []],
        )
        answer = self.api.call("POST", "/firewalls", body)
        self.api.wait(call.cancelled, *(answer.get("actions") or []))
        id = str(answer["firewall"]["id"])
        return Created(id, self._get(id))

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:
        before = self._get(id)
        self.put_changes(id, olds, news, name="name", labels="labels")
        # An emptied list sends nothing: the old rules stay, as with the real plugin.
        if self.diff(id, olds, news, {}).changes_of("rules") and _rules(news):
            self._act(call, f"/firewalls/{id}/actions/set_rules", {"rules": _rules(news)})
        if not is_empty(news.get("applyTos")):
            old, new = [_target(t) for t in before["applyTos"]], [_target(t) for t in news["applyTos"]]
            lost, gained = [t for t in old if t not in new], [t for t in new if t not in old]
            if lost:
                self._act(call, f"/firewalls/{id}/actions/remove_from_resources", {"remove_from": lost})
            if gained:
                self._act(call, f"/firewalls/{id}/actions/apply_to_resources", {"apply_to": gained})
        return self._get(id)

    def delete(self, call: Call, id: str, olds: Values) -> None:  # noqa: ARG002
        """Take the firewall off everything it is applied to, then remove it."""
        found = self.api.find("firewalls", id)
        if found is None:
            return
        targets = [_target(target) for target in _targets(found)]
        if targets:
            self._act(call, f"/firewalls/{id}/actions/remove_from_resources", {"remove_from": targets})
        busy = ("conflict", "resource_in_use")
        if_there(lambda: self.api.again(call.cancelled, 10, busy, lambda: self.api.call("DELETE", f"/firewalls/{id}")))

    def _act(self, call: Call, path: str, body: Values) -> None:
        self.api.wait(call.cancelled, *self.api.call("POST", path, body)["actions"])

    def _get(self, id: str) -> Values:
        return self.outputs(self.api.get(f"/firewalls/{id}")["firewall"], {})

    def outputs(self, found: Values, inputs: Values) -> Values:  # noqa: ARG002
        rules = [{key: rule.get(name) or _nothing(key) for key, name in FIELDS.items()} for rule in found["rules"]]
        return {"name": found["name"], "labels": found["labels"], "rules": rules, "applyTos": _targets(found)}


def _nothing(key: str) -> Any:
    return [] if key.endswith("Ips") else ""


def _rules(inputs: Values) -> list[Values]:
    return [
        {name: rule[key] for key, name in FIELDS.items() if not is_empty(rule.get(key))}
        for rule in inputs.get("rules") or []
    ]


def _targets(found: Values) -> list[Values]:
    targets = []
    for target in found["applied_to"]:
        if target["type"] == "server":
            targets.append({"server": target["server"]["id"], "labelSelector": ""})
        elif target["type"] == "label_selector":
            targets.append({"server": 0, "labelSelector": target["label_selector"]["selector"]})
    return targets


def _target(target: Values) -> Values:
    if target.get("labelSelector"):
        return {"type": "label_selector", "label_selector": {"selector": target["labelSelector"]}}
    return {"type": "server", "server": {"id": target["server"]}}
