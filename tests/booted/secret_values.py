"""The secrets of a cluster, in every shape in which they could lie on a disk."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from tests.booted.booted import Cluster


def secrets_of(cluster: Cluster) -> dict[str, list[bytes]]:
    """By name: `password jvb`, `key ca`, `token hetzner` ...; each with all its shapes."""
    found = {name: texts(secret) for name, secret in cluster.workshop.machines.secrets().items()}
    found["token cloudflare"] = texts(cluster.workshop.cloudflare_token)
    for resource in cluster.stack.state(show_secrets=True)["deployment"]["resources"]:
        name = resource["urn"].rpartition("::")[2]
        if resource["type"] == "random:index/randomPassword:RandomPassword":
            found[f"password {name}"] = texts(plain(resource["outputs"]["result"]))
        elif resource["type"] == "tls:index/privateKey:PrivateKey":
            found[f"key {name}"] = shapes(resource["outputs"])
    return found


def plain(output: Any) -> str:
    """A secret output of `pulumi stack export --show-secrets`."""
    return str(json.loads(output["plaintext"]))


def shapes(outputs: dict[str, Any]) -> list[bytes]:
    """Of a private key the bare number, and a telling line of it as PEM of each kind and in OpenSSH's own format."""
    key = load_pem_private_key(plain(outputs["privateKeyPem"]).encode(), None)
    if isinstance(key, EllipticCurvePrivateKey):
        number = key.private_numbers().private_value.to_bytes(32, "big")
        kinds = [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8]
    else:
        number = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        kinds = [PrivateFormat.PKCS8]
    written = [key.private_bytes(Encoding.PEM, kind, NoEncryption()).splitlines()[1] for kind in kinds]
    # Its first line is the same for all keys.
    openssh = plain(outputs["privateKeyOpenssh"]).encode().splitlines()[2:3]
    return [number, *written, *openssh]


def texts(secret: str) -> list[bytes]:
    """As it is, and inside of base64 at each of the three places where it can begin."""
    encoded = [base64.b64encode(b"\0" * shift + secret.encode())[4 if shift else 0 : -4] for shift in range(3)]
    return [secret.encode(), *encoded]
