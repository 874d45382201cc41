"""Level 4, of the embedded cloud itself: the metadata service tells each host of itself, and of nobody else."""

import base64
import gzip
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hcloud.networks import NetworkSubnet
from hcloud.ssh_keys import SSHKey

from . import plain
from .plain import Host, Lab

SERVICE = "http://169.254.169.254/hetzner/v1"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBxJKv4FDyTQkDGgbK1hcUXLkqxvGcDqSIYNxgLq6v4c somebody@example.test"
MARKS = "#cloud-config\nruncmd:\n- echo marked >/root/mark\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    yield from plain.lab(tmp_path_factory.mktemp("metadata"), "127.90.174.1")


@pytest.fixture(scope="module")
def hosts(lab: Lab) -> tuple[Host, Host]:
    """On Debian 12, with a key and user-data as text; on Debian 13, with user-data packed."""
    key = lab.client.ssh_keys.create("somebody", KEY)
    packed = base64.b64encode(gzip.compress(MARKS.encode())).decode()
    orders = [
        lab.begin("text", MARKS, ssh_keys=[SSHKey(id=key.id)]),
        lab.begin("packed", packed, image="debian-13"),
    ]
    for made in orders:
        plain.finish(made.action, *made.next_actions)
    return lab.host("text").ready(), lab.host("packed").ready()


def asked(host: Host, path: str, *options: str) -> str:
    return host.run(f"curl -sf -m 5 {' '.join(options)} {SERVICE}/{path}")


@pytest.mark.parametrize("number", [0, 1], ids=["as text", "gzip and base64"])
def test_user_data_runs_as_it_was_given(hosts: tuple[Host, Host], number: int) -> None:
    assert hosts[number].run("cat /root/mark") == "marked"


def test_a_host_has_the_name_and_the_keys_of_its_server(hosts: tuple[Host, Host]) -> None:
    text, packed = hosts
    assert (text.run("hostname"), packed.run("hostname")) == ("text", "packed")
    assert KEY.split()[1] in text.run("cat /root/.ssh/authorized_keys")
    assert KEY.split()[1] not in packed.run("cat /root/.ssh/authorized_keys || true")


def test_each_host_is_told_of_itself(hosts: tuple[Host, Host]) -> None:
    for host in hosts:
        server: Any = host.server
        told = yaml.safe_load(asked(host, "metadata"))
        assert (told["hostname"], told["instance-id"]) == (host.name, server.id)
        assert (told["public-ipv4"], told["region"]) == (server.public_net.ipv4.ip, "eu-central")
        assert asked(host, "metadata/instance-id") == str(server.id)
        assert asked(host, "metadata/public-ipv4") == server.public_net.ipv4.ip
    assert asked(hosts[0], "userdata") == MARKS.strip()


def test_private_networks_are_told_of_once_they_are_attached(lab: Lab, hosts: tuple[Host, Host]) -> None:
    text, packed = hosts
    network = lab.client.networks.create("inside", "10.0.0.0/16")
    plain.finish(network.add_subnet(NetworkSubnet(type="cloud", ip_range="10.0.1.0/24", network_zone="eu-central")))
    text.act("attach_to_network", network=network, ip="10.0.1.5")
    (told,) = yaml.safe_load(asked(text, "metadata/private-networks"))
    assert (told["ip"], told["network_id"], told["network"]) == ("10.0.1.5", network.id, "10.0.0.0/16")
    assert told["mac_address"] == text.server.private_net[0].mac_address
    assert yaml.safe_load(asked(packed, "metadata/private-networks")) == []


def test_who_takes_another_s_address_learns_nothing(hosts: tuple[Host, Host]) -> None:
    text, packed = hosts
    victim = packed.entry["public"].replace("127.90.", "198.18.")
    # It asks for the gateway anew, and so tells it that the address is its own.
    text.run(f"ip address add {victim}/32 dev eth0; ip neighbour flush dev eth0")
    try:
        assert text.run(f"curl -s -m 2 --interface {victim} {SERVICE}/userdata || echo nothing") == "nothing"
        assert text.run(f"curl -s -m 2 --interface 198.18.99.99 {SERVICE}/userdata || echo nothing") == "nothing"
    finally:
        text.run(f"ip address del {victim}/32 dev eth0")
    assert asked(packed, "metadata/hostname") == "packed"


def test_hosts_reach_neither_the_apis_nor_the_orders_of_tests(lab: Lab, hosts: tuple[Host, Host]) -> None:
    for place in ("169.254.169.254", "172.31.1.1", "198.19.255.1", f"127.0.0.1:{lab.cloud.port}"):
        for path in ("/admin/status", "/hetzner/v1/servers"):
            assert "servers" not in hosts[0].run(f"curl -s -m 2 http://{place}{path} || true")
