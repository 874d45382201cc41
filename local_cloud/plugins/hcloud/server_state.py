"""The state of an hcloud.Server: the API's JSON and the program's inputs in the plugin's words."""

import base64
import hashlib
import ipaddress

from local_cloud.plugins.values import Values, without_marks

CREATE_TIMEOUT = '{"e2bfb730-ecaa-11e6-8f88-34363bc7c4c0":{"create":5400000000000}}'
"""`__meta`: the time-out of 90 minutes, as the bridge notes it in the state."""
COMPUTED_OF_NETWORK = {"ip": "", "macAddress": "", "subnetId": ""}
COMPUTED_OF_PUBLIC_NET = {"ipv4": 0, "ipv6": 0}


def hashed(user_data: str) -> str:
    """Return what the state holds in place of the user data."""
    return base64.b64encode(hashlib.sha1(user_data.encode(), usedforsecurity=False).digest()).decode()


def unfinished(inputs: Values, computed: tuple[str, ...]) -> Values:
    """Return the state of a server whose creation failed half way: inputs, and nothing read."""
    outputs = _kept(inputs, []) | dict.fromkeys((*computed, "datacenter"))
    return (
        outputs
        | {key: inputs.get(key) for key in ("name", "location", "serverType", "image", "labels")}
        | {
            "firewallIds": inputs.get("firewallIds") or [],
            "placementGroupId": inputs.get("placementGroupId"),
        }
    )


def _kept(inputs: Values, attached: list[Values]) -> Values:
    """Return the outputs that the API does not tell, or tells for more than the program declared."""
    by_network = {link["network"]: link for link in attached}
    user_data = inputs.get("userData")
    is_hash = user_data is not None and len(user_data) == 28 and user_data.endswith("=")
    return {
        "__meta": CREATE_TIMEOUT,
        **{key: bool(inputs.get(key)) for key in ("ignoreRemoteFirewallIds", "keepDisk", "shutdownBeforeDeletion")},
        **{key: bool(inputs.get(key)) for key in ("backups", "deleteProtection", "rebuildProtection")},
        "allowDeprecatedImages": inputs.get("allowDeprecatedImages"),
        "iso": None,
        "rescue": None,
        "sshKeys": inputs.get("sshKeys") or [],
        "userData": user_data if user_data is None or is_hash else hashed(user_data),
        "networks": [_network(link, by_network) for link in without_marks(inputs.get("networks") or [])],
        "publicNets": [COMPUTED_OF_PUBLIC_NET | net for net in without_marks(inputs.get("publicNets") or [])],
    }


def finished(found: Values, inputs: Values) -> Values:
    """Return the state of a server as the API tells it."""
    image = found["image"] or {}
    public, group = found["public_net"], found["placement_group"]
    prefix = public["ipv6"]["ip"] if public["ipv6"] else ""
    remote = [firewall["id"] for firewall in public["firewalls"]]
    return _kept(inputs, found["private_net"]) | {
        "name": found["name"],
        "serverType": found["server_type"]["name"],
        "image": inputs["image"]
        if inputs.get("image") in (image.get("name"), str(image.get("id")))
        else image.get("name") or str(image.get("id")),
        "location": found["location"]["name"],
        "datacenter": (found.get("datacenter") or {}).get("name", ""),
        "labels": found["labels"],
        "firewallIds": inputs.get("firewallIds") or [] if inputs.get("ignoreRemoteFirewallIds") else remote,
        "placementGroupId": group["id"] if group else None,
        "ipv4Address": public["ipv4"]["ip"] if public["ipv4"] else "",
        "ipv6Address": str(ipaddress.ip_network(prefix)[1]) if prefix else "",
        "ipv6Network": prefix,
        "status": found["status"],
        "primaryDiskSize": found["primary_disk_size"],
        "backupWindow": found["backup_window"] or "",
        "deleteProtection": found["protection"]["delete"],
        "rebuildProtection": found["protection"]["rebuild"],
    }


def _network(link: Values, attached: dict[int, Values]) -> Values:
    subnet = link.get("subnetId") or ""
    network = link.get("networkId") or int(subnet.split("-", 1)[0])
    found = attached.get(network, {})
    return {
        "networkId": network,
        "subnetId": subnet,
        "aliasIps": found.get("alias_ips", link.get("aliasIps") or []),
        "ip": found.get("ip", ""),
        "macAddress": found.get("mac_address", ""),
    }
