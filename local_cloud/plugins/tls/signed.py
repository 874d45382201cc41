"""Certificates of the tls double: self-signed and signed by an authority, and their renewal.

Everything but `earlyRenewalHours` replaces (recorded, and the provider's source).
"""

# ruff: noqa: ARG002 (the signatures are those of the base)

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar

from cryptography import x509

from local_cloud.plugins.diffs import Change, Diff
from local_cloud.plugins.resource import Call, Input
from local_cloud.plugins.tls import certificates, keys
from local_cloud.plugins.tls.resources import ALTERNATIVE_NAMES, TlsResource
from local_cloud.plugins.values import UNKNOWN, Values, has_unknown

VALIDITY: Mapping[str, Input] = {
    "validityPeriodHours": Input(required=True, replaces=True),
    "earlyRenewalHours": Input(default=0),
    "allowedUses": Input(required=True, replaces=True),
    "isCaCertificate": Input(replaces=True, default=False),
    "setSubjectKeyId": Input(replaces=True, default=False),
    "maxPathLength": Input(replaces=True, filled=True),
}


class Certificate(TlsResource):
    """Base of both kinds of certificate: validity and renewal.

    From `earlyRenewalHours` before its end on, a certificate is ready for renewal: a refresh says so in
    `readyForRenewal`, and the next diff replaces it.
    """

    def invalid(self, inputs: Values) -> dict[str, str]:
        unknown = [use for use in inputs.get("allowedUses", []) if use not in certificates.USES and use != UNKNOWN]
        return {"allowedUses": f"unknown use {', '.join(map(repr, unknown))}"} if unknown else {}

    def diff(self, id: str, olds: Values, news: Values, old_inputs: Values) -> Diff:
        found = super().diff(id, olds, news, old_inputs)
        if not _due(olds.get("validityEndTime"), news.get("earlyRenewalHours", 0)):
            return found
        return Diff({**found.changes, "readyForRenewal": Change("UPDATE", True)}, detailed=False)

    def preview(self, inputs: Values, olds: Values | None) -> Values:
        foretold = super().preview(inputs, olds)
        return {"readyForRenewal": False, **foretold}

    def read(self, call: Call, id: str, olds: Values, inputs: Values) -> tuple[Values, Values] | None:
        due = _due(olds.get("validityEndTime"), olds.get("earlyRenewalHours", 0))
        outputs = {**olds, "readyForRenewal": due or olds.get("readyForRenewal", False)}
        return self.sealed(outputs), self.sealed(inputs)

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:
        """Only `earlyRenewalHours` gets here: the certificate stays."""
        return self.sealed({**olds, **self.planned(news)})

    def template(self, plan: Values, subject: x509.Name, names: list[x509.GeneralName]) -> certificates.Template:
        return certificates.Template(
            subject=subject,
            names=names,
            uses=plan["allowedUses"],
            hours=plan["validityPeriodHours"],
            is_ca=plan["isCaCertificate"],
            max_path_length=plan.get("maxPathLength"),
            set_subject_key_id=plan["setSubjectKeyId"],
            set_authority_key_id=plan.get("setAuthorityKeyId", False),
        )

    def outputs(self, plan: Values, issued: certificates.Issued) -> Values:
        return {
            **plan,
            "id": issued.serial,
            "certPem": issued.pem,
            "readyForRenewal": False,
            "validityStartTime": issued.start,
            "validityEndTime": issued.end,
        }


class SelfSignedCert(Certificate):
    type = "tls:index/selfSignedCert:SelfSignedCert"
    inputs: ClassVar = {
        **VALIDITY,
        "privateKeyPem": Input(required=True, replaces=True),
        "subject": Input(replaces=True),
        "setAuthorityKeyId": Input(replaces=True, default=False),
        **{name: Input(replaces=True) for name in ALTERNATIVE_NAMES},
    }
    computed = ("certPem", "keyAlgorithm", "validityEndTime", "validityStartTime")
    sensitive = ("privateKeyPem",)

    def make(self, plan: Values) -> Values:
        key = keys.load_private(plan["privateKeyPem"])
        subject = certificates.subject_name(plan.get("subject", {}))
        if plan["isCaCertificate"] and not list(subject):
            raise ValueError("a certificate authority needs a subject")
        template = self.template(plan, subject, certificates.general_names(plan))
        issued = certificates.issue(template, key.public_key(), key, None)
        return {**self.outputs(plan, issued), "keyAlgorithm": keys.algorithm_of(key)}


class LocallySignedCert(Certificate):
    """Subject and alternative names come from the request, the rest from the arguments."""

    type = "tls:index/locallySignedCert:LocallySignedCert"
    inputs: ClassVar = {
        **VALIDITY,
        "caCertPem": Input(required=True, replaces=True),
        "caPrivateKeyPem": Input(required=True, replaces=True),
        "certRequestPem": Input(required=True, replaces=True),
    }
    computed = ("caKeyAlgorithm", "certPem", "validityEndTime", "validityStartTime")
    sensitive = ("caPrivateKeyPem",)

    def make(self, plan: Values) -> Values:
        signer = keys.load_private(plan["caPrivateKeyPem"])
        issuer = x509.load_pem_x509_certificate(plan["caCertPem"].encode())
        request = x509.load_pem_x509_csr(plan["certRequestPem"].encode())
        if keys.public_der(keys.supported_public(issuer.public_key())) != keys.public_der(signer.public_key()):
            raise ValueError("x509: provided PrivateKey doesn't match parent's PublicKey")
        template = self.template(plan, request.subject, _requested_names(request))
        issued = certificates.issue(template, keys.supported_public(request.public_key()), signer, issuer)
        return {**self.outputs(plan, issued), "caKeyAlgorithm": keys.algorithm_of(signer)}


def _requested_names(request: x509.CertificateSigningRequest) -> list[x509.GeneralName]:
    try:
        return list(request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _due(end: Any, early_hours: Any) -> bool:
    """Whether the end of validity, minus the early hours, has come; False while one of them is unknown."""
    if end is None or has_unknown([end, early_hours]):
        return False
    return dt.datetime.fromisoformat(end) - dt.timedelta(hours=early_hours) <= dt.datetime.now(dt.UTC)
