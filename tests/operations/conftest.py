"""A node with bridges that only answer REST."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.operations.fakes import DOMAIN, Pool
from tests.operations.running import FAST, Node, node


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool()
    yield made
    made.end()


@pytest.fixture
def here(pool: Pool, tmp_path: Path) -> Iterator[Node]:
    made = node(tmp_path, DOMAIN, **FAST, JICOFO=[pool.jicofo.address, pool.port], BRIDGE_PORT=pool.port)
    yield made
    made.end()
