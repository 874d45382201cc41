"""Level 1, declared: what a stack file may say, and what the program makes of it. No engine runs."""

import json
from ipaddress import IPv4Network

import pulumi
import pytest
from pulumi.runtime.config import CONFIG

from components import settings
from tests.level1_declared.stack_files import AT_AWS, VERSIONS, public_key, raw_config, read, stack


def test_five_keys_are_enough_and_the_rest_has_defaults() -> None:
    assert read().model_dump(by_alias=True) == {
        "cloud": "hetzner",
        "dns": "cloudflare",
        "zone": "example.org",
        "zoneId": "0123456789abcdef0123456789abcdef",
        "domain": "meet.example.org",
        "bridges": 2,
        "bridgeType": "ccx13",
        "signalingType": "ccx23",
        "image": "debian-12",
        "locations": ("fsn1",),
        "networkZone": "eu-central",
        "network": IPv4Network("10.80.0.0/16"),
        "vpc": "",
        "internetGateway": "",
        "adminCidrs": ("203.0.113.0/24",),
        "adminKeys": (),
        "tls": "letsencrypt",
        "email": "operations@example.org",
        "jitsiVersions": {},
        "drain": True,
        "drainMinutes": 10,
        "drainAtOnce": 20,
        "replaceAtOnce": 3,
        "generation": 1,
        "protect": False,
        "labels": {},
    }


def test_every_setting_can_be_set() -> None:
    key = public_key("alice's laptop")
    config = read(
        dns="none", bridges=8, bridgeType="ccx33", signalingType="ccx43", image="67794396", locations=["fsn1", "hel1"],
        networkZone="us-east", network="192.168.0.0/16", adminCidrs=["2001:DB8:0::/48", "203.0.113.7"], adminKeys=[key],
        tls="cluster", jitsiVersions=VERSIONS, generation=3, protect=True, labels={"team": "video", "a.org/x": ""},
        drain=False, drainMinutes=0, drainAtOnce=85, replaceAtOnce=1,
    )  # fmt: skip
    assert (config.dns, config.bridges, config.bridge_type, config.signaling_type) == ("none", 8, "ccx33", "ccx43")
    assert (config.image, config.locations, config.network_zone) == ("67794396", ("fsn1", "hel1"), "us-east")
    assert config.admin_cidrs == ("2001:db8::/48", "203.0.113.7/32")
    assert (config.admin_keys, config.tls, config.jitsi_versions) == ((key,), "cluster", VERSIONS)
    assert (config.drain, config.drain_minutes, config.drain_at_once, config.replace_at_once) == (False, 0, 85, 1)
    assert (config.generation, config.protect, config.labels) == (3, True, {"team": "video", "a.org/x": ""})


def test_at_aws_zones_have_no_default_and_the_rest_has_that_of_the_cloud() -> None:
    config = read(**AT_AWS)
    assert (config.cloud, config.bridge_type, config.signaling_type) == ("aws", "c7i.xlarge", "c7i.2xlarge")
    assert (config.locations, config.network_zone, config.image) == (("eu-central-1a",), "", "debian-12")


def test_at_aws_every_setting_of_its_own_can_be_set() -> None:
    config = read(
        cloud="aws", bridgeType="c7gn.2xlarge", signalingType="m7i-flex.large", image="ami-0123456789abcdef0",
        locations=["us-gov-west-1a", "us-gov-west-1c"], vpc="vpc-0123456789abcdef0", internetGateway="igw-01234567",
        labels={"a.org/x": "y"}, network="172.31.0.0/16",
    )  # fmt: skip
    assert (config.bridge_type, config.signaling_type) == ("c7gn.2xlarge", "m7i-flex.large")
    assert (config.vpc, config.internet_gateway) == ("vpc-0123456789abcdef0", "igw-01234567")
    assert config.locations == ("us-gov-west-1a", "us-gov-west-1c")


def test_hosts_are_near_each_other_within_a_location_or_within_a_region_of_aws() -> None:
    """jicofo keeps a call in one region: zones of one region are no reason to spread it over bridges."""
    assert read().terms.region("fsn1") == "fsn1"
    assert read(**AT_AWS).terms.region("eu-central-1a") == "eu-central-1"


def test_a_stack_at_aws_is_read_with_its_region() -> None:
    config = stack(**{f"jitsi-fleet:{key}": value for key, value in AT_AWS.items()}, **{"aws:region": "eu-central-1"})
    assert settings.read("jitsi-fleet", config, set()).cloud == "aws"


def test_derived_values_follow_the_settings() -> None:
    config = read(domain="Meet.Example.org", network="10.9.0.0/16")
    assert config.url == "https://meet.example.org"
    assert (str(config.plan.signaling), str(config.plan.bridges)) == ("10.9.16.0/20", "10.9.32.0/20")


def test_settings_cannot_be_changed_after_they_were_checked() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read().bridges = 3


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Meet.Example.ORG", "meet.example.org"),
        ("meet.example.org.", "meet.example.org"),
        (" meet.example.org ", "meet.example.org"),
        ("example.org", "example.org"),
        ("Bücher.example.org", "xn--bcher-kva.example.org"),
        ("BÜCHER。example.org.", "xn--bcher-kva.example.org"),
        ("XN--BCHER-KVA.example.org", "xn--bcher-kva.example.org"),
        ("a.b.c.d.example.org", "a.b.c.d.example.org"),
    ],
)
def test_a_domain_is_accepted_as_people_write_it_and_kept_as_dns_does(written: str, meant: str) -> None:
    assert read(domain=written, zone="EXAMPLE.org.").domain == meant


def test_a_zone_beyond_ascii_matches_its_punycode() -> None:
    assert read(domain="meet.xn--bcher-kva.example", zone="Bücher.example").zone == "xn--bcher-kva.example"


def test_what_another_setting_requires_is_not_asked_for_without_it() -> None:
    config = read(dns="none", zoneId=..., tls="cluster", email=...)
    assert (config.zone_id, config.email) == ("", "")


def test_numbers_may_have_space_around_them() -> None:
    assert read(bridges=" 8 ").bridges == 8


def test_a_mistake_of_the_stack_ends_the_run_as_a_run_error() -> None:
    """The language host prints a RunError without a traceback; a ValidationError would come with one."""
    with pytest.raises(pulumi.RunError):
        settings.read("jitsi-fleet", {}, set())


def test_load_reads_the_projects_own_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "get_project", lambda: "jitsi-fleet")
    token_of_config = CONFIG.set(stack(**{"jitsi-fleet:bridges": "7", "cloudflare:bridges": "9"}))
    try:
        assert settings.load().bridges == 7
    finally:
        CONFIG.reset(token_of_config)


def test_a_stack_file_is_read_as_the_command_line_reads_it() -> None:
    text = "config: {jitsi-fleet:a: 8, jitsi-fleet:b: true, jitsi-fleet:c: [x, é, 1.0], 'jitsi-fleet:d': , aws:e: 1}"
    assert raw_config(text) == {
        "a": "8",
        "b": "true",
        "c": json.dumps(["x", "é", 1.0], ensure_ascii=False).replace(" ", ""),
        "d": "",
    }
