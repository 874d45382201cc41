"""The test CA that the images trust, the certificate of the archives' server, and the keys that sign the archives.

Made once for a cache and used for nothing else: whoever can read the cache can speak for every name to the hosts of the
embedded cloud, and to no one else.
"""

import datetime
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Everything that hosts ask over HTTPS and that this machine answers in the owner's place.
NAMES = (
    "deb.debian.org",
    "security.debian.org",
    "download.jitsi.org",
    "acme-v02.api.letsencrypt.org",
    "acme-staging-v02.api.letsencrypt.org",
)
SIGNERS = ("debian", "jitsi")
_DAY = datetime.timedelta(days=1)


def make(folder: Path) -> None:
    """Writes ca.{crt,key}, server.{crt,key}, and per signer <name>.gpg (public), .asc (the same, armored), .key."""
    folder.chmod(0o700)
    ca_key, ca = _certificate("jitsi-fleet embedded cloud, test CA", None)
    key, certificate = _certificate(NAMES[0], (ca_key, ca))
    _write(folder / "ca", ca_key, ca)
    _write(folder / "server", key, certificate)
    for name in SIGNERS:
        with tempfile.TemporaryDirectory(prefix="gpg-") as home:
            user = f"jitsi-fleet test archive ({name}) <{name}@archive.invalid>"
            _gpg(home, "--passphrase", "", "--quick-gen-key", user, "ed25519", "sign", "never")
            (folder / f"{name}.gpg").write_bytes(_gpg(home, "--export"))
            (folder / f"{name}.asc").write_bytes(_gpg(home, "--armor", "--export"))
            secret = folder / f"{name}.key"
            secret.touch(0o600)
            secret.write_bytes(_gpg(home, "--armor", "--export-secret-keys"))
            _end_agent(home)


@contextmanager
def signer(folder: Path, name: str) -> Iterator[str]:
    """A home for gpg with that key alone, as a path; no agent outlives it."""
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:
        _gpg(home, "--import", str(folder / f"{name}.key"))
        try:
            yield home
        finally:
            _end_agent(home)


def clearsign(home: str, text: bytes) -> bytes:
    """An InRelease file: the text with its signature, by the key of `signer`."""
    return _gpg(home, "--clearsign", text=text)


def _gpg(home: str, *arguments: str, text: bytes = b"") -> bytes:
    done = subprocess.run(["gpg", "--homedir", home, "--batch", "--quiet", *arguments], input=text, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"gpg {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _end_agent(home: str) -> None:
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True, capture_output=True)


def _certificate(
    name: str, issuer: tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """A CA without `issuer`, else a certificate of a server for NAMES. Both last ten years, from a month ago on."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signing_key, authority = issuer or (key, None)
    now = datetime.datetime.now(datetime.UTC)
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject if authority else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 30 * _DAY)
        .not_valid_after(now + 3650 * _DAY)
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=authority is not None,
                key_cert_sign=authority is None,
                crl_sign=authority is None,
                **usage,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
    )
    if authority:
        names = x509.SubjectAlternativeName([x509.DNSName(each) for each in NAMES])
        builder = builder.add_extension(names, critical=False).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
    return key, builder.sign(signing_key, hashes.SHA256())


def _write(path: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    path.with_suffix(".crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = path.with_suffix(".key")
    private.touch(0o600)
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
