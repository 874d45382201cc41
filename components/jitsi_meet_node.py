"""The signaling node of a shard: nginx, prosody, jicofo and the web site, on one server.

Its calls end with it, so it is never replaced by surprise: changes wait until `generation` is raised. The engine shows
nothing of a change that waits, so the node remembers what it was made from and warns.
"""

import hashlib
from dataclasses import dataclass

import pulumi

from components.clouds import Cloud, ServerArgs


@dataclass(frozen=True, kw_only=True)
class JitsiMeetNodeArgs:
    cloud: Cloud
    location: str
    rank: int
    server_type: str
    image: str
    user_data: pulumi.Output[str]
    generation: int
    protect: bool


class JitsiMeetNode(pulumi.ComponentResource):
    """`server` is the node's server, `waiting` names what has changed since it was made."""

    def __init__(self, name: str, args: JitsiMeetNodeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("jitsi-fleet:index:JitsiMeetNode", name, {"generation": args.generation}, opts)
        self.server = args.cloud.server(
            name,
            ServerArgs(
                role="signaling",
                location=args.location,
                rank=args.rank,
                server_type=args.server_type,
                image=args.image,
                user_data=args.user_data,
                made_from=str(args.generation),
                protect=args.protect,
            ),
            parent=self,
        )
        wanted = {
            "image": args.image,
            "locations": args.location,
            "signalingType": args.server_type,
            "user-data": pulumi.Output.unsecret(args.user_data.apply(_fingerprint)),
        }
        made = pulumi.Stash(
            f"{name}-made-from",
            input=wanted,
            opts=pulumi.ResourceOptions(parent=self, replacement_trigger=args.generation),
        )
        self.waiting = pulumi.Output.all(made.output, wanted).apply(lambda both: _differences(both[0], both[1]))
        self.waiting.apply(lambda waiting: _warn(name, waiting, args.generation))
        self.register_outputs({"waiting": self.waiting})


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _differences(made: dict[str, str], wanted: dict[str, str]) -> list[str]:
    return sorted(key for key, value in wanted.items() if made.get(key) != value)


def _warn(name: str, waiting: list[str], generation: int) -> None:
    if waiting:
        pulumi.log.warn(
            f"{name} keeps running as it was made: changes of {', '.join(waiting)} wait. Replacing it ends the calls on"
            f" it; when that is acceptable: pulumi config set generation {generation + 1} && pulumi up"
        )
