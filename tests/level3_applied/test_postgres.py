"""Level 3: a PostgreSQL state backend, as a team would use it, with Debian's server on loopback."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.level3_applied.applied import Workshop


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of an empty database on a server of its own; the server ends with the test."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not binaries:
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    folder = tmp_path_factory.mktemp("postgres")
    owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if owner:
        for path in (folder, *folder.parents[:3]):
            path.chmod(0o755)
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = binaries[-1].parent
    data = str(folder / "data")
    subprocess.run([*owner, here / "initdb", "-D", data, "-A", "trust", "-U", "fleet"], check=True, capture_output=True)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
    control = [*owner, str(here / "pg_ctl"), "-D", data]
    subprocess.run([*control, "-w", "-o", options, "-l", f"{folder}/log", "start"], check=True, capture_output=True)
    yield f"postgres://fleet@127.0.0.1:{port}/postgres?sslmode=disable"
    subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True)


def test_of_two_ups_at_once_on_one_stack_one_is_refused(workshop: Workshop, database: str) -> None:
    workshop.environment["PULUMI_BACKEND_URL"] = database
    stack = workshop.stack(bridges=2)
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: stack.pulumi("up", "--yes", "--skip-preview"), range(2)))
    assert sorted(run.returncode != 0 for run in runs) == [False, True], [run.stdout[-300:] for run in runs]
    refused = next(run for run in runs if run.returncode)
    assert "lock" in (refused.stdout + refused.stderr)
    assert stack.up().steps == []
    assert len(workshop.servers()) == 3
    assert stack.destroy().status == 0
    assert workshop.left() == []
