"""Engine time, API calls and state size: `python -m benchmarks.engine`.

Level 3: the real engine on the embedded cloud, whose actions take no time here, so that the seconds are the engine's,
the program's and the plugins' own. Goals: 11 calls per added bridge and 2 per removed one, at Hetzner.
Growth is the time per bridge against the smallest size of the same run.
"""

import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.level3_applied.applied import Run, Stack, Workshop

SIZES = (10, 30, 85)


def main() -> None:
    print("| bridges | seconds of the first up | per bridge | against 10 bridges | state per bridge, bytes |")
    print("|--:|--:|--:|--:|--:|")
    smallest = 0.0
    for size in SIZES:
        seconds, state = _first_up(size)
        smallest = smallest or seconds / size
        growth = seconds / size / smallest
        print(f"| {size} | {seconds:.1f} | {seconds / size:.2f} | {growth:.2f} | {state:.0f} |", flush=True)
    added, removed = _one_more_and_one_less()
    print("\n| call | per added bridge | per removed bridge |")
    print("|--|--:|--:|")
    for kind in sorted(added | removed):
        print(f"| `{kind}` | {added[kind]} | {removed[kind]} |")
    print(f"| all calls of Hetzner | {_hetzner(added)} | {_hetzner(removed)} |")
    print(f"| all calls of Cloudflare | {added.total() - _hetzner(added)} | {removed.total() - _hetzner(removed)} |")


def _first_up(size: int) -> tuple[float, float]:
    """Seconds of a first up with `size` bridges, and bytes of state per bridge."""
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop.open(Path(folder), action_seconds=0)
        try:
            stack = workshop.stack(bridges=size)
            start = time.perf_counter()
            _succeed(stack.up())
            return time.perf_counter() - start, _state_per_bridge(stack, size)
        finally:
            workshop.close()


def _state_per_bridge(stack: Stack, size: int) -> float:
    """What one bridge adds to the stored state: the difference of two sizes, so that the shared part falls out."""
    full = _state_bytes(stack)
    stack.configure(bridges=size - 5)
    _succeed(stack.up())
    return (full - _state_bytes(stack)) / 5


def _state_bytes(stack: Stack) -> int:
    (path,) = stack.workshop.folder.glob(f"state/.pulumi/stacks/*/{stack.name}.json")
    return path.stat().st_size


def _one_more_and_one_less() -> tuple[Counter[str], Counter[str]]:
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop.open(Path(folder), action_seconds=0.3)
        try:
            stack = workshop.stack(bridges=2)
            _succeed(stack.up())
            stack.configure(bridges=3)
            added = _succeed(stack.up())
            stack.configure(bridges=2)
            return added.kinds(), _succeed(stack.up()).kinds()
        finally:
            workshop.close()


def _hetzner(kinds: Counter[str]) -> int:
    return sum(count for kind, count in kinds.items() if "dns_records" not in kind)


def _succeed(run: Run) -> Run:
    if run.status:
        raise SystemExit(run.text)
    return run


if __name__ == "__main__":
    main()
