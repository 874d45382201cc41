"""What the tests of this level render: plain values and hostile ones, with certificates made at run time."""

import base64
import datetime
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import IPv4Network
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from components.doors import AddressPlan, Role
from components.rules import ssh_public_key
from components.user_data import BridgeValues, SignalingValues, user_data

DOMAIN = "meet.example.org"
LONGEST_DOMAIN = ".".join(("a" * 63, "b" * 63, "c" * 63, "d" * 34))
PINS = dict.fromkeys(
    ("jitsi-videobridge2", "jicofo", "jitsi-meet-web", "jitsi-meet-web-config", "jitsi-meet-prosody"),
    "1:2.3-307+really~4bb0aead1-1",
)

Values = SignalingValues | BridgeValues


@dataclass(frozen=True)
class Landed:
    """A file as cloud-init writes it."""

    content: str
    permissions: str


def landed(values: Values) -> dict[str, Landed]:
    """The files on the host by path, read back from the user-data as cloud-init reads it."""
    document = yaml.safe_load(user_data(values))
    return {
        entry["path"]: Landed(entry["content"], entry.get("permissions", "0644")) for entry in document["write_files"]
    }


def key_line(comment: str = "", *, kind: str = "ssh-ed25519", size: int = 32) -> str:
    """A public key line that settings accept and that packs as badly as a real one; nobody has its private key."""
    noise = b"".join(hashlib.sha512(f"{comment} {number}".encode()).digest() for number in range(size // 64 + 1))
    fields = (kind.encode(), noise[:size])
    body = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return ssh_public_key.checked(f"{kind} {base64.b64encode(body).decode()} {comment}")


def signaling(**changes: Any) -> SignalingValues:
    domain = changes.get("domain", DOMAIN)
    values = SignalingValues(
        domain=domain,
        tls="letsencrypt",
        email="operations@example.org",
        admin_keys=(key_line("admin@laptop"),),
        jitsi_versions={},
        plan=AddressPlan.within(IPv4Network("10.80.0.0/16")),
        region="fsn1",
        jvb_password="jvbSecret0" * 3 + "ab",
        focus_password="focusSecret" * 2 + "abcdefghij",
        **_certificates(domain),
        **_ssh_keys(),
    )
    return replace(values, **changes)


def bridge(**changes: Any) -> BridgeValues:
    domain = changes.get("domain", DOMAIN)
    values = BridgeValues(
        domain=domain,
        region="fsn1",
        admin_keys=(key_line("admin@laptop"),),
        jitsi_versions={},
        plan=AddressPlan.within(IPv4Network("10.80.0.0/16")),
        jvb_password="jvbSecret0" * 3 + "ab",
        ca_certificate=_certificates(domain)["ca_certificate"],
        shard_host=f"shard-1.internal.{domain}",
    )
    return replace(values, **changes)


HOSTILE: dict[str, Any] = {
    "admin_keys": (
        key_line("""o'brien "the admin" `id` $(id) ${HOME} {{ domain }} {% raw %} # : - \\n \\ %s"""),
        key_line("Zoë 日本語 🔑 ñ́", size=31),
        key_line("- [a, b]: {c: d} !!python/object &x *x | > @ --- ...", size=30),
    ),
    "jitsi_versions": PINS,
    "region": "a-b" + "9" * 13,
}
MAKERS: dict[Role, Callable[..., Values]] = {"signaling": signaling, "bridge": bridge}
OF_SIGNALING: dict[str, dict[str, Any]] = {
    "plain": {"tls": "cluster", "email": ""},
    "hostile": {"email": "a_b+c=d-e.f@xn--bcher-kva.example"},
    "long": {"email": "m" * 64 + "@" + LONGEST_DOMAIN},
}
FOR_BOTH: dict[str, dict[str, Any]] = {
    "plain": {},
    "hostile": HOSTILE | {"domain": "xn--bcher-kva.example.org"},
    "long": {"domain": LONGEST_DOMAIN, "jitsi_versions": PINS},
}
CASES = [(role, case) for role in MAKERS for case in FOR_BOTH]


@cache
def case(role: Role, name: str) -> Values:
    """One of CASES."""
    extra = OF_SIGNALING[name] if role == "signaling" else {}
    return MAKERS[role](**FOR_BOTH[name], **extra)


@cache
def _certificates(domain: str) -> dict[str, str]:
    """A CA and what it signs, in the shape that credentials.py asks the engine for."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate(f"CA of {domain}"[:64], ca_key, None, ca_key)
    made = {"ca_certificate": _pem(ca)}
    for name, host in (("auth", f"auth.{domain}"), ("web", domain)):
        key = ec.generate_private_key(ec.SECP256R1())
        made[f"{name}_certificate"] = _pem(_certificate(host[:64], key, host, ca_key, ca))
        made[f"{name}_key"] = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ).decode()
    return made


@cache
def _ssh_keys() -> dict[str, str]:
    """The host's key pair and the public half of the rotation key, in the shape that credentials.py hands on."""
    host, rotation = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    private = host.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = [
        key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
        for key in (host, rotation)
    ]
    return {"host_key": private.decode(), "host_public_key": public[0], "rotation_public_key": public[1]}


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    host: str | None,
    signer: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate | None = None,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ca.subject if ca else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if host:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(usage, critical=False)
    return builder.sign(signer, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
