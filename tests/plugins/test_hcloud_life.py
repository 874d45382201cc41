"""Level 3, one part alone: each resource of the hcloud double lives and dies on the embedded cloud.

Actions end before the first look at them, so that every wait costs exactly one call. Over 200 lines:
seven resources on one small engine.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from local_cloud.plugins.hcloud.hcloud_provider import HcloudProvider
from local_cloud.plugins.hcloud.server_state import hashed
from local_cloud.plugins.values import Values
from local_cloud.process import LocalCloud, start
from tests.plugins.conversation import Plugin, running

TYPES = {
    "SshKey": "hcloud:index/sshKey:SshKey",
    "Network": "hcloud:index/network:Network",
    "NetworkSubnet": "hcloud:index/networkSubnet:NetworkSubnet",
    "Firewall": "hcloud:index/firewall:Firewall",
    "PlacementGroup": "hcloud:index/placementGroup:PlacementGroup",
    "Server": "hcloud:index/server:Server",
    "ServerNetwork": "hcloud:index/serverNetwork:ServerNetwork",
}
SSH = {"direction": "in", "protocol": "tcp", "port": "22", "sourceIps": ["192.0.2.0/24"]}
MEDIA = {"direction": "in", "protocol": "udp", "port": "10000", "sourceIps": ["0.0.0.0/0", "::/0"]}


@dataclass
class Made:
    """A resource as the engine's state would hold it."""

    urn: str
    id: str
    inputs: Values
    outputs: Values


@dataclass
class Engine:
    """The engine's part: Check before Create and Update, and what the API saw meanwhile."""

    plugin: Plugin
    cloud: LocalCloud

    def create(self, kind: str, logical: str, /, **news: object) -> Made:
        urn = f"urn:pulumi:dev::p::{TYPES[kind]}::{logical}"
        checked = self.plugin.call("Check", {"urn": urn, "news": news, "olds": {}})
        assert "failures" not in checked
        made = self.plugin.call("Create", {"urn": urn, "properties": checked["inputs"]})
        return Made(urn, made["id"], checked["inputs"], made["properties"])

    def update(self, made: Made, **changed: object) -> list[str]:
        """Update in place as the diff says; return the diffs."""
        news = self.plugin.call("Check", {"urn": made.urn, "news": made.inputs | changed, "olds": made.inputs})[
            "inputs"
        ]
        request = {"id": made.id, "urn": made.urn, "olds": made.outputs, "news": news, "oldInputs": made.inputs}
        diff = self.plugin.call("Diff", request)
        assert "replaces" not in diff
        made.outputs = self.plugin.call("Update", request)["properties"]
        made.inputs = news
        assert self.plugin.call("Diff", {**request, "olds": made.outputs})["changes"] == "DIFF_NONE"
        diffs: list[str] = diff["diffs"]
        return diffs

    def read(self, made: Made) -> Values:
        request = {"id": made.id, "urn": made.urn, "properties": made.outputs, "inputs": made.inputs}
        return self.plugin.call("Read", request)

    def delete(self, made: Made) -> None:
        self.plugin.call("Delete", {"id": made.id, "urn": made.urn, "properties": made.outputs})

    def calls(self, since: int = 0) -> list[str]:
        """The API calls as METHOD and path, numbers as N, in order."""
        return [f"{c['method']} {re.sub(r'[0-9]+', 'N', c['path'])}" for c in self.cloud.admin.log(since)]

    def last(self) -> int:
        """The number of the last API call."""
        log = self.cloud.admin.log()
        return int(log[-1]["n"]) if log else 0


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    handle = start(Path(tmp_path_factory.mktemp("cloud")), action_seconds=0.02)
    yield handle
    handle.stop()


@pytest.fixture
def engine(cloud: LocalCloud) -> Iterator[Engine]:
    cloud.admin.reset()
    with running(HcloudProvider()) as plugin:
        config = {"endpoint": cloud.hetzner_url, "token": "t" * 64, "pollInterval": "150ms"}
        plugin.call("Configure", {"args": config})
        yield Engine(plugin, cloud)


def network(engine: Engine) -> tuple[Made, Made]:
    whole = engine.create("Network", "net", ipRange="10.0.0.0/16")
    part = engine.create(
        "NetworkSubnet", "net", networkId=int(whole.id), type="cloud", networkZone="eu-central", ipRange="10.0.1.0/24"
    )
    return whole, part


def server(engine: Engine, **more: object) -> Made:
    fixed = {"serverType": "cx22", "image": "debian-12", "location": "fsn1", "userData": "#cloud-config\n"}
    return engine.create("Server", "bridge-1", **fixed, **more)


def public_key() -> str:
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + "\n"


def test_an_ssh_key_lives(engine: Engine) -> None:
    key = engine.create("SshKey", "operations", publicKey=public_key(), labels={"a": "b"})
    assert engine.read(key)["properties"] == key.outputs
    assert engine.update(key, labels={"a": "c"}) == ["labels"]
    engine.delete(key)
    assert engine.read(key) == {}


def test_a_network_and_its_subnet_live(engine: Engine) -> None:
    whole, part = network(engine)
    assert part.id == f"{whole.id}-10.0.1.0/24"
    assert part.outputs["gateway"] == "10.0.0.1"
    assert engine.update(whole, labels={"a": "b"}) == ["labels"]
    assert engine.read(part)["properties"] == part.outputs
    engine.delete(part)
    assert engine.read(part) == {}
    engine.delete(whole)
    assert engine.read(whole) == {}


def test_a_firewall_lives_and_leaves_its_servers_before_it_goes(engine: Engine) -> None:
    wall = engine.create("Firewall", "bridge", rules=[SSH])
    host = server(engine, firewallIds=[int(wall.id)])
    assert host.outputs["firewallIds"] == [int(wall.id)]
    assert engine.update(wall, rules=[MEDIA, SSH]) == ["rules"]
    assert engine.update(wall, labels={"a": "b"}) == ["labels"]
    before = engine.last()
    engine.delete(wall)
    assert engine.calls(before) == [
        "GET /firewalls/N",
        "POST /firewalls/N/actions/remove_from_resources",
        "GET /actions",
        "DELETE /firewalls/N",
    ]
    assert engine.read(host)["properties"]["firewallIds"] == []


def test_a_placement_group_lives_and_knows_its_servers_after_a_refresh(engine: Engine) -> None:
    group = engine.create("PlacementGroup", "bridges-1", type="spread")
    host = server(engine, placementGroupId=int(group.id))
    assert engine.read(group)["properties"]["servers"] == [int(host.id)]
    assert engine.update(group, name="bridges-a") == ["name"]
    engine.delete(host)
    engine.delete(group)
    assert engine.read(group) == {}


def test_a_bridge_with_its_own_attachment_costs_ten_calls_and_its_removal_two(engine: Engine) -> None:
    _, part = network(engine)
    group = engine.create("PlacementGroup", "bridges-1", type="spread")
    before = engine.last()
    host = server(engine, placementGroupId=int(group.id))
    link = engine.create("ServerNetwork", "bridge-1", serverId=int(host.id), subnetId=part.id)
    assert engine.calls(before) == [
        "GET /server_types",
        "GET /images",
        "GET /placement_groups/N",
        "POST /servers",
        "GET /actions",
        "GET /actions",
        "GET /servers/N",
        "POST /servers/N/actions/attach_to_network",
        "GET /actions",
        "GET /servers/N",
    ]
    assert link.id == f"{host.id}-{part.outputs['networkId']}"
    assert link.outputs["ip"].startswith("10.0.1.")
    assert engine.read(link)["properties"] == link.outputs
    assert engine.read(host)["properties"] == host.outputs, "an attachment of its own is no drift of the server"
    before = engine.last()
    engine.delete(host)
    assert engine.calls(before) == ["DELETE /servers/N", "GET /actions"]
    assert engine.read(link) == {}
    assert engine.read(host) == {}


def test_an_attachment_can_go_alone(engine: Engine) -> None:
    _, part = network(engine)
    host = server(engine)
    link = engine.create("ServerNetwork", "bridge-1", serverId=int(host.id), subnetId=part.id, ip="10.0.1.77")
    assert link.outputs["ip"] == "10.0.1.77"
    engine.delete(link)
    assert engine.read(link) == {}
    engine.delete(link)


def test_a_server_with_an_inline_network_gets_its_address_and_changes_in_place(engine: Engine) -> None:
    whole, _ = network(engine)
    host = server(engine, networks=[{"networkId": int(whole.id)}], publicNets=[{"ipv4Enabled": True}])
    assert host.outputs["networks"][0]["ip"].startswith("10.0.1.")
    assert host.outputs["userData"] == hashed("#cloud-config\n")
    assert re.fullmatch(r"bridge-1-[0-9a-f]{7}", host.outputs["name"])
    assert engine.read(host)["properties"] == host.outputs
    assert engine.update(host, labels={"role": "media"}) == ["labels"]
    assert engine.update(host, name="bridge-x") == ["name"]
    wall = engine.create("Firewall", "bridge", rules=[MEDIA])
    assert engine.update(host, firewallIds=[int(wall.id)]) == ["firewallIds"]
    assert engine.update(host, firewallIds=[]) == ["firewallIds"]


def test_a_change_of_type_powers_the_server_off_and_leaves_it_off(engine: Engine) -> None:
    host = server(engine)
    before = engine.last()
    assert engine.update(host, serverType="cx33") == ["serverType"]
    assert engine.calls(before) == [
        "GET /servers/N",
        "POST /servers/N/actions/poweroff",
        "GET /actions",
        "POST /servers/N/actions/change_type",
        "GET /actions",
        "GET /servers/N",
    ]
    assert host.outputs["status"] == "off"


def test_a_name_that_is_taken_is_refused_in_the_apis_words_and_nothing_is_kept(engine: Engine) -> None:
    taken = server(engine).outputs["name"]
    with pytest.raises(grpc.RpcError) as refused:
        engine.create("Server", "c", name=taken, serverType="cx22", image="debian-12", location="fsn1")
    assert refused.value.details().startswith("1 error occurred:\n\t* ")
    assert "(uniqueness_error" in refused.value.details()
    assert "grpc-status-details-bin" not in dict(refused.value.trailing_metadata())


def test_a_server_that_the_cloud_does_not_know_is_deleted_already(engine: Engine) -> None:
    host = server(engine)
    engine.delete(host)
    engine.delete(host)
