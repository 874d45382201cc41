"""Puts a stack right after its engine was killed: `python -m tools.recover --stack dev`.

A killed engine leaves a lock and notes of operations that it had begun. Where a creation had begun, the cloud may hold
a resource that the state does not know: an orphan. The notes hold the very names that the run had planned, so each
orphan is found by its exact name and removed; nothing else is touched. The next `pulumi up` makes it again.

Where the state is in a folder, the engine may also have been killed while it wrote: `mend` has what that leaves.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudflare
import hcloud


@dataclass(frozen=True)
class Begun:
    """A creation that the engine had begun: its provider, resource type without package, and planned inputs."""

    provider: str
    kind: str
    inputs: dict[str, Any]


def begun_creations(export: dict[str, Any]) -> list[Begun]:
    """The begun creations noted in a `pulumi stack export`."""
    noted = export["deployment"].get("pending_operations") or []
    return [
        _begun(operation["resource"]["type"], operation["resource"].get("inputs", {}))
        for operation in noted
        if operation["type"] == "creating"
    ]


def _begun(kind: str, inputs: dict[str, Any]) -> Begun:
    provider, *_, name = kind.split(":")
    return Begun(provider, name, inputs)


def to_look_for(begun: list[Begun]) -> Iterator[str]:
    """What may be left at AWS, in words: there a name is a tag, which two may have, so a person decides."""
    for creation in begun:
        tags = creation.inputs.get("tags") or {}
        if creation.provider == "aws" and tags:
            yield f"{creation.kind} with the tags {', '.join(f'{key}={value}' for key, value in sorted(tags.items()))}"


def hetzner_orphans(client: hcloud.Client, begun: list[Begun]) -> Iterator[Any]:
    """Resources of Hetzner Cloud that bear a planned name; servers first, since others hang on them."""
    clients: dict[str, Any] = {
        "Server": client.servers,
        "PlacementGroup": client.placement_groups,
        "Firewall": client.firewalls,
        "Network": client.networks,
        "SshKey": client.ssh_keys,
    }
    for kind, family in clients.items():
        for creation in begun:
            if (
                creation.provider == "hcloud"
                and creation.kind == kind
                and (found := family.get_by_name(creation.inputs["name"]))
            ):
                yield found


def remove_subnets(client: hcloud.Client, begun: list[Begun]) -> None:
    """Take planned subnets out of their network: they have no name, and a second one of the range is refused."""
    for creation in begun:
        if creation.kind != "NetworkSubnet" or not (network := _network(client, creation)):
            continue
        for subnet in network.subnets or []:
            if subnet.ip_range == creation.inputs["ipRange"]:
                print(f"removing subnet {subnet.ip_range} of {network.name}: made by the killed run")
                network.delete_subnet(subnet).wait_until_finished()


def _network(client: hcloud.Client, creation: Begun) -> Any:
    """The network of a planned subnet; None where it has gone."""
    networks = client.networks.get_all()
    return next((network for network in networks if network.id == int(creation.inputs["networkId"])), None)


def dns_orphans(client: cloudflare.Cloudflare, begun: list[Begun]) -> Iterator[tuple[str, str, str]]:
    """Records that match a planned one in name, type and content, as (zone id, record id, name)."""
    for creation in begun:
        wanted = creation.inputs
        if creation.kind != "DnsRecord":
            continue
        for record in client.dns.records.list(zone_id=wanted["zoneId"], name={"exact": wanted["name"]}):
            if record.type == wanted["type"] and _same_content(record, wanted):
                yield wanted["zoneId"], record.id, record.name


def _same_content(record: Any, wanted: dict[str, Any]) -> bool:
    if wanted["type"] == "SRV":
        data = wanted["data"]
        numbers = [int(data[key]) for key in ("priority", "weight", "port")]
        return str(record.content).split()[-3:] == [*map(str, numbers[1:]), data["target"]]
    return bool(record.content == wanted["content"])


def mend(backend: str, stack: str) -> None:
    """Remove what stands cut off beside the stack's state in a folder; `backend` is a URL as `pulumi whoami` gives it.

    The engine puts each new state in the old one's place at once, but first writes size and kind of it into a file
    beside it. When that one is cut off, no command reads the state any more ("failed to load checkpoint: EOF"). It is
    read only if it is there, and the next run writes another.
    """
    scheme, _, place = backend.partition("://")
    if scheme != "file":
        return
    stacks = Path(place.partition("?")[0]).expanduser() / ".pulumi/stacks"
    for beside in stacks.rglob(f"{stack.rpartition('/')[2]}.json*.attrs"):
        try:
            json.loads(beside.read_text())
        except ValueError:
            print(f"removing {beside}: cut off when the engine was killed")
            beside.unlink()


def recover(stack: str) -> None:
    """Release the lock, remove orphans, clear the notes. Safe to run again, also when nothing is wrong."""
    mend(json.loads(_pulumi("whoami", "--json"))["url"], stack)
    subprocess.run(["pulumi", "cancel", "--yes", "--stack", stack], check=False, capture_output=True)
    begun = begun_creations(json.loads(_pulumi("stack", "export", "--stack", stack)))
    config = json.loads(_pulumi("config", "--show-secrets", "--json", "--stack", stack))
    hetzner = hcloud.Client(
        token=_setting(config, "hcloud:token") or os.environ.get("HCLOUD_TOKEN", ""),
        api_endpoint=_setting(config, "hcloud:endpoint") or "https://api.hetzner.cloud/v1",
    )
    for orphan in hetzner_orphans(hetzner, begun):
        print(f"removing {type(orphan).__name__} {orphan.name}: made by the killed run, unknown to the state")
        action = orphan.delete()
        if hasattr(action, "wait_until_finished"):
            action.wait_until_finished()
    remove_subnets(hetzner, begun)
    for words in to_look_for(begun):
        print(f"look for a second {words}: the killed run may have made one that the state does not know")
    if any(creation.kind == "DnsRecord" for creation in begun):
        names = cloudflare.Cloudflare(
            api_token=_setting(config, "cloudflare:apiToken") or os.environ.get("CLOUDFLARE_API_TOKEN"),
            base_url=_setting(config, "cloudflare:baseUrl"),
        )
        for zone, record, name in dns_orphans(names, begun):
            print(f"removing record {name}: made by the killed run, unknown to the state")
            names.dns.records.delete(record, zone_id=zone)
    if begun:
        _pulumi("refresh", "--clear-pending-creates", "--yes", "--skip-preview", "--stack", stack)
    print(f"stack {stack} is in order: {len(begun)} begun creations cleared; go on with `pulumi up`")


def _setting(config: dict[str, Any], key: str) -> str | None:
    value = config.get(key, {}).get("value")
    return None if value is None else str(value)


def _pulumi(*arguments: str) -> str:
    run = subprocess.run(["pulumi", *arguments, "--non-interactive"], check=False, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"pulumi {arguments[0]} failed:\n{run.stderr or run.stdout}")
    return run.stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Put a stack right after its engine was killed.")
    parser.add_argument("--stack", required=True)
    recover(parser.parse_args().stack)
