"""The checkout's .venv, from pyproject.toml and constraints.txt; installed again only when what they ask for changes.

Runs before anything is installed, so it imports the standard library only. It adds and upgrades, and leaves alone what
somebody installed by hand.
"""

import fcntl
import hashlib
import subprocess
import sys
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
EXTRAS = ("local", "test")


def requirements(checkout: Path) -> list[str]:
    """What pyproject.toml asks for, with the extras of the embedded cloud and of the tests."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *(line for extra in EXTRAS for line in project["optional-dependencies"][extra])]


def digest(checkout: Path) -> str:
    """Changes when the requirements or the constraints change, and not with the rest of pyproject.toml."""
    asked = "\n".join(requirements(checkout)) + (checkout / "constraints.txt").read_text()
    return hashlib.sha256(asked.encode()).hexdigest()


def pip_install(checkout: Path, environment: Path) -> None:
    """Raises CalledProcessError; pip's own output says why."""
    command: list[str | Path] = [
        environment / "bin/python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--use-pep517",
    ]
    subprocess.run([*command, "-c", checkout / "constraints.txt", *requirements(checkout)], check=True)


def create_environment(environment: Path) -> None:
    """An empty environment, unless this Python is the environment's own."""
    if Path(sys.prefix).resolve() != environment.resolve():
        venv.create(environment, clear=True, symlinks=True, with_pip=True)


def make(
    checkout: Path,
    create: Callable[[Path], None] = create_environment,
    install: Callable[[Path, Path], None] = pip_install,
) -> bool:
    """Bring .venv up to date; False if it was. Two runs at once wait for each other."""
    environment = checkout / ".venv"
    stamp = environment / "jitsi-fleet.stamp"
    with (checkout / "pyproject.toml").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text() == digest(checkout):
            return False
        print("python     installing the Python packages into .venv (a minute when nothing is cached) ...", flush=True)
        create(environment)
        install(checkout, environment)
        stamp.write_text(digest(checkout))
    return True


if __name__ == "__main__":
    try:
        changed = make(CHECKOUT)
    except subprocess.CalledProcessError:
        sys.exit("The Python packages could not be installed: see pip's message above.")
    print(f"python     .venv is {'complete' if changed else 'up to date'}")
