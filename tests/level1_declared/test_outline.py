"""Level 1: the tree of components and resources, reviewed at the sizes that matter."""

from pathlib import Path
from typing import Any

import pytest

from tests.level1_declared.recording import declare

OUTLINES = Path(__file__).parent / "outlines"
REVIEWED: dict[str, dict[str, Any]] = {
    "1-bridge": {"bridges": 1},
    "2-bridges": {"bridges": 2},
    "12-bridges": {"bridges": 12},
    "12-bridges-2-locations": {"bridges": 12, "locations": ["fsn1", "hel1"]},
    "2-bridges-without-dns": {"bridges": 2, "dns": "none", "zoneId": None},
    "1-bridge-without-drains": {"bridges": 1, "drain": False},
}


@pytest.mark.parametrize("size", REVIEWED)
def test_the_tree_of_resources_is_the_reviewed_one(size: str) -> None:
    """After a wanted change: print `declare(REVIEWED[size]).outline()` into the file and review the diff."""
    assert declare(REVIEWED[size]).outline() == (OUTLINES / f"{size}.txt").read_text()


def test_more_bridges_leave_every_other_resource_as_it_is() -> None:
    small, large = declare({"bridges": 2}), declare({"bridges": 8})
    before = {resource.urn: resource.inputs for resource in small.resources if "ComponentResource" not in resource.kind}
    after = {resource.urn: resource.inputs for resource in large.resources}
    pool = next(urn for urn in before if urn.endswith("BridgePool::bridges"))
    assert {urn for urn in before if urn != pool and before[urn] != after[urn]} == set()


def test_bridge_3_stays_where_it_is_when_bridge_9_comes() -> None:
    config = {"locations": ["fsn1", "hel1"]}
    few, many = declare({**config, "bridges": 3}), declare({**config, "bridges": 9})
    assert few.one("Server", "bridge-3").inputs["location"] == many.one("Server", "bridge-3").inputs["location"]


def test_bridges_take_turns_over_the_locations() -> None:
    declared = declare({"bridges": 4, "locations": ["fsn1", "hel1"]})
    bridges = [server for server in declared.all("Server") if server.name.startswith("bridge")]
    assert [bridge.inputs["location"] for bridge in bridges] == ["fsn1", "hel1", "fsn1", "hel1"]


def test_a_placement_group_is_planned_half_full_so_that_replacements_fit() -> None:
    declared = declare({"bridges": 12})
    groups = [resource.name for resource in declared.all("PlacementGroup") if resource.name.startswith("bridge")]
    assert groups == ["bridge-fsn1-1", "bridge-fsn1-2", "bridge-fsn1-3"]
