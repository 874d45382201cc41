"""Level 3, one part alone: keys and certificates of the tls double are real ones, and renew as the real plugin's do."""

import datetime as dt
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import grpc  # type: ignore[import-untyped]
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from local_cloud.plugins.tls.__main__ import TlsProvider
from local_cloud.plugins.values import Values, is_secret, reveal
from tests.plugins.conversation import Plugin, running

HOST = "auth.meet.fleet.test"


def urn(kind: str) -> str:
    return f"urn:pulumi:dev::project::tls:index/{kind[0].lower()}{kind[1:]}:{kind}::auth"


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    with running(TlsProvider()) as conversation:
        yield conversation


def create(plugin: Plugin, kind: str, inputs: Values) -> Values:
    outputs: Values = plugin.call("Create", {"urn": urn(kind), "properties": inputs})["properties"]
    return outputs


def authority(plugin: Plugin, **more: object) -> tuple[Values, Values]:
    """(inputs, outputs) of a self-signed authority."""
    key = reveal(create(plugin, "PrivateKey", {"algorithm": "ECDSA", "ecdsaCurve": "P256"}))
    inputs: Values = {
        "privateKeyPem": key["privateKeyPem"],
        "subject": {"commonName": "cluster CA", "organization": "fleet"},
        "allowedUses": ["cert_signing", "crl_signing", "digital_signature"],
        "isCaCertificate": True,
        "setSubjectKeyId": True,
        "validityPeriodHours": 87600,
        **more,
    }
    return inputs, create(plugin, "SelfSignedCert", inputs)


def server_certificate(plugin: Plugin, ca: Values) -> Values:
    key = reveal(create(plugin, "PrivateKey", {"algorithm": "ECDSA", "ecdsaCurve": "P256"}))
    names = {"dnsNames": [HOST], "ipAddresses": ["10.0.1.10"], "subject": {"commonName": HOST}}
    request = create(plugin, "CertRequest", {"privateKeyPem": key["privateKeyPem"], **names})
    return create(
        plugin,
        "LocallySignedCert",
        {
            "caCertPem": ca["certPem"],
            "caPrivateKeyPem": reveal(ca["privateKeyPem"]),
            "certRequestPem": request["certRequestPem"],
            "allowedUses": ["server_auth", "digital_signature"],
            "validityPeriodHours": 24,
        },
    )


def verify(host: str, leaf: str, ca: str) -> None:
    store = Store([x509.load_pem_x509_certificate(ca.encode())])
    verifier = PolicyBuilder().store(store).build_server_verifier(x509.DNSName(host))
    verifier.verify(x509.load_pem_x509_certificate(leaf.encode()), [])


@pytest.mark.parametrize(
    ("inputs", "pem"),
    [
        ({"algorithm": "ED25519"}, "PRIVATE KEY"),
        ({"algorithm": "ECDSA", "ecdsaCurve": "P256"}, "EC PRIVATE KEY"),
        ({"algorithm": "RSA", "rsaBits": 2048}, "RSA PRIVATE KEY"),
    ],
)
def test_every_form_of_a_key_is_the_same_key(plugin: Plugin, inputs: Values, pem: str) -> None:
    sealed = create(plugin, "PrivateKey", inputs)
    key = reveal(sealed)
    assert key["privateKeyPem"].startswith(f"-----BEGIN {pem}-----")
    for form in ("privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"):
        assert is_secret(sealed[form])
        private = asyncssh.import_private_key(key[form])
        assert private.get_fingerprint() == key["publicKeyFingerprintSha256"]
        assert private.get_fingerprint("md5") == "MD5:" + key["publicKeyFingerprintMd5"]
    public = serialization.load_ssh_public_key(key["publicKeyOpenssh"].strip().encode())
    assert public == serialization.load_pem_public_key(key["publicKeyPem"].encode())


def test_a_p224_key_has_no_openssh_forms(plugin: Plugin) -> None:
    key = reveal(create(plugin, "PrivateKey", {"algorithm": "ECDSA"}))
    assert key["ecdsaCurve"] == "P224"
    assert (key["publicKeyOpenssh"], key["privateKeyOpenssh"], key["publicKeyFingerprintMd5"]) == ("", "", "")


def test_a_signed_certificate_verifies_for_its_name_and_for_no_other(plugin: Plugin) -> None:
    _, ca = authority(plugin)
    leaf = server_certificate(plugin, ca)
    verify(HOST, leaf["certPem"], ca["certPem"])
    with pytest.raises(VerificationError):
        verify("other.fleet.test", leaf["certPem"], ca["certPem"])


def test_a_certificate_of_another_authority_does_not_verify(plugin: Plugin) -> None:
    leaf = server_certificate(plugin, authority(plugin)[1])
    with pytest.raises(VerificationError):
        verify(HOST, leaf["certPem"], authority(plugin)[1]["certPem"])


def test_openssl_verifies_the_chain(plugin: Plugin, tmp_path: Path) -> None:
    _, ca = authority(plugin)
    (tmp_path / "ca.pem").write_text(ca["certPem"])
    (tmp_path / "leaf.pem").write_text(server_certificate(plugin, ca)["certPem"])
    command = ["openssl", "verify", "-x509_strict", "-verify_hostname", HOST, "-verify_ip", "10.0.1.10"]
    done = subprocess.run(
        [*command, "-CAfile", str(tmp_path / "ca.pem"), str(tmp_path / "leaf.pem")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_certificate_has_the_recorded_extensions_in_the_recorded_order(plugin: Plugin) -> None:
    _, ca = authority(plugin)
    leaf = server_certificate(plugin, ca)

    def listed(pem: str) -> list[tuple[str, bool]]:
        extensions = x509.load_pem_x509_certificate(pem.encode()).extensions
        return [(type(extension.value).__name__, extension.critical) for extension in extensions]

    assert listed(ca["certPem"]) == [("KeyUsage", True), ("BasicConstraints", True), ("SubjectKeyIdentifier", False)]
    assert listed(leaf["certPem"]) == [
        ("KeyUsage", True),
        ("ExtendedKeyUsage", False),
        ("BasicConstraints", True),
        ("AuthorityKeyIdentifier", False),
        ("SubjectAlternativeName", False),
    ]


def test_validity_in_the_outputs_is_validity_in_the_certificate(plugin: Plugin) -> None:
    _, ca = authority(plugin)
    leaf = server_certificate(plugin, ca)
    certificate = x509.load_pem_x509_certificate(leaf["certPem"].encode())
    assert leaf["id"] == str(certificate.serial_number)
    ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    stated = [dt.datetime.fromisoformat(leaf[key]) for key in ("validityStartTime", "validityEndTime")]
    assert [moment.replace(microsecond=0) for moment in stated] == list(ends)
    assert ends[1] - ends[0] == dt.timedelta(hours=24)


def test_a_key_that_is_not_the_authoritys_is_refused(plugin: Plugin) -> None:
    _, ca = authority(plugin)
    _, other = authority(plugin)
    with pytest.raises(grpc.RpcError, match="doesn't match parent's PublicKey"):
        server_certificate(plugin, {**ca, "privateKeyPem": other["privateKeyPem"]})


def test_a_change_of_early_renewal_alone_keeps_the_certificate(plugin: Plugin) -> None:
    inputs, outputs = authority(plugin)
    request = {"urn": urn("SelfSignedCert"), "id": outputs["id"], "olds": reveal(outputs)}
    news = {**inputs, "earlyRenewalHours": 24}
    assert plugin.call("Diff", {**request, "news": news}) == {"changes": "DIFF_SOME", "diffs": ["earlyRenewalHours"]}
    updated = plugin.call("Update", {**request, "news": news})["properties"]
    assert updated == {**outputs, "earlyRenewalHours": 24}


def test_a_certificate_within_its_early_renewal_is_replaced_and_a_refresh_says_so(plugin: Plugin) -> None:
    inputs, outputs = authority(plugin, validityPeriodHours=2, earlyRenewalHours=3)
    assert outputs["readyForRenewal"] is False
    request = {"urn": urn("SelfSignedCert"), "id": outputs["id"]}
    ready = {"changes": "DIFF_SOME", "diffs": ["readyForRenewal"], "replaces": ["readyForRenewal"]}
    assert plugin.call("Diff", {**request, "olds": reveal(outputs), "news": inputs}) == ready
    read = plugin.call("Read", {**request, "properties": reveal(outputs), "inputs": inputs})["properties"]
    assert read["readyForRenewal"] is True
    assert is_secret(read["privateKeyPem"])


def test_a_certificate_that_is_still_good_is_left_alone(plugin: Plugin) -> None:
    inputs, outputs = authority(plugin, validityPeriodHours=4, earlyRenewalHours=3)
    request = {"urn": urn("SelfSignedCert"), "id": outputs["id"], "olds": reveal(outputs), "news": inputs}
    assert plugin.call("Diff", request) == {"changes": "DIFF_NONE"}


@pytest.mark.parametrize(
    ("kind", "inputs", "named"),
    [
        ("PrivateKey", {"algorithm": "DSA"}, "algorithm"),
        ("PrivateKey", {"algorithm": "ECDSA", "ecdsaCurve": "P192"}, "ecdsaCurve"),
        ("SelfSignedCert", {"privateKeyPem": "", "validityPeriodHours": 1, "allowedUses": ["all"]}, "allowedUses"),
        ("CertRequest", {}, "privateKeyPem"),
    ],
)
def test_wrong_arguments_are_refused_by_name(plugin: Plugin, kind: str, inputs: Values, named: str) -> None:
    answer = plugin.call("Check", {"urn": urn(kind), "news": inputs})
    assert [failure["property"] for failure in answer["failures"]] == [named]
