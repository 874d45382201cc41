"""No resize, upgrade or repair drops a call: `python -m benchmarks.drain`, as root.

Level 4: hosts boot, people without media meet in rooms on the bridges that go (tests/booted/drain_scenarios.py), and
count themselves whether they were moved or dropped. Prints the README's table. Exit status 1 where a call was dropped
that is promised to go on, or a drain boasts.

    python -m benchmarks.drain --only upgrade-of-the-pool --only scale-in-by-five
"""

import argparse
import asyncio
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_cloud.images.prepare import prepare
from tests.booted import newer
from tests.booted.booted import Cluster
from tests.booted.drain_scenarios import SCENARIOS, Scenario
from tests.booted.drains import BOUND, Counts, Fleet, Said, Scene, mistakes, scene, total
from tests.level3_applied.applied import Workshop

FIRST_ADDRESS = "127.90.208.1"
MOST = 3000  # characters of a failure


@dataclass(frozen=True)
class Row:
    scenario: Scenario
    counts: Counts
    said: list[Said]
    seconds: float
    waited: float
    paced: bool
    calls: int

    @property
    def beyond(self) -> str:
        """Seconds of the longest drain that it did not wait for conferences; marked where it waited for load."""
        seconds = max((each.seconds for each in self.said), default=0) - self.waited
        return f"{seconds:.0f}{' (load)' if self.paced else ''}"

    def wrong(self) -> list[str]:
        """What is not as promised."""
        return [] if self.scenario.why else mistakes(self.counts, self.said)

    def line(self) -> str:
        counts = self.counts
        promise = f"no: {self.scenario.why}" if self.scenario.why else "yes"
        cells = (counts.start, counts.ended, counts.moved, counts.dropped)
        return (
            f"| {self.scenario.name} | {promise} | {' | '.join(map(str, cells))} | {self.beyond} |"
            f" {self.seconds:.0f} | {self.calls} |"
        )


def play(fleet: Fleet, scenario: Scenario) -> Row:
    """One scenario from its beginning; the cluster is as it ended."""

    async def played() -> tuple[Scene, Counts]:
        async with scene(fleet, scenario.word, scenario.going, scenario.rooms) as on_stage:
            await scenario.play(on_stage)
            # Who was left without a session shows by now.
            await asyncio.sleep(BOUND + 1)
            return on_stage, on_stage.counts()

    fleet.at(scenario.bridges, **scenario.before)
    on_stage, counts = asyncio.run(played())
    paced = "too much load" in on_stage.text
    return Row(scenario, counts, on_stage.said, on_stage.seconds, on_stage.waited, paced, len(on_stage.calls))


HEAD = (
    "scenario | promised | conferences at the start | ended by themselves | moved | dropped"
    " | longest drain beyond its wait, s | all of `pulumi up`, s | API calls"
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drain", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", action="append", metavar="NAME", choices=[each.word for each in SCENARIOS])
    wanted = parser.parse_args().only
    chosen = [each for each in SCENARIOS if not wanted or each.word in wanted]
    print(f"| {HEAD} |\n|--|--|{'--:|' * 7}")
    with fleet(chosen) as made:
        failed = [scenario.name for scenario in chosen if not shown(made, scenario)]
    if failed:
        sys.exit(f"not as promised: {', '.join(failed)}")


def shown(fleet: Fleet, scenario: Scenario) -> bool:
    """Prints its row; whether all is as promised. One that fails does not keep the others from being played."""
    try:
        row = play(fleet, scenario)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-2]
        print(
            f"{scenario.name}: {where.name}: {type(error).__name__}: {str(error)[-MOST:]}", file=sys.stderr, flush=True
        )
        return False
    print(row.line(), flush=True)
    if row.counts != total(row.said):
        print(f"  {scenario.name}: the drains say {total(row.said)}", file=sys.stderr, flush=True)
    for mistake in row.wrong():
        print(f"{scenario.name}: {mistake}", file=sys.stderr, flush=True)
    return not row.wrong()


@contextmanager
def fleet(scenarios: Sequence[Scenario]) -> Iterator[Fleet]:
    """A cluster that can be upgraded, with as many bridges as the first scenario begins with."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as packages:
        versions = newer.offer(Path(packages))
        prepare()
        workshop = Workshop.open(Path(folder), hosts=True, first_address=FIRST_ADDRESS)
        try:
            first = scenarios[0]
            places: dict[str, Any] = {"locations": ["fsn1"], "bridgeType": "ccx13", "replaceAtOnce": 20}
            cluster = Cluster(workshop, bridges=first.bridges, jitsiVersions=versions[0], **places, **first.before)
            cluster.up()
            yield Fleet(cluster, Path(folder), versions)
        finally:
            workshop.close()


if __name__ == "__main__":
    main()
