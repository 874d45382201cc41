"""Level: the hosts' resolver, asked over real UDP and TCP on loopback: how it speaks."""

import socket

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.resolver
import pytest

from local_cloud.hosts import addresses
from local_cloud.process import LocalCloud

from .asking import Service, Zone, code


def test_what_is_too_long_for_a_datagram_is_cut_and_comes_whole_over_tcp(service: Service, zone: Zone) -> None:
    name = f"many.{zone.name}"
    for number in range(2):
        zone.add("many", "TXT", f"{number}" * 400)
    plain, roomy = service.ask(name, "TXT"), service.ask(name, "TXT", use_edns=0, payload=4096)
    assert plain.flags & dns.flags.TC
    assert not roomy.flags & dns.flags.TC
    assert len(roomy.answer[0]) == 2
    for number in range(2, 4):
        zone.add("many", "TXT", f"{number}" * 400)
    assert service.ask(name, "TXT", use_edns=0, payload=4096).flags & dns.flags.TC
    query = dns.message.make_query(name, "TXT")
    whole, over_tcp = dns.query.udp_with_fallback(query, "127.0.0.1", 5, port=service.port)
    assert over_tcp
    assert len(whole.answer[0]) == 4


def test_several_questions_go_over_one_tcp_connection(service: Service, zone: Zone) -> None:
    zone.add("meet", "A", "127.90.0.1")
    with socket.create_connection(("127.0.0.1", service.port), 5) as connection:
        for _ in range(3):
            query = dns.message.make_query(f"meet.{zone.name}", "A")
            dns.query.send_tcp(connection, query)
            answer, _ = dns.query.receive_tcp(connection)
            assert answer.id == query.id
            assert answer.answer[0][0].to_text() == "198.18.0.1"


def test_nonsense_is_answered_as_such_and_does_no_harm(service: Service, zone: Zone) -> None:
    zone.add("broken", "TXT", '"no end')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect(("127.0.0.1", service.port))
        client.send(b"\x12\x34")
        client.send(dns.message.make_response(dns.message.make_query("deb.debian.org", "A", id=1)).to_wire())
        client.send(b"\x12\x34\x01\x00\x00\x01" + b"\x00" * 6 + b"\xff\xff")
        assert client.recv(100)[:4] == b"\x12\x34\x80\x01"
    chaos = dns.message.make_query("version.bind", "TXT", "CH")
    assert code(dns.query.udp(chaos, "127.0.0.1", timeout=5, port=service.port)) == "REFUSED"
    assert code(service.ask(f"broken.{zone.name}", "TXT")) == "SERVFAIL"
    assert service.texts("deb.debian.org") == [addresses.ARCHIVES]


def test_a_stub_resolver_is_content_with_it(service: Service, zone: Zone) -> None:
    zone.add("meet", "A", "127.90.0.1")
    stub = dns.resolver.Resolver(configure=False)
    stub.nameservers, stub.port = ["127.0.0.1"], service.port
    assert stub.resolve(f"meet.{zone.name}", "A")[0].to_text() == "198.18.0.1"
    with pytest.raises(dns.resolver.NoAnswer):
        stub.resolve(f"meet.{zone.name}", "AAAA")
    with pytest.raises(dns.resolver.NXDOMAIN):
        stub.resolve(f"other.{zone.name}", "A")


def test_it_can_be_stopped_and_started_again(cloud: LocalCloud) -> None:
    own = Service(cloud)
    try:
        with socket.create_connection(("127.0.0.1", own.port), 5) as client:
            dns.query.send_tcp(client, dns.message.make_query("deb.debian.org", "A"))
            assert dns.query.receive_tcp(client)[0].answer
            own.do(own.resolver.stop())
            assert client.recv(1) == b""
        with pytest.raises(dns.exception.Timeout):
            dns.query.udp(dns.message.make_query("deb.debian.org", "A"), "127.0.0.1", timeout=0.2, port=own.port)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", own.port), 5)
        own.do(own.resolver.start("127.0.0.1", own.port))
        assert own.texts("deb.debian.org") == [addresses.ARCHIVES]
    finally:
        own.close()
