"""Which names exist in the closed network: the DNS records of Cloudflare's API, of all projects, and some fixed ones.

Read anew for every question, so that a change counts at once. Addresses 127.90.x.y become the hosts' inside ones. Where
it differs from the real service: a proxied record answers its origin (there is no proxy), a CNAME of the zone itself is
answered as one (not flattened), NS records within a zone do not delegate.
"""

import ipaddress
from collections.abc import Mapping
from contextlib import suppress

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset
from dns.rdtypes.ANY.TXT import TXT

from ..store import Doc, Store
from . import addresses

AUTOMATIC_TTL = 300  # seconds; what the API's ttl 1 means
FIXED_TTL = 300
NEGATIVE_TTL = 1800  # seconds; of the real zones' SOA
REVERSE = dns.name.from_text("in-addr.arpa")


class Snapshot:
    """Names as they are at this moment."""

    def __init__(self, store: Store, fixed: Mapping[dns.name.Name, str]) -> None:
        self._store = store
        self._fixed = fixed
        self._zones: set[dns.name.Name] = set()
        self._records: dict[dns.name.Name, list[Doc]] = {}
        for project in store.counts():
            self._zones.update(dns.name.from_text(zone["zone"]) for zone in store.all("zone", project))
            for record in store.all("dns_record", project):
                self._records.setdefault(dns.name.from_text(record["name"]), []).append(record)

    def zone_of(self, name: dns.name.Name) -> dns.name.Name | None:
        return max((zone for zone in self._zones if name.is_subdomain(zone)), key=len, default=None)

    def look_up(self, name: dns.name.Name) -> list[Doc] | None:
        """The records of a name, wildcards included; [] when it exists without any, None when it does not exist."""
        if name in self._fixed:
            return [_address(self._fixed[name])]
        if name.is_subdomain(REVERSE):
            return self._reverse(name)
        zone = self.zone_of(name)
        if zone is None or name in self._records:
            return self._records.get(name)
        existing = {zone} | {parent for owner in self._records for parent in _up_to(owner, zone)}
        if name in existing:
            return []
        encloser = next(parent for parent in _up_to(name, zone) if parent in existing)
        return self._records.get(dns.name.Name((b"*", *encloser.labels)))

    def _reverse(self, name: dns.name.Name) -> list[Doc] | None:
        """The name that the cloud gives to a public address."""
        with suppress(dns.exception.DNSException, ValueError):
            wanted = addresses.outside(str(dns.reversename.to_address(name)))
            for project in self._store.counts():
                for address in self._store.all("primary_ip", project):
                    if address["ip"] == wanted:
                        return [{"type": "PTR", "content": address["dns_ptr"][0]["dns_ptr"], "ttl": FIXED_TTL}]
        return None


def _up_to(name: dns.name.Name, zone: dns.name.Name) -> list[dns.name.Name]:
    """A name and its parents, up to the zone; none when it is not within the zone."""
    if not name.is_subdomain(zone):
        return []
    return [dns.name.Name(name.labels[cut:]) for cut in range(len(name.labels) - len(zone.labels) + 1)]


def is_of(record: Doc, kind: dns.rdatatype.RdataType) -> bool:
    return bool(record["type"] == dns.rdatatype.to_text(kind)) or kind == dns.rdatatype.ANY


def _address(address: str) -> Doc:
    kind = "A" if ipaddress.ip_address(address).version == 4 else "AAAA"
    return {"type": kind, "content": address, "ttl": FIXED_TTL}


def rrset(name: dns.name.Name, records: list[Doc]) -> dns.rrset.RRset:
    """Records as one set with the smallest TTL; for a question of any type (RFC 8482) the first type will do."""
    same = [record for record in records if record["type"] == records[0]["type"]]
    ttl = min(AUTOMATIC_TTL if record["ttl"] == 1 else record["ttl"] for record in same)
    return dns.rrset.from_rdata_list(name, ttl, [_rdata(record) for record in same])


def _rdata(record: Doc) -> dns.rdata.Rdata:
    kind, content = dns.rdatatype.from_text(record["type"]), record["content"]
    if kind == dns.rdatatype.A:
        content = addresses.inside(content)
    elif kind in (dns.rdatatype.MX, dns.rdatatype.SRV):
        content = f"{record['priority']} {content}"
    elif kind == dns.rdatatype.CAA:
        value = record["data"]["value"].replace("\\", r"\\").replace('"', r"\"")
        content = f'{record["data"]["flags"]} {record["data"]["tag"]} "{value}"'
    elif kind == dns.rdatatype.TXT and not content.startswith('"'):
        raw = content.encode()
        return TXT(dns.rdataclass.IN, kind, [raw[start : start + 255] for start in range(0, len(raw), 255)])
    return dns.rdata.from_text(dns.rdataclass.IN, kind, content, dns.name.root, relativize=False)


def soa(zone: dns.name.Name) -> dns.rrset.RRset:
    """Goes with every answer that something is not there: how long one may remember that."""
    return dns.rrset.from_text(
        zone, NEGATIVE_TTL, "IN", "SOA", f"ada.ns.fleet.test. dns.fleet.test. 1 10000 2400 604800 {NEGATIVE_TTL}"
    )
