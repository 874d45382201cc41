"""Key pairs in the forms that the tls provider gives out, made with `cryptography`.

Known difference: OpenSSH has no format for P224, so the real provider leaves the OpenSSH forms and fingerprints of a
P224 key empty; so do these functions.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

CURVES: Mapping[str, type[ec.EllipticCurve]] = {
    "P224": ec.SECP224R1,
    "P256": ec.SECP256R1,
    "P384": ec.SECP384R1,
    "P521": ec.SECP521R1,
}
ALGORITHMS = ("RSA", "ECDSA", "ED25519")


def generate(algorithm: str, curve: str, rsa_bits: int) -> PrivateKey:
    """A new private key; `curve` counts for ECDSA only, `rsa_bits` for RSA only."""
    if algorithm == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)
    if algorithm == "ECDSA":
        return ec.generate_private_key(CURVES[curve]())
    return ed25519.Ed25519PrivateKey.generate()


def load_private(pem: str) -> PrivateKey:
    """Read a PEM private key (PKCS#1, SEC 1 or PKCS#8). Raises ValueError for anything else."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, PrivateKey):
        raise ValueError(f"unsupported private key type {type(key).__name__}")
    return key


def supported_public(key: object) -> PublicKey:
    """The same public key, typed. Raises ValueError for a kind that the provider does not know."""
    if not isinstance(key, PublicKey):
        raise ValueError(f"unsupported public key type {type(key).__name__}")
    return key


def algorithm_of(key: PrivateKey) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    return "ECDSA" if isinstance(key, ec.EllipticCurvePrivateKey) else "ED25519"


def signature_hash(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """The digest that goes with the key: by curve size for ECDSA, none for Ed25519, SHA-256 else."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey):
        if key.curve.name == "secp384r1":
            return hashes.SHA384()
        return hashes.SHA512() if key.curve.name == "secp521r1" else hashes.SHA256()
    return hashes.SHA256()


def public_der(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def subject_key_id(key: PublicKey) -> bytes:
    """SHA-1 of the bare public key, as the provider computes it (Ed25519: wrapped in an OCTET STRING)."""
    if isinstance(key, rsa.RSAPublicKey):
        raw = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        raw = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    else:
        raw = b"\x04\x20" + key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha1(raw, usedforsecurity=False).digest()


def forms(key: PrivateKey) -> dict[str, Any]:
    """Every output of a `PrivateKey` resource that follows from the key, by its Pulumi name; `id` included."""
    public = key.public_key()
    openssh, md5, sha256 = _openssh_public(public)
    traditional = PrivateFormat.PKCS8 if algorithm_of(key) == "ED25519" else PrivateFormat.TraditionalOpenSSL
    return {
        "id": hashlib.sha1(public_der(public), usedforsecurity=False).hexdigest(),
        "privateKeyPem": _private_pem(key, traditional),
        "privateKeyPemPkcs8": _private_pem(key, PrivateFormat.PKCS8),
        "privateKeyOpenssh": _private_pem(key, PrivateFormat.OpenSSH) if openssh else "",
        "publicKeyPem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "publicKeyOpenssh": openssh,
        "publicKeyFingerprintMd5": md5,
        "publicKeyFingerprintSha256": sha256,
    }


def _private_pem(key: PrivateKey, form: PrivateFormat) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def _openssh_public(key: PublicKey) -> tuple[str, str, str]:
    """(authorized-keys line, MD5 fingerprint, SHA-256 fingerprint); all empty for a P224 key."""
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp224r1":
        return "", "", ""
    md5 = serialization.ssh_key_fingerprint(key, hashes.MD5()).hex(":")  # noqa: S303 (a legacy output, not a safeguard)
    sha256 = serialization.ssh_key_fingerprint(key, hashes.SHA256())
    line = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return line + "\n", md5, "SHA256:" + base64.b64encode(sha256).decode().rstrip("=")
