"""`make up`: the engine, its plugins, the embedded cloud and the stack `dev`, each step only where it is needed."""

import json
import subprocess
import sys
from pathlib import Path

from tools import show
from tools.engine import on_path, plugins
from tools.engine.environment import ordinary
from tools.engine.install import Engine, install
from tools.engine.pin import CHECKOUT, RefusedError
from tools.say import say

STACK = "dev"


def stack_exists(engine: Engine) -> bool:
    """Whether the backend that the user has chosen, or Pulumi.yaml, holds the stack."""
    command: list[str | Path] = [engine.pulumi, "stack", "ls", "--json"]
    done = subprocess.run(command, cwd=CHECKOUT, env=ordinary(engine), check=True, stdout=subprocess.PIPE, text=True)
    return any(stack["name"].rsplit("/")[-1] == STACK for stack in json.loads(done.stdout))


def embedded_cloud(command: str) -> None:
    """Start (`up`) or stop (`down`) it; both do nothing when that is done already."""
    subprocess.run([sys.executable, "-m", "local_cloud", command], cwd=CHECKOUT, check=True)


def main() -> None:
    """Raises CalledProcessError when a step failed; the step's own output says why."""
    engine = install()
    plugins.install(engine)
    say("shell", on_path.offer(engine))
    embedded_cloud("up")
    pulumi: list[str | Path] = [engine.pulumi, "--non-interactive"]
    environment = ordinary(engine)
    subprocess.run([*pulumi, "stack", "select", "--create", STACK], cwd=CHECKOUT, env=environment, check=True)
    subprocess.run([*pulumi, "up", "--yes", "--stack", STACK], cwd=CHECKOUT, env=environment, check=True)
    print(show.table(show.described(engine, STACK)))
    print("\nNext: pulumi config set bridges 8 && pulumi up")


if __name__ == "__main__":
    try:
        main()
    except RefusedError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
