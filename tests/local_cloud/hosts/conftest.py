"""What tests of names share, and what tests of forwarding share, made once for each file."""

from collections.abc import Iterator

import pytest

from local_cloud.hosts import forwarding
from local_cloud.process import LocalCloud

from .asking import Service, Zone, new_zone
from .border import Border


@pytest.fixture(scope="module")
def host_outside() -> Iterator[Border]:
    lab = Border()
    yield lab
    lab.close()


@pytest.fixture
def border(host_outside: Border, monkeypatch: pytest.MonkeyPatch) -> Border:
    monkeypatch.setattr(forwarding, "POLL_SECONDS", 0.05)
    host_outside.refused, host_outside.judged = set(), []
    return host_outside


@pytest.fixture(scope="module")
def service(cloud: LocalCloud) -> Iterator[Service]:
    running = Service(cloud)
    yield running
    running.close()


@pytest.fixture
def zone(cloud: LocalCloud) -> Zone:
    return new_zone(cloud)
