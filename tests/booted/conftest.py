import os
from collections.abc import Iterator

import pytest
from cryptography import x509

from tests.bootable import prepare_or_skip
from tests.booted.booted import Cluster
from tests.booted.secure import Secure, opened
from tests.booted.web import Web
from tests.level3_applied.applied import Workshop

# Parts of 127.90.0.0/16 of their own, one for each process of tests: `make up` may be running on the same machine.
FIRST_ADDRESS = "127.90.{}.1"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """One embedded cloud with hosts, for all tests of level 4."""
    prepare_or_skip()
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


@pytest.fixture(scope="session")
def secure(site: Workshop) -> Iterator[Secure]:
    with opened(site) as secure:
        yield secure


@pytest.fixture(scope="session")
def first(secure: Secure) -> x509.Certificate:
    """The first certificate of the secure site."""
    return secure.first()


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> Web:
    """The cluster's site, from outside."""
    return Web.of(cluster)


@pytest.fixture(scope="module")
def page(web: Web) -> str:
    """The welcome page."""
    return web.ask("/").text
