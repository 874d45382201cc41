"""hcloud.SshKey; in the real plugin on the plugin framework."""

from typing import ClassVar

from local_cloud.plugins.hcloud.hcloud_resource import HcloudResource, sent
from local_cloud.plugins.resource import Call, Created, Input
from local_cloud.plugins.values import Values


class SshKey(HcloudResource):
    """A public key of the project; the same key may exist once."""

    type = "hcloud:index/sshKey:SshKey"
    kind = "ssh_keys"
    bridged = False
    inputs: ClassVar = {
        "name": Input(filled=True),
        "publicKey": Input(required=True, replaces=True),
        "labels": Input(),
    }
    computed = ("fingerprint",)

    def create(self, call: Call, inputs: Values) -> Created:  # noqa: ARG002
        body = sent(name=inputs["name"], public_key=inputs["publicKey"], labels=inputs.get("labels"))
        found = self.api.call("POST", "/ssh_keys", body)["ssh_key"]
        return Created(str(found["id"]), self.outputs(found, inputs))

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:  # noqa: ARG002
        body = {"name": news["name"], "labels": news.get("labels") or {}}
        return self.outputs(self.api.call("PUT", f"/ssh_keys/{id}", body)["ssh_key"], news)

    def outputs(self, found: Values, inputs: Values) -> Values:
        # The API may trim the key's trailing newline; the state keeps what was written.
        written = inputs.get("publicKey") or ""
        public_key = written if written.strip() == found["public_key"].strip() else found["public_key"]
        return {
            "name": found["name"],
            "publicKey": public_key,
            "labels": found["labels"],
            "fingerprint": found["fingerprint"],
        }
