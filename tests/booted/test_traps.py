"""Level 4: what the roles set against known traps of Jitsi is in force on hosts that run.

Traps that need a fault, a door or a meeting are with those tests; README.md here has the table of all.
"""

import re

import pytest

from tests.booted.booted import Cluster, Host, eventually

REST = "http://127.0.0.1:8080"
TEN_YEARS, YEAR = 3650, 365  # days


@pytest.fixture(scope="module")
def bridge(cluster: Cluster) -> Host:
    return cluster.host("bridge-1")


def test_each_bridge_has_a_name_of_its_own_in_the_brewery(cluster: Cluster) -> None:
    """Trap 5: bridges made from one image would share a nickname, and jicofo would see one of them."""
    named = [host.run("cat /etc/jitsi/videobridge/jvb.conf") for host in cluster.hosts()[1:]]
    nicknames = {re.findall(r'muc_nickname = "(.+)"', text)[-1] for text in named}
    known = cluster.jicofo("/debug")["bridge_selector"]["bridge"]
    assert nicknames == {jid.rpartition("/")[2] for jid in known}
    assert len(nicknames) == len(named)


def test_a_bridge_finds_an_address_that_it_may_offer(bridge: Host) -> None:
    """Trap 4: with private addresses only it would turn unhealthy a minute after its start."""
    assert bridge.run(f"curl -s -m 5 -o /dev/null -w '%{{http_code}}' {REST}/about/health") == "200"
    assert bridge.private not in bridge.run("ss --udp --listening --numeric --no-header 'sport = 10000'")


def test_bridges_can_be_asked_to_shut_down(bridge: Host) -> None:
    """Trap 22: where it is not switched on, the answer is 404; 400 is for an order that makes no sense."""
    order = "-X POST -H 'Content-Type: application/json' -d '{\"no-such-order\":true}'"
    assert bridge.run(f"curl -s -m 5 -o /dev/null -w '%{{http_code}}' {order} {REST}/colibri/shutdown") == "400"


def test_new_bridges_get_load_from_rooms_that_are_running(cluster: Cluster) -> None:
    """Trap 28: only with media from bridge to bridge, and in the region that jicofo calls its own."""
    selector = cluster.jicofo("/debug")["bridge_selector"]
    assert selector["strategy"] == "RegionBasedBridgeSelectionStrategy"
    regions = {bridge["region"] for bridge in selector["bridge"].values()}
    assert regions == {
        re.findall(r'local-region = "?([^"\s]+)"?', cluster.shard.run("cat /etc/jitsi/jicofo/jicofo.conf"))[0]
    }
    assert all(bridge["relay-id"] != "null" for bridge in selector["bridge"].values())


def test_a_bridge_leaves_memory_to_the_rest_of_its_host(bridge: Host) -> None:
    """Trap 29: the packaged 3 GB would be more than a small server has."""
    heap = int(bridge.run("sed -n 's/^VIDEOBRIDGE_MAX_MEMORY=\\([0-9]*\\)m$/\\1/p' /etc/jitsi/videobridge/config"))
    memory = int(bridge.run("awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo"))
    assert 256 < heap <= min(3072, memory * 0.6)


def test_jicofo_s_memory_is_set_where_no_upgrade_rewrites_it(cluster: Cluster) -> None:
    """Trap 10."""
    environment = cluster.shard.run("systemctl show -P Environment jicofo.service")
    assert re.search(r"\bJICOFO_MAX_MEMORY=\d+m\b", environment)
    assert "JICOFO_MAX_MEMORY" not in cluster.shard.run("cat /etc/jitsi/jicofo/config")


def test_the_certificate_that_bridges_verify_lives_longer_than_a_year(cluster: Cluster) -> None:
    """Trap 31: asked of the port where bridges log in."""
    name = f"auth.{cluster.domain}"
    ask = f"openssl s_client -connect 127.0.0.1:5222 -starttls xmpp -xmpphost {name} </dev/null 2>/dev/null"
    assert cluster.shard.succeeds(f"{ask} | openssl x509 -noout -checkend {(TEN_YEARS - YEAR) * 86400}")


def test_no_legacy_file_overrides_a_setting(cluster: Cluster) -> None:
    """Trap 11."""
    for host in cluster.hosts():
        assert host.run("find /etc/jitsi -name 'sip-communicator.properties'") == ""


def test_no_account_elsewhere_was_made_while_packages_asked_questions(cluster: Cluster) -> None:
    """Trap 24."""
    answers = cluster.shard.run("debconf-show jitsi-meet-web-config")
    assert "jitsi-meet/jaas-choice: false" in answers
    assert "jitsi-meet/cert-choice: I want to use my own certificate" in answers


def test_an_upgrade_asks_nothing_and_keeps_the_role_s_files(cluster: Cluster, bridge: Host) -> None:
    """Trap 30: a new installation of the same version runs what an upgrade runs."""
    files = "md5sum /etc/jitsi/videobridge/jvb.conf /etc/jitsi/videobridge/config"
    before = bridge.run(files)
    bridge.run(
        "DEBIAN_FRONTEND=noninteractive apt-get -qq -y --allow-change-held-packages -o Dpkg::Options::=--force-confold "
        "install --reinstall jitsi-videobridge2 </dev/null",
        timeout=180,
    )
    bridge.run("apt-mark hold jitsi-videobridge2")
    assert bridge.run(files) == before
    eventually(lambda: cluster.bridges_in_the_brewery() == 2, 120)
