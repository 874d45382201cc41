"""What was recorded of a real bridge, and how the log of another is compared with it."""

import csv
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.packages.bridge_lab import Bridge, Lab, Watcher, wait_for

RECORDED = Path(__file__).parent / "recordings/bridge"
LINES: dict[str, list[str]] = json.loads((RECORDED / "lines.json").read_text())
TIMELINES: dict[str, dict[str, Any]] = json.loads((RECORDED / "timelines.json").read_text())
with (RECORDED / "stat-names-by-state.tsv").open() as _file:
    STATS = {row["stat"]: row for row in csv.DictReader(_file, delimiter="\t")}
QUICK = {"videobridge.apis.xmpp-client.presence-interval": "0.3 s", "videobridge.stats.interval": "0.1 s"}
_LINE = re.compile(r"^JVB \S+ \S+ (\w+): \[\d+\] (?:\[(?:hostname|confId)=[^\]]*\] )?(.*)$", re.MULTILINE)
# What differs between two runs; and whether stream management is on, which the stand-in does not tell.
_CHANGES = ((r"version \S+", "version V"), (r"jvb-lab-\d+", "jvb-lab"), (r" isSm\S+", ""),
            (r"PT[\d.]+[SM](?=$|:)", "PT"), (r"interval=\d+", "interval"))  # fmt: skip


def in_order(event: str, bridge: Bridge) -> None:
    """The log has the recorded lines of the event, in their order, whatever stands between them."""
    log = iter([_plain(f"{level} {text}") for level, text in _LINE.findall(bridge.log)])
    for line in LINES[event]:
        wanted = _plain(line)
        assert any(each == wanted for each in log), f"{event}: {wanted} is not in its place in\n{bridge.log}"


def _plain(line: str) -> str:
    for pattern, value in _CHANGES:
        line = re.sub(pattern, value, line)
    return line


@contextmanager
def joined(lab: Lab, settings: dict[str, Any] | None = None, **shard: Any) -> Iterator[tuple[Bridge, Watcher]]:
    watcher = lab.watcher()
    with lab.bridge(settings, **shard) as bridge:
        wait_for(lambda: len(watcher.of(bridge.nick)) > 1, "the bridge is in the brewery")
        yield bridge, watcher
