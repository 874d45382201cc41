"""What a killed run may have left: what is removed by its name, and what a person is told to look for."""

from typing import Any

import hcloud

from tools.recover import begun_creations, hetzner_orphans, to_look_for


def export(*begun: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    noted = [{"type": "creating", "resource": {"type": kind, "inputs": inputs}} for kind, inputs in begun]
    return {"deployment": {"pending_operations": noted}}


def test_what_was_begun_at_aws_is_named_by_its_tags_and_not_sought_at_hetzner() -> None:
    """Both clouds have placement groups; without a token the other one would refuse the question."""
    tags = {"Name": "production-bridge-3", "cluster": "production"}
    begun = begun_creations(
        export(("aws:ec2/instance:Instance", {"tags": tags}), ("aws:ec2/placementGroup:PlacementGroup", {"name": "x"}))
    )
    assert list(to_look_for(begun)) == ["Instance with the tags Name=production-bridge-3, cluster=production"]
    nowhere = hcloud.Client(token="x", api_endpoint="http://127.0.0.1:1")  # noqa: S106 - asked nothing
    assert list(hetzner_orphans(nowhere, begun)) == []


def test_what_was_begun_at_hetzner_is_for_the_command_to_remove() -> None:
    begun = begun_creations(export(("hcloud:index/server:Server", {"name": "bridge-3-0c1d2e3"})))
    assert list(to_look_for(begun)) == []
    assert [(creation.provider, creation.kind) for creation in begun] == [("hcloud", "Server")]
