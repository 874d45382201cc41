"""Two hosts at a site whose filter follows the API's store: `web` is the one to guard, `peer` tries to reach it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hcloud.firewalls import FirewallResource, FirewallResourceLabelSelector, FirewallRule

from local_cloud.hosts import firewalls, rulesets
from local_cloud.process import LocalCloud
from local_cloud.store import Store

from ..conftest import hetzner_client, make_server
from .namespaces import Host, Site

ANYWHERE = ["0.0.0.0/0", "::/0"]


@dataclass
class Filtered:
    store: Store
    api: Any
    servers: dict[str, Any]
    site: Site
    web: Host
    peer: Host
    made: list[Any] = field(default_factory=list)

    def enforce(self) -> None:
        text = firewalls.ruleset(self.store)
        self.site.run(lambda: asyncio.run(rulesets.apply(text)))

    def guard(self, *rules: FirewallRule, name: str = "web", selector: str | None = None) -> Any:
        """A new firewall for one server, or for a selector; in force when this returns."""
        firewall = self.api.firewalls.create(f"f{len(self.made)}", list(rules)).firewall
        self.made.append(firewall)
        target = FirewallResource("server", server=self.servers[name])
        if selector:
            by_label = FirewallResourceLabelSelector(selector)
            target = FirewallResource("label_selector", label_selector=by_label)
        for action in firewall.apply_to_resources([target]):
            action.wait_until_finished()
        self.enforce()
        return firewall

    def change(self, firewall: Any, *rules: FirewallRule) -> None:
        for action in firewall.set_rules(list(rules)):
            action.wait_until_finished()
        self.enforce()

    def open_up(self) -> None:
        while self.made:
            firewall = self.made.pop()
            firewall.reload()
            if firewall.applied_to:
                for action in firewall.remove_from_resources(firewall.applied_to):
                    action.wait_until_finished()
            firewall.delete()
        self.enforce()

    def close(self) -> None:
        self.store.close()
        for namespace in (self.site, self.web, self.peer):
            namespace.close()


def build(cloud: LocalCloud) -> Filtered:
    api = hetzner_client(cloud)
    servers = {name: make_server(api, name, labels={"role": name}) for name in ("web", "peer")}
    public = {name: server.public_net for name, server in servers.items()}
    hosts = {name: Host(net.ipv4.ip, net.ipv6.ip) for name, net in public.items()}
    site = Site()
    for number, host in enumerate(hosts.values()):
        site.plug(number, host)
    return Filtered(Store(cloud.state), api, servers, site, hosts["web"], hosts["peer"])


def into(protocol: str, port: str | None = None, sources: list[str] | None = None) -> FirewallRule:
    return FirewallRule("in", protocol, sources or ANYWHERE, port=port)


def out(protocol: str, port: str | None = None, targets: list[str] | None = None) -> FirewallRule:
    return FirewallRule("out", protocol, [], destination_ips=targets or ANYWHERE, port=port)
