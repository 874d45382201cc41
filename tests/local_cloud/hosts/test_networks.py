"""Level 4, of the embedded cloud itself: how hosts reach each other, and how this machine reaches them."""

import socket
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from hcloud.firewalls import FirewallResource, FirewallRule
from hcloud.networks import NetworkSubnet

from tests.local_cloud.conftest import ZONE, cloudflare_client

from . import plain
from .plain import Host, Lab, until

# Tells its name over HTTP on port 8000, and answers datagrams on port 9000 with the same in capitals.
TALKS = """\
#cloud-config
write_files:
- path: /usr/local/bin/echo
  content: |
    import socket
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("0.0.0.0", 9000))
    while True:
        data, client = server.recvfrom(2000)
        server.sendto(data.upper(), client)
runcmd:
- systemd-run --unit=names python3 -m http.server 8000 --bind '::' --directory /etc
- systemd-run --unit=echo python3 /usr/local/bin/echo
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    yield from plain.lab(tmp_path_factory.mktemp("networks"), "127.90.173.1")


@pytest.fixture(scope="module")
def hosts(lab: Lab) -> tuple[Host, Host, Host]:
    """Three that talk, made at once and in no network."""
    names = ("ada", "bob", "eve")
    for made in [lab.begin(name, TALKS) for name in names]:
        plain.finish(made.action, *made.next_actions)
    ada, bob, eve = (lab.host(name).ready() for name in names)
    return ada, bob, eve


@pytest.fixture(scope="module")
def inside(lab: Lab, hosts: tuple[Host, Host, Host]) -> tuple[Any, Any]:
    """Two networks of one range: ada and bob are in the first, eve in the second with bob's address."""
    ada, bob, eve = hosts
    first, second = (_network(lab, name) for name in ("first", "second"))
    for host, network, address in ((ada, first, "10.0.1.7"), (bob, first, "10.0.1.8"), (eve, second, "10.0.1.8")):
        host.act("attach_to_network", network=network, ip=address)
        _ask_for_address(host)
    return first, second


def _network(lab: Lab, name: str) -> Any:
    network = lab.client.networks.create(name, "10.0.0.0/16")
    subnet = NetworkSubnet(type="cloud", ip_range="10.0.1.0/24", network_zone="eu-central")
    plain.finish(network.add_subnet(subnet))
    return network


def _second_interface(host: Host) -> str:
    return host.run("ls /sys/class/net | grep -vx -e lo -e eth0 || true")


def _ask_for_address(host: Host) -> None:
    """As an image's own tools would once they see the interface."""
    name = _second_interface(host)
    host.run(f"ip link set {name} up && dhclient -1 -pf /run/{name}.pid {name}")


def asked(host: Host, address: str) -> str:
    """The name of who answers under the address."""
    return host.run(f"curl -sg -m 5 http://{address}:8000/hostname || true")


def test_a_second_interface_appears_after_boot_and_gets_its_address_by_dhcp(
    hosts: tuple[Host, Host, Host], inside: tuple[Any, Any]
) -> None:
    ada = hosts[0]
    name = _second_interface(ada)
    assert name
    assert "inet 10.0.1.7/32 " in ada.run(f"ip -4 -oneline address show {name}")
    assert "mtu 1450" in ada.run(f"ip link show {name}")
    assert f"10.0.0.0/16 via 10.0.0.1 dev {name}" in ada.run("ip route")
    assert "default via 172.31.1.1 dev eth0" in ada.run("ip route")
    assert (ada.entry["private"], inside[0].name) == (["10.0.1.7"], "first")


def test_the_second_interface_has_no_name_that_one_could_count_on(hosts: tuple[Host, Host, Host], inside: Any) -> None:
    assert inside
    assert len({_second_interface(host) for host in hosts}) > 1


def test_hosts_of_a_network_reach_each_other_and_nobody_with_the_same_address_elsewhere(
    hosts: tuple[Host, Host, Host], inside: Any
) -> None:
    ada, bob, eve = hosts
    assert inside
    assert (asked(ada, "10.0.1.8"), asked(bob, "10.0.1.7")) == ("bob", "ada")
    assert (asked(eve, "10.0.1.8"), asked(eve, "10.0.1.7")) == ("eve", "")
    ada.run("ping -c 1 -W 5 -M do -s 1422 10.0.1.8")  # 1450 with its headers


def test_a_network_survives_a_reboot_and_ends_with_its_detachment(
    hosts: tuple[Host, Host, Host], inside: tuple[Any, Any]
) -> None:
    ada, bob, _ = hosts
    bob.act("reboot")
    bob.ready()
    _ask_for_address(bob)
    until(lambda: asked(ada, "10.0.1.8") == "")  # booted anew it talks to nobody yet
    ada.run("ping -c 1 -W 5 10.0.1.8")
    bob.act("detach_from_network", network=inside[0])
    assert (_second_interface(bob), bob.entry["private"]) == ("", [])
    bob.act("attach_to_network", network=inside[0], ip="10.0.1.9")
    _ask_for_address(bob)
    ada.run("ping -c 1 -W 5 10.0.1.9")


def test_hosts_reach_each_other_on_the_public_side_over_both_protocols(hosts: tuple[Host, Host, Host]) -> None:
    ada, _, eve = hosts
    server = eve.server.public_net
    assert asked(ada, server.ipv4.ip.replace("127.90.", "198.18.")) == "eve"
    ada.run(f"ping -c 3 -i 0.2 -W 5 {server.ipv6.ip.removesuffix('/64')}1 | grep ' 0% packet loss'")
    assert asked(ada, f"[{server.ipv6.ip.removesuffix('/64')}1]") == "eve"


def test_names_of_the_cloudflare_api_lead_to_hosts(lab: Lab, hosts: tuple[Host, Host, Host]) -> None:
    ada, _, eve = hosts
    dns = cloudflare_client(lab.cloud)
    record = dns.dns.records.create(
        zone_id=ZONE, name="eve.fleet.test", type="A", content=eve.entry["public"], ttl=60, proxied=False
    )
    assert record is not None
    assert asked(ada, "eve.fleet.test") == "eve"
    dns.dns.records.delete(record.id, zone_id=ZONE)
    assert asked(ada, "eve.fleet.test") == ""


def test_this_machine_reaches_hosts_under_the_address_that_the_api_gives(hosts: tuple[Host, Host, Host]) -> None:
    _, _, eve = hosts
    public = eve.server.public_net.ipv4.ip
    until(lambda: _fetched(public) == "eve\n")
    until(lambda: _echoed(public) == b"HELLO")


def test_a_firewall_comes_and_goes_while_hosts_run(lab: Lab, hosts: tuple[Host, Host, Host]) -> None:
    ada, _, eve = hosts
    public, inside = eve.entry["public"], eve.entry["public"].replace("127.90.", "198.18.")
    until(lambda: _echoed(public) == b"HELLO")
    rule = FirewallRule("in", "tcp", [f"{ada.entry['public']}/32"], port="8000")
    made = lab.client.firewalls.create("doors", rules=[rule])
    firewall = made.firewall
    plain.finish(*firewall.apply_to_resources([FirewallResource("server", server=eve.server)]))
    assert asked(ada, inside) == "eve"
    assert (_fetched(public), _echoed(public)) == ("", b"")
    plain.finish(*firewall.remove_from_resources([FirewallResource("server", server=eve.server)]))
    until(lambda: _fetched(public) == "eve\n")
    until(lambda: _echoed(public) == b"HELLO")


def _fetched(address: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address}:8000/hostname", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def _echoed(address: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.5)
        try:
            client.sendto(b"hello", (address, 9000))
            return client.recv(100)
        except OSError:
            return b""


def test_an_address_that_one_host_gave_back_can_be_anothers(
    hosts: tuple[Host, Host, Host], inside: tuple[Any, Any]
) -> None:
    _, bob, eve = hosts
    first, second = inside
    bob.act("detach_from_network", network=first)
    eve.act("detach_from_network", network=second)
    eve.act("attach_to_network", network=first, ip="10.0.1.8")
    _ask_for_address(eve)
    assert "inet 10.0.1.8/32" in eve.run("ip -4 -oneline address")
