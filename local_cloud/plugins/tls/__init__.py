"""Double of pulumi-tls 5.5.1: PrivateKey, SelfSignedCert, CertRequest and LocallySignedCert, by `cryptography`.

Keys, serial numbers and certificates are real and made at run time; they verify with any TLS library. Different on
purpose: write-only arguments (`privateKeyPemWo`) and name constraints are not covered; an end of validity that
has passed counts to the second of this machine's clock, as in the real plugin.
"""
