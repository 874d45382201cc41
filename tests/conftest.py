"""How the tests are spread over processes: one file of tests goes to one process, as with `--dist loadfile`.

But all of level 4 goes to one, since its tests share a booted cluster, and it starts first, since it takes longest.
"""

from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

BOOTED = "tests/booted"


class OneBootedCluster(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return BOOTED if nodeid.startswith(BOOTED + "/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    return OneBootedCluster(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent / "booted"
    items.sort(key=lambda item: folder not in item.path.parents)
