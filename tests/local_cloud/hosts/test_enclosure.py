"""Level 4, of the embedded cloud itself: however it ends, only its state is left, and it goes on from there."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hcloud.actions import ActionFailedException
from hcloud.images import Image

from local_cloud import process
from local_cloud.hosts import cgroups

from . import plain
from .plain import WITNESS, Host, Lab, until

END: dict[str, Callable[[Lab], None]] = {
    "asked to": lambda lab: lab.cloud.stop(),
    "killed": lambda lab: lab.cloud.kill(),
    "killed outside": lambda lab: lab.kill_outer(),
}


@pytest.fixture(scope="module")
def before() -> set[str]:
    return plain.interfaces()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, before: set[str]) -> Iterator[Lab]:
    # Signs that divide words, options of mount and folders of an overlay.
    yield from plain.lab(tmp_path_factory.mktemp("enclosure") / "a folder: so, so", "127.90.171.1")
    assert plain.interfaces() == before


@pytest.fixture(scope="module")
def made(lab: Lab) -> Host:
    return lab.make("web", WITNESS)


@pytest.fixture
def host(made: Host) -> Host:
    return made.ready()


@pytest.mark.parametrize("how", END)
def test_however_it_ends_nothing_is_left_but_the_state_and_hosts_return_with_their_disks(
    lab: Lab, host: Host, how: str, before: set[str]
) -> None:
    host.run(f"echo mine >'/root/{how}'; sync")
    disk, ends = host.disk, host.lines("var/lib/ends")
    assert plain.traces(lab.state)
    END[how](lab)
    until(lambda: plain.traces(lab.state) == [], 10)
    assert plain.interfaces() == before
    orderly = how != "killed"
    assert len((disk / "var/lib/ends").read_text().splitlines() if ends or orderly else []) == ends + orderly
    lab.up()
    assert host.entry["status"] in ("starting", "running")
    until(lambda: host.entry["status"] == "running")
    assert host.ready().run(f"cat '/root/{how}'") == "mine"
    assert host.lines("var/lib/first-boots") == 1


def test_what_was_begun_when_it_was_killed_is_done_by_the_next(lab: Lab) -> None:
    lab.begin("late")
    lab.cloud.kill()
    lab.up()
    # Asked for without a call of the API, which would wake it.
    until(lambda: lab.host("late").entry["status"] == "running")
    lab.host("late").ready().act("delete")


def test_up_again_is_the_cloud_that_runs(lab: Lab) -> None:
    assert process.start(lab.state, hosts=True) == lab.cloud


def test_servers_get_addresses_also_after_the_dhcp_server_has_died(lab: Lab, host: Host) -> None:
    (server,) = plain.children(lab.cloud.pid, "dnsmasq")
    os.kill(server, signal.SIGKILL)
    host.act("reboot")
    host.ready()
    assert "198.18." in host.run("ip -4 -oneline address show eth0")
    assert plain.children(lab.cloud.pid, "dnsmasq") != [server]


def test_a_host_whose_image_was_removed_says_how_it_boots_again(host: Host) -> None:
    host.act("power_off")
    (host.disk.parent / "base").write_text("/nowhere/debian-12-0000")
    with pytest.raises(ActionFailedException) as failed:
        host.act("power_on")
    assert "was removed, /nowhere/debian-12-0000: rebuild the server" in str(failed.value.action.error)
    assert host.server.status == "off"
    plain.finish(host.server.rebuild(Image(name="debian-12"), return_response=True).action)
    host.ready()


def test_a_second_cloud_has_hosts_of_its_own_also_for_servers_that_were_made_without(
    host: Host, tmp_path: Path
) -> None:
    second = Lab(tmp_path / "second", "127.90.172.1", hosts=False)
    try:
        for name in ("web", "gone"):
            made = second.begin(name)
            plain.finish(made.action, *made.next_actions)
        assert second.host("web").server.status == "running"
        second.cloud.stop()
        second.up()
        assert second.host("web").ready().entry["public"] == "127.90.172.1"
        assert host.entry["public"] == "127.90.171.1"
        disk = second.host("gone").ready().disk
        second.cloud.stop()
        second.up(hosts=False)
        second.host("gone").act("delete")
        assert second.host("web").server.status == "running"
        second.cloud.stop()
        assert disk.exists()
        second.up()
        assert not disk.exists()
    finally:
        second.cloud.stop()
    until(lambda: plain.traces(second.state) == [], 10)
    assert host.run("hostname") == "web"


def test_a_reset_takes_hosts_and_disks_away_and_addresses_begin_anew(lab: Lab, host: Host) -> None:
    folder, group = host.disk.parent, cgroups.name(lab.state)
    first = host.entry["public"]
    lab.cloud.admin.reset()
    until(lambda: not folder.exists() and not plain.processes(group))
    assert lab.entries() == []
    lab.begin("web")
    assert lab.host("web").entry["public"] == first == "127.90.171.1"
