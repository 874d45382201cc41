"""Level 1: secrets are marked wherever they travel and absent from every plain output."""

import json
import re

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


def test_no_resource_but_the_servers_gets_a_password_in_any_packing() -> None:
    """What is packed is read here as the server reads it."""
    declared = declare()
    holders = {r.kind.split(":")[-1] for r in declared.resources if any(key in str(r.inputs) for key in KEYS)}
    assert holders == {"CertRequest", "SelfSignedCert", "LocallySignedCert", "Command"}
    for command in declared.all("Command"):
        plain = {name: value for name, value in command.inputs.items() if name not in command.secret}
        assert not any(key in str(plain) for key in KEYS)


def test_a_connection_is_secret_because_its_private_key_is_part_of_it() -> None:
    commands = declare().all("Command")
    assert {command.secret for command in commands} == {frozenset({"connection"})}
    assert all("openssh private key" in command.inputs["connection"]["privateKey"] for command in commands)


def test_a_bridge_knows_the_bridges_password_only() -> None:
    text = declare().user_data("bridge-1")
    assert "PRIVATE KEY" not in text
    assert "openssh" not in text
    assert re.findall("password0[a-z]+", text) == ["password0jvbxxxxxxxxxxxxxxxxxxxx"]


def test_a_signaling_node_has_its_own_host_key_and_no_key_that_asks_for_drains() -> None:
    """Of the rotation key it has the public half; the operations key it is told while it runs."""
    text = declare().user_data("shard-1")
    assert re.findall("openssh private key of [a-z-]+", text) == ["openssh private key of signaling-host"]
    assert re.findall("ssh-ed25519 [a-z-]+", text) == ["ssh-ed25519 signaling-host", "ssh-ed25519 rotation"]


def test_the_cloud_knows_no_key_that_a_host_would_take() -> None:
    (key,) = declare().all("SshKey")
    assert key.inputs["publicKey"] == "ssh-ed25519 rotation"
    for server in ("shard-1", "bridge-1"):
        assert "\nallow_public_ssh_keys: false\n" in declare().user_data(server)


def test_new_passwords_show_in_a_trigger_as_a_digest_that_gives_none_away() -> None:
    declared = declare()
    trigger = declared.one("Server", "bridge-1").options.replacement_trigger.string_value
    assert re.fullmatch("[0-9a-f]{16} [0-9a-f]{16}", trigger)


def _marked(value: object) -> bool:
    return isinstance(value, dict) and SECRET in value
