"""Hetzner's metadata service, at 169.254.169.254: each server is told of itself, and of nobody else."""

from collections.abc import Callable

import yaml
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ..hetzner import catalogue
from ..store import Doc, Store
from . import addresses


def routes(store: Store, asking: Callable[[str], tuple[str, Doc] | None]) -> list[Route]:
    """`asking` gives the project and the server behind an inside address."""

    async def answer(request: Request) -> Response:
        found = asking(request.client.host) if request.client else None
        path = request.path_params["path"].strip("/")
        if found is None:
            return PlainTextResponse("not found", 404)
        if path == "userdata":
            kept = store.named("user_data", found[0], str(found[1]["id"]))
            return Response(kept["text"] if kept else "", media_type="text/plain")
        values = _values(store, *found)
        if path == "metadata":
            return PlainTextResponse(yaml.safe_dump({name: value for name, value in values.items() if value != []}))
        value = values.get(path.removeprefix("metadata/"))
        if value is None or not path.startswith("metadata/"):
            return PlainTextResponse("not found", 404)
        return PlainTextResponse(str(value) if isinstance(value, str | int) else yaml.safe_dump(value))

    return [Route("/hetzner/v1/{path:path}", answer)]


def _values(store: Store, project: str, server: Doc) -> dict[str, object]:
    ipv4 = store.get("primary_ip", project, server["ipv4"]) if server["ipv4"] else None
    ipv6 = store.get("primary_ip", project, server["ipv6"]) if server["ipv6"] else None
    networks = []
    for interface in server["networks"]:
        network = store.get("network", project, interface["network"])
        if network is not None and not interface["pending"]:
            networks.append(_private_network(network, interface))
    location = catalogue.find(catalogue.LOCATIONS, server["location"]) or {}
    keys = store.some("ssh_key", project, server["ssh_keys"])
    return {
        "hostname": server["name"],
        "instance-id": server["id"],
        # The address under which the world reaches the host: the one that the API reports.
        "public-ipv4": str(ipv4["ip"]) if ipv4 else "",
        "region": str(location.get("network_zone", "")),
        "availability-zone": f"{server['location']}-dc14",
        "public-keys": [key["public_key"] for key in keys],
        "private-networks": networks,
        "network-config": _network_config(server, ipv6),
        "vendor_data": "",
    }


def _private_network(network: Doc, interface: Doc) -> Doc:
    return {
        "ip": interface["ip"],
        "alias_ips": interface["alias_ips"],
        "interface_num": 1,
        "mac_address": interface["mac_address"],
        "network_id": network["id"],
        "network_name": network["name"],
        "network": network["ip_range"],
        "subnet": network["ip_range"],
        "gateway": network["ip_range"].rsplit(".", 1)[0] + ".1",
    }


def _network_config(server: Doc, ipv6: Doc | None) -> Doc:
    """Version 1 of cloud-init's format."""
    subnets: list[Doc] = []
    if server["ipv4"]:
        subnets.append({"type": "dhcp", "ipv4": True})
    if ipv6:
        first = ipv6["ip"].split("/")[0] + "1/64"
        resolvers = [addresses.RESOLVER]
        subnets.append(
            {"type": "static", "ipv6": True, "address": first, "gateway": "fe80::1", "dns_nameservers": resolvers}
        )
    return {"version": 1, "config": [{"type": "physical", "name": "eth0", "subnets": subnets}]}
