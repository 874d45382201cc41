"""How the tests are spread over processes: one file of tests goes to one process, as with `--dist loadfile`.

Of a file that is about both clouds each cloud's half does.

But the tests that share a booted cluster go to one, those that resize and drain one to another, those of the
secure one to a third, and the cluster at AWS to a fourth. These start first, since they take longest. Then come, in
turn, files that wait most of their time for clocks, and files that keep a core busy with runs of the engine: beside
each other they take less time than each kind beside its own.
"""

import gc
import re
import sys

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tools import packages

# pulumi-aws, for the program on that cloud; last, so that all else comes from the environment that runs the tests.
sys.path.append(str(packages.library(packages.CHECKOUT / ".venv-aws")))
gc.set_threshold(20_000, 20, 100)

BOOTED = "tests/booted/"
# Drains come after all others that see the shared cluster: they leave it as they have made it.
LONGEST_FIRST = (
    BOOTED,
    f"{BOOTED}test_drains.py",
    "tests/level3_applied/test_recorded_steps.py",
    "tests/packages/test_jicofo_moments.py",
    "tests/level3_applied/test_life.py",
    "tests/level3_applied/test_faults.py",
    "tests/packages/test_jicofo_farewells.py",
    "tests/level3_applied/test_what_a_change_does.py",
    "tests/level3_applied/test_drains.py",
    "tests/level3_applied/test_gates.py",
    "tests/level3_applied/",
    "tests/packages/",
    "tests/local_cloud/hosts/",
    "tests/level1_declared/",
)
AT_AWS = re.compile(r"level3_applied/.*(\[aws\]$|_at_aws\[)")  # the second half of a file that is about both clouds
GROUPS = {
    "drains": ("test_drains.py",),
    "secure": ("test_debian_13.py", "test_letsencrypt.py"),
    "AWS": ("test_aws.py",),
}
# Where programs with timers of their own are asked while other processes use the same cores: a failure counts when it
# is there the third time, too.
TIMED = (BOOTED, "tests/packages/", "tests/local_cloud/", "tests/operations/")


class OneBootedCluster(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        if not file.startswith(BOOTED):
            return f"{file} at AWS" if AT_AWS.search(nodeid) else file
        return next((f"{BOOTED}{group}" for group, files in GROUPS.items() if file.endswith(files)), BOOTED)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    return OneBootedCluster(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="module", autouse=True)
def _what_is_loaded_is_not_looked_through() -> None:
    """Without it the collector of garbage went through all imported packages again and again: a third of level 1."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        fitting = [start for start in LONGEST_FIRST if item.nodeid.startswith(start)]
        return LONGEST_FIRST.index(max(fitting, key=len)) if fitting else len(LONGEST_FIRST)

    items.sort(key=place)
    for item in items:
        if item.nodeid.startswith(TIMED):
            item.add_marker(pytest.mark.flaky(reruns=2))
