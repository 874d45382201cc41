"""The bridges: servers that carry the media, spread over locations.

A bridge's place depends on its number alone, so that no bridge moves because another came or went. A bridge counts
when it carries calls, not when its server exists; and no server goes before its bridge is drained.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pulumi

from components.clouds import Cloud, Server, ServerArgs
from components.operations import Operations
from components.rollout import Build


@dataclass(frozen=True, kw_only=True)
class BridgePoolArgs:
    """`builds` says by name which bridges there are and where; `user_data` holds the text for each location.

    A bridge is made anew when its build or `secrets` changes, a digest of the generated secrets in its user-data.
    Without `operations` servers come and go unasked. Before a drain goes, the names in `reached_by` still stand.
    """

    cloud: Cloud
    builds: Mapping[str, Build]
    server_type: str
    image: str
    user_data: Mapping[str, pulumi.Output[str]]
    secrets: pulumi.Output[str]
    operations: Operations | None
    reached_by: list[pulumi.Resource]


@dataclass(frozen=True)
class Bridge:
    """A bridge and, where a gate has asked its host, the version that it runs, as the bridge says it; else empty."""

    server: Server
    version: pulumi.Output[str]


class BridgePool(pulumi.ComponentResource):
    """`bridges` in the order of `builds`. Their addresses are known once they carry calls."""

    def __init__(self, name: str, args: BridgePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        # No inputs of its own in the state: a resize then shows the bridges that come or go and nothing else.
        super().__init__("jitsi-fleet:index:BridgePool", name, {}, opts)
        self.bridges = [self._bridge(each, build, args) for each, build in args.builds.items()]
        self.register_outputs({})

    def _bridge(self, name: str, build: Build, args: BridgePoolArgs) -> Bridge:
        made_from = args.secrets.apply(lambda secrets: f"{build.digest} {secrets}")
        server = args.cloud.server(
            name,
            ServerArgs(
                role="bridge",
                location=build.location,
                rank=build.rank,
                server_type=args.server_type,
                image=args.image,
                user_data=args.user_data[build.location],
                made_from=made_from,
            ),
            parent=self,
        )
        if args.operations is None:
            return Bridge(server, pulumi.Output.from_input(""))
        args.operations.drain(server, parent=self, depends_on=args.reached_by)
        version = args.operations.gate(server, parent=self)
        return Bridge(_after(version, server), version)


def _after(gate: pulumi.Output[str], server: Server) -> Server:
    """The server, its addresses known when `gate` is: names move to a replaced bridge once it carries calls."""

    def held(value: pulumi.Output[str]) -> pulumi.Output[str]:
        return pulumi.Output.all(value, gate).apply(lambda both: str(both[0]))

    return replace(
        server,
        public_ipv4=held(server.public_ipv4),
        public_ipv6=held(server.public_ipv6),
        private_ipv4=held(server.private_ipv4),
    )
