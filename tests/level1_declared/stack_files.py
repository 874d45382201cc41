"""Stack files as the program sees them, for the tests of settings."""

import json
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from components import settings
from components.rules.stack_config import SettingsError
from components.settings import Settings

VALID = {
    "domain": "meet.example.org",
    "zone": "example.org",
    "zoneId": "0123456789abcdef0123456789abcdef",
    "email": "operations@example.org",
    "adminCidrs": '["203.0.113.0/24"]',
}
AT_AWS = {"cloud": "aws", "locations": '["eu-central-1a"]'}
VERSIONS = {
    "jitsi-videobridge2": "2.3-307-g4bb0aead1-1",
    "jicofo": "1.0-1189-1",
    "jitsi-meet-web": "1.0.9146-1",
    "jitsi-meet-web-config": "1.0.9146-1",
    "jitsi-meet-prosody": "1:1.0.9146-1~bpo12+1",
}


def raw_config(stack_file: str, project: str = "jitsi-fleet") -> dict[str, str]:
    """What the engine makes of a stack file: the project's own keys, without the namespace, and texts only.

    Written after `pulumi config --json` of CLI 3.259.0 over all kinds of YAML scalars: numbers lose their notation, an
    empty value becomes an empty text, lists and maps become JSON. Dates and other YAML types are refused here.
    """
    config: dict[str, Any] = yaml.safe_load(stack_file)["config"]
    prefix = f"{project}:"
    return {key.removeprefix(prefix): as_text(value) for key, value in config.items() if key.startswith(prefix)}


def as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, float):
        return f"{value:g}"
    raise TypeError(f"{type(value)} does not occur in this project's stack files")


def read(**changes: object) -> Settings:
    return settings.parse(raw(changes))


def refusal(**changes: object) -> str:
    """The one line that reports the mistakes of the only key that is wrong."""
    with pytest.raises(SettingsError) as caught:
        settings.parse(raw(changes))
    (line,) = caught.value.mistakes
    return str(line)


def raw(changes: dict[str, object]) -> dict[str, str]:
    """VALID with changes; an Ellipsis takes a key away."""
    return {key: as_text(value) for key, value in {**VALID, **changes}.items() if value is not ...}


def public_key(comment: str = "") -> str:
    key = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return f"{key.decode()} {comment}".strip()


def refusal_at_aws(**changes: object) -> str:
    """The same, of a stack at AWS."""
    return refusal(**AT_AWS, **changes) if "locations" not in changes else refusal(cloud="aws", **changes)


def stack(**others: str) -> dict[str, str]:
    return {f"jitsi-fleet:{key}": value for key, value in VALID.items()} | others
