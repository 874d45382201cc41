"""Requests and certificates as the tls provider makes them: same subject order, extensions and criticality.

Sources: the recorded certificates and terraform-provider-tls, common_cert.go. Name constraints are not covered.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from local_cloud.plugins.tls import keys

KEY_USAGES: Mapping[str, str] = {
    "digital_signature": "digital_signature",
    "content_commitment": "content_commitment",
    "key_encipherment": "key_encipherment",
    "data_encipherment": "data_encipherment",
    "key_agreement": "key_agreement",
    "cert_signing": "key_cert_sign",
    "crl_signing": "crl_sign",
    "encipher_only": "encipher_only",
    "decipher_only": "decipher_only",
}
EXTENDED_KEY_USAGES: Mapping[str, ObjectIdentifier] = {
    "any_extended": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code_signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email_protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp_signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "ipsec_end_system": ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec_tunnel": ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec_user": ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "microsoft_server_gated_crypto": ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape_server_gated_crypto": ObjectIdentifier("2.16.840.1.113730.4.1"),
    "microsoft_commercial_code_signing": ObjectIdentifier("1.3.6.1.4.1.311.2.1.22"),
    "microsoft_kernel_code_signing": ObjectIdentifier("1.3.6.1.4.1.311.61.1.1"),
}
USES = frozenset(KEY_USAGES) | frozenset(EXTENDED_KEY_USAGES)

# Go's order of a distinguished name, which fixes the bytes of issuer and subject.
SUBJECT_FIELDS: tuple[tuple[str, ObjectIdentifier], ...] = (
    ("country", NameOID.COUNTRY_NAME),
    ("organization", NameOID.ORGANIZATION_NAME),
    ("organizationalUnit", NameOID.ORGANIZATIONAL_UNIT_NAME),
    ("locality", NameOID.LOCALITY_NAME),
    ("province", NameOID.STATE_OR_PROVINCE_NAME),
    ("streetAddresses", NameOID.STREET_ADDRESS),
    ("postalCode", NameOID.POSTAL_CODE),
    ("commonName", NameOID.COMMON_NAME),
    ("serialNumber", NameOID.SERIAL_NUMBER),
)


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A new certificate: serial number, PEM text, and both ends of its validity as RFC 3339 text in UTC."""

    serial: str
    pem: str
    start: str
    end: str


@dataclass(frozen=True, kw_only=True)
class Template:
    """What goes into a certificate beside the keys."""

    subject: x509.Name
    names: Sequence[x509.GeneralName]
    uses: Sequence[str]
    hours: int
    is_ca: bool = False
    max_path_length: int | None = None
    set_subject_key_id: bool = False
    set_authority_key_id: bool = False


def subject_name(subject: Mapping[str, Any]) -> x509.Name:
    attributes: list[x509.NameAttribute[Any]] = []
    for field, oid in SUBJECT_FIELDS:
        value = subject.get(field) or []
        attributes += [x509.NameAttribute(oid, text) for text in ([value] if isinstance(value, str) else value)]
    return x509.Name(attributes)


def general_names(inputs: Mapping[str, Any]) -> list[x509.GeneralName]:
    """The alternative names of a resource, in the order dns, ip, uri. Raises ValueError for an address that is none."""
    dns: Iterable[x509.GeneralName] = (x509.DNSName(name) for name in inputs.get("dnsNames") or [])
    ips = (x509.IPAddress(ipaddress.ip_address(text)) for text in inputs.get("ipAddresses") or [])
    uris = (x509.UniformResourceIdentifier(text) for text in inputs.get("uris") or [])
    return [*dns, *ips, *uris]


def request(key: keys.PrivateKey, subject: x509.Name, names: Sequence[x509.GeneralName]) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, keys.signature_hash(key)).public_bytes(Encoding.PEM).decode()


def issue(
    template: Template, public: keys.PublicKey, signer: keys.PrivateKey, issuer: x509.Certificate | None
) -> Issued:
    """Sign a certificate from now on for `template.hours`; `issuer=None` signs it with its own name."""
    nanoseconds = time.time_ns()
    start = dt.datetime.fromtimestamp(nanoseconds // 1_000_000_000, tz=dt.UTC)
    end = start + dt.timedelta(hours=template.hours)
    serial = secrets.randbits(128) or 1
    builder = (
        x509.CertificateBuilder()
        .subject_name(template.subject)
        .issuer_name(issuer.subject if issuer else template.subject)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(end)
    )
    for extension, critical in _extensions(template, public, issuer):
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(signer, keys.signature_hash(signer))
    fraction = nanoseconds % 1_000_000_000
    return Issued(
        serial=str(serial),
        pem=certificate.public_bytes(Encoding.PEM).decode(),
        start=f"{start:%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z",
        end=f"{end:%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z",
    )


def _extensions(
    template: Template, public: keys.PublicKey, issuer: x509.Certificate | None
) -> Iterable[tuple[x509.ExtensionType, bool]]:
    usages = {KEY_USAGES[use] for use in template.uses if use in KEY_USAGES}
    if usages:
        yield x509.KeyUsage(**{name: name in usages for name in KEY_USAGES.values()}), True
    extended = [EXTENDED_KEY_USAGES[use] for use in template.uses if use in EXTENDED_KEY_USAGES]
    if extended:
        yield x509.ExtendedKeyUsage(extended), False
    yield (
        x509.BasicConstraints(ca=template.is_ca, path_length=template.max_path_length if template.is_ca else None),
        True,
    )
    own_id = keys.subject_key_id(public) if template.is_ca or template.set_subject_key_id else None
    if own_id:
        yield x509.SubjectKeyIdentifier(own_id), False
    parent_id = _key_id(issuer) if issuer else own_id if template.set_authority_key_id else None
    if parent_id:
        yield x509.AuthorityKeyIdentifier(parent_id, None, None), False
    if template.names:
        yield x509.SubjectAlternativeName(template.names), not list(template.subject)


def _key_id(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None
