"""The wrapper around the language host: it gives the old host the options of today's Pulumi.yaml."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.tools.conftest import Machine
from tools.engine.pin import CHECKOUT

WRAPPER = CHECKOUT / "tools" / "engine" / "pulumi-language-python.sh"


@pytest.fixture
def wrapper(machine: Machine) -> Path:
    machine.program("pulumi-language-python-host", 'echo "$*"', machine.home / "engine")
    return Path(shutil.copy(WRAPPER, machine.home / "engine" / "pulumi-language-python"))


@pytest.fixture
def project(machine: Machine) -> Path:
    folder = machine.home / "a project"
    (folder / "below" / "it").mkdir(parents=True)
    return folder


def started(wrapper: Path, folder: Path) -> str:
    environment = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run([wrapper, "127.0.0.1:1"], cwd=folder, env=environment, check=True, stdout=subprocess.PIPE)
    return done.stdout.decode().strip()


@pytest.mark.parametrize(
    "runtime",
    [
        "runtime: {name: python, options: {toolchain: pip, virtualenv: .venv}}",
        "runtime:\n  name: python\n  options:\n    virtualenv: .venv\n    toolchain: pip",
        "runtime:\n  name: python\n  options:\n    virtualenv: '.venv'  # beside this file",
        'runtime:\n  options: {virtualenv: ".venv"}\n  # virtualenv: old',
    ],
)
def test_the_virtual_environment_of_the_project_is_passed_on(wrapper: Path, project: Path, runtime: str) -> None:
    (project / "Pulumi.yaml").write_text(f"name: tiny\n{runtime}\n")
    assert started(wrapper, project) == f"-virtualenv .venv -root {project} 127.0.0.1:1"


def test_the_project_is_found_from_a_folder_below_it(wrapper: Path, project: Path) -> None:
    (project / "Pulumi.yaml").write_text("runtime: {name: python, options: {virtualenv: .venv}}\n")
    assert started(wrapper, project / "below" / "it") == f"-virtualenv .venv -root {project} 127.0.0.1:1"


@pytest.mark.parametrize("runtime", ["runtime: python", "runtime: python  # no virtualenv: none here"])
def test_a_project_without_the_option_runs_on_the_python_of_path(wrapper: Path, project: Path, runtime: str) -> None:
    (project / "Pulumi.yaml").write_text(f"{runtime}\n")
    assert started(wrapper, project) == "127.0.0.1:1"
