"""Level: the real nft and real packets between namespaces that the tests make; rules come from the API's own store.

Over 200 lines, since what a rule means is one list, and it is read as one.
"""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from local_cloud.hosts import addresses, firewalls, rulesets
from local_cloud.process import LocalCloud

from .filtered import Filtered, build, into, out
from .namespaces import needs_namespaces
from .probes import PATIENCE, TCP, UDP, V4, dropped, ping, raw_packet, tcp, udp

pytestmark = needs_namespaces


@pytest.fixture(scope="module")
def whole_lab(cloud: LocalCloud) -> Iterator[Filtered]:
    lab = build(cloud)
    yield lab
    lab.close()


@pytest.fixture
def lab(whole_lab: Filtered) -> Iterator[Filtered]:
    whole_lab.enforce()
    yield whole_lab
    whole_lab.open_up()


def test_a_server_without_a_firewall_is_open(lab: Filtered) -> None:
    assert tcp(lab.peer, lab.web, lab.web.ipv4, 4443)
    assert tcp(lab.peer, lab.web, lab.web.ipv6, 4443)
    assert udp(lab.peer, lab.web, lab.web.ipv4, 10000)
    assert ping(lab.peer, lab.web, lab.web.ipv4)
    assert ping(lab.peer, lab.web, lab.web.ipv6)
    assert raw_packet(lab.peer, lab.web, lab.web.ipv4, 47)


def test_a_firewall_without_rules_lets_nothing_in_and_everything_out(lab: Filtered) -> None:
    lab.guard()
    assert dropped(tcp, lab.peer, lab.web, lab.web.ipv4, 4443)
    assert dropped(tcp, lab.peer, lab.web, lab.web.ipv6, 4443)
    assert dropped(udp, lab.peer, lab.web, lab.web.ipv4, 10000)
    assert dropped(ping, lab.peer, lab.web, lab.web.ipv4)
    assert dropped(ping, lab.peer, lab.web, lab.web.ipv6)
    assert dropped(raw_packet, lab.peer, lab.web, lab.web.ipv4, 47)
    assert tcp(lab.web, lab.peer, lab.peer.ipv4, 4443)
    assert udp(lab.web, lab.peer, lab.peer.ipv6, 10000)
    assert ping(lab.web, lab.peer, lab.peer.ipv4)


@pytest.mark.parametrize("version", [4, 6])
def test_a_rule_opens_its_ports_of_its_protocol_alone(lab: Filtered, version: int) -> None:
    lab.guard(into("tcp", "4443"), into("udp", "10000-10010"))
    address = lab.web.ipv4 if version == 4 else lab.web.ipv6
    assert tcp(lab.peer, lab.web, address, 4443)
    assert dropped(udp, lab.peer, lab.web, address, 4443)
    assert dropped(tcp, lab.peer, lab.web, address, 4444)
    for port in (10000, 10005, 10010):
        assert udp(lab.peer, lab.web, address, port)
    for port in (9999, 10011):
        assert dropped(udp, lab.peer, lab.web, address, port)
    assert dropped(tcp, lab.peer, lab.web, address, 10000)


def test_any_opens_all_ports_of_its_protocol(lab: Filtered) -> None:
    lab.guard(into("udp", "any"))
    assert udp(lab.peer, lab.web, lab.web.ipv4, 1)
    assert udp(lab.peer, lab.web, lab.web.ipv4, 65535)
    assert dropped(tcp, lab.peer, lab.web, lab.web.ipv4, 4443)


@pytest.mark.parametrize(
    ("protocol", "probe"),
    [
        ("icmp", lambda lab, **more: ping(lab.peer, lab.web, lab.web.ipv4, **more)),
        ("icmp", lambda lab, **more: ping(lab.peer, lab.web, lab.web.ipv6, **more)),
        ("gre", lambda lab, **more: raw_packet(lab.peer, lab.web, lab.web.ipv4, 47, **more)),
        ("esp", lambda lab, **more: raw_packet(lab.peer, lab.web, lab.web.ipv4, 50, **more)),
    ],
    ids=["icmp", "icmpv6", "gre", "esp"],
)
def test_protocols_without_ports_open_by_their_own_rule_alone(
    lab: Filtered, protocol: str, probe: Callable[..., bool]
) -> None:
    firewall = lab.guard(into("tcp", "any"), into("udp", "any"))
    assert dropped(probe, lab)
    lab.change(firewall, into(protocol))
    assert probe(lab)


def test_a_public_address_in_a_rule_means_the_host_that_has_it(lab: Filtered) -> None:
    lab.guard(into("tcp", "4443", [f"{lab.peer.public}/32"]), into("tcp", "4444", ["127.90.255.0/24"]))
    assert tcp(lab.peer, lab.web, lab.web.ipv4, 4443)
    assert dropped(tcp, lab.peer, lab.web, lab.web.ipv4, 4444)
    assert dropped(tcp, lab.peer, lab.web, lab.web.ipv6, 4443)


@pytest.mark.parametrize("written", ["127.0.0.0/8", "127.90.0.0/16"])
def test_a_range_that_holds_all_public_addresses_lets_every_host_in(lab: Filtered, written: str) -> None:
    lab.guard(into("tcp", "4443", [written]))
    assert tcp(lab.peer, lab.web, lab.web.ipv4, 4443)


def test_ranges_may_overlap(lab: Filtered) -> None:
    ranges = ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.0.0/16", f"{lab.peer.public}/32", "2001:db8::/32", "::/0"]
    lab.guard(into("tcp", "4443", ranges))
    assert tcp(lab.peer, lab.web, lab.web.ipv4, 4443)
    assert tcp(lab.peer, lab.web, lab.web.ipv6, 4443)


def test_the_rules_of_all_firewalls_of_a_server_count(lab: Filtered) -> None:
    lab.guard(into("tcp", "4443"))
    lab.guard(into("tcp", "4444"))
    assert tcp(lab.peer, lab.web, lab.web.ipv4, 4443)
    assert tcp(lab.peer, lab.web, lab.web.ipv4, 4444)
    assert dropped(tcp, lab.peer, lab.web, lab.web.ipv4, 4445)


def test_a_label_selector_guards_the_servers_that_it_chooses(lab: Filtered) -> None:
    lab.guard(into("tcp", "4443"), selector="role=web")
    assert tcp(lab.peer, lab.web, lab.web.ipv4, 4443)
    assert dropped(tcp, lab.peer, lab.web, lab.web.ipv4, 4444)
    assert tcp(lab.web, lab.peer, lab.peer.ipv4, 4444)


def test_one_rule_for_out_closes_the_rest(lab: Filtered) -> None:
    lab.guard(out("tcp", "4443"))
    assert tcp(lab.web, lab.peer, lab.peer.ipv4, 4443)
    assert tcp(lab.web, lab.peer, lab.peer.ipv6, 4443)
    assert dropped(tcp, lab.web, lab.peer, lab.peer.ipv4, 4444)
    assert dropped(udp, lab.web, lab.peer, lab.peer.ipv4, 4443)
    assert dropped(ping, lab.web, lab.peer, lab.peer.ipv6)


def test_between_two_guarded_servers_both_have_their_say(lab: Filtered) -> None:
    lab.guard(out("tcp", "4443-4444", [f"{lab.peer.public}/32"]))
    lab.guard(into("tcp", "4444-4445", [f"{lab.web.public}/32"]), name="peer")
    assert tcp(lab.web, lab.peer, lab.peer.ipv4, 4444)
    for port in (4443, 4445):
        assert dropped(tcp, lab.web, lab.peer, lab.peer.ipv4, port)


def test_names_and_metadata_are_there_whatever_the_rules_say(lab: Filtered) -> None:
    lab.guard(out("tcp", "4443"))
    assert udp(lab.web, lab.site, addresses.RESOLVER, 53)
    assert tcp(lab.web, lab.site, addresses.RESOLVER, 53)
    assert tcp(lab.web, lab.site, addresses.METADATA, 80)
    assert dropped(tcp, lab.web, lab.site, addresses.ARCHIVES, 443)
    assert dropped(tcp, lab.web, lab.site, addresses.METADATA, 81)
    assert dropped(tcp, lab.web, lab.site, addresses.ARCHIVES, 53)


def test_neighbours_are_found_whatever_the_rules_say(lab: Filtered) -> None:
    lab.guard(into("tcp", "4443"), out("tcp", "4443"))
    for namespace in (lab.site, lab.web):
        namespace.ip("neigh flush all")
    assert tcp(lab.web, lab.peer, lab.peer.ipv6, 4443)
    for namespace in (lab.site, lab.web):
        namespace.ip("neigh flush all")
    assert tcp(lab.peer, lab.web, lab.web.ipv6, 4443)


def test_a_lease_is_renewed_whatever_the_rules_say(lab: Filtered) -> None:
    lab.guard(out("tcp", "4443"))
    with closing(lab.site.socket(V4, UDP)) as server, closing(lab.web.socket(V4, UDP)) as client:
        for end, port in ((server, 67), (client, 68)):
            end.bind(("", port))
            end.settimeout(PATIENCE)
        client.sendto(b"request", (addresses.ARCHIVES, 67))
        assert server.recv(10) == b"request"
        server.sendto(b"offer", (lab.web.ipv4, 68))
        assert client.recv(10) == b"offer"


def test_certificate_authorities_come_in_by_the_rules_and_the_forwarder_by_its_own(lab: Filtered) -> None:
    firewall = lab.guard(into("tcp", "80"))
    assert tcp(lab.site, lab.web, lab.web.ipv4, 80, addresses.ACME)
    lab.change(firewall, into("tcp", "443"))
    assert dropped(tcp, lab.site, lab.web, lab.web.ipv4, 80, addresses.ACME)
    assert tcp(lab.site, lab.web, lab.web.ipv4, 80, addresses.WORLD)
    assert udp(lab.site, lab.web, lab.web.ipv4, 10000, addresses.WORLD)


def test_a_change_holds_at_once_for_new_connections_and_leaves_old_ones(lab: Filtered) -> None:
    firewall = lab.guard(into("tcp", "4443"))
    with closing(lab.web.socket(V4, TCP)) as listener, closing(lab.peer.socket(V4, TCP)) as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("", 4443))
        listener.listen()
        client.settimeout(PATIENCE)
        client.connect((lab.web.ipv4, 4443))
        server = listener.accept()[0]
        lab.change(firewall, into("tcp", "4444"))
        client.sendall(b"still here")
        assert server.recv(20) == b"still here"
        server.close()
    assert dropped(tcp, lab.peer, lab.web, lab.web.ipv4, 4443)
    assert tcp(lab.peer, lab.web, lab.web.ipv4, 4444)


def test_a_firewall_that_is_taken_away_leaves_the_server_open(lab: Filtered) -> None:
    lab.guard()
    assert dropped(tcp, lab.peer, lab.web, lab.web.ipv4, 4443)
    lab.open_up()
    assert tcp(lab.peer, lab.web, lab.web.ipv4, 4443)


def test_a_ruleset_that_nft_refuses_leaves_the_old_one_in_force(lab: Filtered) -> None:
    lab.guard()
    with pytest.raises(rulesets.RulesetError, match="syntax error"):
        lab.site.run(lambda: asyncio.run(rulesets.apply("table inet cloud {}\ndelete table inet cloud\nnonsense\n")))
    assert dropped(tcp, lab.peer, lab.web, lab.web.ipv4, 4443)


def test_clients_from_outside_are_judged_by_their_own_address(lab: Filtered) -> None:
    web, peer = lab.servers["web"].id, lab.servers["peer"].id
    lab.guard(into("tcp", "4443", ["127.0.0.1/32"]), into("udp", "10000-10010"), out("tcp", "22"))

    def allowed(server: int, protocol: str, port: int, client: str) -> bool:
        return firewalls.allowed(lab.store, server, protocol, port, client)

    assert allowed(web, "tcp", 4443, "127.0.0.1")
    assert not allowed(web, "tcp", 4443, "127.0.0.2")
    assert not allowed(web, "udp", 4443, "127.0.0.1")
    assert [p for p in (9999, 10000, 10010, 10011) if allowed(web, "udp", p, "127.0.0.9")] == [10000, 10010]
    assert not allowed(web, "tcp", 22, "127.0.0.1")
    assert allowed(peer, "tcp", 22, "127.0.0.9")
    assert not allowed(0, "tcp", 22, "127.0.0.1")
