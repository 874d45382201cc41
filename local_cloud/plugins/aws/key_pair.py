"""aws.ec2.KeyPair."""

from typing import Any, ClassVar

from local_cloud.plugins.aws.api import MINUTE, doing, if_there
from local_cloud.plugins.aws.aws_resource import REGION, TAGS, AwsResource
from local_cloud.plugins.resource import Call, Created, Input
from local_cloud.plugins.values import Values

GONE = "InvalidKeyPair.NotFound"


def _same_key(state: Any, written: Any) -> bool:
    return isinstance(state, str) and isinstance(written, str) and state.strip() == written.strip()


class KeyPair(AwsResource):
    """A public key. Its id is its name; the key itself is never read back."""

    type = "aws:ec2/keyPair:KeyPair"
    label = "EC2 Key Pair"
    tagged = "key-pair"
    autoname = "keyName"
    inputs: ClassVar = {
        "keyName": Input(filled=True, replaces=True),
        "publicKey": Input(required=True, replaces=True, same=_same_key),
        **REGION,
        **TAGS,
    }
    absent = ("keyNamePrefix",)
    computed = ("arn", "fingerprint", "keyNamePrefix", "keyPairId", "keyType", "tagsAll")

    def create(self, call: Call, inputs: Values) -> Created:  # noqa: ARG002
        name = inputs["keyName"]
        with doing(f"importing {self.label} ({name})"):
            self.api.call(
                "import_key_pair",
                KeyName=name,
                PublicKeyMaterial=inputs["publicKey"].encode(),
                TagSpecifications=self.tag_specifications(inputs),
            )
        return Created(name, self.now(name, inputs))

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:  # noqa: ARG002
        self.retag(olds["keyPairId"], olds, news)
        return self.now(id, news)

    def delete(self, call: Call, id: str, olds: Values) -> None:  # noqa: ARG002
        delete: Any = lambda: self.api.call("delete_key_pair", KeyName=id)  # noqa: E731
        self.remove(call, f"deleting {self.label} ({id})", 5 * MINUTE, (), (GONE,), delete)

    def found(self, id: str) -> Values | None:
        answer = if_there(lambda: self.api.call("describe_key_pairs", KeyNames=[id]), GONE)
        return answer["KeyPairs"][0] if answer else None

    def outputs(self, found: Values, inputs: Values) -> Values:
        return {
            "arn": self.api.arn(f"key-pair/{found['KeyName']}"),
            "fingerprint": found["KeyFingerprint"],
            "keyPairId": found["KeyPairId"],
            "keyName": found["KeyName"],
            "keyNamePrefix": "",
            "keyType": found.get("KeyType", ""),
            "publicKey": inputs.get("publicKey", ""),
        }
