"""Level 4, of the embedded cloud itself: what the API does to a server happens to a host, and is told truly."""

from collections.abc import Iterator
from typing import Any

import pytest
from hcloud.actions import ActionFailedException
from hcloud.images import Image
from hcloud.server_types import ServerType

from local_cloud.hosts import cgroups

from . import plain
from .plain import WITNESS, Host, Lab, until


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    yield from plain.lab(tmp_path_factory.mktemp("machines"), "127.90.170.1")


@pytest.fixture(scope="module")
def made(lab: Lab) -> Host:
    return lab.make("web", WITNESS)


@pytest.fixture
def host(made: Host) -> Host:
    """One host for all, running when a test begins."""
    return made.ready()


def test_a_created_server_has_run_its_user_data_and_is_reported_with_its_address(host: Host) -> None:
    assert host.lines("var/lib/first-boots") == 1
    entry = host.entry
    assert entry["status"] == host.server.status == "running"
    assert entry["public"] == host.server.public_net.ipv4.ip == "127.90.170.1"
    assert host.run("hostname") == "web"
    assert host.run("systemctl is-system-running --wait") == "running"


def test_shutdown_ends_services_in_order_and_keeps_the_disk(host: Host) -> None:
    ends = host.lines("var/lib/ends")
    host.act("shutdown")
    assert host.lines("var/lib/ends") == ends + 1
    assert (host.server.status, host.entry["init"], host.entry["cloud_init"]) == ("off", None, None)
    host.act("power_on")
    assert host.server.status == "running"
    assert host.ready().lines("var/lib/first-boots") == 1


def test_power_off_and_reset_give_services_no_time(host: Host) -> None:
    ends, boot = host.lines("var/lib/ends"), host.boot()
    host.act("reset")
    assert host.boot() != boot
    assert host.ready().server.status == "running"
    host.act("power_off")
    assert (host.server.status, host.entry["init"]) == ("off", None)
    assert host.lines("var/lib/ends") == ends


def test_reboot_ends_services_in_order_and_comes_back(host: Host) -> None:
    ends, boot = host.lines("var/lib/ends"), host.boot()
    host.act("reboot")
    assert (host.lines("var/lib/ends"), host.server.status) == (ends + 1, "running")
    assert host.boot() != boot


def test_a_host_that_halts_itself_is_off_until_it_is_started(host: Host) -> None:
    host.run("systemctl poweroff")
    until(lambda: host.server.status == "off")
    assert host.entry["init"] is None
    host.act("power_on")
    assert host.server.status == "running"


def test_a_host_that_reboots_itself_comes_back(host: Host) -> None:
    boot = host.boot()
    host.run("systemctl reboot")
    until(lambda: host.entry["init"] and host.boot() != boot)
    assert host.ready().server.status == "running"


def test_another_type_is_another_amount_of_memory(host: Host) -> None:
    before = int(host.run("awk '/MemTotal/ { print $2 }' /proc/meminfo"))
    host.act("power_off")
    host.act("change_type", server_type=ServerType(name="cx33"), upgrade_disk=False)
    host.act("power_on")
    assert int(host.run("awk '/MemTotal/ { print $2 }' /proc/meminfo")) == 2 * before


def test_rebuild_gives_an_empty_disk_on_which_user_data_runs_again(host: Host) -> None:
    host.run("touch /root/mine")
    finished = host.server.rebuild(Image(name="debian-13"), return_response=True)
    plain.finish(finished.action)
    host.ready()
    assert host.lines("var/lib/first-boots") == 1
    assert not (host.disk / "root/mine").exists()
    assert host.server.image.name == "debian-13"
    assert "VERSION_CODENAME=trixie" in host.run("cat /etc/os-release")


def test_a_server_on_an_image_that_is_not_prepared_fails_and_says_so(lab: Lab) -> None:
    made = lab.begin("ubuntu", image="ubuntu-24.04")
    for action in (made.action, *made.next_actions):
        with pytest.raises(ActionFailedException) as failed:
            plain.finish(action)
        assert "image ubuntu-24.04 is not prepared here" in str(failed.value.action.error)
    host = lab.host("ubuntu")
    assert (host.server.status, host.entry["init"]) == ("off", None)
    host.act("delete")


def test_a_creation_that_was_ordered_to_fail_leaves_a_server_that_is_off(lab: Lab) -> None:
    error: Any = {"code": "action_failed", "message": "no room"}
    lab.cloud.admin.fault(match={"method": "POST", "path": "^/servers$"}, fault={"action_error": error})
    made = lab.begin("unlucky")
    for action in (made.action, *made.next_actions):
        with pytest.raises(ActionFailedException) as failed:
            plain.finish(action)
        assert failed.value.action.error == error
    host = lab.host("unlucky")
    assert (host.server.status, host.entry["init"]) == ("off", None)
    host.act("power_on")
    assert host.server.status == "running"
    host.act("delete")


def test_a_deleted_server_leaves_no_disk_and_no_process(lab: Lab) -> None:
    host = lab.make("short-lived")
    folder, group = host.disk.parent, f"{cgroups.name(lab.state)}/{host.entry['id']}"
    assert plain.processes(group)
    host.act("delete")
    assert not folder.exists()
    assert (plain.processes(group), plain.cgroups_of(group)) == ([], [])
    assert "short-lived" not in {entry["name"] for entry in lab.entries()}
