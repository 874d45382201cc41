"""A Jitsi Meet cluster: one shard that people reach, a pool of bridges that carry their media, names for all."""

import pulumi

from components import interruption, last_run, rollout, settings
from components.bridge_pool import BridgePool, BridgePoolArgs
from components.clouds import opening
from components.cluster import describe
from components.credentials import Credentials
from components.jitsi_meet_node import JitsiMeetNode, JitsiMeetNodeArgs
from components.machines import bridge_builds, bridge_secrets, bridge_user_data, check_user_data, signaling_user_data
from components.operations import Operations, OperationsArgs
from components.records import CloudflareRecords, bridge_records, cluster_records, shard_records

interruption.end_quietly()
config = settings.load()
check_user_data(config)
make_cloud = opening.chosen(config.cloud)
before = last_run.outputs()
last_run.check_cloud(before, config.cloud)
last_run.check_drain(before, config.drain)

credentials = Credentials("credentials", config.domain, protect=config.protect)
cloud = make_cloud(
    "cloud",
    opening.CloudArgs(
        settings=config,
        labels={**config.labels, "cluster": pulumi.get_stack()},
        unused_public_key=credentials.rotation_public_key,
        shard_locations=last_run.shard_locations(before),
    ),
)
shard = JitsiMeetNode(
    "shard-1",
    JitsiMeetNodeArgs(
        cloud=cloud,
        location=config.locations[0],
        rank=0,
        server_type=config.signaling_type,
        image=config.image,
        user_data=signaling_user_data(config, credentials, config.locations[0]),
        generation=config.generation,
        protect=config.protect,
    ),
)
records = [*cluster_records(shard.server, config.domain), *shard_records(shard.server, config.domain)]
zone = CloudflareRecords("records", config.zone_id, pulumi.get_stack()) if config.dns == "cloudflare" else None
shard_names = zone.keep(records) if zone else []
operations = (
    Operations(
        "operations",
        OperationsArgs(
            node=shard.server,
            credentials=credentials,
            admin_cidrs=config.admin_cidrs,
            drain_minutes=config.drain_minutes,
            drain_at_once=config.drain_at_once,
        ),
    )
    if config.drain
    else None
)
wanted = bridge_builds(config, cloud.servers_per_group)
builds, waiting = rollout.plan(wanted, rollout.made(before), config.replace_at_once)
places = sorted({build.location for build in builds.values()})  # one that waits may be where the settings no longer are
pool = BridgePool(
    "bridges",
    BridgePoolArgs(
        cloud=cloud,
        builds=builds,
        server_type=config.bridge_type,
        image=config.image,
        user_data={place: bridge_user_data(config, credentials, place) for place in places},
        secrets=bridge_secrets(credentials),
        operations=operations,
        reached_by=shard_names,
    ),
)
bridge_names = [record for bridge in pool.bridges for record in bridge_records(bridge.server, config.domain)]
if zone:
    zone.keep(bridge_names)
rollout.warn(waiting, config.replace_at_once)

for name, value in describe(config, [shard], pool.bridges, [*records, *bridge_names], builds, waiting).items():
    pulumi.export(name, value)
pulumi.export("operationsKey", credentials.operations_key)
pulumi.export("operationsHostKey", credentials.host_public_key)
