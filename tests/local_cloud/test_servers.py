"""Servers: what the real API allows and refuses."""

import base64
from pathlib import Path
from typing import Any

import pytest
from hcloud import APIException
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType

from local_cloud.process import start

from .conftest import hetzner_client, make_server


def test_a_new_server_runs_after_its_actions_and_has_addresses_of_its_own(hetzner: Any) -> None:
    made = hetzner.servers.create("bridge-1", ServerType(name="cx23"), Image(name="debian-12"))
    assert (made.server.status, made.action.status, made.root_password is None) == ("initializing", "running", False)
    for action in [made.action, *made.next_actions]:
        action.wait_until_finished()
    made.server.reload()
    other = make_server(hetzner, "bridge-2")
    assert made.server.status == "running"
    assert made.server.public_net.ipv4.ip.startswith("127.90.")
    assert made.server.public_net.ipv6.ip.startswith("2001:db8:")
    assert made.server.public_net.ipv4.ip != other.public_net.ipv4.ip
    assert made.server.image.name == "debian-12"


def test_a_server_that_is_not_to_start_is_off_once_it_is_created(hetzner: Any) -> None:
    server = make_server(hetzner, "bridge-1", start_after_create=False)
    assert server.status == "off"
    server.power_on().wait_until_finished()
    server.reload()
    assert server.status == "running"


def test_a_server_name_is_unique_in_a_project_and_free_again_after_deletion(hetzner: Any) -> None:
    server = make_server(hetzner, "bridge-1")
    with pytest.raises(APIException) as refused:
        make_server(hetzner, "bridge-1")
    assert refused.value.code == "uniqueness_error"
    server.delete().wait_until_finished()
    assert make_server(hetzner, "bridge-1").id != server.id


@pytest.mark.parametrize("name", ["under_score", "-lead", "trail-", "two words", "a" * 64, "ümlaut"])
def test_a_server_name_must_be_a_host_name(hetzner: Any, name: str) -> None:
    with pytest.raises(APIException) as refused:
        make_server(hetzner, name)
    assert refused.value.code == "invalid_input"
    assert refused.value.details["fields"][0]["name"] == "name"


def test_user_data_of_more_than_32_kib_is_refused(hetzner: Any) -> None:
    make_server(hetzner, "fits", user_data="x" * 32768)
    with pytest.raises(APIException) as refused:
        make_server(hetzner, "too-long", user_data="x" * 32767 + "ü")
    assert refused.value.code == "invalid_input"


def test_what_is_not_sold_is_refused(hetzner: Any) -> None:
    for kind, image, location in [
        ("cx999", "debian-12", "fsn1"),
        ("cx23", "debian-1", "fsn1"),
        ("cx23", "debian-12", "moon"),
        ("cx23", "debian-12", "ash"),
    ]:
        with pytest.raises(APIException) as refused:
            hetzner.servers.create("s", ServerType(name=kind), Image(name=image), location=Location(name=location))
        assert refused.value.code == "invalid_input"


def test_an_image_by_name_is_that_of_the_type_s_architecture(hetzner: Any) -> None:
    made = hetzner.servers.create("arm", ServerType(name="cax11"), Image(name="debian-12"))
    assert made.server.image.architecture == "arm"


def test_a_server_is_locked_while_an_action_runs_on_it(hetzner: Any) -> None:
    server = make_server(hetzner, "bridge-1", wait=False)
    assert server.locked
    with pytest.raises(APIException) as refused:
        server.delete()
    assert refused.value.code == "locked"


def test_a_protected_server_is_not_deleted_until_the_protection_is_lifted(hetzner: Any) -> None:
    server = make_server(hetzner, "shard-1")
    server.change_protection(delete=True, rebuild=True).wait_until_finished()
    with pytest.raises(APIException) as refused:
        server.delete()
    assert refused.value.code == "protected"
    server.change_protection(delete=False, rebuild=False).wait_until_finished()
    server.delete().wait_until_finished()
    assert hetzner.servers.get_all() == []


def test_a_deleted_server_leaves_nothing_but_its_actions(hetzner: Any) -> None:
    server = make_server(hetzner, "bridge-1")
    assert len(hetzner.primary_ips.get_all()) == 2
    server.delete().wait_until_finished()
    assert hetzner.primary_ips.get_all() == []
    with pytest.raises(APIException) as refused:
        hetzner.servers.get_by_id(server.id)
    assert refused.value.code == "not_found"
    assert hetzner.servers.get_by_name(str(server.id)) is None


def test_power_and_type_change_as_on_the_real_one(hetzner: Any) -> None:
    server = make_server(hetzner, "bridge-1")
    with pytest.raises(APIException) as refused:
        server.change_type(ServerType(name="cx33"), upgrade_disk=True)
    assert refused.value.code == "server_not_stopped"
    server.power_off().wait_until_finished()
    server.change_type(ServerType(name="cx33"), upgrade_disk=True).wait_until_finished()
    server.reload()
    assert (server.status, server.server_type.name, server.primary_disk_size) == ("off", "cx33", 80)
    for smaller in ("cx23", "cax21"):
        with pytest.raises(APIException) as refused:
            server.change_type(ServerType(name=smaller), upgrade_disk=False)
        assert refused.value.code == "invalid_server_type"
    server.power_on().wait_until_finished()
    server.reload()
    assert server.status == "running"


def test_name_and_labels_change_in_place(hetzner: Any) -> None:
    server = make_server(hetzner, "bridge-1", labels={"role": "bridge"})
    server.update(name="bridge-one", labels={"role": "shard"})
    assert hetzner.servers.get_by_name("bridge-1") is None
    assert [found.id for found in hetzner.servers.get_all(label_selector="role=shard")] == [server.id]


@pytest.mark.parametrize(
    "labels", [{"a b": "c"}, {"a": "-"}, {"hetzner.cloud/a": "b"}, {"a" * 64: "b"}, {"a": "b" * 64}]
)
def test_labels_have_a_syntax(hetzner: Any, labels: dict[str, str]) -> None:
    with pytest.raises(APIException) as refused:
        make_server(hetzner, "bridge-1", labels=labels)
    assert refused.value.code == "invalid_input"


def test_a_spread_group_holds_ten_servers_until_one_is_really_gone(tmp_path: Path) -> None:
    cloud = start(tmp_path / "state", action_seconds=3)  # or on a busy machine it is gone before the next call
    try:
        _fill_a_group(hetzner_client(cloud))
    finally:
        cloud.stop()


def _fill_a_group(hetzner: Any) -> None:
    group = hetzner.placement_groups.create("bridges-1", "spread").placement_group
    servers = [make_server(hetzner, f"bridge-{n}", placement_group=group, wait=n == 10) for n in range(1, 11)]
    with pytest.raises(APIException) as refused:
        make_server(hetzner, "bridge-11", placement_group=group)
    assert refused.value.code == "placement_error"
    gone = servers[0].delete()
    with pytest.raises(APIException) as refused:
        make_server(hetzner, "bridge-11", placement_group=group)
    assert refused.value.code == "placement_error"
    gone.wait_until_finished()
    make_server(hetzner, "bridge-11", placement_group=group, wait=False)
    group.reload()
    assert len(group.servers) == 10


def test_a_refused_server_leaves_nothing_behind(hetzner: Any) -> None:
    with pytest.raises(APIException):
        hetzner.servers.create("s", ServerType(name="cx23"), Image(name="debian-12"), firewalls=[_Missing()])
    assert hetzner.servers.get_all() == []
    assert hetzner.primary_ips.get_all() == []


class _Missing:
    id = 999999999


def test_an_ssh_key_is_unique_by_name_and_by_fingerprint(hetzner: Any) -> None:
    def key(fill: int) -> str:
        return "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes([fill]) * 32).decode()

    made = hetzner.ssh_keys.create("operations", key(1))
    for name, public in [("operations", key(2)), ("other", key(1) + " comment")]:
        with pytest.raises(APIException) as refused:
            hetzner.ssh_keys.create(name, public)
        assert refused.value.code == "uniqueness_error"
    with pytest.raises(APIException) as refused:
        hetzner.ssh_keys.create("bad", "not a key")
    assert refused.value.code == "invalid_input"
    assert make_server(hetzner, "bridge-1", ssh_keys=[made]).id
