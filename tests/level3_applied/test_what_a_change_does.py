"""Level 3: what a change of each setting would do to a cluster that runs, as the engine foretells it.

EFFECTS is the table that docs/operations.md has under `## What a change does`. A preview asks nobody and costs seconds.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from components.settings import Settings
from tests.level2_checked.rendered import key_line
from tests.level3_applied.applied import CHECKOUT, Run, Stack
from tests.level3_applied.machines import AwsMachines
from tests.level3_applied.nodes import opened
from tests.versions import VERSIONS

DOCUMENT = CHECKOUT / "docs/operations.md"

# What can happen, each with how the document says it.
BRIDGES = "replaces (the )?bridges"
MAKES, DELETES = "creates bridges", "deletes bridges"
NODE = "replaces the signaling node"
WAITS = "waits for generation"
FIREWALLS = "firewalls"
RECORDS = "records"
SHARED = "the network"
KEY = "names the operations key"
DRAINS = "later drains"
LABELS = "labels"
REFUSED = "refused"
EVERYTHING = (BRIDGES, MAKES, DELETES, NODE, WAITS, FIREWALLS, RECORDS, SHARED, KEY, DRAINS, LABELS, REFUSED)

EFFECTS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "cloud": ({"cloud": "aws"}, {REFUSED}),
    "dns": ({"dns": "none", "zoneId": None}, {RECORDS}),
    "zone": ({"zone": "test.fleet.test"}, set()),
    "zoneId": ({"zoneId": "0" * 32}, {RECORDS}),
    "domain": ({"domain": "other.fleet.test"}, {BRIDGES, WAITS, RECORDS}),
    "bridges, more": ({"bridges": 4}, {MAKES}),
    "bridges, fewer": ({"bridges": 1}, {DELETES}),
    "bridgeType": ({"bridgeType": "ccx33"}, {BRIDGES}),
    "signalingType": ({"signalingType": "ccx33"}, {WAITS}),
    "image": ({"image": "debian-13"}, {BRIDGES, WAITS}),
    "locations, one more": ({"locations": ["fsn1", "nbg1"]}, {BRIDGES}),
    "locations, another first": ({"locations": ["nbg1"]}, {BRIDGES, WAITS}),
    "networkZone": ({"networkZone": "us-east"}, {SHARED}),
    "network": ({"network": "10.90.0.0/16"}, {SHARED, BRIDGES, WAITS}),
    "vpc": ({"vpc": "vpc-0123456789abcdef0"}, {REFUSED}),
    "internetGateway": ({"internetGateway": "igw-0123456789abcdef0"}, {REFUSED}),
    "adminCidrs": ({"adminCidrs": ["127.0.0.0/9"]}, {FIREWALLS, KEY}),
    "adminKeys": ({"adminKeys": [key_line("a@b")]}, {BRIDGES, WAITS}),
    "tls": ({"tls": "letsencrypt", "email": "a@fleet.test"}, {WAITS}),
    "email": ({"email": "a@fleet.test"}, {WAITS}),
    "jitsiVersions": ({"jitsiVersions": VERSIONS}, {BRIDGES, WAITS}),
    "drain": ({"drain": False}, {REFUSED}),
    "drainMinutes": ({"drainMinutes": 0}, {DRAINS}),
    "drainAtOnce": ({"drainAtOnce": 1}, {DRAINS}),
    "replaceAtOnce": ({"replaceAtOnce": 1}, set()),
    "generation": ({"generation": 2}, {NODE}),
    "protect": ({"protect": True}, set()),  # it changes in the state alone
    "labels": ({"labels": {"team": "video"}}, {LABELS}),
}
# What is the cloud's own affair, on the other one: the same changes have the same effects.
A, B = AwsMachines.words.locations
AT_AWS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "cloud": ({"cloud": "hetzner"}, {REFUSED}),
    "bridgeType": ({"bridgeType": "c7i.2xlarge"}, {BRIDGES}),
    "signalingType": ({"signalingType": "c7i.4xlarge"}, {WAITS}),
    "image": ({"image": "debian-13"}, {BRIDGES, WAITS}),
    "locations, one more": ({"locations": [A, B]}, {BRIDGES}),
    "locations, another first": ({"locations": [B]}, {BRIDGES, WAITS}),
    "adminCidrs": ({"adminCidrs": ["127.0.0.0/9"]}, {FIREWALLS, KEY}),
    "generation": ({"generation": 2}, {NODE}),
    "labels": ({"labels": {"team": "video"}}, {LABELS}),
}
# What no preview can say: the text holds certificates that only the run itself makes.
NOT_FORETOLD = {"domain": {WAITS}}
# What comes along with a greater change and is not told apart from it: names and drains of what is replaced.
COMES_ALONG = {
    BRIDGES: {DRAINS},
    MAKES: {DRAINS},
    DELETES: {DRAINS},
    NODE: {RECORDS, DRAINS, KEY},
    SHARED: {RECORDS, DRAINS},
    LABELS: {FIREWALLS, SHARED},
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with opened(tmp_path_factory.mktemp("changes")) as nodes:
        stack = nodes.workshop.stack(bridges=2, drain=True)
        run = stack.up()
        assert run.status == 0, run.text
        yield stack
        assert nodes.verbs() == {"authorize", "ready"}, "a preview asked for something"


@pytest.fixture(scope="module")
def at_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with opened(tmp_path_factory.mktemp("at-aws"), "aws") as nodes:
        stack = nodes.workshop.stack(bridges=2, drain=True)
        run = stack.up()
        assert run.status == 0, run.text
        yield stack


@pytest.mark.parametrize("change", EFFECTS)
def test_a_change_does_what_the_table_says(stack: Stack, change: str) -> None:
    _does(stack, change, *EFFECTS[change])


@pytest.mark.parametrize("change", AT_AWS)
def test_a_change_does_the_same_at_aws(at_aws: Stack, change: str) -> None:
    _does(at_aws, change, *AT_AWS[change])
    assert change == "cloud" or AT_AWS[change][1] == EFFECTS[change][1]


def _does(stack: Stack, change: str, settings: dict[str, Any], effects: set[str]) -> None:
    before = {key: stack.setting(key) for key in settings}
    stack.configure(**settings)
    try:
        run = stack.preview()
    finally:
        stack.configure(**before)
    assert effects_of(run) == effects - NOT_FORETOLD.get(change, set()), (run.steps, run.text)


def test_the_table_has_every_setting() -> None:
    names = {field.alias for field in Settings.model_fields.values()}
    assert {change.split(",")[0] for change in EFFECTS} == names


def test_the_document_has_the_same_table() -> None:
    wanted: dict[str, set[str]] = {}
    for change, (_, effects) in EFFECTS.items():
        wanted.setdefault(change.split(",")[0], set()).update(effects)
    rows = _documented()
    assert {key: {word for word in EVERYTHING if re.search(word, text)} for key, text in rows.items()} == wanted


def effects_of(run: Run) -> set[str]:
    """The words of EVERYTHING for what the engine foretells."""
    if run.status:
        return {REFUSED}
    found = {word for step in run.steps if (word := _word(*step))}
    if "keeps running as it was made" in run.text:
        found.add(WAITS)
    return found - set().union(*(COMES_ALONG.get(word, set()) for word in found))


def _word(operation: str, kind: str, name: str) -> str:
    if kind in ("Server", "Instance"):
        if name.startswith("shard"):
            return {"create-replacement": NODE, "update": LABELS}.get(operation, "")
        return {"create-replacement": BRIDGES, "create": MAKES, "delete": DELETES, "update": LABELS}.get(operation, "")
    if kind == "Command":
        return KEY if name == "operations-key" else DRAINS
    if kind == "DnsRecord" and name.startswith("bridge"):
        return ""
    if kind in ("Vpc", "Subnet", "InternetGateway", "RouteTable", "Route", "RouteTableAssociation"):
        return "" if operation in ("create", "delete") else SHARED  # a zone more has a subnet more
    return {
        "Firewall": FIREWALLS,
        "SecurityGroup": FIREWALLS,
        "SecurityGroupIngressRule": FIREWALLS,
        "DnsRecord": RECORDS,
        "Network": SHARED,
        "NetworkSubnet": SHARED,
    }.get(kind, "")


def _documented() -> dict[str, str]:
    """What the document says is changed, by setting; a setting may have several rows."""
    _, found, rest = DOCUMENT.read_text().partition("\n## What a change does\n")
    assert found, f"{DOCUMENT} has no such table"
    said: dict[str, str] = {}
    for line in rest.partition("\n## ")[0].splitlines():
        if row := re.match(r"\| `(\w+)`[^|]*\|([^|]*)\|", line):
            said[row[1]] = said.get(row[1], "") + row[2].replace("`", "")
    return said
