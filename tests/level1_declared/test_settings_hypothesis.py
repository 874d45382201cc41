"""Level 1, declared: settings at large. No valid stack file is refused, every invalid one is refused by its key."""

import json
import string
from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest
from hypothesis import assume, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from components import settings
from components.doors import AddressPlan
from components.rules import domain_name
from components.rules.stack_config import SettingsError
from components.settings import Settings
from tests.level1_declared.stack_files import VALID, VERSIONS, as_text, public_key

# No time limit per example: on a busy machine it fails tests that are right.
hypothesis_settings.register_profile("jitsi-fleet", deadline=None)
hypothesis_settings.load_profile("jitsi-fleet")

KEYS = [str(field.alias) for field in Settings.model_fields.values()]
WORD = string.ascii_lowercase + string.digits
HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
SERVER_TYPES = st.from_regex(r"[a-z]{2,4}[1-9][0-9]?", fullmatch=True)
LABELS = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,20}[a-zA-Z0-9])?", fullmatch=True).filter(
    lambda label: label[2:4] != "--"
)
IDN_LABELS = st.sampled_from(["bücher", "Schöne", "日本語", "пример", "ÉCOLE"])
PUBLIC_KEYS = [public_key(comment) for comment in ("", "alice@laptop", 'Björn\'s key; $(id) "x"')]


@st.composite
def names(draw: st.DrawFn) -> tuple[str, str]:
    """A zone and a domain in it, in any accepted spelling."""
    zone = ".".join([*draw(st.lists(LABELS | IDN_LABELS, min_size=1, max_size=2)), "example"])
    below = draw(st.lists(LABELS | IDN_LABELS, max_size=3))
    domain = ".".join([*below, zone])
    domain = draw(st.sampled_from([domain, domain.lower(), domain.upper()]))
    return zone + draw(st.sampled_from(["", "."])), domain + draw(st.sampled_from(["", "."]))


@st.composite
def ranges(draw: st.DrawFn) -> list[str]:
    """Ranges that do not overlap: each has the first bits of its own number."""
    numbers = draw(st.lists(st.integers(1, 200), min_size=1, max_size=8, unique=True))
    v4 = [f"{number}.0.0.0/{draw(st.integers(8, 32))}" for number in numbers[::2]]
    v6 = [f"20{number:02x}::/{draw(st.integers(16, 128))}" for number in numbers[1::2]]
    return v4 + v6


@st.composite
def stack_files(draw: st.DrawFn) -> dict[str, object]:
    zone, domain = draw(names())
    required: dict[str, object] = {"zone": zone, "domain": domain, "adminCidrs": draw(ranges())}
    dns, tls = draw(st.sampled_from(["cloudflare", "none"])), draw(st.sampled_from(["letsencrypt", "cluster"]))
    required |= {"dns": dns, "zoneId": draw(HEX)} if dns == "cloudflare" or draw(st.booleans()) else {"dns": dns}
    required |= {"tls": tls, "email": "a.b+c@example.org"} if tls == "letsencrypt" else {"tls": tls}
    if draw(st.booleans()):
        return required | draw(of_aws()) | draw(of_both())
    return required | draw(of_hetzner()) | draw(of_both())


def of_hetzner() -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "cloud": st.just("hetzner"),
            "bridgeType": SERVER_TYPES,
            "signalingType": SERVER_TYPES,
            "image": st.sampled_from(["debian-12", "debian-13", "67794396"]),
            "locations": st.lists(st.from_regex(r"[a-z]{3}[0-9]?", fullmatch=True), min_size=1, unique=True),
            "networkZone": st.sampled_from(["eu-central", "us-east", "ap-southeast"]),
        },
    )


def of_aws() -> st.SearchStrategy[dict[str, object]]:
    zone = st.from_regex(r"(eu|us|ap)-(central|south|northeast)-[1-9][a-f]", fullmatch=True)
    types = st.sampled_from(["c7i.xlarge", "m7i-flex.2xlarge", "c7gn.metal", "t4g.micro", "u-6tb1.112xlarge"])
    network = st.sampled_from([{}, {"vpc": "vpc-01234567", "internetGateway": "igw-0123456789abcdef0"}])
    own = st.fixed_dictionaries(
        {"cloud": st.just("aws"), "locations": st.lists(zone, min_size=1, unique=True)},
        optional={
            "bridgeType": types,
            "signalingType": types,
            "image": st.sampled_from(["debian-12", "debian-13", "ami-0123456789abcdef0"]),
        },
    )
    return st.tuples(own, network).map(lambda both: {**both[0], **both[1]})


def of_both() -> st.SearchStrategy[dict[str, object]]:
    private = st.integers(0, 255).map(lambda i: f"10.{i}.0.0/16")
    return st.fixed_dictionaries(
        {},
        optional={
            "bridges": st.integers(1, 85),
            "network": private | st.just("192.168.0.0/16") | st.just("172.16.0.0/16"),
            "adminKeys": st.lists(st.sampled_from(PUBLIC_KEYS), unique=True),
            "jitsiVersions": st.sampled_from([{}, VERSIONS]),
            "drain": st.booleans(),
            "drainMinutes": st.integers(0, 1440),
            "drainAtOnce": st.integers(1, 85),
            "replaceAtOnce": st.integers(1, 85),
            "generation": st.integers(1, 9999),
            "protect": st.booleans(),
            "labels": st.dictionaries(
                st.from_regex(r"([a-z]+\.org/)?[A-Za-z]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True).filter(
                    lambda key: key not in ("cluster", "role", "Name") and not key.lower().startswith("aws")
                ),
                st.text(WORD, max_size=39),
            ),
        },
    )


@given(stack_files())
def test_no_valid_stack_file_is_refused(stack_file: dict[str, object]) -> None:
    config = settings.parse({key: as_text(value) for key, value in stack_file.items()})
    assert domain_name.is_within(config.domain, config.zone)
    assert config.domain == config.domain.lower() == domain_name.normalise(config.domain)
    assert 1 <= config.bridges <= 85
    assert isinstance(config.plan, AddressPlan)
    assert all(str(ip_network(text)) == text for text in config.admin_cidrs)


@given(st.sampled_from(KEYS), st.text())
@example("locations", "[" * 100_000)
@example("domain", "\ud800.example.org")
@example("bridges", "1" * 100_000)
@example("labels", '{"a": NaN}')
def test_any_text_in_any_key_is_accepted_or_refused_by_this_key(key: str, text: str) -> None:
    accepted_or_refused_by(key, text)


@given(st.sampled_from(KEYS), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=4))
def test_any_json_in_any_key_is_accepted_or_refused_by_this_key(key: str, value: object) -> None:
    accepted_or_refused_by(key, json.dumps(value))


@given(st.sampled_from(["jitsiVersions", "labels"]), st.dictionaries(st.text(), st.none() | st.integers() | st.text()))
def test_any_map_is_accepted_or_refused_by_its_key(key: str, value: dict[str, object]) -> None:
    accepted_or_refused_by(key, json.dumps(value))


def accepted_or_refused_by(key: str, text: str) -> None:
    try:
        settings.parse(VALID | {key: text})
    except SettingsError as refusal:
        error = refusal
    else:
        return
    # What stands above may make what stands below it wrong: a valid zone that does not hold the domain, ...
    below = {"zone": {"domain"}, "cloud": {"locations"}, "vpc": {"internetGateway"}}
    assert {mistake.key.split("[")[0] for mistake in error.mistakes} <= {key} | below.get(key, set())
    assert all(mistake.text for mistake in error.mistakes)
    assert str(error).replace("\n", "").isprintable()


@given(st.integers().filter(lambda number: not 1 <= number <= 85))
def test_every_other_number_of_bridges_is_refused(number: int) -> None:
    assert_refused("bridges", str(number), "is not in 1..85")


@given(st.ip_addresses(v=4), st.integers(1, 31))
def test_an_ipv4_range_with_host_bits_is_refused_with_the_range_that_holds_it(address: object, prefix: int) -> None:
    network = IPv4Network(f"{address}/{prefix}", strict=False)
    assume(address != network.network_address)
    assert_refused("adminCidrs", json.dumps([f"{address}/{prefix}"]), f"write {network}")


@given(st.ip_addresses(v=6), st.integers(1, 127))
def test_an_ipv6_range_with_host_bits_is_refused_with_the_range_that_holds_it(address: object, prefix: int) -> None:
    network = IPv6Network(f"{address}/{prefix}", strict=False)
    assume(address != network.network_address)
    assert_refused("adminCidrs", json.dumps([f"{address}/{prefix}"]), f"write {network}")


@given(names(), names())
def test_a_domain_outside_its_zone_is_refused(one: tuple[str, str], other: tuple[str, str]) -> None:
    zone, domain = domain_name.normalise(one[0]), domain_name.normalise(other[1])
    assume(not domain_name.is_within(domain, zone))
    with pytest.raises(SettingsError, match=r"domain: .* is outside the zone"):
        settings.parse(VALID | {"zone": one[0], "domain": other[1]})


@given(st.text(string.ascii_letters, min_size=1).filter(lambda key: key not in KEYS))
def test_every_unknown_key_is_refused(key: str) -> None:
    with pytest.raises(SettingsError, match="is not a setting"):
        settings.parse(VALID | {key: "x"})


def assert_refused(key: str, text: str, rule: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.parse(VALID | {key: text})
    (mistake,) = caught.value.mistakes
    assert mistake.key.split("[")[0] == key
    assert rule in mistake.text
