"""python -m local_cloud up|down|status|reset"""

import subprocess
import sys
from pathlib import Path

import pytest

from local_cloud import process


def run(state: Path, *words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "local_cloud", *words, "--state", str(state)]
    done = subprocess.run(command, cwd=process.CHECKOUT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_up_twice_is_one_server_and_down_twice_is_none(tmp_path: Path) -> None:
    try:
        assert run(tmp_path, "up", "--port", "0")[0] == 0
        first = process.running(tmp_path)
        code, text = run(tmp_path, "up", "--port", "0")
        assert (code, "already runs" in text) == (0, True)
        assert process.running(tmp_path) == first
        assert first is not None
        assert first.url in run(tmp_path, "status")[1]
        assert run(tmp_path, "reset")[0] == 0
    finally:
        run(tmp_path, "down")
    assert process.running(tmp_path) is None
    assert run(tmp_path, "down")[0] == 0
    assert run(tmp_path, "status")[0] == 3


def test_a_port_in_use_is_named(cloud: process.LocalCloud, tmp_path: Path) -> None:
    code, text = run(tmp_path, "up", "--port", str(cloud.port))
    assert (code, f"port {cloud.port}" in text, "Traceback" in text) == (1, True, False)


def test_two_servers_never_share_a_state_folder(cloud: process.LocalCloud) -> None:
    code, text = run(cloud.state, "up", "--port", "0", "--foreground")
    assert (code, "another embedded cloud" in text) == (1, True)


@pytest.mark.parametrize("word", ["up", "down", "status", "reset"])
def test_every_command_explains_itself(tmp_path: Path, word: str) -> None:
    assert "--state" in run(tmp_path, word, "--help")[1]
