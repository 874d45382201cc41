"""`make up` while the engine runs: a host that fails for good ends it, for the engine would wait for it."""

import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local_cloud import process
from tools import up
from tools.engine.install import Engine
from tools.engine.pin import RefusedError

LINE = "E: Unable to locate package prosody"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The only host of an embedded cloud that runs; it is still being set up."""
    log = tmp_path / "upper/var/log/cloud-init-output.log"
    log.parent.mkdir(parents=True)
    log.write_text(f"{LINE}\n")
    (tmp_path / "console.log").touch()
    host = {"name": "bridge-1-0a1b2c3", "cloud_init": None, "folder": str(tmp_path)}
    admin = SimpleNamespace(status=lambda: {"hosts": "boot"}, hosts=lambda: [host])
    monkeypatch.setattr(process, "running", lambda _: SimpleNamespace(admin=admin))
    monkeypatch.setattr(up, "LOOK_SECONDS", 0.05)
    return host


def engine(folder: Path, script: str) -> Engine:
    """An engine whose `pulumi up` is this shell script; it notes that it was told to end."""
    program = folder / "pulumi"
    program.write_text(f"#!/bin/sh\ntrap 'touch {folder}/told; exit 1' TERM\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return Engine(folder, "made by a test")


def test_a_host_that_fails_ends_the_run_with_the_end_of_its_log(host: dict[str, Any], tmp_path: Path) -> None:
    host["cloud_init"] = "error - done"
    with pytest.raises(RefusedError, match=f"bridge-1-0a1b2c3: cloud-init failed.*\n{LINE}"):
        up.apply(engine(tmp_path, "while :; do sleep 0.05; done"))
    assert (tmp_path / "told").exists(), "the engine was told, so that it writes its state"


@pytest.mark.usefixtures("host")
def test_hosts_that_are_being_set_up_are_waited_for(tmp_path: Path) -> None:
    up.apply(engine(tmp_path, "sleep 0.3"))
    assert not (tmp_path / "told").exists()
