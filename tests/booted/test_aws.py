"""Level 4: a cluster at AWS, on hosts of the embedded EC2: what that cloud does otherwise than Hetzner, to the hosts.

In this order, on one cluster: a node and two bridges, each in a zone of its own, of which one goes on the way.
"""

import asyncio
import json
import shlex
import socket
from collections.abc import Iterator

import pytest

from local_cloud.hosts import addresses
from local_cloud.people import meeting
from tests.bootable import prepare_or_skip
from tests.booted.aws import AwsCluster
from tests.booted.booted import Host, eventually
from tests.booted.doorways import (
    DOORS_ALONE,
    Place,
    doors,
    open_to,
    places,
    send_to_all_udp_ports,
    watched,
    who_reaches_metadata,
)
from tests.booted.drains import BOUND, PATIENCE, Fleet, mistakes, scene
from tests.booted.secret_search import needed, search
from tests.booted.secret_values import secrets_of
from tests.booted.test_reboots import IDENTITY
from tests.level3_applied.applied import Workshop
from tests.level3_applied.machines import AwsMachines

FIRST_ADDRESS = "127.90.214.1"
THIS_MACHINE = ["127.0.0.1/32", f"{addresses.WORLD}/32"]  # from outside, and as hosts see it; no neighbour
SERVICE = "http://169.254.169.254/latest"
TTL = "X-aws-ec2-metadata-token-ttl-seconds: 60"

# Asks for a token and prints the answer's status and how many routers its packets may still pass.
HOPS = f"""
import socket, urllib.request
with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as wire:
    wire.settimeout(5)
    name, value = {TTL!r}.split(": ")
    asked = urllib.request.Request("{SERVICE}/api/token", method="PUT", headers={{name: value}})
    text = urllib.request.urlopen(asked, timeout=5).read()
    packet = b""
    while text not in packet:
        packet = wire.recv(65535)
    print(packet[8])
"""

# What cloud-init has kept of the user-data; EC2's data source keeps all that it was told a second time.
KEPT = """
from cloudinit.sources import pkl_load
path = "/var/lib/cloud/instance/obj.pkl"
source = pkl_load(path)
told = source._crawled_metadata
print([source.userdata_raw, source.userdata, "user-data" in told, "meta-data" in told, source.dsname])
print(b"\\x1f\\x8b\\x08" in open(path, "rb").read())
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsCluster]:
    prepare_or_skip()
    workshop = Workshop.open(tmp_path_factory.mktemp("aws"), "aws", hosts=True, first_address=FIRST_ADDRESS)
    try:
        zones = list(AwsMachines.words.locations)
        cluster = AwsCluster(workshop, bridges=2, locations=zones, drainMinutes=0, adminCidrs=THIS_MACHINE)
        cluster.up()
        yield cluster
    finally:
        workshop.close()


@pytest.fixture(scope="module")
def fleet(cluster: AwsCluster, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    return Fleet(cluster, tmp_path_factory.mktemp("people"))


@pytest.fixture
def hosts(cluster: AwsCluster) -> list[Place]:
    return places(cluster)


def test_every_host_comes_up_without_an_error_and_takes_itself_for_an_instance_of_ec2(cluster: AwsCluster) -> None:
    for host in cluster.hosts():
        assert host.run("cloud-init status --wait --long").splitlines()[0] == "status: done"
        assert json.loads(host.run("cat /run/cloud-init/result.json"))["v1"]["datasource"].startswith("DataSourceEc2")
        assert host.run("cat /var/lib/cloud/data/instance-id") == host.entry["instance"]
        assert host.run("systemctl is-system-running --wait") == "running"
        assert host.run("systemctl list-units --failed --no-legend --plain") == ""


def test_a_host_has_its_private_address_alone_and_the_world_another_one(hosts: list[Place]) -> None:
    for place in hosts:
        shown = json.loads(place.host.run("ip -json address show scope global"))
        found = [(each["family"], each["local"]) for link in shown for each in link["addr_info"] if each]
        assert sorted(found) == [("inet", place.private), ("inet6", place.ipv6)]
        assert place.host.address.startswith("127.90.214.")


def test_bridges_of_both_zones_join(cluster: AwsCluster) -> None:
    eventually(lambda: cluster.bridges_in_the_brewery() == 2, 60)
    zones = {cluster.instance(host)["Placement"]["AvailabilityZone"] for host in cluster.hosts()[1:]}
    assert zones == set(AwsMachines.words.locations)
    jids = cluster.jicofo("/debug")["bridge_selector"]["bridge"]
    named = {f"bridge-{host.entry['instance']}" for host in cluster.hosts()[1:]}
    assert {jid.rpartition("/")[2] for jid in jids} == named


def test_people_are_told_the_public_address_of_their_bridge_and_reach_it_there(
    fleet: Fleet, hosts: list[Place]
) -> None:
    """The bridge learns it from the metadata service, before that is closed, and asks no third party."""
    bridges = {place.host.address: place for place in hosts if place.role == "bridge"}

    async def play() -> set[tuple[str, int]]:
        async with meeting(fleet.site, "mapped", patience=PATIENCE) as people:
            return {each for person in people for each in person.seen.offered if ":" not in each[0]}

    offered = asyncio.run(play())
    assert offered <= {(address, 10000) for address in bridges}
    ((address, port),) = offered
    with (
        watched(bridges[address].host, addresses.WORLD) as arrived,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as person,
    ):
        person.sendto(b"hello", (address, port))
        eventually(lambda: f"elements = {{ {port}" in bridges[address].host.run("nft list table inet watched"), 10)
    assert arrived["udp"] == [port]
    config = bridges[address].host.run("cat /etc/jitsi/videobridge/jvb.conf")
    assert "stun.addresses = []" in config
    assert f'public-address = "{address}"' in config


def test_the_metadata_service_wants_a_token_and_answers_root_on_the_host_itself_alone(hosts: list[Place]) -> None:
    for place in hosts:
        assert who_reaches_metadata(place.host) == ["root"]
        status = f"curl -s -m 5 -o /dev/null -w '%{{http_code}}' {SERVICE}/user-data"
        assert place.host.run(status) == "401"
        assert place.host.run(f"python3 -c {shlex.quote(HOPS)}") == "1"


def test_doors_are_open_to_groups_and_to_the_world_as_the_table_says_and_closed_to_a_neighbour(
    cluster: AwsCluster, hosts: list[Place]
) -> None:
    """The neighbour has an address of the bridges' range: what keeps it out is the cloud's filter alone."""
    shard, *bridges = hosts
    every = {place.private: doors(place.role, "tcp", "world") for place in hosts}
    with cluster.neighbour(of=bridges[0].host) as neighbour:
        assert open_to(neighbour, list(every), DOORS_ALONE) == every
        for family in ("ipv4", "ipv6"):
            wanted = {getattr(place, family): doors(place.role, "tcp", "world") for place in hosts}
            assert open_to(neighbour, list(wanted), DOORS_ALONE) == wanted
        for place in hosts[:2]:
            with watched(place.host, neighbour.private) as arrived:
                send_to_all_udp_ports(neighbour, [place.private])
            assert arrived["udp"] == doors(place.role, "udp", "world")
    asked = [shard.private, *(place.private for place in bridges[1:])]
    wanted = {place.private: doors(place.role, "tcp", "world", "bridges") for place in (shard, *bridges[1:])}
    assert open_to(bridges[0].host, asked, DOORS_ALONE) == wanted
    wanted = {place.private: doors("bridge", "tcp", "world", "signaling") for place in bridges}
    assert open_to(shard.host, list(wanted), DOORS_ALONE) == wanted
    for place in hosts:
        with socket.create_connection((place.host.address, 22), 5) as administrator:
            administrator.settimeout(5)
            assert administrator.recv(4) == b"SSH-"


def test_user_data_is_forgotten_also_where_the_data_source_kept_it_twice(cluster: AwsCluster) -> None:
    secrets = secrets_of(cluster)
    assert "key aws" in secrets
    for host, role in zip(cluster.hosts(), ("shard", "bridge"), strict=False):
        assert search(host, secrets) == needed(cluster.domain)[role]
        assert forgotten(host)


def forgotten(host: Host) -> bool:
    return host.run(f"python3 -c {shlex.quote(KEPT)}").splitlines() == ["[None, None, False, True, 'Ec2']", "False"]


def test_nobody_is_dropped_when_a_bridge_goes(cluster: AwsCluster, fleet: Fleet) -> None:
    async def play() -> None:
        async with scene(fleet, "aws", ["bridge-2"]) as on_stage:
            await on_stage.up(bridges=1)
            await asyncio.sleep(BOUND + 1)
            assert mistakes(on_stage.counts(), on_stage.said) == []
            assert [each.bridge for each in on_stage.said] == ["bridge-2"]

    fleet.quiet(2)
    asyncio.run(play())
    eventually(lambda: cluster.bridges_in_the_brewery() == 1, 60)
    assert len(cluster.workshop.cloud.admin.hosts()) == 2


def test_hosts_that_reboot_keep_addresses_and_role_and_forget_their_user_data_again(
    cluster: AwsCluster, hosts: list[Place]
) -> None:
    before = [place.host.run(IDENTITY) for place in hosts]
    cluster.reboot(*(place.host for place in hosts))
    for place in hosts:
        assert place.host.succeeds("cloud-init status --wait && systemctl is-system-running --wait")
        assert forgotten(place.host)
    assert [place.host.run(IDENTITY) for place in hosts] == before
    assert places(cluster) == hosts
    eventually(lambda: cluster.bridges_in_the_brewery() == 1, 120)


def test_a_destroyed_cluster_leaves_nothing(cluster: AwsCluster) -> None:
    run = cluster.stack.destroy()
    assert run.status == 0, run.text
    assert cluster.workshop.left() == []
    assert cluster.workshop.cloud.admin.hosts() == []
