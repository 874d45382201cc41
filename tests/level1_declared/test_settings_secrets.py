"""Level 1, declared: secrets are refused where they do not belong, and never printed. No engine runs."""

import base64
import string
import traceback
from collections.abc import Iterator
from secrets import choice, token_bytes, token_hex

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from components import settings
from components.rules.stack_config import SettingsError
from tests.level1_declared.stack_files import public_key, raw, read, stack


def private_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def token(length: int) -> str:
    letters = "".join(choice(string.ascii_letters + string.digits) for _ in range(length - 3))
    return f"aZ7{letters}"


def _secrets() -> Iterator[tuple[str, object, str]]:
    """Key, value, and the part of it that no message may hold; made at run time."""
    for secret in (token(64), token(40), f"cfut_{token(48)}"):
        yield from (("email", secret, secret), ("locations", [secret], secret), ("labels", {"token": secret}, secret))
        yield from (
            ("labels", {secret: "x"}, secret),
            ("adminKeys", [secret], secret),
            ("image", f"t={secret}", secret),
        )
        yield from ((secret, "x", secret), ("hcloudToken", secret, secret), ("adminCidrs", f'["{secret}', secret))
    body = private_key()
    yield from (("adminKeys", [body], body[50:90]), ("zone", body, body[50:90]), ("quux", body, body[50:90]))
    hidden = base64.b64encode(token_bytes(12)).decode()
    yield ("adminKeys", [f"ssh-ed25519 {hidden}"], hidden)
    yield ("quux", hidden, hidden)


@pytest.mark.parametrize(("key", "value", "secret"), list(_secrets()), ids=lambda _: "")
def test_a_secret_in_a_plain_key_is_refused_and_never_repeated(key: str, value: object, secret: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**{key: value})
    assert secret not in "".join(traceback.format_exception(caught.value))
    assert secret[:12] not in str(caught.value)


def test_a_plain_setting_that_is_stored_as_a_secret_is_refused_without_its_value() -> None:
    hidden = f"h{token_hex(6)}"
    with pytest.raises(SettingsError) as caught:
        settings.parse(raw({"image": hidden}), secret_keys={"image"})
    assert "image: is stored as a secret but holds none" in str(caught.value)
    assert "pulumi config rm image" in str(caught.value)
    assert hidden not in str(caught.value)


def test_a_public_key_a_commit_and_a_long_name_are_no_secrets() -> None:
    long = "a-" * 20 + "meeting.example.org"
    config = read(adminKeys=[public_key("alice@example.org")], labels={"commit": token_hex(20)}, domain=long)
    assert len(config.admin_keys) == 1


def test_keys_of_aws_in_clear_are_refused_unless_every_endpoint_is_on_this_machine() -> None:
    for key in ("aws:secretKey", "aws:token"):
        secret = token(40)
        remote = '[{"ec2":"http://127.0.0.1:5000","sts":"https://sts.example.org"}]'
        for more in ({}, {"aws:endpoints": remote}, {"aws:endpoints": "[]"}):
            with pytest.raises(SettingsError) as caught:
                settings.read("jitsi-fleet", stack(**{key: secret}, **more), set())
            assert f"`pulumi config set --secret {key}`" in str(caught.value)
            assert secret not in str(caught.value)
        local = '[{"ec2":"http://127.0.0.1:5000","sts":"http://localhost:5000"}]'
        settings.read("jitsi-fleet", stack(**{key: secret, "aws:endpoints": local}), set())
        settings.read("jitsi-fleet", stack(**{key: secret}), {key})


@pytest.mark.parametrize("key", ["hcloud:token", "cloudflare:apiToken"])
def test_a_providers_token_in_clear_is_refused_unless_its_api_is_on_this_machine(key: str) -> None:
    endpoint = {"hcloud:token": "hcloud:endpoint", "cloudflare:apiToken": "cloudflare:baseUrl"}[key]
    secret = token(64)
    remote = [{endpoint: "https://api.example.org/v1"}, {endpoint: "http://127.0.0.1.example.org/v1"}]
    for api in ({}, *remote):
        with pytest.raises(SettingsError) as caught:
            settings.read("jitsi-fleet", stack(**{key: secret}, **api), set())
        assert f"`pulumi config set --secret {key}`" in str(caught.value)
        assert secret not in str(caught.value)
    for local in ("http://127.0.0.1:8091/v1", "http://localhost/v1", "http://[::1]:80/v1"):
        settings.read("jitsi-fleet", stack(**{key: secret, endpoint: local}), set())
    settings.read("jitsi-fleet", stack(**{key: secret}), {key})
