"""The cluster described as data: the stack's outputs.

`cluster` holds all of it as one value of the shape that docs/cluster.schema.json gives. Its `schemaVersion` rises when
a reader of the old shape would fail.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pulumi

from components import rollout
from components.bridge_pool import Bridge
from components.clouds import Server
from components.doors import DOORS, source_ranges
from components.jitsi_meet_node import JitsiMeetNode
from components.records import Record
from components.rollout import Build
from components.settings import Settings

SCHEMA_VERSION = 1


def describe(
    settings: Settings,
    shards: Iterable[JitsiMeetNode],
    bridges: Collection[Bridge],
    records: Iterable[Record],
    builds: Mapping[str, Build],
    waiting: Collection[str],
) -> dict[str, Any]:
    """The outputs by name. `builds` says what each bridge is made of, `waiting` who is not what the settings say."""
    records = list(records)
    parts = {
        "url": settings.url,
        "shards": [_host(shard.server, records) | {"waiting": shard.waiting} for shard in shards],
        "bridges": [
            _host(bridge.server, records)
            | {
                "version": bridge.version,
                "waiting": bridge.server.name in waiting,
                "madeFrom": builds[bridge.server.name].described(),
            }
            for bridge in bridges
        ],
        "records": [record.described() for record in records],
        "doors": _doors(settings),
        "versions": {
            "image": settings.image,
            "jitsi": dict(settings.jitsi_versions),
            "bridges": rollout.versions([bridge.version for bridge in bridges]),
        },
    }
    head = {
        "schemaVersion": SCHEMA_VERSION,
        "stack": pulumi.get_stack(),
        "cloud": settings.cloud,
        "domain": settings.domain,
        "dns": settings.dns,
        "drain": settings.drain,
    }
    return parts | {"drain": settings.drain, "cluster": head | parts}


def _host(server: Server, records: list[Record]) -> dict[str, Any]:
    return {
        "name": server.name,
        "instance": server.instance,
        "location": server.location,
        "type": server.server_type,
        "publicIpv4": server.public_ipv4,
        "publicIpv6": server.public_ipv6,
        "privateIpv4": server.private_ipv4,
        "placementGroup": server.placement_group,
        "records": sorted({record.name for record in records if record.host == server.name}),
    }


def _doors(settings: Settings) -> list[dict[str, Any]]:
    return [
        {
            "role": door.role,
            "protocol": door.protocol,
            "port": door.port,
            "from": list(source_ranges(door.source, settings.plan, settings.admin_cidrs)),
            "why": door.why,
        }
        for door in DOORS
    ]
