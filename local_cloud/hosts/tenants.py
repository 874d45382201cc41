"""What each cloud's API brings to the site: which servers should run, where they are plugged in, who reaches them.

One for Hetzner's servers (servers.py), one for EC2's instances (aws/instances.py).
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Protocol

from ..store import Doc
from .forwarding import Host
from .machine import Machine


@dataclass(frozen=True)
class Landlord:
    """What the site does for its tenants."""

    spawn: Callable[[Coroutine[None, None, None]], None]
    """Run something beside everything else; what fails is said."""
    moved: Callable[[], None]
    """A host has come, gone or got another address."""


class Tenant(Protocol):
    async def start(self) -> None:
        """Once, when networks and services are there: boot what should run."""

    async def follow(self) -> None:
        """Something in the state may have changed: make it true, and return without waiting for hosts."""

    def known(self) -> set[int]:
        """The numbers of all servers that the API has, running or not."""

    async def unplug(self, number: int) -> None:
        """Take the cables of a host away that is no longer known."""

    def ended(self, machine: Machine, reboots: bool) -> None:
        """A host stopped or rebooted by itself, from the inside."""

    def report(self) -> list[Doc]:
        """For `status`: one entry per server, those that are off included."""

    def public(self) -> dict[int, Host]:
        """Every running host that has a public address."""

    def allowed(self, number: int, protocol: str, port: int, client: str) -> bool:
        """Whether one of these servers lets a client outside reach this port."""
