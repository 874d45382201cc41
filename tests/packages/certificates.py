"""Certificates for the lab, made when a test runs."""

import datetime
import hashlib
import ipaddress
import ssl
import struct

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def other_authority() -> str:
    return pem(certificate("an authority that has signed nothing here")[0])


def certificate(name: str, issuer: Pair | None = None) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=not issuer, path_length=None), critical=True)
    )
    if issuer:
        names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def pem(of: x509.Certificate) -> str:
    return of.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    coding, style = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(coding, style, serialization.NoEncryption()).decode()


def key_store(*authorities: str) -> bytes:
    """A key store of Java's kind JKS with these authorities, in PEM, under the password that Debian's has."""
    data = struct.pack(">III", 0xFEEDFEED, 2, len(authorities))
    for number, authority in enumerate(authorities):
        alias, kind, certificate = f"debian:{number}.pem".encode(), b"X.509", ssl.PEM_cert_to_DER_cert(authority)
        data += struct.pack(">IH", 2, len(alias)) + alias + struct.pack(">QH", 1_700_000_000_000, len(kind)) + kind
        data += struct.pack(">I", len(certificate)) + certificate
    password = "changeit".encode("utf-16-be")
    return data + hashlib.sha1(password + b"Mighty Aphrodite" + data, usedforsecurity=False).digest()
