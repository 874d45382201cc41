from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.level3_applied.applied import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """An embedded cloud, a state backend and a PULUMI_HOME for one test."""
    workshop = Workshop.open(tmp_path)
    yield workshop
    workshop.close()
