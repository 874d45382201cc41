"""Level 1: secrets are marked wherever they travel and absent from every plain output."""

import json

from tests.level1_declared.recording import SECRET, declare

KEYS = ("PRIVATE KEY", "openssh private key", "password0")


def test_user_data_is_a_secret() -> None:
    assert all("userData" in server.secret for server in declare().all("Server"))


def test_private_keys_stay_secret_on_their_way_into_certificates() -> None:
    declared = declare()
    assert all("caPrivateKeyPem" in certificate.secret for certificate in declared.all("LocallySignedCert"))
    assert all("privateKeyPem" in request.secret for request in declared.all("CertRequest"))


def test_no_plain_output_holds_a_secret() -> None:
    plain = {name: value for name, value in declare().outputs.items() if not _marked(value)}
    assert "cluster" in plain
    text = json.dumps(plain)
    assert [key for key in KEYS if key in text] == []


def test_the_operations_key_is_an_output_and_secret() -> None:
    assert _marked(declare().outputs["operationsKey"])


def test_no_resource_but_the_servers_gets_a_password() -> None:
    holders = {r.kind.split(":")[-1] for r in declare().resources if any(key in str(r.inputs) for key in KEYS)}
    assert holders <= {"Server", "CertRequest", "SelfSignedCert", "LocallySignedCert"}


def test_a_bridge_knows_the_bridges_password_only() -> None:
    text = declare().one("Server", "bridge-1").inputs["userData"]
    assert "PRIVATE KEY" not in text
    assert text.count("password0") == 1


def _marked(value: object) -> bool:
    return isinstance(value, dict) and SECRET in value
