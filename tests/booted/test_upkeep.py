"""Level 4: hosts look after themselves: updates, logs, clock and kernel settings, without a hand on what calls need."""

import re
import shlex
from pathlib import Path

from tests.booted.booted import Cluster, Host

OFFER = (Path(__file__).parent / "offer.py").read_text()
LEFT_ALONE = re.compile("jitsi|jicofo|prosody|^lua-|nginx|openjdk|^ca-certificates")
TAKEN = ["curl", "openssl", "tzdata"]
FOLDER = "/run/offered"


def installed(host: Host) -> list[str]:
    return host.run(
        "dpkg-query --show --showformat '${db:Status-Status} ${Package}\\n' | sed -n 's/^installed //p'"
    ).split()


def taken_by_night(host: Host, offered: list[str]) -> list[str]:
    """Which of the offered security updates the host would install by itself."""
    prepare = f"python3 -c {shlex.quote(OFFER)} {FOLDER} {' '.join(offered)}"
    try:
        host.run(f"{prepare} && APT_CONFIG={FOLDER}/apt.conf apt-get -qq update", timeout=120)
        known = host.run(f"APT_CONFIG={FOLDER}/apt.conf apt list --upgradable 2>/dev/null")
        assert sorted(re.findall(r"^([^/\n]+)/", known, re.MULTILINE)) == sorted(offered)
        said = host.run(f"APT_CONFIG={FOLDER}/apt.conf unattended-upgrade --dry-run --verbose 2>&1", timeout=120)
    finally:
        host.run(f"rm -rf {FOLDER}")
    return sorted(" ".join(re.findall("^Packages that will be upgraded: (.*)$", said, re.MULTILINE)).split())


def test_security_updates_come_by_night_but_not_for_what_calls_run_on(cluster: Cluster) -> None:
    """Trap 9: an update of a bridge, of prosody, of the CA store or of Java ends calls at night."""
    for host in (cluster.shard, cluster.host("bridge-1")):
        kept = [package for package in installed(host) if LEFT_ALONE.search(package)]
        assert {"ca-certificates", "ca-certificates-java"} < set(kept)
        assert taken_by_night(host, [*kept, *TAKEN]) == TAKEN
        assert host.run("systemctl is-active apt-daily.timer apt-daily-upgrade.timer").split() == ["active", "active"]


def test_what_must_fit_together_is_held_at_its_version(cluster: Cluster) -> None:
    """Trap 7: bridges of different versions do not share a conference."""
    jitsi = {
        "shard-1": {"jicofo", "jitsi-meet-prosody", "jitsi-meet-web", "jitsi-meet-web-config", "prosody"},
        "bridge-1": {"jitsi-videobridge2"},
    }
    for name, packages in jitsi.items():
        host = cluster.host(name)
        java = {package for package in installed(host) if re.fullmatch(r"openjdk-\d+-jre-headless", package)}
        assert len(java) == 1
        assert set(host.run("apt-mark showhold").split()) == packages | java


def test_logs_have_a_limit(cluster: Cluster) -> None:
    for host in cluster.hosts():
        said = host.run("journalctl --boot --unit systemd-journald --output cat | grep 'System Journal'").splitlines()
        assert "max 500.0M" in said[-1]
        rotated = host.run("systemctl is-enabled logrotate.timer; cat /etc/logrotate.d/*")
        assert rotated.startswith("enabled")
        assert "/var/log/jitsi/" in rotated


def test_logs_are_rotated_each_midnight(cluster: Cluster) -> None:
    """A host on which that fails is degraded from its first midnight on."""
    for host, log in zip(cluster.hosts(), ("jicofo", "jvb", "jvb"), strict=True):
        host.run("systemctl start logrotate.service")
        host.run("logrotate --force /etc/logrotate.conf")
        assert f"/var/log/jitsi/{log}.log.1.gz" in host.run("ls /var/log/jitsi/*")


def test_kernel_settings_of_the_role_are_in_force(cluster: Cluster) -> None:
    """Trap 26: media come in bursts. Buffers are the machine's own: a host of the lab may read them and no more."""
    for host in cluster.hosts():
        wanted = dict(re.findall(r"^([\w.]+) = (.+)$", host.run("cat /etc/sysctl.d/60-jitsi-fleet.conf"), re.MULTILINE))
        ours = [
            name for name in wanted if host.succeeds(f'test -n "$(find /proc/sys/{name.replace(".", "/")} -perm /200)"')
        ]
        assert {name: host.run(f"sysctl -n {name}").split() for name in ours} == {
            name: wanted[name].split() for name in ours
        }
        assert {"net.ipv4.conf.all.rp_filter", "net.ipv4.conf.default.rp_filter"} <= set(ours)


def test_the_clock_is_kept_by_timesyncd(cluster: Cluster) -> None:
    """A host of the lab has the clock of this machine and may not set it, so there the service only stands ready."""
    for host in cluster.hosts():
        assert host.run("systemctl is-enabled systemd-timesyncd.service") == "enabled"
        assert host.run("timedatectl show --property CanNTP --value") == "yes"
