"""Changes of a server in place, in the order and with the calls of the real plugin.

A change of type powers the server off, hard, and leaves it off (recorded). Changes of `publicNets` are refused: the
real plugin powers the server off and on again for them, and nothing here does so.
"""

from functools import partial
from typing import Any

from local_cloud.plugins.hcloud.api import PLUGIN_CAP, Api
from local_cloud.plugins.hcloud.hcloud_resource import if_there
from local_cloud.plugins.hcloud.server_network import attach
from local_cloud.plugins.resource import Call, ProviderError
from local_cloud.plugins.values import Values, is_empty, without_marks


def act(api: Api, call: Call, id: Any, action: str, body: Values | None = None) -> None:
    """Run one action of a server and wait for it."""
    api.wait(call.cancelled, api.call("POST", f"/servers/{id}/actions/{action}", body)["action"])


def apply(api: Api, call: Call, found: Values, olds: Values, news: Values) -> None:
    """Apply what differs between the state and the new inputs."""
    id = found["id"]
    if news["name"] != olds["name"]:
        api.call("PUT", f"/servers/{id}", {"name": news["name"]})
    if (news.get("labels") or {}) != (olds.get("labels") or {}):
        api.call("PUT", f"/servers/{id}", {"labels": news.get("labels") or {}})
    if news["serverType"] != olds["serverType"]:
        if found["status"] == "running":
            act(api, call, id, "poweroff")
        act(api, call, id, "change_type", {"server_type": news["serverType"], "upgrade_disk": not news.get("keepDisk")})
    _change_networks(api, call, id, olds, news)
    _change_firewalls(api, call, id, olds, news)
    if _public(news) is not None and _public(news) != _public(olds):
        raise ProviderError("1 error occurred:\n\t* a change of publicNets is not part of this double\n\n")
    _change_placement_group(api, call, found, olds, news)
    protected = bool(news.get("deleteProtection"))
    if protected != bool(olds.get("deleteProtection")):
        act(api, call, id, "change_protection", {"delete": protected, "rebuild": protected})


def _change_networks(api: Api, call: Call, id: int, olds: Values, news: Values) -> None:
    old = {_network(link): link for link in olds.get("networks") or []}
    new = {_network(link): link for link in news.get("networks") or []}
    moved = {n for n in old.keys() & new.keys() if new[n].get("ip") and new[n]["ip"] != old[n].get("ip")}
    for network in (old.keys() - new.keys()) | moved:
        act(api, call, id, "detach_from_network", {"network": network})
    for network in (new.keys() - old.keys()) | moved:
        attach(api, call, id, new[network], PLUGIN_CAP)
    for network in old.keys() & new.keys() - moved:
        aliases = new[network].get("aliasIps") or []
        if sorted(aliases) != sorted(old[network].get("aliasIps") or []):
            act(api, call, id, "change_alias_ips", {"network": network, "alias_ips": aliases})


def _network(link: Values) -> int:
    return int(link.get("networkId") or str(link["subnetId"]).split("-", 1)[0])


def _change_firewalls(api: Api, call: Call, id: int, olds: Values, news: Values) -> None:
    old, new = set(olds.get("firewallIds") or []), set(news.get("firewallIds") or [])
    target = [{"type": "server", "server": {"id": id}}]
    for firewall in sorted(old - new):
        path, body = f"/firewalls/{firewall}/actions/remove_from_resources", {"remove_from": target}
        answer = if_there(partial(api.call, "POST", path, body)) or {"actions": []}
        api.wait(call.cancelled, *answer["actions"])
    for firewall in sorted(new - old):
        answer = api.call("POST", f"/firewalls/{firewall}/actions/apply_to_resources", {"apply_to": target})
        api.wait(call.cancelled, *answer["actions"])


def _change_placement_group(api: Api, call: Call, found: Values, olds: Values, news: Values) -> None:
    old, new = olds.get("placementGroupId"), news.get("placementGroupId")
    if old == new:
        return
    if not is_empty(old):
        if found["status"] == "running":
            text = "a running server cannot leave its placement group; power it off first"
            raise ProviderError(f"1 error occurred:\n\t* {text}\n\n")
        act(api, call, found["id"], "remove_from_placement_group")
    if not is_empty(new):
        api.get(f"/placement_groups/{new}")
        act(api, call, found["id"], "add_to_placement_group", {"placement_group": new})


def _public(values: Values) -> Values | None:
    nets = without_marks(values.get("publicNets") or [])
    return {key: value for key, value in nets[0].items() if not is_empty(value)} if nets else None


def shut_down(api: Api, call: Call, id: str) -> None:
    """Ask the host to shut down and look for it at most five times, over about half a minute."""
    answer = if_there(lambda: api.call("POST", f"/servers/{id}/actions/shutdown"))
    if answer is None:
        return
    api.wait(call.cancelled, answer["action"])
    for attempt in range(5):
        if api.get(f"/servers/{id}")["server"]["status"] == "off" or call.cancelled.wait(2.0**attempt):
            return
    call.log("warning", f"server {id} did not shut down in time and is deleted as it is")
