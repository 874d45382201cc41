"""Start the double: `python -m local_cloud.plugins.tls [flags] <engine address>`."""

from local_cloud.plugins.provider import Provider, serve
from local_cloud.plugins.tls.resources import CertRequest, PrivateKey
from local_cloud.plugins.tls.signed import LocallySignedCert, SelfSignedCert


class TlsProvider(Provider):
    def __init__(self) -> None:
        super().__init__("tls", "5.5.1", [PrivateKey(), CertRequest(), SelfSignedCert(), LocallySignedCert()])


if __name__ == "__main__":
    serve(TlsProvider())
