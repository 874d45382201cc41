from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.level3_applied.applied import Workshop
from tests.level3_applied.machines import CLOUDS


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """An embedded cloud, a state backend and a PULUMI_HOME for one test."""
    workshop = Workshop.open(tmp_path)
    yield workshop
    workshop.close()


@pytest.fixture(scope="module", params=CLOUDS)
def where(request: pytest.FixtureRequest) -> str:
    """Both clouds, one after the other, for suites that see what differs between them.

    Gates, batches, keys, random walks, recovery and the state's backend are the engine's and the program's affair:
    they see servers only as something that comes and goes, and are tried on one cloud.
    """
    return str(request.param)
