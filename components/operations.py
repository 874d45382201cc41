"""How the program reaches hosts while `pulumi up` runs: over SSH, at the signaling node, as `operations`.

Never at the bridge: a dead one must not block, and what a deletion runs lies in the state, where it cannot be
corrected. What can be asked there is in cloud_init/signaling/operations, and the key can do nothing else. Both the key
and the program may be replaced at any time, while the node runs: a second key brings them there.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_command as command

from components.clouds import Server
from components.credentials import Credentials

PROGRAM = Path(__file__).parent.parent / "cloud_init/signaling/operations"
USER = "operations"
READY_SECONDS = 900
"""For a new bridge to boot, install and join. Tried: a minute on the embedded cloud."""
_NODE_MINUTES = 20
"""For a new signaling node to boot and take connections."""


@dataclass(frozen=True, kw_only=True)
class OperationsArgs:
    node: Server
    credentials: Credentials
    admin_cidrs: tuple[str, ...]
    drain_minutes: int
    drain_at_once: int


class Operations(pulumi.ComponentResource):
    """The node that bridges are watched and drained from."""

    def __init__(self, name: str, args: OperationsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("jitsi-fleet:index:Operations", name, {}, opts)
        self._args = args
        public_key = args.credentials.operations_public_key
        sources = ",".join(args.admin_cidrs)
        program = PROGRAM.read_text()
        digest = hashlib.sha256(program.encode()).hexdigest()
        self._authorized = command.remote.Command(
            "operations-key",
            connection=self._connection(args.credentials.rotation_key, patient=True),
            create=pulumi.Output.concat("authorize ", sources, " ", public_key.apply(_without_comment), " ", digest),
            stdin=program,
            triggers=[args.node.instance, public_key, sources, digest],
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=pulumi.CustomTimeouts(create=f"{_NODE_MINUTES}m")),
        )
        self.register_outputs({})

    def gate(self, server: Server, *, parent: pulumi.Resource) -> pulumi.Output[str]:
        """Holds the deployment until the bridge carries calls, and fails it otherwise; gives the bridge's version."""
        asked = command.remote.Command(
            f"{server.name}-ready",
            connection=self._connection(self._args.credentials.operations_key, patient=True),
            create=pulumi.Output.concat("ready ", _bridge(server), f" {READY_SECONDS}"),
            triggers=[server.instance],
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(
                parent=parent,
                depends_on=[self._authorized],
                # Asked once in a bridge's life: not again for another key or another address of the node.
                ignore_changes=["connection", "create"],
                custom_timeouts=pulumi.CustomTimeouts(create=f"{_NODE_MINUTES}m"),
            ),
        )
        return asked.stdout.apply(_version)

    def drain(self, server: Server, *, parent: pulumi.Resource, depends_on: list[pulumi.Resource]) -> None:
        """Drains the bridge before its server goes. Made with the server: it does not wait for the node."""
        limits = f" {self._args.drain_minutes} {self._args.drain_at_once}"
        command.remote.Command(
            f"{server.name}-drain",
            connection=self._connection(self._args.credentials.operations_key, patient=False),
            delete=pulumi.Output.concat("drain ", _bridge(server), limits),
            triggers=[server.instance],
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(parent=parent, depends_on=depends_on),
        )

    def _connection(self, key: pulumi.Output[str], *, patient: bool) -> command.remote.ConnectionArgs:
        """`patient`: dials until the resource's time-out; else ten times: a deletion has no time-out of its own."""
        return command.remote.ConnectionArgs(
            host=self._args.node.public_ipv4,
            user=USER,
            private_key=key,
            host_key=self._args.credentials.host_public_key,
            dial_error_limit=-1 if patient else 10,
        )


def _bridge(server: Server) -> pulumi.Output[str]:
    return pulumi.Output.concat(server.name, " ", server.private_ipv4, " ", server.instance)


def _without_comment(public_key: str) -> str:
    return " ".join(public_key.split()[:2])


def _version(stdout: str) -> str:
    """From the last line, `bridge-3 is ready: version 2.3.307-g4bb0aead1`."""
    return stdout.rpartition("version ")[2].strip()
