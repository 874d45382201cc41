"""Level 4: hosts meet what goes wrong, say what it is, and go on by themselves when it is over."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from local_cloud.hosts.command_line import table
from tests.booted.booted import Cluster, Host, eventually
from tools.booted import HostError, wait

LATE_SECONDS = 15
DISK = "1500m"  # what a bridge installs takes a third of it
AHEAD, RIGHT, BEHIND = "+1d", "+0", "-1d"
CLOCK = """[Service]
Environment=LD_PRELOAD=/usr/local/lib/libfaketime.so FAKETIME_TIMESTAMP_FILE=/etc/clock FAKETIME_CACHE_DURATION=1
Environment=FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1
"""
BROKEN = "#cloud-config\nruncmd:\n  - [ls, /no/such/place]\n"


@dataclass(frozen=True)
class Early:
    """Bridges that came up when nothing else was there: what they said until they had joined."""

    late: Host  # got its private network long after its boot; its disk is small
    shifted: Host  # its clock is a day ahead, too
    broken: Host  # no bridge: cloud-init fails
    said: dict[str, str]  # what the bridges' journals held when they joined


@pytest.fixture(scope="module")
def early(cluster: Cluster) -> Iterator[Early]:
    """One window for all that can be wrong at boot: no names, no archives, no signaling node, no private network."""
    user_data, library = cluster.user_data("bridge-1"), libfaketime()
    cluster.shard.act("shutdown")
    with (
        cluster.stranger("late", user_data, start=False) as late,
        cluster.stranger("shifted", user_data, start=False) as shifted,
        cluster.stranger("broken", BROKEN, start=False) as broken,
        small_disk(late),
    ):
        set_clock_of_services(shifted, library)
        cluster.attach(shifted)
        with cluster.without("archives"):
            with cluster.without("names"):
                for host in (shifted, late, broken):
                    host.act("power_on")
                eventually(lambda: "failure resolving" in installation(shifted), 90)
            eventually(lambda: "Could not connect" in installation(shifted), 90)
        eventually(lambda: waited(late) > LATE_SECONDS, 90)
        cluster.attach(late)
        eventually(lambda: "waits for the manifest" in installation(late), 240)
        cluster.shard.act("power_on")
        for bridge in (late, shifted):
            eventually(lambda bridge=bridge: joined(bridge), 180)  # type: ignore[misc]
        eventually(lambda: cluster.bridges_in_the_brewery() == 4, 60)
        yield Early(late, shifted, broken, {host.name: installation(host) for host in (late, shifted)})
        for bridge in (late, shifted):  # in order, so that nobody has to miss them first
            bridge.act("shutdown")
    eventually(lambda: cluster.bridges_in_the_brewery() == 2, 120)


def libfaketime() -> Path:
    """Debian's library that gives a process another clock; installed on this machine where it is missing."""
    if not (found := list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))):
        subprocess.run(["apt-get", "-qq", "-y", "install", "libfaketime"], check=True, capture_output=True)
        found = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return found[0]


def set_clock_of_services(host: Host, library: Path) -> None:
    """Before its first boot. A container has no clock of its own, but the role's services can read another one."""
    for path, content in (
        ("usr/local/lib/libfaketime.so", library.read_bytes()),
        ("etc/systemd/system/jitsi-.service.d/clock.conf", CLOCK.encode()),
        ("etc/clock", f"{AHEAD}\n".encode()),
    ):
        (host.disk / path).parent.mkdir(parents=True, exist_ok=True)
        (host.disk / path).write_bytes(content)


@contextmanager
def small_disk(host: Host) -> Iterator[None]:
    """Before its first boot: its whole disk is one that can be filled, seen by the embedded cloud only."""
    cloud, folder = ["nsenter", "-t", str(host.cluster.workshop.cloud.pid), "-m", "-p", "--"], host.entry["folder"]
    base = (Path(folder) / "base").read_text()
    subprocess.run([*cloud, "mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "disk", folder], check=True)
    subprocess.run([*cloud, "mkdir", f"{folder}/upper", f"{folder}/work"], check=True)
    subprocess.run([*cloud, "tee", f"{folder}/base"], input=base, text=True, check=True, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        subprocess.run([*cloud, "umount", "--lazy", folder], check=True)


def installation(host: Host) -> str:
    """What the units of the roles said; empty while its systemd is not up."""
    return host.run("journalctl --no-pager -o cat -u 'jitsi-fleet-*'", check=False)


def waited(host: Host) -> float:
    """Seconds since it began to wait for its private network, 0 before."""
    unit = "systemctl show -P {} jitsi-fleet-private-address.service"
    if host.run(unit.format("ActiveState"), check=False) != "activating":
        return 0
    begun = int(host.run(unit.format("ExecMainStartTimestampMonotonic"))) / 1e6
    return float(host.run("cut -d' ' -f1 /proc/uptime")) - begun


def joined(host: Host) -> bool:
    """Whether jicofo would give this bridge a room."""
    name = f"/bridge-{host.entry['id']}"
    return any(jid.endswith(name) for jid in host.cluster.operational_bridges())


@contextmanager
def fresh_log(bridge: Host, unless: str) -> Iterator[None]:
    """The bridge starts again with an empty log after what the block did and after the command that undoes it."""
    bridge.run("truncate --size 0 /var/log/jitsi/jvb.log")
    try:
        yield
    finally:
        bridge.run(f"{unless}; systemctl restart jitsi-videobridge2")
    eventually(lambda: joined(bridge), 120)


def logged(bridge: Host, words: str) -> bool:
    return bridge.succeeds(f"grep -q '{words}' /var/log/jitsi/jvb.log")


def test_a_private_network_that_comes_late_is_waited_for(early: Early) -> None:
    told = re.search(r"private address ([0-9.]+) after ([0-9]+) s", early.said["late"])
    assert told is not None
    assert told[1] == early.late.private
    assert int(told[2]) >= LATE_SECONDS


def test_a_bridge_that_boots_without_names_and_archives_installs_when_they_are_back(early: Early) -> None:
    said = early.said["shifted"]
    moments = [said.index(words) for words in ("failure resolving", "Could not connect", "bridge: done")]
    assert moments == sorted(moments)


def test_a_bridge_that_is_there_before_the_signaling_node_joins_when_it_arrives(early: Early) -> None:
    """Trap 8."""
    said = early.said["late"]
    assert said.index("waits for the manifest of shard-1") < said.index("bridge: done")
    assert joined(early.late)


def test_hosts_that_had_a_hard_start_are_as_sound_as_others(early: Early) -> None:
    for bridge in (early.late, early.shifted):
        assert bridge.run("cloud-init status").endswith("status: done")
        assert bridge.run("systemctl list-units --failed --no-legend --plain") == ""


def test_a_cloud_init_that_fails_is_seen_in_one_look(cluster: Cluster, early: Early) -> None:
    with pytest.raises(HostError, match=r"broken: cloud-init failed(.|\n)*/no/such/place"):
        wait(cluster.workshop.cloud, {early.broken.address}, longest=60)
    (line,) = [line for line in table(cluster.workshop.cloud.admin.hosts()).splitlines() if line.startswith("broken ")]
    assert "error: " in line


def test_a_bridge_whose_clock_is_a_day_ahead_joins(early: Early) -> None:
    service = "systemd-run --quiet --pipe --wait --unit=jitsi-clock date +%s"
    assert 86000 < int(early.shifted.run(service)) - time.time() < 87000
    assert joined(early.shifted)


def test_a_bridge_whose_clock_is_a_day_behind_says_so_and_joins_when_it_is_right(early: Early) -> None:
    """The cluster's certificates are younger than a day, so for this bridge they are not valid yet."""
    bridge = early.shifted
    bridge.run(f"echo {BEHIND} >/etc/clock; truncate --size 0 /var/log/jitsi/jvb.log")
    bridge.run("systemctl restart jitsi-videobridge2")
    eventually(lambda: logged(bridge, "PKIX path .* failed"), 60)
    assert not joined(bridge)
    bridge.run(f"echo {RIGHT} >/etc/clock")
    eventually(lambda: joined(bridge), 120)


def test_a_bridge_that_does_not_know_the_cluster_s_authority_does_not_join(early: Early) -> None:
    """Trap 2. The certificate of the signaling node is verified."""
    own, other = "/usr/local/share/ca-certificates/jitsi-fleet.crt", "/root/other.crt"
    early.late.run(
        f"cp {own} /root/own.crt; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
        f"-subj /CN=other -keyout /dev/null -out {other} 2>/dev/null"
    )
    trust = "cp {} " + own + " && update-ca-certificates --fresh >/dev/null 2>&1"
    with fresh_log(early.late, trust.format("/root/own.crt")):
        early.late.run(f"{trust.format(other)} && systemctl restart jitsi-videobridge2")
        eventually(lambda: logged(early.late, "PKIX path building failed"), 60)
        assert not joined(early.late)


def test_a_bridge_with_a_wrong_password_says_so_and_does_not_join(early: Early) -> None:
    """Trap 1."""
    file = "/etc/jitsi/videobridge/jvb.conf"
    with fresh_log(early.late, f"cp -p /root/jvb.conf {file}"):
        early.late.run(f'cp -p {file} /root; sed -i \'s/password = ".*"/password = "wrong"/\' {file}')
        early.late.run("systemctl restart jitsi-videobridge2")
        eventually(lambda: logged(early.late, "SASLError using SCRAM-SHA-1: not-authorized"), 60)
        assert not joined(early.late)


def test_a_bridge_whose_disk_is_full_goes_on(cluster: Cluster, early: Early) -> None:
    bridge = early.late
    bridge.run("dd if=/dev/zero of=/filler bs=1M 2>/dev/null; dd if=/dev/zero of=/rest bs=1 2>/dev/null", check=False)
    assert not bridge.succeeds("echo more >/one-more")
    assert bridge.run("curl -sf -m 5 -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/about/health") == "200"
    assert all(joined(host) for host in (bridge, *cluster.hosts()[1:]))
    bridge.run("rm -f /filler /rest /one-more; systemctl restart jitsi-videobridge2")
    eventually(lambda: logged(bridge, "Joined MUC") and joined(bridge), 120)
