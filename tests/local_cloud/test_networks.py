"""Networks: ranges, subnets, free addresses."""

from pathlib import Path
from typing import Any

import pytest
from hcloud import APIException
from hcloud.networks import NetworkSubnet

from local_cloud.process import start

from .conftest import hetzner_client, make_network, make_server


def subnet(text: str, zone: str = "eu-central") -> NetworkSubnet:
    return NetworkSubnet(type="cloud", ip_range=text, network_zone=zone)


@pytest.mark.parametrize("text", ["8.8.8.0/24", "10.0.0.0/25", "10.0.0.1/16", "10.0.0.0"])
def test_a_network_is_a_private_range_of_at_least_24_bits(hetzner: Any, text: str) -> None:
    with pytest.raises(APIException) as refused:
        hetzner.networks.create("inside", text)
    assert refused.value.code == "invalid_input"


@pytest.mark.parametrize("text", ["10.1.0.0/24", "10.0.1.128/25", "10.0.0.0/31", "10.0.0.0/8"])
def test_a_subnet_lies_in_its_network_and_overlaps_no_other(hetzner: Any, text: str) -> None:
    network = make_network(hetzner)
    with pytest.raises(APIException) as refused:
        network.add_subnet(subnet(text))
    assert refused.value.code == "invalid_input"


def test_two_changes_of_a_network_at_once_are_a_conflict(tmp_path: Path) -> None:
    cloud = start(tmp_path / "state", action_seconds=3)  # or a busy machine asks again when the first has ended
    try:
        _change_twice(hetzner_client(cloud))
    finally:
        cloud.stop()


def _change_twice(hetzner: Any) -> None:
    network = make_network(hetzner)
    first = network.add_subnet(subnet("10.0.2.0/24"))
    with pytest.raises(APIException) as refused:
        network.add_subnet(subnet("10.0.3.0/24"))
    assert refused.value.code == "conflict"
    first.wait_until_finished()
    network.add_subnet(subnet("10.0.3.0/24")).wait_until_finished()
    network.reload()
    assert [part.ip_range for part in network.subnets] == ["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]


def test_a_server_gets_the_first_free_address_of_the_subnet_it_names(hetzner: Any) -> None:
    network = make_network(hetzner, ("10.0.1.0/24", "10.0.2.0/24"))
    given = []
    for name in ("bridge-1", "bridge-2"):
        server = make_server(hetzner, name)
        server.attach_to_network(network, ip_range="10.0.2.0/24").wait_until_finished()
        server.reload()
        given.append(server.private_net[0].ip)
    network.reload()
    assert given == ["10.0.2.2", "10.0.2.3"]
    assert len(network.servers) == 2


@pytest.mark.parametrize(
    ("ip", "code"),
    [
        ("10.0.1.2", "ip_not_available"),
        ("10.0.1.1", "ip_not_available"),
        ("10.0.1.255", "ip_not_available"),
        ("10.0.9.9", "no_subnet_available"),
    ],
)
def test_an_address_in_use_or_reserved_is_refused(hetzner: Any, ip: str, code: str) -> None:
    network = make_network(hetzner)
    make_server(hetzner, "bridge-1").attach_to_network(network, ip="10.0.1.2").wait_until_finished()
    with pytest.raises(APIException) as refused:
        make_server(hetzner, "bridge-2").attach_to_network(network, ip=ip)
    assert refused.value.code == code


def test_a_full_subnet_and_a_foreign_zone_have_no_address(hetzner: Any) -> None:
    network = make_network(hetzner, ("10.0.1.0/30",))
    make_server(hetzner, "bridge-1").attach_to_network(network).wait_until_finished()
    for server in (make_server(hetzner, "bridge-2"), make_server(hetzner, "bridge-3", "hel1")):
        with pytest.raises(APIException) as refused:
            server.attach_to_network(network)
        assert refused.value.code == "no_subnet_available"


def test_a_server_is_attached_to_a_network_once(hetzner: Any) -> None:
    network, server = make_network(hetzner), make_server(hetzner, "bridge-1")
    server.attach_to_network(network).wait_until_finished()
    with pytest.raises(APIException) as refused:
        server.attach_to_network(network)
    assert refused.value.code == "server_already_attached"


def test_an_alias_address_is_taken_like_any_other(hetzner: Any) -> None:
    network, server = make_network(hetzner), make_server(hetzner, "bridge-1")
    server.attach_to_network(network, alias_ips=["10.0.1.9"]).wait_until_finished()
    with pytest.raises(APIException) as refused:
        make_server(hetzner, "bridge-2").attach_to_network(network, ip="10.0.1.9")
    assert refused.value.code == "ip_not_available"
    server.change_alias_ips(network, []).wait_until_finished()
    server.reload()
    assert server.private_net[0].alias_ips == []


def test_a_subnet_in_use_stays_and_goes_when_its_servers_have_left(hetzner: Any) -> None:
    network, server = make_network(hetzner), make_server(hetzner, "bridge-1")
    server.attach_to_network(network).wait_until_finished()
    with pytest.raises(APIException) as refused:
        network.delete_subnet(subnet("10.0.1.0/24"))
    assert refused.value.code == "service_error"
    server.detach_from_network(network).wait_until_finished()
    network.delete_subnet(subnet("10.0.1.0/24")).wait_until_finished()
    network.reload()
    assert network.subnets == []


def test_a_deleted_network_detaches_its_servers(hetzner: Any) -> None:
    network, server = make_network(hetzner), make_server(hetzner, "bridge-1")
    server.attach_to_network(network).wait_until_finished()
    network.delete()
    server.reload()
    assert server.private_net == []


def test_a_network_holds_a_hundred_servers(hetzner: Any) -> None:
    network = make_network(hetzner)
    for number in range(100):
        make_server(hetzner, f"s-{number}", networks=[network], wait=False)
    with pytest.raises(APIException) as refused:
        make_server(hetzner, "one-more", networks=[network])
    assert refused.value.code == "resource_limit_exceeded"
