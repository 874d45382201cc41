"""Level 2: the operations key can do nothing but what the program's verbs are, whatever is sent."""

import os
import subprocess
import sys
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from tests.operations.fakes import Pool
from tests.operations.running import PROGRAM, Node

VERBS = ("ready", "drain", "forecast", "status")


@cache
def _program() -> ModuleType:
    loader = SourceFileLoader("operations", str(PROGRAM))
    spec = spec_from_loader("operations", loader)
    assert spec
    made = sys.modules["operations"] = module_from_spec(spec)
    # Compiled files would be shipped to hosts from the folder of the program.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(made)
    finally:
        sys.dont_write_bytecode = before
    return made


def understood(command: str) -> object:
    return _program().understood(command)


GOOD = "drain bridge-1 10.0.0.9 104729 10 5"


@pytest.mark.parametrize(
    "command",
    [
        "",
        " ",
        "help",
        "/bin/sh",
        "scp -f /etc/passwd",
        "internal-sftp",
        "status now",
        "STATUS",
        "drain",
        GOOD + " 5",
        GOOD.replace("drain ", "drain  "),
        GOOD + "\n",
        GOOD + "\nstatus",
        GOOD + "; reboot",
        GOOD + " && id",
        GOOD.replace("bridge-1", "$(id)"),
        GOOD.replace("bridge-1", "`id`"),
        GOOD.replace("bridge-1", "Bridge-1"),
        GOOD.replace("bridge-1", "../bridge"),
        GOOD.replace("bridge-1", "b" * 64),
        GOOD.replace("104729", "../../etc/passwd"),
        GOOD.replace("104729", "a.b"),
        GOOD.replace("104729", "i" * 65),
        GOOD.replace("10.0.0.9", "bridge.example.org"),
        GOOD.replace("10.0.0.9", "10.0.0.9:22"),
        GOOD.replace("10.0.0.9", "10.0.0.256"),
        GOOD.replace("10.0.0.9", "127.0.0.1"),
        GOOD.replace("10.0.0.9", "169.254.169.254"),
        GOOD.replace("10.0.0.9", "198.51.100.7"),
        GOOD.replace("10.0.0.9", "::1"),
        GOOD.replace(" 10 5", " -1 5"),
        GOOD.replace(" 10 5", " 1441 5"),
        GOOD.replace(" 10 5", " 1.5 5"),
        GOOD.replace(" 10 5", " 10 0"),
        GOOD.replace(" 10 5", " ten 5"),
        GOOD.replace(" 10 5", " \u0661\u0660 5"),
        GOOD.replace(" 10 5", " 1e3 5"),
        "ready bridge-1 10.0.0.9 104729",
        "ready bridge-1 10.0.0.9 104729 86401",
        "forecast",
        "forecast bridge-1",
        "forecast bridge-1,10.0.0.9",
        "forecast bridge-1,10.0.0.9,1 bridge-2,10.0.0.10",
        "forecast bridge-1,10.0.0.9,1,",
        "status " * 9000,
    ],
)
def test_anything_but_the_verbs_is_not_understood(command: str) -> None:
    assert understood(command) is None


@pytest.mark.parametrize("command", [GOOD, "ready bridge-1 10.0.0.9 104729 0", "status", "forecast a,10.0.0.9,1"])
def test_the_verbs_are_understood(command: str) -> None:
    assert understood(command)


@pytest.mark.parametrize("command", [None, "", "/bin/sh", GOOD + "; reboot", GOOD.replace("bridge-1", "$(id)")])
def test_what_is_not_understood_is_refused_in_one_line_that_names_the_verbs(
    command: str | None, tmp_path: Path
) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    environment |= {} if command is None else {"SSH_ORIGINAL_COMMAND": command}
    done = subprocess.run([PROGRAM], env=environment, capture_output=True, text=True, timeout=10, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert all(verb in done.stderr for verb in VERBS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("minutes", ["0", "1440"])
def test_the_least_and_the_most_minutes_are_taken(pool: Pool, here: Node, minutes: str) -> None:
    pool.bridge("2")
    assert here.run(f"drain bridge-1 127.77.9.9 1 {minutes} 1").status == 0


def test_the_program_needs_the_standard_library_only_and_no_line_of_it_is_lost_on_the_way() -> None:
    """Lines that only comment stay behind when a host's files are made; one in a string would be missed."""
    lines = PROGRAM.read_text().splitlines()
    source = "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith(("#", "--", "//")))
    whole = compile(PROGRAM.read_text(), "operations", "exec", dont_inherit=True)
    short = compile(source, "operations", "exec", dont_inherit=True)
    assert whole.co_names == short.co_names
    done = subprocess.run(
        ["python3", "-I", "-S", "-"], input=source, capture_output=True, text=True, timeout=10, env={**os.environ}
    )
    assert done.returncode == 2, done.stderr
    assert os.access(PROGRAM, os.X_OK)
