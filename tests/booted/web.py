"""The site of a cluster as a browser on the internet sees it: by its name, at its public address."""

import gzip
import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from cryptography import x509
from websockets.sync.client import connect
from websockets.sync.connection import Connection
from websockets.typing import Subprotocol

from tests.booted.booted import Cluster

FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        packed = self.headers.get("content-encoding") == "gzip"
        return (gzip.decompress(self.body) if packed else self.body).decode()


@dataclass(frozen=True)
class Web:
    """`authority`: the certificate, PEM, that the site's own must lead to."""

    domain: str
    address: str
    authority: str

    @classmethod
    def of(cls, cluster: Cluster) -> "Web":
        """The site of a cluster, with the cluster's own CA as the engine has made it."""
        resources = cluster.stack.state()["deployment"]["resources"]
        (authority,) = [each for each in resources if each["urn"].endswith("selfSignedCert:SelfSignedCert::ca")]
        return cls(cluster.domain, cluster.shard.address, authority["outputs"]["certPem"])

    def trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.authority)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def connection(self, port: int = 443) -> socket.socket:
        return socket.create_connection((self.address, port), timeout=20)

    def authority_file(self, folder: Path) -> Path:
        file = folder / "authority.crt"
        file.write_text(self.authority)
        return file

    def ask(
        self, path: str, body: str | None = None, headers: Mapping[str, str] | None = None, *, port: int = 443
    ) -> Answer:
        """GET, or POST where there is a body. The path goes out as it stands; SSLError if the certificate is wrong."""
        connection = http.client.HTTPConnection(self.domain, port, timeout=20)
        connection.sock = self.connection(port)
        try:
            if port == 443:
                connection.sock = self.trust().wrap_socket(connection.sock, server_hostname=self.domain)
            connection.request("GET" if body is None else "POST", path, body, dict(headers or {}))
            reply = connection.getresponse()
            return Answer(reply.status, {key.lower(): value for key, value in reply.headers.items()}, reply.read())
        finally:
            connection.close()

    def post(self, path: str, body: Any) -> Any:
        answer = self.ask(path, json.dumps(body), {"Content-Type": "application/json"})
        assert answer.status == 200, (answer.status, answer.body[:300])
        return json.loads(answer.body)

    def handshake(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        raw = self.connection()
        try:
            return context.wrap_socket(raw, server_hostname=self.domain)
        except OSError:
            raw.close()
            raise

    def websocket(self, path: str) -> Connection:
        """XMPP over WebSocket, not yet opened; it sends nothing by itself."""
        return connect(
            f"wss://{self.domain}{path}",
            sock=self.connection(),
            ssl=self.trust(),
            server_hostname=self.domain,
            subprotocols=[Subprotocol("xmpp")],
            ping_interval=None,
            proxy=None,
        )

    def greeted(self, stream: Connection) -> bool:
        """Whether prosody answers on a new stream, in the name of the domain."""
        stream.send(f"<open xmlns='{FRAMING}' to='{self.domain}' version='1.0'/>")
        opened = ET.fromstring(stream.recv(timeout=20))  # noqa: S314 - expat bounds entities
        return (opened.tag, opened.get("from")) == (f"{{{FRAMING}}}open", self.domain)

    def certificate(self) -> x509.Certificate:
        """The site's certificate, whoever has signed it."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with self.handshake(context) as secured:
            return x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")
