"""A Jitsi Meet cluster: one shard that people reach, a pool of bridges that carry their media, names for all."""

import pulumi

from components import interruption, settings
from components.bridge_pool import BridgePool, BridgePoolArgs
from components.clouds.hetzner import HetznerCloud, HetznerCloudArgs
from components.cluster import describe
from components.credentials import Credentials
from components.jitsi_meet_node import JitsiMeetNode, JitsiMeetNodeArgs
from components.machines import bridge_user_data, check_user_data, signaling_user_data
from components.records import CloudflareRecords, bridge_records, cluster_records, shard_records

interruption.end_quietly()
config = settings.load()
check_user_data(config)

credentials = Credentials("credentials", config.domain, protect=config.protect)
cloud = HetznerCloud(
    "cloud",
    HetznerCloudArgs(
        network_zone=config.network_zone,
        plan=config.plan,
        admin_cidrs=config.admin_cidrs,
        operations_public_key=credentials.operations_public_key,
        labels={**config.labels, "cluster": pulumi.get_stack()},
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
pool = BridgePool(
    "bridges",
    BridgePoolArgs(
        cloud=cloud,
        size=config.bridges,
        locations=config.locations,
        server_type=config.bridge_type,
        image=config.image,
        user_data={place: bridge_user_data(config, credentials, place) for place in config.locations},
    ),
)
records = [*cluster_records(shard.server, config.domain), *shard_records(shard.server, config.domain)]
records += [record for bridge in pool.servers for record in bridge_records(bridge, config.domain)]
if config.dns == "cloudflare":
    CloudflareRecords("records", records, zone_id=config.zone_id, owner=pulumi.get_stack())

for name, value in describe(config, [shard], pool.servers, records).items():
    pulumi.export(name, value)
pulumi.export("operationsKey", credentials.operations_private_key)
