"""What the state of the APIs says of servers, as those need it who make hosts of them. Reads only."""

import ipaddress

from ..hetzner import catalogue
from ..store import Doc, Store
from . import addresses
from .networks import Plug


class Inventory:
    def __init__(self, store: Store) -> None:
        self._store = store

    def servers(self) -> list[tuple[str, Doc]]:
        """Every server, with its project."""
        return [(project, server) for project in self._store.counts() for server in self._store.all("server", project)]

    def find(self, number: int) -> tuple[str, Doc] | None:
        """Project and server of this id."""
        return next(((project, server) for project, server in self.servers() if server["id"] == number), None)

    def asking(self, address: str) -> tuple[str, Doc] | None:
        """Project and server behind an inside address."""
        found = ((project, server) for project, server in self.servers() if self.ipv4(project, server) == address)
        return next(found, None)

    def running(self) -> list[tuple[str, Doc]]:
        """The actions that have not ended, with their projects, in the order in which they were begun."""
        found = [(project, action) for project in self._store.counts() for action in self._store.running(project)]
        return sorted(found, key=lambda pair: int(pair[1]["id"]))

    def networks(self) -> list[int]:
        return [network["id"] for project in self._store.counts() for network in self._store.all("network", project)]

    def network(self, project: str, number: int) -> Doc | None:
        return self._store.get("network", project, number)

    def ipv4(self, project: str, server: Doc) -> str | None:
        """The host's own public address."""
        address = self._store.get("primary_ip", project, server["ipv4"]) if server["ipv4"] else None
        return addresses.inside(address["ip"]) if address else None

    def plug(self, project: str, server: Doc) -> Plug:
        ipv6 = self._store.get("primary_ip", project, server["ipv6"]) if server["ipv6"] else None
        network = ipaddress.IPv6Network(ipv6["ip"]) if ipv6 else None
        return Plug(server["id"], self.ipv4(project, server), network)


def memory(server: Doc) -> float:
    """GB."""
    kind = catalogue.find(catalogue.SERVER_TYPES, server["server_type"])
    assert kind is not None, server["server_type"]
    return float(kind["memory"])


def image_name(number: int) -> str:
    image = catalogue.find(catalogue.IMAGES, number)
    assert image is not None, number
    return str(image["name"])
