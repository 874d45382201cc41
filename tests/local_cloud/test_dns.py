"""Cloudflare: zones and DNS records, through Cloudflare's own client."""

from typing import Any

import cloudflare
import pytest
import requests

from local_cloud.process import LocalCloud

from .conftest import ZONE, cloudflare_client


def make(dns: Any, **fields: Any) -> Any:
    return dns.dns.records.create(zone_id=ZONE, **{"type": "A", "content": "192.0.2.1", "ttl": 60, **fields})


def code(refused: pytest.ExceptionInfo[cloudflare.APIStatusError]) -> int:
    return int(refused.value.body["errors"][0]["code"])  # type: ignore[index]


SRV = {"type": "SRV", "name": "_x._tcp.fleet.test", "content": cloudflare.omit, "ttl": 60}


def test_the_zone_is_there_from_the_start_and_is_found_by_its_name(dns: Any) -> None:
    assert [zone.id for zone in dns.zones.list(name="fleet.test")] == [ZONE]
    assert list(dns.zones.list(name="other.test")) == []
    assert dns.zones.get(zone_id=ZONE).name == "fleet.test"


def test_a_zone_can_be_added_once(dns: Any) -> None:
    made = dns.zones.create(account={"id": "0" * 32}, name="meet.test")
    assert {zone.name for zone in dns.zones.list()} == {"fleet.test", "meet.test"}
    with pytest.raises(cloudflare.APIStatusError) as refused:
        dns.zones.create(account={"id": "0" * 32}, name="meet.test")
    assert code(refused) == 1061
    assert made.status == "active"


@pytest.mark.parametrize("token", ["short", "x" * 81, "x" * 39 + "!"])
def test_a_malformed_token_is_refused(cloud: LocalCloud, token: str) -> None:
    answer = requests.get(cloud.cloudflare_url + "/zones", headers={"Authorization": f"Bearer {token}"}, timeout=5)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 6003)


@pytest.mark.parametrize(
    ("given", "full"),
    [("bridge-1", "bridge-1.fleet.test"), ("Bridge-1.Fleet.Test.", "bridge-1.fleet.test"), ("@", "fleet.test")],
)
def test_a_name_is_answered_in_full_and_in_lower_case(dns: Any, given: str, full: str) -> None:
    assert make(dns, name=given).name == full


def test_a_record_is_read_listed_replaced_changed_and_deleted(dns: Any) -> None:
    record = make(dns, name="a", comment="ours")
    assert dns.dns.records.get(record.id, zone_id=ZONE).comment == "ours"
    dns.dns.records.update(record.id, zone_id=ZONE, type="A", name="b", content="192.0.2.2", ttl=120)
    changed = dns.dns.records.edit(record.id, zone_id=ZONE, type="A", name="b", content="192.0.2.3", ttl=120)
    assert (changed.id, changed.content, changed.comment, changed.ttl) == (record.id, "192.0.2.3", None, 120)
    assert [found.id for found in dns.dns.records.list(zone_id=ZONE, type="A")] == [record.id]
    assert list(dns.dns.records.list(zone_id=ZONE, type="AAAA")) == []
    dns.dns.records.delete(record.id, zone_id=ZONE)
    with pytest.raises(cloudflare.NotFoundError) as refused:
        dns.dns.records.get(record.id, zone_id=ZONE)
    assert code(refused) == 81044


def test_records_of_one_name_exclude_each_other_as_dns_has_it(dns: Any) -> None:
    make(dns, name="a")
    make(dns, name="a", content="192.0.2.2")
    make(dns, name="c", type="CNAME", content="a.fleet.test")
    for fields, expected in [
        ({"name": "a"}, 81058),
        ({"name": "a", "type": "CNAME", "content": "b.fleet.test"}, 81053),
        ({"name": "c"}, 81054),
        ({"name": "c", "type": "CNAME", "content": "z.fleet.test"}, 81053),
    ]:
        with pytest.raises(cloudflare.BadRequestError) as refused:
            make(dns, **fields)
        assert code(refused) == expected


def test_several_srv_records_share_a_name_if_their_data_differ(dns: Any) -> None:
    for number in (1, 2):
        data = {"priority": 1, "weight": 5, "port": 8080, "target": f"bridge-{number}.internal.fleet.test"}
        record = make(dns, **SRV, data=data)
    assert (record.content, record.data.port) == ("5 8080 bridge-2.internal.fleet.test", 8080)
    with pytest.raises(cloudflare.BadRequestError) as refused:
        make(dns, **SRV, data=data)
    assert code(refused) == 81058


def test_a_caa_record_takes_data(dns: Any) -> None:
    data = {"flags": 0, "tag": "issue", "value": "letsencrypt.org"}
    record = make(dns, type="CAA", name="@", content=cloudflare.omit, data=data)
    assert record.content == '0 issue "letsencrypt.org"'


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"content": "999.1.1.1"}, 9005),
        ({"content": "2001:db8::1"}, 9005),
        ({"type": "AAAA"}, 9006),
        ({"type": "CNAME", "content": "a b"}, 9007),
        ({"ttl": 59}, 9021),
        ({"ttl": 86401}, 9021),
        ({"name": "a b"}, 9000),
        ({"name": "a" * 64}, 9000),
        ({"type": "TXT", "proxied": True}, 9004),
        ({"content": "10.0.0.1", "proxied": True}, 9003),
        ({"comment": "c" * 101}, 9306),
        ({**SRV, "data": {"priority": 1, "weight": 1, "port": 70000, "target": "a.fleet.test"}}, 9101),
    ],
)
def test_what_the_real_one_refuses_is_refused(dns: Any, fields: dict[str, Any], expected: int) -> None:
    with pytest.raises(cloudflare.BadRequestError) as refused:
        make(dns, **{"name": "a", **fields})
    assert code(refused) == expected


def test_a_proxied_record_has_an_automatic_ttl(dns: Any) -> None:
    record = make(dns, name="web", content="203.0.114.1", proxied=True, ttl=300)
    assert (record.ttl, record.proxied) == (1, True)


def test_an_ipv6_address_is_answered_in_its_short_form(dns: Any) -> None:
    record = make(dns, name="a", type="AAAA", content="2001:0db8:0:0:0:0:0:1")
    assert record.content == "2001:db8::1"


def test_records_come_in_pages(dns: Any) -> None:
    for number in range(7):
        make(dns, name=f"bridge-{number}")
    page = dns.dns.records.list(zone_id=ZONE, page=2, per_page=3)
    assert [record.name for record in page.result] == [f"bridge-{number}.fleet.test" for number in (3, 4, 5)]
    assert len(list(dns.dns.records.list(zone_id=ZONE, per_page=3))) == 7


def test_two_tokens_own_zones_apart(cloud: LocalCloud, dns: Any) -> None:
    make(dns, name="a")
    assert list(cloudflare_client(cloud).dns.records.list(zone_id=ZONE)) == []


def test_a_zone_of_somebody_else_is_forbidden(dns: Any) -> None:
    with pytest.raises(cloudflare.PermissionDeniedError):
        dns.zones.get(zone_id="0" * 32)
