"""Keys and requests of the tls double, and what all its resources share. Every argument replaces."""

# ruff: noqa: ARG002 (the signatures are those of the base)

import hashlib
from typing import ClassVar

from local_cloud.plugins.framework import FrameworkResource, meta
from local_cloud.plugins.resource import Call, Created, Input, ProviderError
from local_cloud.plugins.tls import certificates, keys
from local_cloud.plugins.values import Values

ALTERNATIVE_NAMES = ("dnsNames", "ipAddresses", "uris")


class TlsResource(FrameworkResource):
    """Base: nothing exists outside the state, and a key or certificate that cannot be read is a refusal."""

    def create(self, call: Call, inputs: Values) -> Created:
        try:
            outputs = self.make(self.planned(inputs))
        except ValueError as error:
            raise ProviderError(f"{self.type.rsplit(':', 1)[-1]} cannot be made: {error}") from error
        return Created(outputs["id"], self.sealed(outputs))

    def make(self, plan: Values) -> Values:
        """Return all outputs, `id` included. Raises ValueError for material that cannot be read."""
        raise NotImplementedError

    def delete(self, call: Call, id: str, olds: Values) -> None:
        """Nothing exists outside the state."""


class PrivateKey(TlsResource):
    type = "tls:index/privateKey:PrivateKey"
    inputs: ClassVar = {
        "algorithm": Input(required=True, replaces=True),
        "ecdsaCurve": Input(replaces=True, default="P224"),
        "rsaBits": Input(replaces=True, default=2048),
    }
    sensitive = ("privateKeyOpenssh", "privateKeyPem", "privateKeyPemPkcs8")
    computed = (
        *sensitive,
        "publicKeyFingerprintMd5",
        "publicKeyFingerprintSha256",
        "publicKeyOpenssh",
        "publicKeyPem",
    )

    def invalid(self, inputs: Values) -> dict[str, str]:
        allowed = {"algorithm": keys.ALGORITHMS, "ecdsaCurve": tuple(keys.CURVES)}
        return {
            name: f"must be one of {', '.join(values)}, is {inputs[name]!r}"
            for name, values in allowed.items()
            if name in inputs and inputs[name] not in values
        }

    def make(self, plan: Values) -> Values:
        key = keys.generate(plan["algorithm"], plan["ecdsaCurve"], plan["rsaBits"])
        return {**plan, **keys.forms(key), "__meta": meta(1)}


class CertRequest(TlsResource):
    """A request for a certificate. Its id is a digest of the request, by another recipe than the real plugin's."""

    type = "tls:index/certRequest:CertRequest"
    inputs: ClassVar = {
        "privateKeyPem": Input(required=True, replaces=True),
        "subject": Input(replaces=True),
        **{name: Input(replaces=True) for name in ALTERNATIVE_NAMES},
    }
    computed = ("certRequestPem", "keyAlgorithm")
    sensitive = ("privateKeyPem",)

    def make(self, plan: Values) -> Values:
        key = keys.load_private(plan["privateKeyPem"])
        subject = certificates.subject_name(plan.get("subject", {}))
        pem = certificates.request(key, subject, certificates.general_names(plan))
        digest = hashlib.sha1(pem.encode(), usedforsecurity=False).hexdigest()
        return {**plan, "id": digest, "certRequestPem": pem, "keyAlgorithm": keys.algorithm_of(key)}
