"""Level: the real nft reads the rulesets of any firewalls that the API takes."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local_cloud.hetzner import rules
from local_cloud.hetzner.errors import ApiError
from local_cloud.hosts import firewalls
from local_cloud.store import Doc, Store

from .namespaces import Namespace, needs_namespaces

pytestmark = needs_namespaces

ANYWHERE = ["0.0.0.0/0", "::/0"]
RANGES = st.one_of(
    st.sampled_from([*ANYWHERE, "127.0.0.0/8", "127.90.0.0/16", "127.90.1.2/32", "10.0.0.0/8", "2001:db8::/32"]),
    st.ip_addresses(v=4).map(lambda address: f"{address}/32"),
    st.ip_addresses(v=6).map(lambda address: f"{address}/128"),
)
NUMBERS = st.integers(1, 65535)
PORTS = st.one_of(
    st.just("any"),
    NUMBERS.map(str),
    st.tuples(NUMBERS, NUMBERS).map(lambda ends: f"{min(ends)}-{max(ends)}"),
)


def rule(direction: str, protocol: str, ranges: list[str], port: str) -> dict[str, Any]:
    ends = {"source_ips" if direction == "in" else "destination_ips": ranges}
    return {"direction": direction, "protocol": protocol, **ends} | (
        {"port": port} if protocol in ("tcp", "udp") else {}
    )


RULES = st.builds(
    rule,
    st.sampled_from(["in", "out"]),
    st.sampled_from(["tcp", "udp", "icmp", "esp", "gre"]),
    st.lists(RANGES, min_size=1, max_size=20),
    PORTS,
)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Namespace]:
    namespace = Namespace()
    yield namespace
    namespace.close()


def ruleset_of(wanted: list[Doc]) -> str:
    """For one server with one firewall."""
    with tempfile.TemporaryDirectory() as folder, closing(Store(Path(folder))) as store:
        ipv4 = store.insert("primary_ip", "p", "a", {"ip": "127.90.0.1", "type": "ipv4"})
        ipv6 = store.insert("primary_ip", "p", "b", {"ip": "2001:db8:0:1::/64", "type": "ipv6"})
        firewall = store.insert("firewall", "p", "f", {"rules": wanted, "selectors": []})
        ids = {"firewalls": [firewall["id"]], "ipv4": ipv4["id"], "ipv6": ipv6["id"]}
        store.insert("server", "p", "s", {"labels": {}, **ids})
        return firewalls.ruleset(store)


@settings(max_examples=50, deadline=None)
@given(st.lists(RULES, max_size=10))
@example([rule("in", "tcp", ANYWHERE, "0443")])
@example([rule("in", "tcp", ANYWHERE, "80-80")])
def test_nft_takes_what_the_api_takes(elsewhere: Namespace, wanted: list[dict[str, Any]]) -> None:
    text = ruleset_of(rules.checked(wanted))
    check = ["nft", "--check", "--file", "-"]
    elsewhere.run(lambda: subprocess.run(check, input=text, text=True, check=True))


@pytest.mark.parametrize(
    ("ranges", "port"), [(["fe80::1%eth0;flush ruleset;/128"], "443"), (ANYWHERE, "\u0664\u0664\u0663")]
)
def test_no_text_of_a_client_reaches_nft(elsewhere: Namespace, ranges: list[str], port: str) -> None:
    """Python takes anything after a "%" for an interface, and the digits of every script for digits."""
    try:
        wanted = rules.checked([rule("in", "tcp", ranges, port)])
    except ApiError:
        return  # refused before, which is as good
    text = ruleset_of(wanted)
    assert text.isascii()
    assert "flush" not in text
    check = ["nft", "--check", "--file", "-"]
    elsewhere.run(lambda: subprocess.run(check, input=text, text=True, check=True))
