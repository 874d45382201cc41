"""The second stack of level 4: on Debian 13, with a certificate of Let's Encrypt, which is away while it boots."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from cryptography import x509

from local_cloud.hosts import acme
from tests.booted.booted import Cluster, eventually
from tests.booted.web import Web
from tests.level3_applied.applied import Workshop

SERVICE, TIMER = "jitsi-fleet-certificate.service", "jitsi-fleet-certificate.timer"


@dataclass(frozen=True)
class Refused:
    """What there was to see after the first attempt, with the authority away."""

    certificate: x509.Certificate
    page: int
    log: str
    result: str


@dataclass(frozen=True)
class Secure:
    cluster: Cluster
    web: Web
    refused: Refused

    def run(self, command: str, timeout: float = 60) -> str:
        return self.cluster.shard.run(command, timeout=timeout)

    def issued(self) -> Web:
        """The site as those see it who trust the authority alone."""
        root = self.run(f"curl -sk -m 10 https://{acme.NAME}:15000/roots/0")
        return replace(self.web, authority=root)

    def first(self) -> x509.Certificate:
        """The first certificate, asked for by what the timer starts."""
        self.run(f"systemctl start {SERVICE}", timeout=120)
        # nginx reloads beside what it is doing.
        eventually(lambda: self.web.certificate() != self.refused.certificate, 20)
        return self.web.certificate()


@contextmanager
def opened(site: Workshop) -> Iterator[Secure]:
    cluster = Cluster(site, "secure", image="debian-13", bridges=1, tls="letsencrypt", email="operations@fleet.test")
    with cluster.without("acme"):
        cluster.up()
        shard = cluster.shard
        eventually(lambda: "failed" in shard.run(f"systemctl show -p ActiveState {SERVICE}"), 120)
        web = Web.of(cluster)
        refused = Refused(
            web.certificate(),
            web.ask("/room").status,
            shard.run(f"journalctl -u {SERVICE} -o cat"),
            shard.run(f"systemctl show -p ActiveState --value {TIMER}"),
        )
    yield Secure(cluster, web, refused)
    run = cluster.stack.destroy()
    assert run.status == 0, run.text
