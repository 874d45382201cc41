"""Level 2: each rendered file through the checker of the software that reads it, with plain and hostile values.

The checkers are the real programs of Debian. What they cannot see: `prosodyctl check config` passes over misspelt
options and absent modules (the plugins come with Jitsi's packages); `cloud-init schema` of Debian 12 passes over
unknown keys.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyhocon import ConfigFactory, ConfigTree

from components.doors import ROLES, Role, doors_of
from tests.level2_checked.conftest import Host
from tests.level2_checked.rendered import CASES, case, landed

HostOf = Callable[[Role, str], Host]
PRIVATE = "10.80.32.5"
DHCPV6 = ("udp", 546)
"""At EC2 an IPv6 address is leased for minutes. The lease's answers are no answers to the kernel's eyes."""
DATA = Path(__file__).parent / "data"
SIGNALING = [name for role, name in CASES if role == "signaling"]
BRIDGE = [name for role, name in CASES if role == "bridge"]


@pytest.mark.parametrize(("role", "name"), CASES)
def test_cloud_init_accepts_the_user_data(host: HostOf, role: Role, name: str) -> None:
    done = host(role, name).run("/usr/bin/cloud-init", "schema", "--config-file", "/root/user-data.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Valid" in done.stdout
    assert "eprecated" not in done.stdout + done.stderr


@pytest.mark.parametrize(("role", "name"), CASES)
def test_cloud_init_knows_every_key(host: HostOf, role: Role, name: str) -> None:
    there = host(role, name).tree / "usr/lib/python3/dist-packages/cloudinit/config/schemas/schema-cloud-config-v1.json"
    schema = json.loads(there.read_text())
    known = {key for part in schema["$defs"].values() for key in part.get("properties", {})}
    assert set(yaml.safe_load((host(role, name).tree / "root/user-data.yaml").read_text())) <= known


@pytest.mark.parametrize("name", SIGNALING)
def test_nginx_accepts_its_sites(host: HostOf, name: str) -> None:
    node = host("signaling", name)
    prepare_nginx(node)
    done = node.run("/usr/sbin/nginx", "-t")
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


@pytest.mark.parametrize("name", SIGNALING)
def test_prosody_accepts_its_configuration(host: HostOf, name: str) -> None:
    node = host("signaling", name)
    domain = node.values.domain
    link(node, f"etc/prosody/conf.d/{domain}.cfg.lua", f"../conf.avail/{domain}.cfg.lua")
    done = node.run("/usr/bin/prosodyctl", "--root", "check", "config")
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "All checks passed" in output


@pytest.mark.parametrize(("role", "name"), CASES)
def test_nftables_accepts_the_doors(host: HostOf, role: Role, name: str) -> None:
    done = host(role, name).run("/usr/sbin/nft", "--check", "--file", "/etc/nftables.conf")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("role", ROLES)
def test_the_firewall_opens_the_doors_and_nothing_else(host: HostOf, role: Role) -> None:
    """Loaded into a network namespace of its own, then read back from the kernel."""
    script = "nft --file /etc/nftables.conf && nft --json list chain inet jitsi_fleet input"
    done = host(role, "plain").run("/bin/sh", "-c", script)
    assert done.returncode == 0, done.stderr
    items = json.loads(done.stdout)["nftables"]
    assert [item["chain"]["policy"] for item in items if "chain" in item] == ["drop"]
    rules = [item["rule"]["expr"] for item in items if "rule" in item]
    opened = {
        (match["left"]["payload"]["protocol"], match["right"])
        for rule in rules
        for match in (part["match"] for part in rule if "match" in part)
        if match["left"].get("payload", {}).get("field") == "dport"
    }
    assert opened == {(door.protocol, door.port) for door in doors_of(role)} | {DHCPV6}
    (leases,) = [rule for rule in rules if "546" in json.dumps(rule)]
    assert '"addr": "fe80::", "len": 10' in json.dumps(leases), "from this machine's own link alone"
    unconditional = [rule for rule in rules if not any("match" in part for part in rule)]
    assert not unconditional, "a rule without a condition opens everything"


@pytest.mark.parametrize("role", ROLES)
def test_ssh_takes_keys_only(host: HostOf, role: Role) -> None:
    node = host(role, "plain")
    node.run("/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/host-key")
    done = node.run("/usr/sbin/sshd", "-T", "-h", "/run/host-key")
    assert done.returncode == 0, done.stderr
    effective = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert effective["passwordauthentication"] == "no"
    assert effective["kbdinteractiveauthentication"] == "no"
    assert effective["permitrootlogin"] == "without-password"


@pytest.mark.parametrize(("role", "name"), CASES)
def test_scripts_are_clean(host: HostOf, role: Role, name: str) -> None:
    """Comments are gone from what lands, directives to shellcheck with them: so the sources are checked as well."""
    node = host(role, name)
    files = landed(node.values)
    scripts = [path for path, file in files.items() if file.content.startswith("#!/bin/bash")]
    assert "/usr/local/lib/jitsi-fleet/install" in scripts
    excluded = "--exclude=SC1091,SC2153,SC2154"
    done = node.run("/usr/bin/shellcheck", "--shell=bash", excluded, *scripts, "/usr/local/lib/jitsi-fleet/common.sh")
    assert done.returncode == 0, done.stdout
    for path in scripts:
        assert files[path].permissions == "0755"
    compile(files["/usr/local/lib/jitsi-fleet/forget"].content, "forget", "exec")


@pytest.mark.parametrize("role", ROLES)
def test_shell_reads_the_cluster_s_values_as_they_are(host: HostOf, role: Role) -> None:
    node = host(role, "hostile")
    script = '. /etc/jitsi-fleet/cluster.conf && printf "%s\\n" "$DOMAIN" "$REGION" "$PRIVATE_SUBNET" "${EMAIL-}"'
    done = node.run("/bin/sh", "-euc", script)
    values = node.values
    expected = [values.domain, values.region, str(values.plan.subnet(role)), getattr(values, "email", "")]
    assert done.stdout.splitlines() == expected


@pytest.mark.parametrize("role", ROLES)
def test_systemd_accepts_the_units(host: HostOf, role: Role) -> None:
    node = host(role, "plain")
    units = [path for path in landed(node.values) if path.endswith((".service", ".timer"))]
    assert len(units) >= 3
    done = node.run("/usr/bin/systemd-analyze", "verify", "--man=no", *units)
    complaints = [line for line in done.stderr.splitlines() if "jitsi-fleet" in line]
    assert not complaints


@pytest.mark.parametrize("role", ROLES)
def test_apt_reads_what_upgrades_must_not_touch(host: HostOf, role: Role) -> None:
    done = host(role, "plain").run("/usr/bin/apt-config", "dump", "Unattended-Upgrade::Package-Blacklist")
    kept = [line.split('"')[1] for line in done.stdout.splitlines() if line.endswith('";')]
    for package in ("^jitsi-", "^jicofo$", "^prosody", "^nginx", "^openjdk-"):
        assert package in kept


@pytest.mark.parametrize("name", SIGNALING)
def test_both_hocon_readers_take_jicofo_conf(host: HostOf, name: str) -> None:
    node = host("signaling", name)
    path = "/etc/jitsi/jicofo/jicofo.conf"
    config = ConfigFactory.parse_file(node.tree / path[1:])
    assert config["jicofo.xmpp.client.password"] == case("signaling", name).focus_password  # type: ignore[union-attr]
    assert config["jicofo.xmpp.client.xmpp-domain"] == node.values.domain
    assert unknown_keys(config, "jicofo") <= {
        # Without a default, so absent from the list; in its source (reference.conf and XmppConfig.kt).
        "jicofo.bridge.brewery-jid",
        "jicofo.local-region",
        *(f"jicofo.xmpp.client.{key}" for key in ("domain", "xmpp-domain", "password", "client-proxy")),
    }
    done = node.run("/usr/bin/hocon", "-f", path, "get", "jicofo.xmpp.client.client-proxy")
    assert done.stdout.strip().strip('"') == f"focus.{node.values.domain}", done.stderr


@pytest.mark.parametrize("name", BRIDGE)
def test_both_hocon_readers_take_jvb_conf_with_the_host_s_own_part(host: HostOf, name: str) -> None:
    node = host("bridge", name)
    path = "/etc/jitsi/videobridge/jvb.conf"
    common = landed(node.values)["/etc/jitsi-fleet/jvb.conf"].content
    node.write(path, common + host_conf(node, inside="192.0.2.7", outside="192.0.2.7"), "0600")
    config = ConfigFactory.parse_file(node.tree / path[1:])
    connection = config["videobridge.apis.xmpp-client.configs.shard-1"]
    assert connection["password"] == node.values.jvb_password
    assert connection["hostname"] == f"shard-1.internal.{node.values.domain}"
    assert connection["muc_nickname"] == config["videobridge.relay.relay-id"] == "bridge-42"
    assert config["ice4j.harvest.blocked-addresses"] == [PRIVATE]
    assert config.get("ice4j.harvest.mapping.static-mappings", None) is None
    del config["videobridge"]["apis"]["xmpp-client"]["configs"]
    # Without a default, so absent from the list; mandatory once the relay is on.
    assert unknown_keys(config, "jvb") <= {"videobridge.relay.region", "videobridge.relay.relay-id"}
    for key, value in {
        "videobridge.relay.region": node.values.region,
        "videobridge.relay.relay-id": "bridge-42",
        "videobridge.apis.xmpp-client.configs.shard-1.muc_nickname": "bridge-42",
        "videobridge.apis.xmpp-client.configs.shard-1.domain": f"auth.{node.values.domain}",
    }.items():
        done = node.run("/usr/bin/hocon", "-f", path, "get", key)
        assert done.stdout.strip().strip('"') == value, done.stderr


def test_a_bridge_behind_one_to_one_nat_maps_its_address(host: HostOf) -> None:
    text = host_conf(host("bridge", "plain"), inside="10.90.0.7", outside="203.0.113.9")
    (mapping,) = ConfigFactory.parse_string(text)["ice4j.harvest.mapping.static-mappings"]
    assert (mapping["local-address"], mapping["public-address"]) == ("10.90.0.7", "203.0.113.9")


def test_a_bridge_with_its_private_address_alone_maps_that_one_and_does_not_block_it(host: HostOf) -> None:
    """At EC2. Blocked, it would have no address at all: healthy for ten seconds, then out of every call."""
    text = host_conf(host("bridge", "plain"), inside=PRIVATE, outside="203.0.113.9", service=EC2)
    config = ConfigFactory.parse_string(text)
    (mapping,) = config["ice4j.harvest.mapping.static-mappings"]
    assert (mapping["local-address"], mapping["public-address"]) == (PRIVATE, "203.0.113.9")
    assert config.get("ice4j.harvest.blocked-addresses", None) is None


@pytest.mark.parametrize("outside", ["", "<html>", "203.0.113.9.example.org"])
def test_a_bridge_that_does_not_learn_its_public_address_says_so_and_tries_again(host: HostOf, outside: str) -> None:
    """Its private one alone would bring it into calls without sound; its service starts the script again."""
    done = run_host_conf(host("bridge", "plain"), inside=PRIVATE, outside=outside, service=EC2)
    assert (done.returncode, done.stdout) == (1, "")
    assert "does not say which address the world sees" in done.stderr


def test_a_bridge_without_a_metadata_service_is_its_own_public_address(host: HostOf) -> None:
    text = host_conf(host("bridge", "plain"), inside="192.0.2.7", outside="")
    assert "static-mappings" not in text
    assert "bridge-42" in text


@pytest.mark.parametrize("name", SIGNALING)
def test_browsers_can_read_config_js(host: HostOf, name: str) -> None:
    if not shutil.which("node"):
        pytest.skip("no node on this machine, so nothing here runs JavaScript")
    text = landed(host("signaling", name).values)["/etc/jitsi/meet/jitsi-fleet-config.js"].content
    served = text.replace('<!--# echo var="subdir" default="" -->', "school/")
    served = served.replace('<!--# echo var="subdomain" default="" -->', "school.")
    done = subprocess.run(
        ["node", "-e", f"{served};console.log(JSON.stringify(config))"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    config, domain = json.loads(done.stdout), host("signaling", name).values.domain
    assert config["websocket"] == f"wss://{domain}/school/xmpp-websocket"
    assert config["hosts"]["muc"] == f"conference.school.{domain}"


def prepare_nginx(node: Host) -> None:
    """What the installation does for nginx before it starts: the site's link and the first certificate."""
    link(node, "etc/nginx/sites-enabled/jitsi-fleet.conf", "../sites-available/jitsi-fleet.conf")
    for kind in ("crt", "key"):
        node.write(
            f"/etc/jitsi-fleet/tls/site.{kind}", (node.tree / f"etc/jitsi-fleet/tls/web.{kind}").read_text(), "0600"
        )


def link(node: Host, path: str, target: str) -> None:
    place = node.tree / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(target)


HETZNER = """
case "$*" in
  */hetzner/v1/metadata/public-ipv4) echo "OUTSIDE" ;;
  *) exit 22 ;;
esac
"""
EC2 = """
case "$*" in
  *"--request PUT"*"X-aws-ec2-metadata-token-ttl-seconds: "*/latest/api/token) echo the-token ;;
  *"X-aws-ec2-metadata-token: the-token"*/latest/meta-data/public-ipv4) echo "OUTSIDE" ;;
  *) exit 22 ;;
esac
"""


def host_conf(node: Host, *, inside: str, outside: str, service: str = HETZNER) -> str:
    """What the bridge's own script prints on a host with these addresses; what it asks is stood in for."""
    done = run_host_conf(node, inside=inside, outside=outside, service=service)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_host_conf(node: Host, *, inside: str, outside: str, service: str) -> subprocess.CompletedProcess[str]:
    """`outside` is what the metadata service answers, if anything."""
    for program, answer in {
        "ip": f"echo '192.0.2.1 via 192.0.2.254 dev eth0 src {inside} uid 0'",
        "curl": service.replace("OUTSIDE", outside) if outside else "exit 7",
    }.items():
        node.write(f"/opt/stand-ins/{program}", f"#!/bin/sh\n{answer}\n", "0755")
    node.write("/var/lib/cloud/data/instance-id", "42\n", "0644")
    return node.run("/bin/bash", "-c", f"PATH=/opt/stand-ins:$PATH exec /usr/local/lib/jitsi-fleet/host-conf {PRIVATE}")


def unknown_keys(config: ConfigTree, program: str) -> set[str]:
    known = {line for line in (DATA / f"{program}.keys").read_text().splitlines() if not line.startswith("#")}
    return {path for path in leaves(config) if path not in known}


def leaves(tree: ConfigTree, above: str = "") -> set[str]:
    """Paths of all values that are not objects."""
    found: set[str] = set()
    value: Any
    for key, value in tree.items():
        path = f"{above}.{key}" if above else key
        found |= leaves(value, path) if isinstance(value, ConfigTree) else {path}
    return found
