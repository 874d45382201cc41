"""Level 4: certificates of Let's Encrypt, for which Pebble stands: a first issue that fails, the first, renewal.

The signaling node comes up while the authority is away (secure.py).
"""

import ssl

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.booted.booted import eventually
from tests.booted.secure import SERVICE, TIMER, Secure


def issuer(certificate: x509.Certificate) -> str:
    (name,) = certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value)


def test_without_its_authority_the_site_works_with_the_cluster_s_certificate(secure: Secure) -> None:
    assert issuer(secure.refused.certificate) == f"CA of {secure.cluster.domain}"
    assert secure.refused.page == 200


def test_a_failed_issue_is_said_in_the_log_and_tried_again(secure: Secure) -> None:
    said = f"jitsi-fleet: no certificate for {secure.cluster.domain} yet: the site keeps the cluster's own"
    assert said in secure.refused.log
    assert secure.refused.result == "active"
    assert secure.run(f"systemctl is-enabled {TIMER}") == "enabled"
    # Again within the hour, and not so often that Let's Encrypt would refuse to look: five failures an hour.
    assert secure.run(f"systemctl show -p TimersMonotonic --value {TIMER}").count("OnUnitInactiveUSec=30min") == 1


def test_the_site_gets_its_certificate_when_the_authority_is_back(secure: Secure, first: x509.Certificate) -> None:
    """Trap 23: with the whole chain, or whoever knows only the root is kept out."""
    assert issuer(first).startswith("Pebble Intermediate CA")
    assert secure.issued().ask("/room").status == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        secure.web.ask("/room")
    assert secure.run("systemctl is-system-running") == "running"


@pytest.mark.usefixtures("first")
def test_the_key_of_the_certificate_is_root_s_alone(secure: Secure) -> None:
    keys = "/etc/jitsi-fleet/tls/site.key /etc/letsencrypt/archive/*/privkey*.pem"
    assert set(secure.run(f"stat -c '%a %U' {keys}").splitlines()) == {"600 root"}


@pytest.mark.usefixtures("first")
def test_what_has_a_certificate_asks_for_no_other(secure: Secure) -> None:
    """Each start of the host starts it again, and Let's Encrypt issues five a week."""
    before = secure.web.certificate()
    secure.run(f"systemctl start {SERVICE}", timeout=120)
    assert secure.web.certificate() == before


@pytest.mark.usefixtures("first")
def test_a_renewal_is_served_at_once_and_connections_go_on(secure: Secure) -> None:
    """By certbot's own timer, which finds the certificate due."""
    domain = secure.cluster.domain
    assert secure.run("systemctl is-enabled certbot.timer") == "enabled"
    assert secure.run("systemctl is-active certbot.timer") == "active"
    nginx = secure.run("systemctl show -p MainPID --value nginx.service")
    web = secure.issued()
    before = web.certificate()
    with web.websocket("/xmpp-websocket?room=renewal") as stream:
        due = "/etc/letsencrypt/renewal"
        secure.run(f"sed -i 's/^# renew_before_expiry.*/renew_before_expiry = 90 years/' {due}/{domain}.conf")
        secure.run("systemctl start certbot.service", timeout=120)
        eventually(lambda: web.certificate() != before, 20)
        assert issuer(web.certificate()) == issuer(before)
        assert web.ask("/room").status == 200
        assert web.greeted(stream)
    assert secure.run("systemctl show -p MainPID --value nginx.service") == nginx
    secure.run(f"sed -i '/^renew_before_expiry/d' {due}/{domain}.conf")
