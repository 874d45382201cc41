"""Level 1, declared: how the mistakes of a stack file are reported. No engine runs."""

import pytest

from components import settings
from components.rules.stack_config import SettingsError
from tests.level1_declared.stack_files import VERSIONS, public_key, read, refusal, refusal_at_aws, stack

MISTAKES: list[tuple[str, object, str]] = [
    ("cloud", "gcp", "gcp is not one of hetzner, aws"),
    ("vpc", "vpc-0123456789abcdef0", "is of another cloud: the cluster's network is always its own here"),
    ("internetGateway", "igw-01234567", "is of another cloud"),
    ("dns", "route53", "not one of cloudflare, none"),
    ("dns", "Cloudflare", "not one of cloudflare, none"),
    ("tls", "none", "not one of letsencrypt, cluster"),
    ("bridges", 0, "0 is not in 1..85"),
    ("bridges", -1, "-1 is not in 1..85"),
    ("bridges", 86, "86 is not in 1..85; a stack is one cluster of at most 90 hosts"),
    ("bridges", "9" * 5000, "is not in 1..85"),
    ("bridges", "many", "many is not a whole number"),
    ("bridges", "8.0", "8.0 is not a whole number; write digits alone, 1 to 85"),
    ("bridges", "1_0", "not a whole number"),
    ("bridges", "0x10", "not a whole number"),
    ("bridges", "٨", "not a whole number"),
    ("bridges", "", "is empty"),
    ("bridges", True, "not a whole number"),
    ("bridges", [8], "is a list; this setting takes one value"),
    ("drain", "yes", "yes is neither true nor false"),
    ("drainMinutes", -1, "-1 is not in 0..1440; a bridge that goes waits this long"),
    ("drainMinutes", 1441, "1441 is not in 0..1440"),
    ("drainMinutes", "10m", "10m is not a whole number"),
    ("drainAtOnce", 0, "0 is not in 1..85; so many bridges are drained side by side"),
    ("replaceAtOnce", 0, "0 is not in 1..85; so many bridges are replaced by one pulumi up"),
    ("replaceAtOnce", 86, "86 is not in 1..85"),
    ("generation", 0, "0 is not in 1..9999"),
    ("bridgeType", "", "is empty; write a value, or remove the line"),
    ("bridgeType", "CCX13", "not a server type; write one such as ccx13"),
    ("signalingType", "ccx 23", "not a server type"),
    ("image", "Debian 12", "not an image's name"),
    ("locations", [], "is an empty list"),
    ("locations", ["fsn1", "nbg1", "fsn1"], "has fsn1 twice"),
    ("locations", "fsn1", "is not a list; write `locations: [first, second]`"),
    ("locations", "fsn1,nbg1", "is not a list"),
    ("locations", '["fsn1"', "is not a list"),
    ("locations", {"fsn1": 1}, "is not a list"),
    ("locations[1]", ["fsn1", "nbg1-dc3"], "nbg1-dc3 is not a location (which is not a datacenter)"),
    ("locations[0]", [["fsn1"]], "is a list, not text"),
    ("locations[0]", [None], "is nothing, not text"),
    ("locations[0]", [""], "is empty"),
    ("networkZone", "europe", "not a network zone; write one such as eu-central"),
    ("network", "10.80.1.0/16", "has host bits set behind its prefix, so it is unclear how much is meant; write 10.80"),
    ("network", "10.80.0.0/24", "is a /24; it must be a /16"),
    ("network", "8.8.0.0/16", "is not private"),
    ("network", "fd00::/16", "is IPv6"),
    ("network", "172.31.0.0/16", "holds 172.31.1.1"),
    ("network", "ten", "ten is not an address range"),
    ("adminCidrs", [], "is an empty list, so nobody could reach SSH"),
    ("adminCidrs", "203.0.113.0/24", "is not a list"),
    ("adminCidrs[0]", ["203.0.113.7/24"], "write 203.0.113.0/24, or 203.0.113.7/32 if only that address is meant"),
    ("adminCidrs[0]", ["2001:db8::1/48"], "write 2001:db8::/48, or 2001:db8::1/128"),
    ("adminCidrs[0]", ["0.0.0.0/0"], "would open SSH to the whole internet"),
    ("adminCidrs[1]", ["203.0.113.0/24", "::/0"], "would open SSH to the whole internet"),
    ("adminCidrs[0]", ["::ffff:203.0.113.7/128"], "write 203.0.113.7/32"),
    ("adminCidrs[0]", ["fe80::1%eth0"], "is not an address range"),
    ("adminCidrs[0]", ["office"], "office is not an address range"),
    ("adminCidrs[0]", [7], "7 is a number, not text"),
    ("adminCidrs", ["203.0.113.0/24", "203.0.113.0/24"], "203.0.113.0/24 is listed twice"),
    ("adminCidrs", ["203.0.113.9", "203.0.113.0/24"], "203.0.113.9/32 is already within 203.0.113.0/24"),
    (
        "adminCidrs",
        [f"10.0.{i}.0/24" for i in range(101)],
        "has 101 ranges; a firewall of Hetzner Cloud takes 100, join",
    ),
    ("adminKeys", "ssh-ed25519 AAAA", "is not a list"),
    ("adminKeys[0]", ["ssh-ed25519"], "has a damaged key after ssh-ed25519"),
    ("adminKeys[0]", ["ssh-dss AAAA"], "does not start with a key type"),
    ("adminKeys[0]", ["ssh-ed25519 AAAA\nssh-ed25519 AAAA"], "has several lines"),
    ("email", ..., "tls=letsencrypt requires email, otherwise nobody hears"),
    ("email", "operations", "operations is not a mail address; write one such as"),
    ("email", "a@b@example.org", "is not a mail address"),
    ("email", "$(id)@example.org", "is not a mail address"),
    ("email", "me@localhost", "what follows the @ has one label only"),
    ("zoneId", ..., "dns=cloudflare requires zoneId, otherwise it is unknown where records go. Copy the zone id from"),
    ("zoneId", "example.org", "not a zone id of 32 hexadecimal digits"),
    ("zone", ..., "is missing; write the DNS zone"),
    ("zone", "org", "org has one label only"),
    ("domain", ..., "is missing; write the name that people will type"),
    ("domain", "meet.example.com", "meet.example.com is outside the zone example.org"),
    ("domain", "badexample.org", "badexample.org is outside the zone example.org"),
    ("domain", "meet", "meet has one label only"),
    ("domain", "192.0.2.1", "is an IP address"),
    ("domain", "2001:db8::1", "is an IP address"),
    ("domain", "1.2.3", "ends in a number"),
    ("domain", "*.example.org", "is a wildcard"),
    ("domain", "meet_1.example.org", "has an underscore"),
    ("domain", "https://meet.example.org/", "write the name alone"),
    ("domain", "meet.example.org:443", "other characters"),
    ("domain", "meet..example.org", "has an empty label"),
    ("domain", "meet.example.org..", "has an empty label"),
    ("domain", "-meet.example.org", "other characters"),
    ("domain", f"{'m' * 64}.example.org", "has a label of 64 characters"),
    ("domain", "☃.example.org", "is no domain name by IDNA 2008"),
    ("domain", "ab--cd.example.org", "hyphens in its third and fourth place"),
    ("domain", "ab--cd.bücher.example.org", "hyphens in its third and fourth place"),
    ("domain", "xn--zzzzzz.example.org", "stands for no valid name"),
    ("domain", ".".join(["m" * 30] * 7 + ["example.org"]), "leave room for the names of the hosts below it"),
    ("domain", ".".join(["m" * 60] * 5 + ["example.org"]), "DNS allows 253"),
    ("domain", ["meet.example.org"], "is a list; this setting takes one value"),
    ("jitsiVersions", {"jicofo": "1.0-1189-1"}, "pins 1 of 5 packages; one pin requires all of them, otherwise"),
    ("jitsiVersions", "1.0-1189-1", "is not a map; write lines"),
    ("jitsiVersions[jicofo]", VERSIONS | {"jicofo": "latest"}, "latest is not an exact Debian version"),
    ("jitsiVersions[jicofo]", VERSIONS | {"jicofo": "1.0-*"}, "not an exact Debian version"),
    ("jitsiVersions[jicofo]", VERSIONS | {"jicofo": 1.5}, "1.5 is a number, not text; put it in quotes"),
    ("jitsiVersions[jicofoo]", VERSIONS | {"jicofoo": "1"}, "did you mean jicofo?"),
    ("jitsiVersions[nginx]", VERSIONS | {"nginx": "1.22"}, "is not a package whose version is a setting"),
    ("protect", "yes", "yes is neither true nor false"),
    ("protect", 1, "1 is neither true nor false"),
    ("labels", ["team"], "is not a map"),
    ("labels[cluster]", {"cluster": "a"}, "is a label of the program"),
    ("labels[role]", {"role": "a"}, "is a label of the program"),
    ("labels[hetzner.cloud/x]", {"hetzner.cloud/x": "a"}, "has the prefix that Hetzner keeps for itself"),
    ("labels[my team]", {"my team": "a"}, "is not a label's key"),
    ("labels[team]", {"team": "a b"}, "a b is not a label's value"),
    ("labels[team]", {"team": "v" * 65}, "63 at most"),
    ("labels[team]", {"team": True}, "true is a boolean, not text; put it in quotes"),
]


AT_AWS: list[tuple[str, object, str]] = [
    ("bridgeType", "ccx13", "ccx13 is not an instance type; write one such as c7i.xlarge"),
    ("signalingType", "C7I.2xlarge", "write one such as c7i.2xlarge"),
    ("image", "debian-11", "debian-11 is not debian-12, debian-13 or an AMI's id; write one such as debian-12"),
    ("image", "67794396", "is not debian-12, debian-13 or an AMI's id"),
    ("locations", ..., "is missing; zones differ from account to account. Write a list such as [eu-central-1a"),
    ("locations", [], "is an empty list"),
    ("locations[0]", ["fsn1"], "fsn1 is not an availability zone (a region and its letter); write one such as eu-cen"),
    ("locations[1]", ["eu-central-1a", "eu-central-1"], "eu-central-1 is not an availability zone"),
    ("locations[0]", ["us-west-2-lax-1a"], "is not an availability zone"),
    ("networkZone", "eu-central", "is of another cloud: zones and their network lie in aws:region here. Remove the"),
    ("vpc", "my-network", "is not a VPC's id; write one such as vpc-0123456789abcdef0"),
    ("internetGateway", "igw-01234567", "igw-01234567 requires vpc, otherwise"),
    ("adminCidrs", [f"198.51.{i}.0/24" for i in range(51)], "has 51 ranges; a firewall of AWS takes 50, join"),
    ("labels[Name]", {"Name": "x"}, "Name is a tag of the program"),
    ("labels[aws-x]", {"aws-x": "x"}, "begins as the tags that AWS keeps for itself"),
    (f"labels[{'a' * 59}…]", {"a" * 90 + ".org/" + "b" * 50: "x"}, "has 145 characters; AWS takes 128"),
]


@pytest.mark.parametrize(("place", "value", "rule"), AT_AWS, ids=lambda part: str(part)[:30])
def test_a_mistake_at_aws_is_reported_by_the_rules_of_that_cloud(place: str, value: object, rule: str) -> None:
    reports(refusal_at_aws(**{place.split("[")[0]: value}), place, rule)


def test_a_given_network_requires_its_gateway() -> None:
    line = refusal_at_aws(vpc="vpc-0123456789abcdef0")
    assert line.startswith("internetGateway: is missing; vpc=vpc-0123456789abcdef0 requires internetGateway, otherwise")


def test_a_zone_outside_the_stack_s_region_is_refused() -> None:
    config = stack(
        **{"jitsi-fleet:cloud": "aws", "jitsi-fleet:locations": '["eu-central-1a","us-east-1a"]'},
        **{"aws:region": "eu-central-1"},
    )
    with pytest.raises(SettingsError) as caught:
        settings.read("jitsi-fleet", config, set())
    (mistake,) = caught.value.mistakes
    assert str(mistake).startswith("locations[1]: us-east-1a is not in eu-central-1, the region of this stack")
    assert "Write zones such as eu-central-1a" in mistake.text


def test_a_stack_at_aws_without_a_region_is_refused_with_the_one_that_its_zones_name() -> None:
    """Otherwise two shells with another AWS_REGION would build two clusters out of one stack."""
    config = stack(**{"jitsi-fleet:cloud": "aws", "jitsi-fleet:locations": '["us-east-1b"]'})
    with pytest.raises(SettingsError) as caught:
        settings.read("jitsi-fleet", config, set())
    assert [str(each) for each in caught.value.mistakes] == [
        "aws:region: is missing; the stack must say where it is, otherwise the shell that runs it would. Write it with "
        "`pulumi config set aws:region us-east-1`"
    ]


def test_an_unknown_cloud_is_one_mistake_and_what_depends_on_it_is_not_judged() -> None:
    assert refusal(cloud="azure", locations=["westeurope"], bridgeType="Standard_D4s").startswith("cloud: azure is not")


@pytest.mark.parametrize(("place", "value", "rule"), MISTAKES, ids=lambda part: str(part)[:30])
def test_a_mistake_is_reported_by_key_with_its_rule_and_the_way_out(place: str, value: object, rule: str) -> None:
    reports(refusal(**{place.split("[")[0]: value}), place, rule)


def reports(line: str, place: str, rule: str) -> None:
    """Where the mistake is and which rule it breaks, in a line that people read."""
    assert line.startswith(f"{place}: ")
    assert rule in line
    assert len(line) < 420


def test_a_missing_admin_range_comes_with_the_way_to_find_ones_own() -> None:
    assert "curl -4" in refusal(adminCidrs=...)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("bridgs", "bridges"), ("bridge_type", "bridgeType"), ("AdminCIDRs", "adminCidrs"), ("zoneID", "zoneId")],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(written: str, meant: str) -> None:
    assert refusal(**{written: "x"}) == f"{written}: is not a setting; did you mean {meant}?"


def test_an_unknown_key_like_none_points_to_the_example() -> None:
    assert "Pulumi.example.yaml lists all" in refusal(quux="x")


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_example() -> None:
    with pytest.raises(SettingsError) as caught:
        read(cloud="gcp", bridges=0, domain="x.example.com", adminCidrs=..., email="x", labels={"a b": "c d"}, quux="1")
    error = caught.value
    places = [mistake.key for mistake in error.mistakes]
    assert places == ["cloud", "domain", "bridges", "adminCidrs", "email", "labels[a b]", "labels[a b]", "quux"]
    assert str(error).startswith("8 mistakes in the settings; no cloud was called.\n")
    assert str(error).count("\n") == 8


def test_several_wrong_entries_of_one_list_are_all_named() -> None:
    with pytest.raises(SettingsError) as caught:
        read(adminCidrs=["office", "203.0.113.0/24", "0.0.0.0/0"])
    assert [mistake.key for mistake in caught.value.mistakes] == ["adminCidrs[0]", "adminCidrs[2]"]


def test_the_same_public_key_with_two_comments_is_a_duplicate() -> None:
    key = public_key()
    assert "has the same key twice; remove entry 3" in refusal(adminKeys=[f"{key} a", public_key(), f"{key} b"])


def test_a_public_key_of_another_type_than_it_says_is_damaged() -> None:
    assert "damaged key" in refusal(adminKeys=[public_key().replace("ssh-ed25519", "ssh-rsa", 1)])


@pytest.mark.parametrize("value", ["\x1b[31mred", "a\u202eb", "x" * 300])
def test_a_message_stays_short_and_printable(value: str) -> None:
    line = refusal(image=value)
    assert line.isprintable()
    assert value not in line


def test_a_misspelt_namespace_is_refused_because_nothing_would_read_it() -> None:
    with pytest.raises(SettingsError, match="jitsi_fleet:bridges: has a namespace that nothing reads; write jitsi-fl"):
        settings.read("jitsi-fleet", stack(**{"jitsi_fleet:bridges": "3", "aws:region": "eu-central-1"}), set())
