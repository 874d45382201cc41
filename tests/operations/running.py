"""Runs the operations program as SSH would, in a process of its own, with its constants replaced."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parents[2] / "cloud_init/signaling/operations"
# A fiftieth of the real ones or so, with room for a busy machine.
FAST: dict[str, Any] = {
    "LOOK": 0.05, "CALL": 1.0, "MINUTE": 1.0, "TRYING": 0.5, "SIGN_OF_LIFE": 0.5, "FLAG_SEEN": 2.0, "ORPHANS": 0.7,
    "HELD": 0.7, "PACE": 0.5, "WINDOW": 1.0, "VERIFY": 0.3, "SURE": 0.2, "EVACUATION": 1.5, "LOCK": 10.0,
    "HEALTHY": 0.3,
}  # fmt: skip
_NUMBERS = re.compile(
    r"(\d+) conferences at the start, (\d+) came later, (\d+) ended, "
    r"(\d+) moved \((\d+) people\), (\d+) dropped \((\d+) people\)$"
)
_RUN = """
import importlib.machinery, importlib.util, json, pathlib, sys
loader = importlib.machinery.SourceFileLoader("operations", sys.argv[1])
spec = importlib.util.spec_from_loader("operations", loader)
module = sys.modules["operations"] = importlib.util.module_from_spec(spec)
loader.exec_module(module)
for name, value in json.loads(sys.argv[2]).items():
    assert hasattr(module, name), name
    setattr(module, name, type(getattr(module, name))(value))
sys.exit(module.main())
"""


@dataclass(frozen=True)
class Report:
    """What a drain said at last, by the form that programs read."""

    start: int
    later: int
    ended: int
    moved: int
    moved_people: int
    dropped: int
    dropped_people: int


@dataclass(frozen=True)
class Done:
    status: int
    lines: list[str]
    errors: str
    seconds: float

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def report(self) -> Report:
        found = _NUMBERS.search(self.lines[-1])
        assert found, f"the last line tells the numbers in one form: {self.text} {self.errors}"
        return Report(*map(int, found.groups()))


@dataclass
class Session:
    """One SSH session, so to say."""

    process: subprocess.Popen[bytes]  # read without a buffer: communicate() would not see what a buffer holds
    began: float = field(default_factory=time.monotonic)

    def done(self, seconds: float = 20) -> Done:
        try:
            output, errors = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            said = b"".join(self.process.communicate()).decode()
            raise AssertionError(f"not within {seconds:g} s: {said}") from None
        took = time.monotonic() - self.began
        return Done(self.process.returncode, output.decode().splitlines(), errors.decode(), took)

    def lose(self) -> None:
        """The network goes away: nobody reads any more."""
        for stream in (self.process.stdout, self.process.stderr):
            assert stream
            stream.close()

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().decode()


@dataclass
class Node:
    """A signaling node, as far as the program sees it."""

    folder: Path
    settings: dict[str, Any]
    sessions: list[Session] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def begin(self, command: str, **settings: Any) -> Session:
        values = {"STATE": str(self.state), "CLUSTER": str(self.folder / "cluster.conf")}
        values |= {"NETWORKS": ["127.0.0.0/8"]} | self.settings | settings
        # -B: compiled files would be shipped to hosts from the folder of the program.
        arguments = [sys.executable, "-I", "-B", "-c", _RUN, str(PROGRAM), json.dumps(values)]
        environment = {"PATH": os.environ["PATH"], "SSH_ORIGINAL_COMMAND": command}
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(arguments, bufsize=0, env=environment, **pipes)
        self.sessions.append(Session(process))
        return self.sessions[-1]

    def run(self, command: str, **settings: Any) -> Done:
        return self.begin(command, **settings).done()

    def end(self) -> None:
        for session in self.sessions:
            if session.process.poll() is None:
                session.process.kill()
            session.process.wait()
            session.lose()


def node(folder: Path, domain: str, **settings: Any) -> Node:
    (folder / "state").mkdir()
    (folder / "cluster.conf").write_text(f"ROLE=signaling\nDOMAIN='{domain}'\nREGION=nbg1\n")
    return Node(folder, settings)


def until(claim: Callable[[], object], what: str, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)
