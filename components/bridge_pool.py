"""The bridges: servers that carry the media, spread over locations.

A bridge's place depends on its number alone, so that no bridge moves because another came or went. The drain before a
bridge's deletion is not part of this yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.clouds import Cloud, ServerArgs


@dataclass(frozen=True, kw_only=True)
class BridgePoolArgs:
    """`user_data` holds one text per location: bridges tell jicofo where they are."""

    cloud: Cloud
    size: int
    locations: tuple[str, ...]
    server_type: str
    image: str
    user_data: Mapping[str, pulumi.Output[str]]


class BridgePool(pulumi.ComponentResource):
    """Bridges 1 to `size` as `servers`, in this order."""

    def __init__(self, name: str, args: BridgePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        # No inputs of its own in the state: a resize then shows the bridges that come or go and nothing else.
        super().__init__("jitsi-fleet:index:BridgePool", name, {}, opts)
        self.servers = [
            args.cloud.server(f"bridge-{number}", _server_args(args, number), parent=self)
            for number in range(1, args.size + 1)
        ]
        self.register_outputs({})


def _server_args(args: BridgePoolArgs, number: int) -> ServerArgs:
    rank, place = divmod(number - 1, len(args.locations))
    location = args.locations[place]
    return ServerArgs(
        role="bridge",
        location=location,
        rank=rank,
        server_type=args.server_type,
        image=args.image,
        user_data=args.user_data[location],
    )
