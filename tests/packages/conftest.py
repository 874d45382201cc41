"""What the tests of several packages share: the lab of the bridge, made once; that of jicofo, made for each file."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packages.bridge_lab import Lab
from tests.packages.bridge_lab import lab as lab_of_the_bridge
from tests.packages.jicofo_scenes import JICOFO
from tests.packages.jicofo_shard import Shard, shard, until
from tools import checkers


@pytest.fixture(scope="session")
def bridge_lab() -> Iterator[Lab]:
    try:
        root = checkers.root()
        with (
            tempfile.TemporaryDirectory(dir=root.parent, prefix="run-") as folder,
            lab_of_the_bridge(root, Path(folder) / "tree") as made,
        ):
            yield made
    except checkers.UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def machines() -> Iterator[Shard]:
    try:
        with shard() as lab:
            yield lab
    except checkers.UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture
def cleared(machines: Shard) -> Iterator[Shard]:
    """Whatever a test starts ends with it, also when it fails: a second jicofo would confuse all tests that follow."""
    already = len(machines.programs)
    yield machines
    if started := machines.programs[already:]:
        machines.end(*started)
        del machines.programs[already:]


@pytest.fixture
def lab(cleared: Shard) -> Shard:
    """With a jicofo of its own, which a test may hurt; prosody stays."""
    cleared.jicofo(**JICOFO)
    until(lambda: cleared.get("/about/version").status, 30, "REST answers")
    return cleared
