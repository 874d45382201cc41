"""What the tests of several packages share: the lab of the bridge, made once."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packages.bridge_lab import Lab, lab
from tools import checkers


@pytest.fixture(scope="session")
def bridge_lab() -> Iterator[Lab]:
    try:
        root = checkers.root()
        with (
            tempfile.TemporaryDirectory(dir=root.parent, prefix="run-") as folder,
            lab(root, Path(folder) / "tree") as made,
        ):
            yield made
    except checkers.UnavailableError as error:
        pytest.skip(str(error))
