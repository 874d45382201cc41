"""`make down`: destroy the stack `dev`, then stop the embedded cloud."""

from tools import command
from tools.engine import plugins
from tools.engine.install import install
from tools.say import say
from tools.up import STACK, embedded_cloud, pulumi, stack_exists


def main() -> None:
    """Raises CalledProcessError when a step failed; the embedded cloud is left running then, as the stack needs it."""
    engine = install()
    if stack_exists(engine):
        plugins.install(engine)
        embedded_cloud("up")
        pulumi(engine, "destroy", "--yes", "--stack", STACK)
    else:
        say("stack", f"there is no stack {STACK}")
    embedded_cloud("down")


if __name__ == "__main__":
    command.run(main)
