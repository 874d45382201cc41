"""Level 4: hosts come up by themselves, and bridges join. What a resize does is in test_drains.py."""

from tests.booted.booted import Cluster, eventually


def test_every_host_comes_up_without_an_error(cluster: Cluster) -> None:
    for host in cluster.hosts():
        assert host.run("cloud-init status --wait --long").splitlines()[0] == "status: done"
        assert host.run("systemctl is-system-running --wait") == "running"
        assert host.run("systemctl list-units --failed --no-legend --plain") == ""


def test_all_bridges_join_the_brewery(cluster: Cluster) -> None:
    eventually(lambda: cluster.bridges_in_the_brewery() == 2, 60)


def test_no_bridge_was_turned_away_while_the_signaling_node_installed_itself(cluster: Cluster) -> None:
    """A bridge that has no account yet asks again at once, for ever; all together they would keep prosody busy."""
    for bridge in cluster.hosts()[1:]:
        assert bridge.run("grep -c 'Joined MUC' /var/log/jitsi/jvb.log") != "0"
        assert not bridge.succeeds("grep -q not-authorized /var/log/jitsi/jvb.log")
