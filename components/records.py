"""Names: one record per host and address, the cluster's own name, and SRV records as registry of services.

Records are never proxied: Cloudflare's proxy carries neither media nor XMPP. Internal names resolve to private
addresses, so that hosts follow a replaced peer without a change of their files.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
import pulumi_cloudflare as cloudflare

from components.clouds import Server

TTL = 60
"""Seconds: a replaced host's name moves, and its callers should follow soon. Cloudflare's shortest."""

PRIORITY, WEIGHT = 0, 10
"""Of every SRV record: the hosts of a service are equals."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One DNS record. `key` is its name in the state, `value` what is entered by hand where no provider keeps it."""

    key: str
    host: str
    name: str
    type: Literal["A", "AAAA", "SRV"]
    value: pulumi.Input[str]
    port: int = 0
    target: str = ""

    def described(self) -> dict[str, Any]:
        return {"name": self.name, "type": self.type, "value": self.value, "ttl": TTL}


def internal_name(host: str, domain: str) -> str:
    """The name that resolves to the host's private address."""
    return f"{host}.internal.{domain}"


def shard_records(shard: Server, domain: str) -> list[Record]:
    """The shard's own names and its entries in the registry."""
    return [
        *_host_records(shard, domain),
        _srv(shard, domain, "https", f"_jitsi-shard._tcp.{domain}", 443),
        _srv(shard, domain, "xmpp", f"_xmpp-client._tcp.internal.{domain}", 5222),
    ]


def bridge_records(bridge: Server, domain: str) -> list[Record]:
    """The bridge's own names and its entry in the registry."""
    return [
        *_host_records(bridge, domain),
        _srv(bridge, domain, "metrics", f"_jitsi-bridge-metrics._tcp.{domain}", 8080),
    ]


def cluster_records(shard: Server, domain: str) -> list[Record]:
    """The name that people type. With one shard it is the shard itself."""
    return _public_records("cluster", shard, domain)


def _host_records(server: Server, domain: str) -> list[Record]:
    internal = Record(
        key=f"{server.name}-internal",
        host=server.name,
        name=internal_name(server.name, domain),
        type="A",
        value=server.private_ipv4,
    )
    return [*_public_records(server.name, server, f"{server.name}.{domain}"), internal]


def _public_records(key: str, server: Server, name: str) -> list[Record]:
    return [
        Record(key=f"{key}-a", host=server.name, name=name, type="A", value=server.public_ipv4),
        Record(key=f"{key}-aaaa", host=server.name, name=name, type="AAAA", value=server.public_ipv6),
    ]


def _srv(server: Server, domain: str, service: str, name: str, port: int) -> Record:
    target = internal_name(server.name, domain)
    return Record(
        key=f"{server.name}-{service}",
        host=server.name,
        name=name,
        type="SRV",
        value=f"{PRIORITY} {WEIGHT} {port} {target}",
        port=port,
        target=target,
    )


class CloudflareRecords(pulumi.ComponentResource):
    """Keeps records in a Cloudflare zone. `owner` tells who finds them there that a program keeps them."""

    def __init__(self, name: str, zone_id: str, owner: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("jitsi-fleet:cloudflare:CloudflareRecords", name, {}, opts)
        self._zone_id = zone_id
        self._comment = f"jitsi-fleet, stack {owner}: change the stack, not the record"[:100]
        self.register_outputs({})

    def keep(self, records: Iterable[Record]) -> list[pulumi.Resource]:
        """Make the records, as resources for others to depend on."""
        return [
            cloudflare.DnsRecord(
                record.key,
                zone_id=self._zone_id,
                name=record.name,
                type=record.type,
                ttl=TTL,
                proxied=False,
                comment=self._comment,
                content=None if record.type == "SRV" else record.value,
                data=_srv_data(record) if record.type == "SRV" else None,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for record in records
        ]


def _srv_data(record: Record) -> cloudflare.DnsRecordDataArgs:
    return cloudflare.DnsRecordDataArgs(priority=PRIORITY, weight=WEIGHT, port=record.port, target=record.target)
