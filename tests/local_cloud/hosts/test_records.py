"""Level: the hosts' resolver, asked over real UDP on loopback: what it answers to what the API holds."""

import secrets

import dns.message
import dns.rdatatype
import dns.reversename

from local_cloud.hosts import addresses
from local_cloud.process import LocalCloud

from ..conftest import cloudflare_client, hetzner_client, make_server
from .asking import Service, Zone, code


def test_a_public_address_is_answered_as_the_hosts_own(service: Service, zone: Zone) -> None:
    zone.add("meet", "A", "127.90.3.4")
    zone.add("meet", "AAAA", "2001:db8:0:7::1")
    zone.add("elsewhere", "A", "192.0.2.1")
    assert service.texts(f"meet.{zone.name}") == ["198.18.3.4"]
    assert service.texts(f"meet.{zone.name}", "AAAA") == ["2001:db8:0:7::1"]
    assert service.texts(f"elsewhere.{zone.name}") == ["192.0.2.1"]


def test_records_of_every_kind_are_answered(service: Service, zone: Zone) -> None:
    zone.add("", "MX", "mail.example.org", priority=10)
    zone.add("", "NS", "ns1.example.org")
    zone.add("", "CAA", data={"flags": 0, "tag": "issue", "value": 'ca.example; a="b"'})
    target = f"xmpp.{zone.name}"
    zone.add("_xmpp-client._tcp", "SRV", data={"priority": 5, "weight": 7, "port": 5222, "target": target})
    zone.add("note", "TXT", "v=spf1 -all")
    zone.add("split", "TXT", '"first" "second"')
    zone.add("long", "TXT", "x" * 300)
    assert service.texts(zone.name, "MX") == ["10 mail.example.org."]
    assert service.texts(zone.name, "NS") == ["ns1.example.org."]
    assert service.texts(zone.name, "CAA") == [r'0 issue "ca.example; a=\"b\""']
    assert service.texts(f"_xmpp-client._tcp.{zone.name}", "SRV") == [f"5 7 5222 {target}."]
    assert service.texts(f"note.{zone.name}", "TXT") == ['"v=spf1 -all"']
    assert service.texts(f"split.{zone.name}", "TXT") == ['"first" "second"']
    assert service.texts(f"long.{zone.name}", "TXT") == [f'"{"x" * 255}" "{"x" * 45}"']


def test_all_records_of_a_name_are_answered_with_the_ttl_of_the_record(service: Service, zone: Zone) -> None:
    zone.add("edge", "A", "127.90.0.1")
    zone.add("edge", "A", "127.90.0.2")
    zone.add("auto", "A", "127.90.0.1", ttl=1)
    answer = service.ask(f"edge.{zone.name}")
    assert sorted(data.to_text() for data in answer.answer[0]) == ["198.18.0.1", "198.18.0.2"]
    assert answer.answer[0].ttl == 60
    assert service.ask(f"auto.{zone.name}").answer[0].ttl == 300


def test_a_name_without_the_type_is_no_data_and_an_unknown_name_does_not_exist(service: Service, zone: Zone) -> None:
    zone.add("deep.below", "A", "127.90.0.1")
    for name, kind, expected in (
        (f"deep.below.{zone.name}", "AAAA", "NOERROR"),
        (f"below.{zone.name}", "A", "NOERROR"),
        (zone.name, "A", "NOERROR"),
        (f"other.{zone.name}", "A", "NXDOMAIN"),
        (f"x.deep.below.{zone.name}", "A", "NXDOMAIN"),
    ):
        answer = service.ask(name, kind)
        assert (name, code(answer), answer.answer) == (name, expected, [])
        assert answer.authority[0].name.to_text(omit_final_dot=True) == zone.name
        assert answer.authority[0].rdtype == dns.rdatatype.SOA


def test_nothing_exists_outside_the_zones(service: Service) -> None:
    for name in ("www.debian.org", "debian.org", ".", "fleet.test.org", "localhost"):
        answer = service.ask(name)
        assert (name, code(answer), answer.answer) == (name, "NXDOMAIN", [])


def test_fixed_names_exist_beside_the_zones(service: Service) -> None:
    assert service.texts("deb.debian.org") == [addresses.ARCHIVES]
    assert service.texts("ACME.example", "AAAA") == ["2001:db8:ffff::44"]
    for name, kind in (("deb.debian.org", "AAAA"), ("acme.example", "A")):
        answer = service.ask(name, kind)
        assert (code(answer), answer.answer) == ("NOERROR", [])


def test_a_wildcard_answers_for_names_that_do_not_exist(service: Service, zone: Zone) -> None:
    zone.add("*.shard", "A", "127.90.0.9")
    zone.add("own.shard", "TXT", "I exist")
    assert service.texts(f"any.shard.{zone.name}") == ["198.18.0.9"]
    assert service.texts(f"two.levels.shard.{zone.name}") == ["198.18.0.9"]
    assert service.ask(f"own.shard.{zone.name}").answer == []
    assert code(service.ask(f"below.own.shard.{zone.name}")) == "NXDOMAIN"
    assert service.ask(f"shard.{zone.name}").answer == []
    assert code(service.ask(f"any.shard.{zone.name}", "AAAA")) == "NOERROR"


def test_a_cname_is_followed(service: Service, zone: Zone) -> None:
    zone.add("meet", "CNAME", f"edge.{zone.name}")
    zone.add("www", "CNAME", f"meet.{zone.name}")
    zone.add("edge", "A", "127.90.0.5")
    zone.add("archive", "CNAME", "deb.debian.org")
    zone.add("gone", "CNAME", f"nowhere.{zone.name}")
    answer = service.ask(f"www.{zone.name}")
    assert [dns.rdatatype.to_text(part.rdtype) for part in answer.answer] == ["CNAME", "CNAME", "A"]
    assert answer.answer[-1][0].to_text() == "198.18.0.5"
    assert service.texts(f"www.{zone.name}", "CNAME") == [f"meet.{zone.name}."]
    assert service.texts(f"archive.{zone.name}") == [addresses.ARCHIVES]
    gone = service.ask(f"gone.{zone.name}")
    assert (code(gone), len(gone.answer)) == ("NXDOMAIN", 1)
    assert code(service.ask(f"www.{zone.name}", "AAAA")) == "NOERROR"


def test_cnames_in_a_circle_are_a_failure(service: Service, zone: Zone) -> None:
    zone.add("hen", "CNAME", f"egg.{zone.name}")
    zone.add("egg", "CNAME", f"hen.{zone.name}")
    assert code(service.ask(f"hen.{zone.name}")) == "SERVFAIL"


def test_letters_case_does_not_matter_and_comes_back_as_asked(service: Service, zone: Zone) -> None:
    zone.add("meet", "A", "127.90.0.1")
    asked = f"MeEt.{zone.name.upper()}."
    answer = service.ask(asked)
    assert answer.answer[0][0].to_text() == "198.18.0.1"
    assert answer.question[0].name.to_text() == asked


def test_a_name_with_other_letters_is_found_by_its_ascii_form(service: Service, zone: Zone) -> None:
    zone.add("xn--mnchen-3ya", "A", "127.90.0.1")
    assert service.texts(f"münchen.{zone.name}") == ["198.18.0.1"]


def test_a_change_through_the_api_counts_at_once(service: Service, zone: Zone) -> None:
    record = zone.add("meet", "A", "127.90.0.1")
    assert service.texts(f"meet.{zone.name}") == ["198.18.0.1"]
    zone.api.dns.records.edit(record.id, zone_id=zone.uid, name=record.name, type="A", ttl=60, content="127.90.0.2")
    assert service.texts(f"meet.{zone.name}") == ["198.18.0.2"]
    zone.api.dns.records.delete(record.id, zone_id=zone.uid)
    assert code(service.ask(f"meet.{zone.name}")) == "NXDOMAIN"


def test_projects_that_have_the_same_zone_are_answered_together(service: Service, cloud: LocalCloud) -> None:
    name = f"z{secrets.token_hex(4)}.test"
    for number in (1, 2):
        Zone(cloudflare_client(cloud), name).add("meet", "A", f"127.90.0.{number}")
    assert service.texts(f"meet.{name}") == ["198.18.0.1", "198.18.0.2"]


def test_a_hosts_address_has_the_name_that_the_cloud_gives_it(service: Service, cloud: LocalCloud) -> None:
    server = make_server(hetzner_client(cloud), "named")
    public = server.public_net.ipv4
    pointer = dns.reversename.from_address(addresses.inside(public.ip))
    assert service.texts(pointer.to_text(), "PTR") == [f"{public.dns_ptr}."]
    assert code(service.ask("9.9.9.10.in-addr.arpa", "PTR")) == "NXDOMAIN"
    assert code(service.ask("words.in-addr.arpa", "PTR")) == "NXDOMAIN"
