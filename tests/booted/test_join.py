"""Level 4: hosts come up by themselves, and bridges join. What a resize does is in test_drains.py."""

from tests.booted.booted import Cluster, eventually


def test_every_host_comes_up_without_an_error(cluster: Cluster) -> None:
    for host in cluster.hosts():
        assert host.run("cloud-init status --wait --long").splitlines()[0] == "status: done"
        assert host.run("systemctl is-system-running --wait") == "running"
        assert host.run("systemctl list-units --failed --no-legend --plain") == ""


def test_all_bridges_join_the_brewery(cluster: Cluster) -> None:
    eventually(lambda: cluster.bridges_in_the_brewery() == 2, 60)
