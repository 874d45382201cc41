"""How the tests are spread over processes (pytest --dist loadgroup): one file of tests goes to one process.

All of level 4 goes to one, since its tests share a booted cluster.
"""

from pathlib import Path

import pytest

BOOTED = Path(__file__).parent / "booted"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What takes longest first, so that the other process has the rest to do meanwhile.
    items.sort(key=lambda item: BOOTED not in item.path.parents)
    for item in items:
        group = BOOTED if BOOTED in item.path.parents else item.path
        item.add_marker(pytest.mark.xdist_group(str(group)))
