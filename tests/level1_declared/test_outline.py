"""Level 1: the tree of components and resources, reviewed at the sizes that matter."""

from pathlib import Path
from typing import Any

import pytest

from tests.level1_declared.recording import OF_CLOUD, declare

OUTLINES = Path(__file__).parent / "outlines"
REVIEWED: dict[str, dict[str, Any]] = {
    "1-bridge": {"bridges": 1},
    "2-bridges": {"bridges": 2},
    "12-bridges": {"bridges": 12},
    "12-bridges-2-locations": {"bridges": 12, "locations": ["fsn1", "hel1"]},
    "2-bridges-without-dns": {"bridges": 2, "dns": "none", "zoneId": None},
    "1-bridge-without-drains": {"bridges": 1, "drain": False},
    "aws-2-bridges": {"bridges": 2},
    "aws-12-bridges-2-zones": {"bridges": 12, "locations": ["eu-central-1a", "eu-central-1b"]},
    "aws-1-bridge-in-a-given-vpc": {"bridges": 1, "vpc": "vpc-0123456789abcdef0", "internetGateway": "igw-01234567"},
}
PLACES = {"hetzner": ["fsn1", "hel1"], "aws": ["eu-central-1a", "eu-central-1c"]}

both = pytest.mark.parametrize("cloud", OF_CLOUD)


@pytest.mark.parametrize("size", REVIEWED)
def test_the_tree_of_resources_is_the_reviewed_one(size: str) -> None:
    """After a wanted change: print `declare(REVIEWED[size]).outline()` into the file and review the diff."""
    cloud = "aws" if size.startswith("aws") else "hetzner"
    assert declare(REVIEWED[size], cloud=cloud).outline() == (OUTLINES / f"{size}.txt").read_text()


@both
def test_more_bridges_leave_every_other_resource_as_it_is(cloud: str) -> None:
    small, large = declare({"bridges": 2}, cloud=cloud), declare({"bridges": 8}, cloud=cloud)
    before = {resource.urn: resource.inputs for resource in small.resources if "ComponentResource" not in resource.kind}
    after = {resource.urn: resource.inputs for resource in large.resources}
    pool = next(urn for urn in before if urn.endswith("BridgePool::bridges"))
    assert {urn for urn in before if urn != pool and before[urn] != after[urn]} == set()


@both
def test_bridge_3_stays_where_it_is_when_bridge_9_comes(cloud: str) -> None:
    config = {"locations": PLACES[cloud]}
    few, many = (declare({**config, "bridges": number}, cloud=cloud) for number in (3, 9))
    assert few.outputs["bridges"][2]["location"] == many.outputs["bridges"][2]["location"]
    assert few.outputs["bridges"][2]["placementGroup"] == many.outputs["bridges"][2]["placementGroup"]


@both
def test_bridges_take_turns_over_the_locations(cloud: str) -> None:
    declared = declare({"bridges": 4, "locations": PLACES[cloud]}, cloud=cloud)
    assert [bridge["location"] for bridge in declared.outputs["bridges"]] == PLACES[cloud] * 2


@pytest.mark.parametrize(
    ("cloud", "place", "holds", "planned"), [("hetzner", "fsn1", 10, 5), ("aws", "eu-central-1a", 7, 3)]
)
def test_a_placement_group_is_planned_half_full_so_that_replacements_fit(
    cloud: str, place: str, holds: int, planned: int
) -> None:
    declared = declare({"bridges": 12}, cloud=cloud)
    groups = [resource.name for resource in declared.all("PlacementGroup") if resource.name.startswith("bridge")]
    assert groups == [f"bridge-{place}-{number + 1}" for number in range(-(-12 // planned))]
    assert 2 * planned <= holds
