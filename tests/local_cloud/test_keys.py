"""The key service: seals and opens, by AWS's protocol; the same on every machine."""

import base64
from typing import Any

import pytest
import requests

from local_cloud import keys
from local_cloud.process import LocalCloud


def call(cloud: LocalCloud, operation: str, **body: str) -> requests.Response:
    return requests.post(cloud.kms_url, json=body, headers={"X-Amz-Target": f"TrentService.{operation}"}, timeout=5)


def text(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def test_what_it_seals_it_opens(cloud: LocalCloud) -> None:
    sealed = call(cloud, "Encrypt", KeyId="jitsi-fleet-dev", Plaintext=text("a secret"))
    opened = call(cloud, "Decrypt", CiphertextBlob=sealed.json()["CiphertextBlob"])
    assert opened.json()["Plaintext"] == text("a secret")
    assert opened.headers["content-type"] == "application/x-amz-json-1.1"


def test_a_key_opens_what_was_sealed_on_another_machine(cloud: LocalCloud) -> None:
    elsewhere = keys.encrypt({"KeyId": "jitsi-fleet-dev", "Plaintext": text("a secret")})
    assert call(cloud, "Decrypt", CiphertextBlob=elsewhere["CiphertextBlob"]).json()["Plaintext"] == text("a secret")


def test_what_was_changed_on_the_way_is_not_opened(cloud: LocalCloud) -> None:
    sealed = base64.b64decode(keys.encrypt({"KeyId": "k", "Plaintext": text("a secret")})["CiphertextBlob"])
    for broken in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:20], b""):
        answer = call(cloud, "Decrypt", CiphertextBlob=base64.b64encode(broken).decode())
        assert (answer.status_code, answer.json()["__type"]) == (400, "InvalidCiphertextException")


@pytest.mark.parametrize(("operation", "body"), [("Encrypt", {}), ("Decrypt", {"CiphertextBlob": 5}), ("Sign", {})])
def test_other_calls_are_refused(cloud: LocalCloud, operation: str, body: dict[str, Any]) -> None:
    assert call(cloud, operation, **body).status_code == 400
