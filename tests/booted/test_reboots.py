"""Level 4: hosts that boot again come back as who they were, install nothing, and everybody joins again."""

from tests.booted.booted import Cluster, Host, eventually

# What makes a host this host, and what an installation would have touched.
IDENTITY = """
cat /etc/machine-id /var/lib/cloud/data/instance-id /etc/ssh/ssh_host_*_key.pub
stat --format '%n %y' /var/lib/jitsi-fleet/installed /var/log/dpkg.log /etc/jitsi/*/*.conf
md5sum /var/log/dpkg.log /etc/jitsi/*/*.conf
"""


def sound(host: Host) -> bool:
    return host.succeeds("cloud-init status --wait && systemctl is-system-running --wait")


def test_bridges_return_to_a_signaling_node_that_reboots(cluster: Cluster) -> None:
    before, identity = cluster.operational_bridges(), cluster.shard.run(IDENTITY)
    cluster.shard.act("reboot")
    eventually(lambda: cluster.operational_bridges() == before, 120)
    eventually(lambda: sound(cluster.shard), 60)
    assert cluster.shard.run(IDENTITY) == identity


def test_all_hosts_that_reboot_at_once_come_back_as_who_they_were(cluster: Cluster) -> None:
    """One of them by its own command, as an administrator would."""
    hosts = cluster.hosts()
    before, identities = cluster.operational_bridges(), [host.run(IDENTITY) for host in hosts]
    since = [host.entry["since"] for host in hosts]
    hosts[-1].run("systemctl reboot", check=False)
    for action in [host.server().reboot() for host in hosts[:-1]]:
        action.wait_until_finished(max_retries=600)
    eventually(lambda: all(host.entry["since"] not in (None, was) for host, was in zip(hosts, since, strict=True)), 120)
    eventually(lambda: all(sound(host) for host in hosts), 120)
    eventually(lambda: cluster.operational_bridges() == before, 120)
    assert [host.run(IDENTITY) for host in hosts] == identities


def test_bridges_come_back_at_once_after_a_reset(cluster: Cluster) -> None:
    """A reset cuts the power; the bridge is back before anybody has missed it."""
    before, bridge = cluster.operational_bridges(), cluster.host("bridge-1")
    identity = bridge.run(IDENTITY)
    bridge.act("reset")
    eventually(lambda: bridge.succeeds("curl -sf http://127.0.0.1:8080/metrics | grep -q 'mucs_joined 1'"), 120)
    eventually(lambda: cluster.operational_bridges() == before, 120)
    assert bridge.run(IDENTITY) == identity
