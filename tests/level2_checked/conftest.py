"""Hosts to check in: the checkers' root with the files of one case on it, as cloud-init would have written them."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.doors import Role
from components.user_data import user_data
from tests.level2_checked.rendered import Values, case, landed
from tools import checkers


@dataclass(frozen=True)
class Host:
    """A folder that looks like the root of a host; nothing runs in it but what a test runs."""

    tree: Path
    values: Values

    def run(self, *command: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*checkers.enter(self.tree), *command],
            input=text,
            capture_output=True,
            text=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
            timeout=60,
        )

    def write(self, path: str, content: str, permissions: str = "0644") -> None:
        """Replaces the file: its name may be a link to the cache's copy."""
        place = self.tree / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.write_text(content)
        place.chmod(int(permissions, 8))


@pytest.fixture(scope="session")
def checkers_root() -> Path:
    try:
        return checkers.root()
    except checkers.UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def host(checkers_root: Path) -> Iterator[Callable[[Role, str], Host]]:
    """`host(role, case)`: each is made once."""
    made: dict[tuple[Role, str], Host] = {}
    with tempfile.TemporaryDirectory(dir=checkers_root.parent, prefix="run-") as runs:

        def make(role: Role, name: str) -> Host:
            if (role, name) not in made:
                made[role, name] = _host(checkers_root, Path(runs) / f"{role}-{name}", case(role, name))
            return made[role, name]

        yield make


def _host(root: Path, tree: Path, values: Values) -> Host:
    # Links, so that a host costs no space.
    subprocess.run(["cp", "--archive", "--link", root, tree], check=True)
    shutil.rmtree(tree / "etc/nginx/sites-enabled", ignore_errors=True)
    host = Host(tree, values)
    for path, file in landed(values).items():
        host.write(path, file.content, file.permissions)
    host.write("/root/user-data.yaml", user_data(values))
    return host
