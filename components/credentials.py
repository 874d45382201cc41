"""Everything secret that the cluster makes for itself: passwords, the cluster's CA, certificates, SSH keys.

All of it lies encrypted in the state. Passwords are letters and digits only, so that no file format that they travel
through (YAML, Lua, HOCON, debconf) can misread them.
"""

import pulumi
import pulumi_random as random
import pulumi_tls as tls

TEN_YEARS = 10 * 365 * 24
"""Hours that certificates live. Nothing renews them on a running host; raise `generation` before they end."""


class Credentials(pulumi.ComponentResource):
    """Credentials for the cluster at `domain`."""

    def __init__(self, name: str, domain: str, *, protect: bool, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("jitsi-fleet:index:Credentials", name, {"domain": domain}, opts)
        self._child = pulumi.ResourceOptions(parent=self, protect=protect)
        self.focus_password = self._password("focus")
        self.jvb_password = self._password("jvb")
        # Never protected: it may be replaced at any time (docs/operations.md).
        self.operations_key, self.operations_public_key = self._ssh_key("operations", protect=False)
        self.rotation_key, self.rotation_public_key = self._ssh_key("rotation", protect=protect)
        self.host_key, self.host_public_key = self._ssh_key("signaling-host", protect=protect)
        self._ca_key = self._private_key("ca")
        self._ca = tls.SelfSignedCert(
            "ca",
            private_key_pem=self._ca_key,
            subject=tls.SelfSignedCertSubjectArgs(common_name=f"CA of {domain}"[:64]),
            is_ca_certificate=True,
            allowed_uses=["cert_signing", "crl_signing", "digital_signature"],
            validity_period_hours=TEN_YEARS,
            opts=self._child,
        )
        self.ca_certificate = self._ca.cert_pem
        self.auth_key, self.auth_certificate = self._certificate("auth", f"auth.{domain}")
        self.web_key, self.web_certificate = self._certificate("web", domain)
        self.register_outputs({})

    def _password(self, account: str) -> pulumi.Output[str]:
        return pulumi.Output.secret(random.RandomPassword(account, length=32, special=False, opts=self._child).result)

    def _ssh_key(self, name: str, *, protect: bool) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        """A private key as OpenSSH writes it, and its public line."""
        opts = pulumi.ResourceOptions(parent=self, protect=protect)
        key = tls.PrivateKey(name, algorithm="ED25519", opts=opts)
        return pulumi.Output.secret(key.private_key_openssh), key.public_key_openssh.apply(str.strip)

    def _private_key(self, name: str) -> pulumi.Output[str]:
        key = tls.PrivateKey(name, algorithm="ECDSA", ecdsa_curve="P256", opts=self._child)
        return pulumi.Output.secret(key.private_key_pem)

    def _certificate(self, name: str, host: str) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        """A key for `host` and its certificate by the cluster's CA, both PEM."""
        key = self._private_key(name)
        request = tls.CertRequest(
            name,
            private_key_pem=key,
            # Names longer than 64 characters do not fit here; clients read the alternative names only.
            subject=tls.CertRequestSubjectArgs(common_name=host[:64]),
            dns_names=[host],
            opts=self._child,
        )
        certificate = tls.LocallySignedCert(
            name,
            cert_request_pem=request.cert_request_pem,
            ca_private_key_pem=self._ca_key,
            ca_cert_pem=self._ca.cert_pem,
            allowed_uses=["digital_signature", "key_encipherment", "server_auth"],
            validity_period_hours=TEN_YEARS,
            opts=self._child,
        )
        return key, certificate.cert_pem
