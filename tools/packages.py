"""The checkout's .venv, from pyproject.toml and constraints.txt; installed again only when what they ask for changes.

With the word `aws` also .venv-aws, for tests and type checks: pulumi-aws on top of all that is in .venv. The engine
wants the plugin of every Pulumi package in the environment that a program runs in, so it is not in .venv itself.

Runs before anything is installed, so it imports the standard library only. It adds and upgrades, and leaves alone what
somebody installed by hand.
"""

import fcntl
import hashlib
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
EXTRAS = ("local", "test")


def requirements(checkout: Path) -> list[str]:
    """What pyproject.toml asks for, with the extras of the embedded cloud and of the tests."""
    dependencies: list[str] = _project(checkout)["dependencies"]
    return [*dependencies, *(line for extra in EXTRAS for line in of_extra(checkout, extra))]


def of_extra(checkout: Path, extra: str) -> list[str]:
    """What pyproject.toml asks for under this name."""
    lines: list[str] = _project(checkout)["optional-dependencies"][extra]
    return lines


def _project(checkout: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    return project


def digest(checkout: Path, asked: list[str]) -> str:
    """Changes when the requirements or the constraints change, and not with the rest of pyproject.toml."""
    text = "\n".join(asked) + (checkout / "constraints.txt").read_text()
    return hashlib.sha256(text.encode()).hexdigest()


def pip_install(checkout: Path, environment: Path, asked: list[str]) -> None:
    """By the pip of .venv, also into the other environment. Raises CalledProcessError; pip's own output says why."""
    pip: list[str | Path] = [checkout / ".venv/bin/python", "-m", "pip", "--python", environment / "bin/python"]
    options: list[str | Path] = ["--quiet", "--disable-pip-version-check", "--use-pep517"]
    subprocess.run([*pip, "install", *options, "-c", checkout / "constraints.txt", *asked], check=True)


def create_environment(environment: Path) -> None:
    """An empty environment, unless this Python is the environment's own."""
    if Path(sys.prefix).resolve() != environment.resolve():
        venv.create(environment, clear=True, symlinks=True, with_pip=True)


def create_layer(environment: Path) -> None:
    """An environment that holds nothing of its own yet and sees what is in .venv beside it."""
    venv.create(environment, clear=True, symlinks=True)
    (library(environment) / "checkout.pth").write_text(f"{library(environment.with_name('.venv'))}\n")


def library(environment: Path) -> Path:
    """Where its packages are."""
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(environment), "platbase": str(environment)}))


def make(
    checkout: Path,
    name: str,
    asked: list[str],
    create: Callable[[Path], None],
    install: Callable[[Path, Path, list[str]], None] = pip_install,
) -> bool:
    """Bring the environment up to date; False if it was. Two runs at once wait for each other."""
    environment = checkout / name
    stamp = environment / "jitsi-fleet.stamp"
    with (checkout / "pyproject.toml").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text() == digest(checkout, asked):
            return False
        print(f"python     installing the Python packages into {name} (a minute if nothing is cached) ...", flush=True)
        create(environment)
        install(checkout, environment, asked)
        stamp.write_text(digest(checkout, asked))
    return True


if __name__ == "__main__":
    try:
        changed = make(CHECKOUT, ".venv", requirements(CHECKOUT), create_environment)
        if "aws" in sys.argv[1:]:
            make(CHECKOUT, ".venv-aws", of_extra(CHECKOUT, "aws"), create_layer)
    except subprocess.CalledProcessError:
        sys.exit("The Python packages could not be installed: see pip's message above.")
    print(f"python     .venv is {'complete' if changed else 'up to date'}")
