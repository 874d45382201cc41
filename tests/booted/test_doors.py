"""Level 4: every host has the doors of components/doors.py open, to those whom the table names, and no others.

Asked are all TCP and all UDP ports. Whoever is asked for a door that is not his gets no answer, not even a refusal.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local_cloud.hosts import addresses
from tests.booted.booted import Cluster, Host, eventually
from tests.booted.doorways import (
    DOORS_ALONE,
    Place,
    Protocol,
    doors,
    on_the_private_network,
    open_from_here,
    open_to,
    places,
    send_to_all_udp_ports,
    taken_here,
    watched,
    who_reaches_metadata,
)

THIS_MACHINE = "127.0.0.1/32"
USER_DATA = "#cloud-config\n# the stranger's own\n"
METADATA = "http://169.254.169.254/hetzner/v1"


@dataclass(frozen=True)
class Seen:
    """What was open while only this machine was an administrator, and what became open to the stranger after."""

    ipv4: dict[str, list[int]]
    ipv6: dict[str, list[int]]
    past_the_filter: dict[str, dict[Protocol, list[int]]]  # by IPv4 address
    from_here: dict[str, list[int]]  # by IPv4 address
    as_administrator: dict[str, list[int]]
    servers_before: list[int]
    servers_after: list[int]


@pytest.fixture(scope="module")
def hosts(cluster: Cluster) -> list[Place]:
    return places(cluster)


@pytest.fixture(scope="module")
def bridges(hosts: list[Place]) -> list[Place]:
    return [place for place in hosts if place.role == "bridge"]


@pytest.fixture(scope="module")
def shard(hosts: list[Place]) -> Place:
    (shard,) = [place for place in hosts if place.role == "signaling"]
    return shard


@pytest.fixture(scope="module")
def stranger(cluster: Cluster) -> Iterator[Host]:
    """A server of the same cloud that has nothing to do with the cluster."""
    with cluster.stranger("stranger", USER_DATA) as host:
        eventually(lambda: host.entry["cloud_init"] == "done", 120)
        yield host


@pytest.fixture(scope="module")
def seen(cluster: Cluster, stranger: Host, hosts: list[Place]) -> Seen:
    ipv4, ipv6 = [place.ipv4 for place in hosts], [place.ipv6 for place in hosts]
    sender = addresses.inside(stranger.address)
    before = _servers(cluster)
    usual = cluster.stack.setting("adminCidrs")
    past: dict[str, dict[Protocol, list[int]]] = {}
    cluster.stack.configure(adminCidrs=[THIS_MACHINE])
    try:
        cluster.up(wait=False)
        for place in hosts:
            with watched(place.host, sender) as past[place.ipv4]:
                send_to_all_udp_ports(stranger, [place.ipv4])
        over_ipv4, over_ipv6 = open_to(stranger, ipv4), open_to(stranger, ipv6)
        from_here = {place.ipv4: open_from_here(place.host.address) for place in hosts}
    finally:
        cluster.stack.configure(adminCidrs=usual)
        cluster.up(wait=False)
    after = open_to(stranger, ipv4, DOORS_ALONE)
    return Seen(over_ipv4, over_ipv6, past, from_here, after, before, _servers(cluster))


def test_a_stranger_finds_the_doors_for_the_world_open_and_nothing_else(seen: Seen, hosts: list[Place]) -> None:
    assert seen.ipv4 == {place.ipv4: doors(place.role, "tcp", "world") for place in hosts}
    assert seen.ipv6 == {place.ipv6: doors(place.role, "tcp", "world") for place in hosts}


def test_of_all_datagrams_of_a_stranger_only_media_come_to_a_host(seen: Seen, hosts: list[Place]) -> None:
    """Trap 3: media need UDP 10000, and meetings of two do not show when it is closed."""
    arrived = {place.ipv4: seen.past_the_filter[place.ipv4]["udp"] for place in hosts}
    assert arrived == {place.ipv4: doors(place.role, "udp", "world") for place in hosts}


def test_an_administrators_machine_finds_ssh_open_too(seen: Seen, hosts: list[Place]) -> None:
    wanted = {place.ipv4: doors(place.role, "tcp", "world", "admins") for place in hosts}
    assert seen.from_here == {
        address: [port for port in wanted[address] if port not in taken_here()] for address in wanted
    }


def test_who_becomes_an_administrator_reaches_ssh_without_a_new_server(seen: Seen, hosts: list[Place]) -> None:
    """adminCidrs is a rule of the cloud's firewall alone: it closes and opens while the hosts run."""
    assert seen.as_administrator == {place.ipv4: doors(place.role, "tcp", "world", "admins") for place in hosts}
    assert seen.servers_after == seen.servers_before


def test_private_addresses_cannot_be_reached_over_the_public_side(stranger: Host, hosts: list[Place]) -> None:
    private = [place.private for place in hosts]
    assert open_to(stranger, private, DOORS_ALONE) == {address: [] for address in private}


def test_a_bridge_reaches_prosody_and_the_manifest_privately_and_no_other_bridge(
    bridges: list[Place], shard: Place
) -> None:
    asking, *others = bridges
    asked = [shard, *others]
    found = open_to(asking.host, [place.private for place in asked])
    assert found == {place.private: doors(place.role, "tcp", "world", "bridges") for place in asked}
    manifest = asking.host.run("curl -sf -m 5 http://shard-1.internal.test.fleet.test:8100/versions")
    assert "jitsi-videobridge2=" in manifest


def test_the_signaling_node_reaches_the_rest_interface_of_bridges_and_no_door_of_administrators(
    bridges: list[Place], shard: Place
) -> None:
    found = open_to(shard.host, [place.private for place in bridges])
    assert found == {place.private: doors("bridge", "tcp", "world", "signaling") for place in bridges}
    for place in bridges:
        shard.host.run(f"curl -sf -m 5 http://{place.private}:8080/about/health")


def test_another_host_on_the_private_network_finds_no_more_than_the_world(
    cluster: Cluster, stranger: Host, hosts: list[Place]
) -> None:
    private = [place.private for place in hosts]
    past: dict[str, dict[Protocol, list[int]]] = {}
    with on_the_private_network(cluster, stranger):
        found = open_to(stranger, private)
        for place in hosts:
            with watched(place.host, stranger.private) as past[place.private]:
                send_to_all_udp_ports(stranger, [place.private])
    assert found == {place.private: doors(place.role, "tcp", "world") for place in hosts}
    arrived = {address: ports["udp"] for address, ports in past.items()}
    assert arrived == {place.private: doors(place.role, "udp", "world") for place in hosts}


def test_only_root_reaches_the_metadata_service(hosts: list[Place]) -> None:
    """User-data holds secrets, and the service would hand it to every program of the host."""
    for place in hosts:
        assert who_reaches_metadata(place.host) == ["root"]


def test_the_metadata_service_tells_each_host_of_itself_alone(stranger: Host, bridges: list[Place]) -> None:
    assert stranger.run(f"curl -sf {METADATA}/metadata/instance-id") == str(stranger.entry["id"])
    assert stranger.run(f"curl -sf {METADATA}/userdata") == USER_DATA.strip()
    pretending = f"curl -sf -H 'X-Forwarded-For: {bridges[0].ipv4}' -H 'X-Real-IP: {bridges[0].ipv4}'"
    assert stranger.run(f"{pretending} {METADATA}/userdata") == USER_DATA.strip()


def _servers(cluster: Cluster) -> list[int]:
    return sorted(host.entry["id"] for host in cluster.hosts())
