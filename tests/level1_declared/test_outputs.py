"""Level 1: the outputs have the shape that docs/cluster.schema.json promises."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.level1_declared.recording import declare

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "cluster.schema.json").read_text())


@pytest.mark.parametrize(
    "config", [{}, {"bridges": 12, "locations": ["fsn1", "hel1"]}, {"dns": "none", "zoneId": None}]
)
def test_the_cluster_output_fits_its_schema(config: dict[str, Any]) -> None:
    jsonschema.validate(declare(config).outputs["cluster"], SCHEMA)


def test_the_schema_leaves_nothing_undescribed() -> None:
    cluster = declare().outputs["cluster"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**cluster, "surprise": 1}, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({key: value for key, value in cluster.items() if key != "bridges"}, SCHEMA)


def test_every_part_of_the_cluster_is_also_an_output_of_its_own() -> None:
    outputs = declare().outputs
    parts = ("url", "bridges", "shards", "records", "doors", "versions")
    assert {part: outputs[part] for part in parts} == {part: outputs["cluster"][part] for part in parts}


def test_a_bridge_is_described_with_its_place_addresses_and_names() -> None:
    bridge = declare({"bridges": 1}).outputs["bridges"][0]
    assert bridge["name"] == "bridge-1"
    assert bridge["records"] == [
        "_jitsi-bridge-metrics._tcp.meet.example.org",
        "bridge-1.internal.meet.example.org",
        "bridge-1.meet.example.org",
    ]
    assert bridge["placementGroup"].startswith("bridge-fsn1-1-")
