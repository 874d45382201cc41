"""For tests whose hosts boot: images for them, or a skip that says why this machine cannot have hosts."""

import pytest

from local_cloud.hosts import enclosure
from local_cloud.images.machine_tools import UnavailableError
from local_cloud.images.prepare import prepare


def prepare_or_skip() -> None:
    try:
        prepare(("debian-12", "debian-13"))
    except UnavailableError as reason:
        pytest.skip(f"hosts cannot boot here: {reason}")
    if missing := enclosure.unavailable():
        pytest.skip(f"hosts cannot boot here: {missing}")
