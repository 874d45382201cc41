"""Where the engine is taken from, and that only whole engines are taken."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tools.conftest import Machine
from tools.engine import install
from tools.engine.pin import CHECKOUT, VERSION, RefusedError, UnavailableError

pytestmark = pytest.mark.usefixtures("machine")


def never(staging: Path) -> str:
    raise AssertionError(f"nothing had to be installed, yet {staging} was to be filled")


def fake_build(staging: Path) -> str:
    (staging / "pulumi").write_text("built")
    (staging / "pulumi-language-python").write_text("built")
    return "built by the test"


def closed(staging: Path) -> str:
    (staging / "half.tar.gz").write_text("half a download")
    (staging / "half").mkdir()
    raise UnavailableError("the site is out of reach")


def test_a_pulumi_of_the_pinned_version_on_path_is_used_where_it_is(machine: Machine) -> None:
    machine.engine(machine.bin)
    assert install.install([never]).folder == machine.bin
    assert not machine.cache.exists()


def test_a_link_on_path_leads_to_the_folder_that_holds_the_language_host(machine: Machine) -> None:
    real = machine.engine(machine.home / "elsewhere")
    (machine.bin / "pulumi").symlink_to(real)
    assert install.install([never]).folder == real.parent


def test_a_pulumi_of_another_version_on_path_is_passed_over(machine: Machine) -> None:
    machine.engine(machine.bin, version="3.258.0")
    assert install.install([fake_build]).folder == machine.cache / VERSION


def test_a_pulumi_without_its_language_host_is_passed_over(machine: Machine) -> None:
    machine.engine(machine.bin)
    (machine.bin / "pulumi-language-python").unlink()
    assert install.install([fake_build]).folder == machine.cache / VERSION


def test_a_pulumi_that_cannot_run_is_passed_over(machine: Machine) -> None:
    machine.engine(machine.bin).write_text("of another processor")
    assert install.install([fake_build]).folder == machine.cache / VERSION


def test_an_engine_in_the_cache_is_used_without_asking_anyone() -> None:
    install.install([fake_build])
    assert install.install([never]).pulumi.read_text() == "built"


def test_the_next_way_is_taken_where_the_first_is_closed_and_nothing_of_the_first_stays() -> None:
    engine = install.install([closed, fake_build])
    assert engine.origin == "built by the test"
    assert sorted(file.name for file in engine.folder.iterdir()) == ["pulumi", "pulumi-language-python"]


def test_where_no_way_is_open_the_message_names_the_way_out(machine: Machine) -> None:
    with pytest.raises(RefusedError, match=f"With a Pulumi {VERSION} of your own on PATH"):
        install.install([closed, closed])
    assert not (machine.cache / VERSION).exists()


SLOW_BUILD = """
import sys, time
from pathlib import Path
from tools.engine import install

def slow(staging):
    with open(sys.argv[1], "a") as log:
        log.write("started\\n")
    (staging / "pulumi").write_text("half")
    time.sleep(float(sys.argv[2]))
    (staging / "pulumi").write_text("whole")
    return "built"

print(install.install([slow]).pulumi.read_text())
"""


def start_slow_build(log: Path, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SLOW_BUILD, str(log), str(seconds)]
    return subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 20
    while not file.exists():
        assert time.monotonic() < deadline, f"{file.name} did not appear"
        time.sleep(0.01)


def test_two_runs_at_once_build_once_and_both_get_a_whole_engine(tmp_path: Path) -> None:
    log = tmp_path / "log"
    runs = [start_slow_build(log, 0.5) for _ in range(2)]
    said = [run.communicate(timeout=20)[0].splitlines()[-1] for run in runs]
    assert said == ["whole", "whole"]
    assert log.read_text().splitlines() == ["started"]


def test_a_build_that_is_killed_leaves_no_engine_and_the_next_run_clears_it_away(
    machine: Machine, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    run = start_slow_build(log, 60)
    wait_for(log)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    assert install.find() is None
    install.install([fake_build])
    assert {file.name for file in machine.cache.iterdir()} == {VERSION, f".{VERSION}.lock"}
