"""Level 4, of the embedded cloud itself: hosts of EC2's instances boot, act as the API says, and see what EC2 shows."""

import gzip
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from local_cloud.hosts import addresses

from . import ec2
from .ec2 import ASK, Ec2Lab
from .plain import Host, children, until

MARKS = "#cloud-config\nruncmd:\n- echo marked >>/root/mark\n"
DOOR = 4443
LISTENS = f"systemd-run --quiet python3 -m http.server {DOOR} --bind ::"
# A network behind the host, as a container has: what it asks passes through the host as a router.
BEHIND = """
ip netns add behind
ip link add inner type veth peer name eth0 netns behind
ip addr add 192.168.9.1/24 dev inner
ip link set inner up
ip -netns behind addr add 192.168.9.2/24 dev eth0
ip -netns behind link set eth0 up
ip -netns behind route add default via 192.168.9.1
sysctl -qw net.ipv4.ip_forward=1
nft 'table ip behind { chain out { type nat hook postrouting priority srcnat; ip saddr 192.168.9.0/24 masquerade; }; }'
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ec2Lab]:
    yield from ec2.lab(tmp_path_factory.mktemp("instances"), "127.90.176.1")


@pytest.fixture(scope="module")
def ids(lab: Ec2Lab) -> tuple[str, str]:
    """On Debian 12, with packed user-data; on Debian 13. Two security groups: one names the other."""
    web, peer = lab.group("web"), lab.group("peer")
    lab.open(web, DOOR, UserIdGroupPairs=[{"GroupId": peer}])
    packed = gzip.compress(MARKS.encode(), mtime=0)
    return lab.begin("web", web, UserData=packed), lab.begin("peer", peer, image="debian-13", UserData=MARKS)


@pytest.fixture(scope="module")
def hosts(lab: Ec2Lab, ids: tuple[str, str]) -> tuple[Host, Host]:
    return lab.ready(ids[0]), lab.ready(ids[1])


def test_cloud_init_takes_the_host_for_an_instance_of_ec2_and_runs_its_user_data(
    lab: Ec2Lab, ids: tuple[str, str], hosts: tuple[Host, Host]
) -> None:
    for id, host in zip(ids, hosts, strict=True):
        assert "DataSourceEc2" in host.run("cat /run/cloud-init/result.json")
        assert host.run("cat /var/lib/cloud/data/instance-id") == id
        assert host.run("cat /root/mark") == "marked"
        assert host.run("hostname") == "ip-" + lab.instance(id)["PrivateIpAddress"].replace(".", "-")


def test_a_host_has_one_interface_with_its_private_and_its_ipv6_address(
    lab: Ec2Lab, ids: tuple[str, str], hosts: tuple[Host, Host]
) -> None:
    for id, host in zip(ids, hosts, strict=True):
        api = lab.instance(id)
        interfaces = host.run("ls /sys/class/net").split()
        assert len(interfaces) == 2, interfaces
        assert f"inet {api['PrivateIpAddress']}/24" in host.run("ip -4 address show scope global")
        assert api["PublicIpAddress"] not in host.run("ip address")
        (ipv6,) = [each["Ipv6Address"] for each in api["NetworkInterfaces"][0]["Ipv6Addresses"]]
        assert ipv6 in host.run("ip -6 address show scope global")
        assert "default via 10.90.1.1" in host.run("ip -4 route")
        assert "via fe80::1 " in host.run("ip -6 route show default")
        assert "10.90.0.2" in host.run("cat /etc/resolv.conf /run/systemd/resolve/resolv.conf 2>/dev/null || true")


def test_a_host_is_told_of_itself_by_tokens_alone_which_nobody_behind_it_gets(
    lab: Ec2Lab, ids: tuple[str, str], hosts: tuple[Host, Host]
) -> None:
    host = hosts[0]
    status = "curl -s -m 5 -o /dev/null -w '%{http_code}' http://169.254.169.254/latest/meta-data/"
    assert host.run(status) == "401"
    assert host.run(f"{ASK} ask meta-data/public-ipv4") == lab.instance(ids[0])["PublicIpAddress"]
    assert host.run(f"{ASK} ask user-data | gunzip") == MARKS.strip()
    host.run(BEHIND)
    behind = f"ip netns exec behind bash -c '{ASK.replace(chr(39), chr(34))} token || echo none'"
    assert host.run(f"ip netns exec behind {status}") == "401", "the way is there"
    assert host.run(behind) == "none", "the answer with the token gets one hop far"


def test_security_groups_are_between_neighbours_too_and_change_while_hosts_run(
    lab: Ec2Lab, ids: tuple[str, str], hosts: tuple[Host, Host]
) -> None:
    web, peer = hosts
    web.run(LISTENS)
    peer.run(LISTENS)
    private = {host: host.entry["private"][0] for host in hosts}
    until(lambda: reaches(peer, private[web]))
    assert not reaches(web, private[peer])
    assert not reaches(peer, addresses.inside(web.entry["public"])), "over the public side it is no member"
    (ipv6,) = [each["Ipv6Address"] for each in lab.instance(ids[0])["NetworkInterfaces"][0]["Ipv6Addresses"]]
    assert reaches(peer, f"[{ipv6}]")
    assert not open_from_here(web)
    group = lab.instance(ids[0])["SecurityGroups"][0]["GroupId"]
    lab.open(group, DOOR, IpRanges=[{"CidrIp": "127.0.0.0/8"}, {"CidrIp": "127.90.176.0/24"}])
    until(lambda: open_from_here(web))
    until(lambda: reaches(peer, addresses.inside(web.entry["public"])))


def test_names_are_there_at_both_addresses_of_the_resolver(hosts: tuple[Host, Host]) -> None:
    for host in hosts:
        assert addresses.ARCHIVES in host.run("getent hosts deb.debian.org")
        for resolver in ("10.90.0.2", addresses.VPC_RESOLVER):
            ask = f"import socket; s = socket.create_connection(('{resolver}', 53), 5); print('there')"
            assert host.run(f'python3 -c "{ask}"') == "there"


def test_an_instance_without_a_public_address_has_no_way_out_until_it_gets_one(lab: Ec2Lab) -> None:
    id = lab.begin("inner", lab.group("inner"), public=False)
    host = lab.ready(id)
    archive = "curl -s -m 2 -o /dev/null http://deb.debian.org/ && echo there || echo none"
    assert host.run(archive) == "none"
    address = lab.client.allocate_address(Domain="vpc")
    lab.client.associate_address(AllocationId=address["AllocationId"], InstanceId=id)
    assert host.entry["public"] == address["PublicIp"]
    until(lambda: host.run(archive) == "there")
    assert host.run(f"{ASK} ask meta-data/public-ipv4") == address["PublicIp"]
    lab.client.terminate_instances(InstanceIds=[id])
    until(lambda: lab.state(id) == "terminated")


def test_a_reboot_keeps_addresses_and_disk_whoever_asks_for_it(
    lab: Ec2Lab, ids: tuple[str, str], hosts: tuple[Host, Host]
) -> None:
    host, before = hosts[1], lab.instance(ids[1])
    for by_itself in (False, True):
        boot = host.boot()
        if by_itself:
            soon(host, "systemctl reboot")
        else:
            lab.client.reboot_instances(InstanceIds=[ids[1]])
        until(lambda: host.boot() not in (boot, "None"))  # noqa: B023 - asked before it changes
        lab.ready(ids[1])
        after = lab.instance(ids[1])
        assert (after["PublicIpAddress"], after["PrivateIpAddress"]) == (
            before["PublicIpAddress"],
            before["PrivateIpAddress"],
        )
    assert host.run("cat /root/mark") == "marked", "user-data ran once"


def test_a_stopped_instance_is_off_and_starts_with_its_disk_and_another_public_address(
    lab: Ec2Lab, ids: tuple[str, str], hosts: tuple[Host, Host]
) -> None:
    host, before = hosts[0], lab.instance(ids[0])
    lab.client.stop_instances(InstanceIds=[ids[0]])
    until(lambda: lab.state(ids[0]) == "stopped")
    assert host.entry["init"] is None
    lab.client.start_instances(InstanceIds=[ids[0]])
    lab.ready(ids[0])
    after = lab.instance(ids[0])
    assert after["PrivateIpAddress"] == before["PrivateIpAddress"]
    assert after["PublicIpAddress"] != before["PublicIpAddress"]
    assert host.run("cat /root/mark") == "marked"
    soon(host, "systemctl poweroff")
    until(lambda: lab.state(ids[0]) == "stopped")


def test_a_terminated_instance_leaves_neither_host_nor_disk_nor_network(
    lab: Ec2Lab, ids: tuple[str, str], hosts: tuple[Host, Host]
) -> None:
    folders = [host.disk.parent for host in hosts]
    lab.client.terminate_instances(InstanceIds=list(ids))
    until(lambda: [lab.state(id) for id in ids] == ["terminated", "terminated"])
    assert lab.entries() == []
    assert not any(folder.exists() for folder in folders)
    until(lambda: children(lab.cloud.pid, "systemd-nspawn") == [])


def reaches(source: Host, address: str) -> bool:
    answer = source.run(f"curl -s -m 1 -o /dev/null http://{address}:{DOOR}/ && echo yes || echo no")
    return answer == "yes"


def open_from_here(host: Host) -> bool:
    """Whether this machine may ask it; who may not is cut off before the host learns of it."""
    with socket.socket() as attempt:
        attempt.settimeout(2)
        with suppress(OSError):
            attempt.connect((host.entry["public"], DOOR))
            attempt.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return attempt.recv(4) == b"HTTP"
    return False


def soon(host: Host, command: str) -> None:
    """A command that ends the host that it runs on."""
    host.run(f"systemd-run --quiet --on-active=0.2 {command}")
