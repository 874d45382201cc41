"""`make up`: the engine, its plugins, the embedded cloud and the stack `dev`, each step only where it is needed."""

import json
import subprocess
import sys
from pathlib import Path

import yaml

from tools import command, show
from tools.engine import on_path, plugins
from tools.engine.environment import ordinary
from tools.engine.install import Engine, install
from tools.engine.pin import CHECKOUT
from tools.say import say

STACK = "dev"


def stack_exists(engine: Engine) -> bool:
    """Whether the backend that the user has chosen, or Pulumi.yaml, holds the stack."""
    asked: list[str | Path] = [engine.pulumi, "stack", "ls", "--json"]
    done = subprocess.run(asked, cwd=CHECKOUT, env=ordinary(engine), check=True, stdout=subprocess.PIPE, text=True)
    return any(stack["name"].rsplit("/")[-1] == STACK for stack in json.loads(done.stdout))


def select_stack(engine: Engine) -> None:
    """Make the stack the selected one; create it first where it is missing.

    `stack select --create` would do both, but it takes the secrets provider from its flags only, never from the file.
    """
    if stack_exists(engine):
        pulumi(engine, "stack", "select", STACK)
        return
    provider = yaml.safe_load((CHECKOUT / f"Pulumi.{STACK}.yaml").read_text())["secretsprovider"]
    pulumi(engine, "stack", "init", STACK, "--secrets-provider", provider)


def pulumi(engine: Engine, *arguments: str) -> None:
    """Run the engine on this checkout, its output to the person at the terminal; raises CalledProcessError."""
    asked: list[str | Path] = [engine.pulumi, "--non-interactive", *arguments]
    subprocess.run(asked, cwd=CHECKOUT, env=ordinary(engine), check=True)


def embedded_cloud(order: str) -> None:
    """Start (`up`) or stop (`down`) it; both do nothing when that is done already."""
    subprocess.run([sys.executable, "-m", "local_cloud", order], cwd=CHECKOUT, check=True)


def main() -> None:
    """Raises CalledProcessError when a step failed; the step's own output says why."""
    engine = install()
    plugins.install(engine)
    say("shell", on_path.offer(engine))
    embedded_cloud("up")
    select_stack(engine)
    pulumi(engine, "up", "--yes", "--suppress-outputs", "--stack", STACK)
    print(show.table(show.described(engine, STACK)))
    print("\nNext: pulumi config set bridges 8 && pulumi up")


if __name__ == "__main__":
    command.run(main)
