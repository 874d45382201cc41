"""The Python environment: installed once, again when what is asked for changes, and only then."""

import subprocess
from pathlib import Path

import pytest

from tools import packages

PROJECT = """
[project]
name = "a-project"
dependencies = ["pulumi==3.259.0"]
[project.optional-dependencies]
local = ["hcloud==2.27.0"]
test = ["pytest==9.2.0"]
aws = ["pulumi-aws==7.0.0"]
[tool.ruff]
line-length = 120
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "constraints.txt").write_text("anyio==4.16.0\n")
    return tmp_path


def make(checkout: Path) -> bool:
    def install(_checkout: Path, environment: Path, asked: list[str]) -> None:
        (environment / "installed").write_text("\n".join(asked))

    asked = packages.requirements(checkout)
    return packages.make(checkout, ".venv", asked, lambda environment: environment.mkdir(exist_ok=True), install)


def test_the_packages_of_the_program_the_embedded_cloud_and_the_tests_are_installed(checkout: Path) -> None:
    assert make(checkout)
    installed = (checkout / ".venv" / "installed").read_text().splitlines()
    assert installed == ["pulumi==3.259.0", "hcloud==2.27.0", "pytest==9.2.0"]


def test_a_second_run_installs_nothing(checkout: Path) -> None:
    assert [make(checkout), make(checkout)] == [True, False]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("pyproject.toml", "pytest==9.2.0", "pytest==9.3.0"),
        ("pyproject.toml", '"hcloud==2.27.0"', '"hcloud==2.27.0", "asyncssh==2.24.1"'),
        ("constraints.txt", "anyio==4.16.0", "anyio==4.17.0"),
    ],
)
def test_a_changed_pin_installs_again(checkout: Path, name: str, old: str, new: str) -> None:
    make(checkout)
    (checkout / name).write_text((checkout / name).read_text().replace(old, new))
    assert make(checkout)


def test_a_change_elsewhere_in_the_project_file_installs_nothing(checkout: Path) -> None:
    make(checkout)
    (checkout / "pyproject.toml").write_text(PROJECT.replace("120", "100"))
    assert not make(checkout)


def test_an_installation_that_failed_is_tried_again(checkout: Path) -> None:
    def fail(_checkout: Path, _environment: Path, _asked: list[str]) -> None:
        raise RuntimeError("no network")

    with pytest.raises(RuntimeError):
        packages.make(checkout, ".venv", [], lambda environment: environment.mkdir(), fail)
    assert make(checkout)


def test_the_environment_for_aws_sees_the_other_one_and_the_other_one_not_it(tmp_path: Path) -> None:
    """So tests have pulumi-aws, and `make up` after `make test` asks the engine for no plugin of it."""
    plain, layer = tmp_path / ".venv", tmp_path / ".venv-aws"
    subprocess.run(["python3", "-m", "venv", "--without-pip", plain], check=True)
    packages.create_layer(layer)
    for environment, name in ((plain, "of_all"), (layer, "of_aws")):
        (packages.library(environment) / f"{name}.py").touch()

    def sees(environment: Path, name: str) -> bool:
        return subprocess.run([environment / "bin/python", "-c", f"import {name}"], capture_output=True).returncode == 0

    assert [sees(layer, "of_all"), sees(layer, "of_aws")] == [True, True]
    assert [sees(plain, "of_all"), sees(plain, "of_aws")] == [True, False]
