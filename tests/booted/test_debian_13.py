"""Level 4: the same stack on Debian 13, with its own Java, prosody and network tools."""

import pytest
from cryptography import x509

from tests.booted.booted import Cluster, eventually
from tests.booted.secure import Secure


@pytest.fixture
def trixie(secure: Secure, first: x509.Certificate) -> Cluster:
    """With a certificate: a service that waits for one counts as failed."""
    assert first
    return secure.cluster


def test_every_host_on_debian_13_comes_up_without_an_error(trixie: Cluster) -> None:
    for host in trixie.hosts():
        assert host.run(". /etc/os-release; echo $VERSION_ID") == "13"
        assert host.run("cloud-init status --wait --long").splitlines()[0] == "status: done"
        assert host.run("systemctl is-system-running --wait") == "running"
        assert host.run("systemctl list-units --failed --no-legend --plain") == ""


def test_a_bridge_on_debian_13_joins_the_brewery(trixie: Cluster) -> None:
    """Trap 27: Debian 13 has no Java 17."""
    eventually(lambda: trixie.bridges_in_the_brewery() == 1, 60)
    for host in trixie.hosts():
        assert "openjdk-21-jre-headless" in host.run("dpkg-query --show --showformat '${Package}\n' '*-jre-headless'")


def test_what_java_trusts_on_debian_13_is_what_jicofo_and_the_bridge_trust(trixie: Cluster) -> None:
    """Stand-ins that could not read the store of its Java would say so, and trust what the system does."""
    for host in trixie.hosts():
        assert host.succeeds("test -s /etc/ssl/certs/java/cacerts")
        assert not host.succeeds("grep -rq 'cacerts cannot be read' /var/log/jitsi/")


def test_prosody_13_lets_jicofo_configure_rooms(secure: Secure, trixie: Cluster) -> None:
    """Trap 19: since prosody 13 administrators of a component do not own its rooms by themselves."""
    assert "Prosody 13." in trixie.shard.run("prosodyctl about")
    web, asked = secure.issued(), {"room": f"some-room@conference.{trixie.domain}", "machineUid": "x", "properties": {}}
    eventually(lambda: web.post("/conference-request/v1?room=some-room", asked)["ready"], 20, pause=1)


def test_the_site_on_debian_13_answers(secure: Secure, trixie: Cluster) -> None:
    web = secure.issued()
    assert web.ask("/some-room").status == 200
    assert trixie.domain in web.ask("/config.js").text
