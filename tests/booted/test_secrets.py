"""Level 4: a host holds the secrets that its programs need, each in one file, and nobody else on it can read them.

What was searched for, in every shape, is in secret_values.py; search.py reads every file of a host, the journal, and
the arguments and environment of every process. Of Jitsi's own making and no secret of the cluster: debconf's
world-readable `jitsi-meet-prosody/turn-secret`, which nothing uses here. Not searched is the time of the installation:
the stand-in of jitsi-meet-prosody hands the bridges' password to `prosodyctl` as an argument, the real one by a pipe.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.booted.booted import Cluster, eventually
from tests.booted.operator import KEYS
from tests.booted.secret_search import needed, search
from tests.booted.secret_values import secrets_of


@pytest.fixture(scope="module")
def secrets(cluster: Cluster) -> dict[str, list[bytes]]:
    return secrets_of(cluster)


def test_all_secrets_of_the_cluster_are_searched_for(secrets: dict[str, list[bytes]]) -> None:
    passwords, tokens = {"password focus", "password jvb"}, {"token hetzner", "token cloudflare"}
    assert set(secrets) == passwords | tokens | {"key ca", "key auth", "key web", *(f"key {name}" for name in KEYS)}


def test_each_host_has_what_its_programs_need_in_one_file_and_no_other_secret(
    cluster: Cluster, secrets: dict[str, list[bytes]]
) -> None:
    """Bridges have no private key; no host has the CA's, the ones that log in, or a token of a provider."""
    hosts = cluster.hosts()
    with ThreadPoolExecutor() as pool:
        found = dict(zip(hosts, pool.map(lambda host: search(host, secrets), hosts), strict=True))
    assert found == {host: needed(cluster.domain)[host.name.partition("-")[0]] for host in hosts}


def test_the_group_that_may_read_jicofos_password_is_jicofo_alone(cluster: Cluster) -> None:
    """Jitsi's packages put bridge and jicofo into one group; here they never share a host."""
    shard = cluster.shard
    assert shard.run("stat -c %G /etc/jitsi/jicofo/jicofo.conf") == "jitsi"
    number, members = shard.run("getent group jitsi").split(":")[2:]
    users = [line.split(":") for line in shard.run("getent passwd").splitlines()]
    assert (members, [user[0] for user in users if user[3] == number]) == ("", ["jicofo"])


def test_the_log_that_the_cloud_keeps_of_a_hosts_console_has_no_secret(
    cluster: Cluster, secrets: dict[str, list[bytes]]
) -> None:
    for host in cluster.hosts():
        log = Path(host.entry["folder"], "console.log").read_bytes()
        assert b"jitsi-fleet: " in log
        assert [name for name, shapes in secrets.items() if any(shape in log for shape in shapes)] == []


def test_after_a_second_boot_no_copy_of_the_user_data_is_back(
    cluster: Cluster, secrets: dict[str, list[bytes]]
) -> None:
    """And cloud-init takes the host for the same as before: it makes no new SSH host keys."""
    host = cluster.host("bridge-2")
    keys = host.run("cat /etc/ssh/ssh_host_*_key.pub")
    host.act("reboot")
    eventually(lambda: host.entry["cloud_init"] == "done", 120)
    assert host.run("systemctl is-system-running --wait", timeout=120) == "running"
    assert search(host, secrets) == needed(cluster.domain)["bridge"]
    assert host.run("cat /etc/ssh/ssh_host_*_key.pub") == keys
    copies = "-name 'user-data.txt*' -o -name 'cloud-config.txt' -o -name '*sensitive*' -o -name 'combined-*'"
    assert host.run(f"find /var/lib/cloud/ /run/cloud-init/ {copies}") == ""
    eventually(lambda: cluster.bridges_in_the_brewery() == 2, 120)


def test_ssh_takes_keys_only(cluster: Cluster) -> None:
    attempt = "ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o PreferredAuthentications=none"
    for host in cluster.hosts():
        said = host.run(f"{attempt} root@127.0.0.1 true 2>&1", check=False)
        assert "Permission denied (publickey)." in said, said
        settings = dict(line.split(maxsplit=1) for line in host.run("sshd -T").splitlines() if " " in line)
        passwords = ("passwordauthentication", "kbdinteractiveauthentication", "permitrootlogin")
        assert [settings[name] for name in passwords] == ["no", "no", "without-password"]
        # Nobody has a password that could be guessed.
        assert host.run("awk -F: '$2 !~ /^[!*]/ { print $1 }' /etc/shadow") == ""
