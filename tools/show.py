"""The cluster in one small table, from the stack's output `cluster`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools import command
from tools.engine.environment import ordinary
from tools.engine.install import Engine, install
from tools.engine.pin import CHECKOUT


def described(engine: Engine, stack: str) -> dict[str, Any]:
    """The output `cluster` (docs/cluster.schema.json); raises CalledProcessError when there is none."""
    asked: list[str | Path] = [engine.pulumi, "stack", "output", "cluster", "--json", "--stack", stack]
    done = subprocess.run(asked, cwd=CHECKOUT, env=ordinary(engine), check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def table(cluster: dict[str, Any]) -> str:
    """A line for each host under one of headings, columns as wide as what stands in them."""
    rows = [("name", "location", "type", "public", "private", "names")]
    for host in (*cluster["shards"], *cluster["bridges"]):
        names = ", ".join(name for name in host["records"] if not name.startswith("_"))
        rows.append((host["name"], host["location"], host["type"], host["publicIpv4"], host["privateIpv4"], names))
    widths = [max(len(str(row[column])) for row in rows) for column in range(5)]
    lines = [
        "  ".join([*(f"{cell!s:<{width}}" for cell, width in zip(row, widths, strict=False)), row[5]]) for row in rows
    ]
    return "\n".join([cluster["url"], "", *lines])


def main() -> None:
    """`python -m tools.show [stack]`."""
    print(table(described(install(), sys.argv[1] if len(sys.argv) > 1 else os.environ.get("STACK", "dev"))))


if __name__ == "__main__":
    command.run(main)
