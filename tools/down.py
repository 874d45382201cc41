"""`make down`: destroy the stack `dev`, then stop the embedded cloud."""

import subprocess
import sys
from pathlib import Path

from tools.engine import plugins
from tools.engine.environment import ordinary
from tools.engine.install import install
from tools.engine.pin import CHECKOUT, RefusedError
from tools.say import say
from tools.up import STACK, embedded_cloud, stack_exists


def main() -> None:
    """Raises CalledProcessError when a step failed; the embedded cloud is left running then, as the stack needs it."""
    engine = install()
    if stack_exists(engine):
        plugins.install(engine)
        embedded_cloud("up")
        command: list[str | Path] = [engine.pulumi, "--non-interactive", "destroy", "--yes", "--stack", STACK]
        subprocess.run(command, cwd=CHECKOUT, env=ordinary(engine), check=True)
    else:
        say("stack", f"there is no stack {STACK}")
    embedded_cloud("down")


if __name__ == "__main__":
    try:
        main()
    except RefusedError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
