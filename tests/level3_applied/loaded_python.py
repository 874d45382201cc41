"""A Python that has Pulumi's packages loaded already, for the language host of the tests.

For each run of the engine the host starts `bin/python` of the project's virtual environment twice: to list packages,
and to run the program. Most of the processor time of an `up` went into their imports. Here `bin/python` is
python_hand_over.py, which prints the list that was taken at the start, and hands its arguments, environment, folder and
output over to a process that has imported all that comes from packages, and which forks. The program's own modules are
imported by each run, from its own folder.

    python -m tests.level3_applied.loaded_python FOLDER PROCESS        serves at FOLDER/socket until the process ends
"""

import fcntl
import functools
import gc
import importlib.util
import json
import os
import runpy
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

LOADED = (
    "pulumi.runtime",
    "pulumi_cloudflare",
    "pulumi_command.remote",
    "pulumi_hcloud",
    "pulumi_random",
    "pulumi_tls",
    "pydantic.main",
    "pydantic.fields",
    "pydantic.functional_validators",
    "jinja2",
    "yaml",
    "idna",
)
LOADED_AT_AWS = ("pulumi_aws.ec2", "pulumi_aws.vpc")
PACKAGES = ["-m", "pip", "list", "-v", "--format", "json"]  # what the language host asks for
HAND_OVER = Path(__file__).with_name("python_hand_over.py")
LARGEST = 1 << 20  # bytes of a request: arguments and environment


def environment(folder: Path, original: Path) -> Path:
    """Make a virtual environment for the language host in `folder`, which is `original` with its packages loaded."""
    (folder / "bin").mkdir(parents=True)
    for part in ("pyvenv.cfg", "lib"):
        (folder / part).symlink_to(original / part)
    real, python = original / "bin/python", folder / "bin/python"
    python.write_text(f"#!{real} -IS\n{HAND_OVER.read_text()}")
    python.with_name("python.json").symlink_to(_about(real))
    python.chmod(0o755)
    return folder


@functools.cache
def _about(python: Path) -> Path:
    """What python_hand_over.py has to know: made once for all processes of a run of tests, and there as long."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    folder = Path(tempfile.gettempdir()) / f"loaded-{run or secrets.token_hex(16)}-{python.parents[1].name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder / "about.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not about.exists():
            process = os.getppid() if run else os.getpid()
            command = [str(python), "-m", "tests.level3_applied.loaded_python", str(folder), str(process)]
            checkout = Path(__file__).parents[2]
            server = subprocess.Popen(command, cwd=checkout, stdout=subprocess.PIPE, start_new_session=True)
            packages = subprocess.run([python, *PACKAGES], check=True, text=True, stdout=subprocess.PIPE).stdout
            assert server.stdout
            assert server.stdout.readline(), "it did not start"
            _SERVERS.append(server)
            known = {"python": str(python), "server": str(folder / "socket"), "list": PACKAGES, "packages": packages}
            about.write_text(json.dumps(known))
    return about


_SERVERS: list[object] = []  # whose end nobody waits for


def main(folder: Path, process: int) -> Callable[[], Any]:
    """Serve; returns only in a forked process, what it is to do as a Python that has just begun."""
    for name in (*LOADED, *(LOADED_AT_AWS if importlib.util.find_spec("pulumi_aws") else ())):
        # A part of Pulumi's packages is loaded when a name of its own is asked for, and none that every module has.
        getattr(importlib.import_module(name), "__all__", None)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    listener.listen(64)
    threading.Thread(target=_end_with, args=(process, folder), daemon=True).start()
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            return _hand_over(connection)
        connection.close()


def _end_with(process: int, folder: Path) -> None:
    with suppress(ProcessLookupError):
        select.select([os.pidfd_open(process)], [], [])
    shutil.rmtree(folder)
    os._exit(0)


def _hand_over(connection: socket.socket) -> Callable[[], Any]:
    """One request. Returns in the process that answers it; its parent passes signals on, and the exit status back."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, outputs, _, _ = socket.recv_fds(connection, LARGEST, 3)
    while not text.endswith(b"\n"):
        text += connection.recv(LARGEST)
    request = json.loads(text)
    child = os.fork()
    if child:
        threading.Thread(target=_report, args=(connection, child), daemon=True).start()
        with suppress(ProcessLookupError):  # it has just ended
            while number := connection.recv(1):
                os.kill(child, number[0])
            os.kill(child, signal.SIGKILL)
        os._exit(0)
    connection.close()
    for stream, output in enumerate(outputs):
        os.dup2(output, stream)
        os.close(output)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    return functools.partial(_run, request["arguments"])


def _report(connection: socket.socket, child: int) -> None:
    _, status = os.waitpid(child, 0)
    connection.sendall(bytes([os.waitstatus_to_exitcode(status) & 255]))
    os._exit(0)


def _run(arguments: list[str]) -> None:
    """As `python -u` runs this file with these arguments."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(write_through=True)  # type: ignore[union-attr]
    sys.argv = arguments
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))()
