import os
from collections.abc import Iterator

import pytest

from local_cloud.hosts import enclosure
from local_cloud.images.machine_tools import UnavailableError
from local_cloud.images.prepare import prepare
from tests.booted.booted import Cluster
from tests.level3_applied.applied import Workshop

# Parts of 127.90.0.0/16 of their own, one for each process of tests: `make up` may be running on the same machine.
FIRST_ADDRESS = "127.90.{}.1"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """One embedded cloud with hosts, for all tests of level 4."""
    try:
        prepare(("debian-12", "debian-13"))
    except UnavailableError as reason:
        pytest.skip(f"hosts cannot boot here: {reason}")
    if missing := enclosure.unavailable():
        pytest.skip(f"hosts cannot boot here: {missing}")
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    address = FIRST_ADDRESS.format(128 + process)
    workshop = Workshop.open(tmp_path_factory.mktemp("site"), hosts=True, first_address=address)
    yield workshop
    workshop.close()


@pytest.fixture(scope="session")
def cluster(site: Workshop) -> Cluster:
    """One signaling node and two bridges, booted once. Who changes it leaves it with two bridges that have joined."""
    cluster = Cluster(site, bridges=2)
    cluster.up()
    return cluster
