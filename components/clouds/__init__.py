"""What the cluster asks of a cloud. One module per provider answers it; no other part names a provider's machines."""

from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.doors import Role


@dataclass(frozen=True, kw_only=True)
class ServerArgs:
    """One server to be made.

    `rank` counts the servers of one role in one location from 0: the cloud spreads servers over hardware by it.
    Changes of text, type, image, location and rank wait until `made_from` changes; then a new server is made first.
    """

    role: Role
    location: str
    rank: int
    server_type: str
    image: str
    user_data: pulumi.Output[str]
    """Plain; each cloud packs it as it takes it. Only a new server gets it, so packing may differ between machines."""
    made_from: pulumi.Input[str]
    protect: bool = False


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server as it is, which a waiting change can make differ from the settings; known once it exists."""

    name: str
    instance: pulumi.Output[str]
    """The cloud's id of it, which its host knows as instance id."""
    location: pulumi.Output[str]
    server_type: pulumi.Output[str]
    placement_group: pulumi.Output[str]
    public_ipv4: pulumi.Output[str]
    """Behind which the host may have another address (1:1 NAT)."""
    public_ipv6: pulumi.Output[str]
    private_ipv4: pulumi.Output[str]


class Cloud(Protocol):
    """A place where servers are made, with the network, firewalls and keys that they share."""

    servers_per_group: int
    """How many servers of a role and location, by rank, share a placement group."""

    def server(self, name: str, args: ServerArgs, *, parent: pulumi.Resource) -> Server:
        """Make the server `name` with its leg in the private network."""
        ...


def group_name(args: ServerArgs, servers_per_group: int) -> str:
    """The placement group that the server's rank falls into."""
    # A signaling node keeps its group, also when the location in the settings is another one already.
    place = f"-{args.location}" if args.role == "bridge" else ""
    return f"{args.role}{place}-{args.rank // servers_per_group + 1}"


def place(name: str, args: ServerArgs, *, parent: pulumi.Resource) -> pulumi.Resource:
    """Goes with the server, after it, as its placement group may: each cloud lets its servers depend on one.

    The engine deletes layer by layer, counted from what depends on nothing else that goes. A server whose group
    stays would be in another layer than one whose group goes, and drained only after it (tried).
    """
    opts = pulumi.ResourceOptions(parent=parent, replacement_trigger=args.made_from)
    return pulumi.Stash(f"{name}-place", input=args.location, opts=opts)
