"""Program time under mocks: `python -m benchmarks.program`. Goal: 4 ms per resource, and no growth with the size.

Level 1: the SDK and this program alone, without engine and plugins. Imports are paid by a first run that is not shown.
"""

import statistics
import time

from tests.level1_declared.recording import declare

SIZES = (10, 30, 85)
RUNS = 3


def main() -> None:
    declare({"bridges": 1})
    print("| bridges | resources | ms per resource | against 10 bridges |")
    print("|--:|--:|--:|--:|")
    smallest = 0.0
    for size in SIZES:
        resources, cost = _cost(size)
        smallest = smallest or cost
        print(f"| {size} | {resources} | {cost:.2f} | {cost / smallest:.2f} |")


def _cost(size: int) -> tuple[int, float]:
    """Resources declared, and the median milliseconds per resource."""
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        declared = declare({"bridges": size})
        seconds.append(time.perf_counter() - start)
    resources = len(declared.resources)
    return resources, statistics.median(seconds) * 1000 / resources


if __name__ == "__main__":
    main()
