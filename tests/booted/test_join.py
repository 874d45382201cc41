"""Level 4: hosts come up by themselves, bridges join, and a resize shows in the brewery."""

from tests.booted.booted import Cluster, eventually


def test_every_host_comes_up_without_an_error(cluster: Cluster) -> None:
    for host in cluster.hosts():
        assert host.run("cloud-init status --wait --long").splitlines()[0] == "status: done"
        assert host.run("systemctl is-system-running --wait") == "running"
        assert host.run("systemctl list-units --failed --no-legend --plain") == ""


def test_all_bridges_join_the_brewery(cluster: Cluster) -> None:
    eventually(lambda: cluster.bridges_in_the_brewery() == 2, 60)


def test_added_bridges_join_and_removed_ones_leave(cluster: Cluster) -> None:
    before = {host.name for host in cluster.hosts()}
    cluster.stack.configure(bridges=4)
    cluster.up()
    eventually(lambda: cluster.bridges_in_the_brewery() == 4, 60)
    assert before < {host.name for host in cluster.hosts()}
    cluster.stack.configure(bridges=2)
    cluster.up()
    eventually(lambda: cluster.bridges_in_the_brewery() == 2, 60)
    assert before == {host.name for host in cluster.hosts()}
