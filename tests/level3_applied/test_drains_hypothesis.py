"""Level 3: resizes, changes and troubles in any order, held against what must be true of every run.

The model of the pool is small: how many bridges are wanted, of which type, and what each run may do to servers.
"""

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.level3_applied.fleet import Fleet
from tests.level3_applied.node import Answer
from tests.level3_applied.nodes import opened

FIRST, AT_ONCE, MOST, STEPS = 2, 2, 4, 5
TYPES = ("ccx23", "ccx13")
TROUBLES = ("gate", "drain", "cloud", "none")


@dataclass(frozen=True)
class Step:
    """One `pulumi up` with so many bridges of this type, and what goes wrong in it: with `victim`, where it is one."""

    bridges: int
    type: str
    trouble: str
    victim: str


@st.composite
def walks(draw: st.DrawFn) -> list[Step]:
    """Steps that differ from each other also where the numbers drawn do not."""

    def number(position: int, among: int) -> int:
        return (draw(st.integers(0, among - 1)) + position) % among

    return [
        Step(
            bridges=number(position + 2, MOST) + 1,
            type=TYPES[number(position // 2, len(TYPES))],
            trouble=TROUBLES[number(position, len(TROUBLES))],
            victim=f"bridge-{number(position, MOST) + 1}",
        )
        for position in range(STEPS)
    ]


@settings(max_examples=1, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(walks())
def test_no_walk_deletes_before_a_drain_or_replaces_too_many_and_every_walk_converges(walk: list[Step]) -> None:
    with TemporaryDirectory() as folder, opened(Path(folder)) as nodes:
        fleet = Fleet(nodes, nodes.workshop.stack(bridges=FIRST, replaceAtOnce=AT_ONCE, dns="none", zoneId=None))
        run = fleet.up(drain=True)
        assert run.status == 0, run.text
        drained: set[str] = set()
        for step in walk:
            _take(fleet, step, drained)
        _converge(fleet, walk[-1], drained)


def _take(fleet: Fleet, step: Step, drained: set[str]) -> None:
    """One run; it may fail, but it must not do harm. `drained` are the servers whose drain has ended before."""
    answers = {
        "gate": {("ready", step.victim): Answer(status=1, line="not ready")},
        "drain": {("drain", step.victim): Answer(drop=True)},
    }
    if step.trouble == "cloud":
        fault = {"status": 503, "code": "unavailable", "message": "on purpose"}
        fleet.stack.workshop.fault("POST", "^/servers$", fault, nth=1)
    before = [name for name in fleet.servers().values() if name.startswith("bridge")]
    calls = fleet.nodes.last_call()
    run = fleet.up(answers=answers.get(step.trouble), bridges=step.bridges, bridgeType=step.type)
    fleet.stack.workshop.cloud.admin.clear_faults()
    assert run.status == 0 or step.trouble != "none", run.text
    assert len(run.names("create-replacement", "Server")) <= AT_ONCE, run.text
    _does_no_harm(fleet, drained, calls, len(before), min(len(before), step.bridges))


def _does_no_harm(fleet: Fleet, drained: set[str], since: int, had: int, needed: int) -> None:
    """Every server that went had been drained to the end, in this run or before; there were never fewer than `needed`.

    A server whose drain has ended may outlive the run, when something else in it failed; it is not drained twice.
    """
    ended = {asked.instance: asked.last_call for asked in fleet.nodes.all("drain") if asked.ended and not asked.broken}
    there = had
    for call in fleet.stack.workshop.cloud.admin.log(since):
        server = str(call["path"]).removeprefix("/servers/")
        if (call["method"], call["path"], call["status"]) == ("POST", "/servers", 201):
            there += 1
        if call["method"] == "DELETE" and server.isdigit():
            there -= 1
            assert server in drained or ended.get(server, call["n"]) < call["n"], f"{server} went undrained"
            assert there >= needed, f"{there} bridges where {needed} are needed"
    drained.update(ended)


def _converge(fleet: Fleet, wanted: Step, drained: set[str]) -> None:
    """Runs without trouble bring what the settings say, in as many as the batches take and one more."""
    for _ in range(ceil(wanted.bridges / AT_ONCE) + 1):
        _take(fleet, Step(wanted.bridges, wanted.type, "none", ""), drained)
        servers = [server for server in fleet.stack.workshop.servers() if str(server.name).startswith("bridge")]
        if [str(server.server_type.name) for server in servers if server.server_type] == [wanted.type] * wanted.bridges:
            return
    raise AssertionError(f"there are {[server.name for server in servers]} where {wanted} is wanted")
