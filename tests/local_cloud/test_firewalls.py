"""Firewalls: rules and what they are applied to."""

from typing import Any

import pytest
from hcloud import APIException
from hcloud.firewalls import FirewallResource, FirewallResourceLabelSelector, FirewallRule

from .conftest import make_server, open_port


def test_rules_travel_as_a_whole(hetzner: Any) -> None:
    firewall = hetzner.firewalls.create("shard", [open_port("443"), open_port("80")]).firewall
    for action in firewall.set_rules([open_port("8443")]):
        action.wait_until_finished()
    firewall.reload()
    assert [rule.port for rule in firewall.rules] == ["8443"]


@pytest.mark.parametrize(
    "rule",
    [
        FirewallRule("in", "tcp", ["0.0.0.0/0"]),
        FirewallRule("in", "tcp", ["0.0.0.0/0"], port="70000"),
        FirewallRule("in", "tcp", ["0.0.0.0/0"], port="90-80"),
        FirewallRule("in", "icmp", ["0.0.0.0/0"], port="8"),
        FirewallRule("in", "udp", ["10.0.0.1/8"], port="1"),
        FirewallRule("in", "udp", ["10.0.0.1"], port="1"),
        FirewallRule("in", "udp", [], port="1"),
        FirewallRule("in", "udp", ["fe80::1%x; anything/128"], port="1"),
        FirewallRule("in", "udp", ["10.0.0.0/8"], port="٣"),
    ],
    ids=[
        *("no port", "port too high", "range backwards", "icmp with port", "host bits", "no mask", "no source"),
        *("IPv6 scope", "other digits"),
    ],
)
def test_a_rule_that_the_real_one_refuses_is_refused(hetzner: Any, rule: FirewallRule) -> None:
    with pytest.raises(APIException) as refused:
        hetzner.firewalls.create("shard", [rule])
    assert refused.value.code == "invalid_input"


def test_a_firewall_in_use_is_not_deleted(hetzner: Any) -> None:
    firewall = hetzner.firewalls.create("bridge", [open_port()]).firewall
    server = make_server(hetzner, "bridge-1", firewalls=[firewall])
    assert [guard.firewall.id for guard in server.public_net.firewalls] == [firewall.id]
    with pytest.raises(APIException) as refused:
        firewall.delete()
    assert refused.value.code == "resource_in_use"
    for action in firewall.remove_from_resources([FirewallResource("server", server=server)]):
        action.wait_until_finished()
    firewall.delete()
    assert hetzner.firewalls.get_all() == []


def test_a_firewall_by_label_guards_servers_that_come_later(hetzner: Any) -> None:
    firewall = hetzner.firewalls.create("bridge", [open_port()]).firewall
    selector = FirewallResource("label_selector", label_selector=FirewallResourceLabelSelector("role=bridge"))
    firewall.apply_to_resources([selector])
    server = make_server(hetzner, "bridge-1", labels={"role": "bridge"})
    assert [guard.firewall.id for guard in server.public_net.firewalls] == [firewall.id]
    with pytest.raises(APIException) as refused:
        firewall.remove_from_resources([FirewallResource("server", server=server)])
    assert refused.value.code == "firewall_managed_by_label_selector"
    with pytest.raises(APIException) as refused:
        firewall.apply_to_resources([selector])
    assert refused.value.code == "firewall_already_applied"


def test_a_server_has_at_most_five_firewalls(hetzner: Any) -> None:
    firewalls = [hetzner.firewalls.create(f"f{number}").firewall for number in range(6)]
    with pytest.raises(APIException) as refused:
        make_server(hetzner, "bridge-1", firewalls=firewalls)
    assert refused.value.code == "resource_limit_exceeded"
