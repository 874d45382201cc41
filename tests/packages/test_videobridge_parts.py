"""Level 2: what the stand-in of the bridge makes of its configuration, its addresses and the passing of time.

The program's own parts are asked, by the Python that runs it on a host: .venv has not its libraries.
"""

import json
import subprocess
from typing import Any

import pytest

from tests.level2_checked.rendered import case, landed
from tests.packages.bridge_lab import PRIVATE, PROGRAM, PUBLIC, Lab, room, wait_for

_SCRIPT = """
import asyncio, json, sys
from pathlib import Path
from xml.etree import ElementTree as ET
sys.path.insert(0, "{program}")
import videobridge as v

async def main():
    now = [0.0]
    settings = v.Settings(Path("/etc/parts.conf"))
    bridge = v.Bridge(settings, v.Media(settings), "2.3", print, lambda: now[0])
{lines}

asyncio.run(main())
"""


def inside(lab: Lab, settings: dict[str, Any], lines: str) -> Any:
    """Runs `lines`, which have a `bridge` and its clock `now`; gives what they print last, as JSON."""
    indented = "\n".join(f"    {line}" for line in lines.strip().splitlines())
    lab.write("/etc/parts.conf", lab.configuration(settings))
    done = lab.run("python3", "-c", _SCRIPT.format(program=PROGRAM, lines=indented))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def refusal(lab: Lab, text: str) -> str:
    """The last line of the log of a bridge that does not start with this configuration."""
    lab.write("/etc/refused.conf", text)
    done = lab.run("python3", f"{PROGRAM}/videobridge.py", "--config", "/etc/refused.conf")
    assert done.returncode == 1, done.stdout
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(("text", "told"), [
    ("videobridge.apis.rest.enable = true", "videobridge.apis.rest.enable in /etc/refused.conf is not a key"),
    ("videobridge { apis { xmpp-client.configs.s { hostnam = a } } }", "configs.s.hostnam in"),
    ("ice4j.harvest.mapping.static-mappings = [ { local = a } ]", "static-mappings.0.local in"),
    ("jmt.bwe.estimator.engin = a", "jmt.bwe.estimator.engin in"),
    ("videobridge.health.interval = soon", "videobridge.health.interval: soon is not a duration"),
    ("videobridge.apis.rest.enabled = perhaps", "videobridge.apis.rest.enabled: perhaps is neither true nor false"),
    ("videobridge.ice.udp.port = many", "videobridge.ice.udp.port: many is not a number"),
    ("videobridge.relay.enabled = true", "videobridge.relay.enabled requires videobridge.relay.region"),
    ("ice4j.harvest.mapping.static-mappings = [ { local-address = 10.0.0.1 } ]", "requires local-address and public"),
    ("videobridge.apis.xmpp-client.configs.s { hostname = a, username = b, password = c, muc_jids = d, "
     "muc_nickname = e, port = f }", "f is not a number"),
    ("videobridge { apis", "/etc/refused.conf cannot be read"),
])  # fmt: skip
def test_a_configuration_that_the_bridge_does_not_know_is_refused_with_the_key(
    text: str, told: str, bridge_lab: Lab
) -> None:
    line = refusal(bridge_lab, text)
    assert " SEVERE: " in line
    assert told in line


def test_keys_merge_and_are_quoted_as_hocon_says(bridge_lab: Lab) -> None:
    text = """
    // a comment
    videobridge { health { interval = 2 minutes, sticky-failures = on } }
    videobridge.health.interval = 7 seconds   # the last one counts
    videobridge.apis.xmpp-client.configs { "one.a" { HOSTNAME = "a#b", password = "c\\"d" } }
    videobridge.apis.xmpp-client.configs."one.a".muc_nickname = ${name}
    name = "bridge-1"
    """
    bridge_lab.write("/etc/merged.conf", text)
    lines = """
s = v.Settings(Path("/etc/merged.conf"))
print(json.dumps([s["videobridge.health.interval"], s["videobridge.health.sticky-failures"], s.shards]))
"""
    shards = {"one.a": {"HOSTNAME": "a#b", "password": 'c"d', "muc_nickname": "bridge-1"}}
    assert inside(bridge_lab, {}, lines) == [7, True, shards]


def test_durations_are_read_as_the_real_program_reads_them(bridge_lab: Lab) -> None:
    given = {"5 seconds": 5, "1 minutes": 60, "15ms": 0.015, "90s": 90, "24 hours": 86400, "2d": 172800, "250": 0.25}
    lines = f"print(json.dumps([v.seconds(each) for each in {list(given)}]))"
    assert inside(bridge_lab, {}, lines) == list(given.values())


def test_the_clusters_own_configuration_is_accepted(bridge_lab: Lab) -> None:
    text = landed(case("bridge", "plain"))["/etc/jitsi-fleet/jvb.conf"].content
    own = """
videobridge.apis.xmpp-client.configs.shard-1.muc_nickname = "bridge-1"
videobridge.relay.relay-id = "bridge-1"
ice4j.harvest.blocked-addresses = ["10.77.0.1"]
videobridge.http-servers.private.port = 7999
"""
    bridge_lab.write("/etc/cluster.conf", text + own)
    command = ["python3", f"{PROGRAM}/videobridge.py", "--config", "/etc/cluster.conf"]
    process = bridge_lab.start(*command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        ask = ("curl", "--silent", "--write-out", "%{http_code}", "http://127.0.0.1:7999/about/health")
        wait_for(lambda: bridge_lab.run(*ask).stdout == "200", "the bridge is healthy")
    finally:
        bridge_lab.run("pkill", "--full", "/etc/cluster.conf")
        process.communicate(timeout=5)


def test_the_version_is_the_packages_with_a_dot_for_its_first_dash(bridge_lab: Lab) -> None:
    package = bridge_lab.run("python3", f"{PROGRAM}/videobridge.py", "--version").stdout.strip()
    assert package == (bridge_lab.tree / PROGRAM.lstrip("/") / "version").read_text().strip()
    with bridge_lab.bridge() as bridge:
        answer = bridge.ask("GET", "/about/version")
        assert answer
        assert answer.body["version"] == package.removesuffix("-1").replace("-", ".", 1)


def test_an_address_is_valid_when_java_finds_it_neither_private_nor_of_the_link(bridge_lab: Lab) -> None:
    given = {"10.0.0.1": False, "172.16.0.1": False, "172.32.0.1": True, "192.168.1.1": False, "169.254.1.1": False,
             "127.0.0.1": False, "100.64.0.1": True, "198.18.4.2": True, "203.0.113.1": True, "2001:db8::1": True,
             "fe80::1": False, "fec0::1": False, "fd00::1": True, "::1": False}  # fmt: skip
    lines = f"""
valid = [v.Candidate(v.ipaddress.ip_address(each), 10000).valid for each in {list(given)}]
print(json.dumps(valid))
"""
    assert inside(bridge_lab, {}, lines) == list(given.values())


@pytest.mark.parametrize(("rule", "left"), [
    ({}, [PUBLIC, PRIVATE]),
    ({"allowed-addresses": [PUBLIC]}, [PUBLIC]),
    ({"blocked-addresses": [PUBLIC]}, [PRIVATE]),
    ({"allowed-interfaces": ["other"]}, []),
    ({"blocked-interfaces": ["lab"]}, []),
    ({"allowed-interfaces": ["lab"], "blocked-interfaces": ["lab"]}, [PUBLIC, PRIVATE]),
])  # fmt: skip
def test_addresses_are_harvested_by_the_rules(rule: dict[str, Any], left: list[str], bridge_lab: Lab) -> None:
    lines = "print(json.dumps([str(each) for each in v.host_addresses(settings)]))"
    assert inside(bridge_lab, {"ice4j.harvest": rule, "videobridge.ice.udp.port": 7000}, lines) == left


@pytest.mark.parametrize("sticky", [True, False])
def test_only_a_sticky_failure_stays_when_its_reason_is_gone(sticky: bool, bridge_lab: Lab) -> None:
    lines = """
for bridge.media.failed in (True, False):
    bridge.check_health()
print(json.dumps(bridge.unhealthy))
"""
    told = inside(bridge_lab, {"videobridge.health.sticky-failures": sticky}, lines)
    assert bool(told) is sticky


def test_a_room_that_jicofo_has_forgotten_is_gone_within_two_to_four_minutes(bridge_lab: Lab) -> None:
    """Recorded: between 2 and 3.5 minutes. Nobody's ICE connects here, either."""
    request = room("m", create=["a", "b"])
    lines = f"""
now[0] = 30.0
bridge.modify(ET.fromstring({request!r}))
seen = []
for minute in range(1, 6):
    now[0] = minute * 60.0
    bridge.expire()
    seen.append([len(bridge.conferences), bridge.local_endpoints()])
print(json.dumps(seen))
"""
    assert inside(bridge_lab, {}, lines) == [[1, 2], [1, 2], [1, 0], [0, 0], [0, 0]]


def test_a_new_room_may_wait_20_seconds_for_its_first_endpoint(bridge_lab: Lab) -> None:
    lines = """
bridge.modify(ET.fromstring('<conference-modify xmlns="jitsi:colibri2" meeting-id="m" name="m" create="true"/>'))
seen = []
for now[0] in (19.0, 21.0):
    bridge.expire()
    seen.append(len(bridge.conferences))
print(json.dumps(seen))
"""
    assert inside(bridge_lab, {}, lines) == [1, 0]


def test_stress_is_the_machines_load_over_the_threshold(bridge_lab: Lab) -> None:
    lines = """
bridge._ticks = tuple(each - change for each, change in zip(v._processor_ticks(), (45, 100)))
bridge.measure_load()
print(json.dumps(bridge.stress))
"""
    assert inside(bridge_lab, {}, lines) == pytest.approx(0.5, abs=0.05)
    by_packets = {"videobridge.load-management.load-measurements.load-measurement": "packet-rate"}
    assert inside(bridge_lab, by_packets, lines) == 0
