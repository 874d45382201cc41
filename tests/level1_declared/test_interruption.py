"""Level 1: what a user sees when the engine interrupts the program, in a process of its own.

The recorded engine did so whenever a resource failed (steps 17, 20, 22, 24); the one built here ends the program
harder, so that level 3 cannot show the difference.
"""

import signal
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
WAITING = """
import asyncio, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
async def wait():
    print("waiting", flush=True)
    await asyncio.sleep(30)
loop = asyncio.new_event_loop()
try:
    loop.run_until_complete(wait())
finally:
    loop.close()
"""  # as the language host runs the program
QUIET = "from components import interruption; interruption.end_quietly()\n"


def test_an_interrupted_program_ends_without_a_traceback() -> None:
    assert "Traceback" in _interrupted(WAITING), "the control: Python itself prints one"
    assert _interrupted(QUIET + WAITING) == ""


def test_every_other_failure_is_still_shown() -> None:
    command = [sys.executable, "-c", QUIET + "raise ValueError('shown')"]
    failed = subprocess.run(command, cwd=CHECKOUT, check=False, capture_output=True, text=True)
    assert "ValueError: shown" in failed.stderr
    assert failed.returncode == 1


def _interrupted(program: str) -> str:
    """What a program that was interrupted while it waited has written to its standard error."""
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=20)[1]
