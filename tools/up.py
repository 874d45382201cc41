"""`make up`: the engine, its plugins, the embedded cloud and the stack `dev`, each step only where it is needed."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from local_cloud import paths, process
from local_cloud.images.machine_tools import UnavailableError
from local_cloud.images.prepare import prepare
from tools import booted, command, show
from tools.engine import on_path, plugins
from tools.engine.environment import ordinary
from tools.engine.install import Engine, install
from tools.engine.pin import CHECKOUT, RefusedError
from tools.say import say

STACK = "dev"
LOOK_SECONDS = 2.0  # between two looks at the hosts while the engine runs


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


def prepare_hosts() -> None:
    """What servers boot from; where they cannot, `local_cloud up` says so and serves the APIs only."""
    try:
        say("hosts", f"boot with Jitsi's packages from {prepare(report=partial(say, 'hosts')).jitsi}")
    except UnavailableError as reason:
        say("hosts", f"do not boot here: {reason}")


def apply(engine: Engine) -> None:
    """`pulumi up`. RefusedError, with the end of its log, as soon as a host fails that the engine would wait for."""
    cloud = process.running(paths.state_folder())
    asked: list[str | Path] = [engine.pulumi, "--non-interactive", "up", "--yes", "--suppress-outputs"]
    with subprocess.Popen([*asked, "--stack", STACK], cwd=CHECKOUT, env=ordinary(engine)) as run:
        while (status := _ended(run)) is None:
            try:
                if cloud is not None and cloud.admin.status()["hosts"] is not None:
                    booted.check(cloud)
            except booted.HostError as error:
                run.terminate()
                run.wait()
                raise RefusedError(str(error)) from error
    if status:
        raise subprocess.CalledProcessError(status, "pulumi up")


def _ended(run: subprocess.Popen[bytes]) -> int | None:
    try:
        return run.wait(LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def choose_drain(engine: Engine) -> None:
    """Without hosts nobody could be asked whether a bridge is ready, or told to drain it."""
    cloud = process.running(paths.state_folder())
    if cloud is not None and cloud.admin.status()["hosts"] is None:
        say("stack", "drain is set to false: there are no hosts to ask")
        pulumi(engine, "config", "set", "drain", "false", "--stack", STACK)


def wait_for_hosts(cluster: dict[str, Any]) -> None:
    """RefusedError, with the end of its log, when a host does not come up. Nothing where hosts do not boot."""
    cloud = process.running(paths.state_folder())
    if cloud is None or cloud.admin.status()["hosts"] is None:
        return
    addresses = {host["publicIpv4"] for host in (*cluster["shards"], *cluster["bridges"])}
    try:
        say("hosts", f"all have installed their roles after {booted.wait(cloud, addresses):.0f} s")
    except booted.HostError as error:
        raise RefusedError(str(error)) from error
    address, domain = cluster["shards"][0]["publicIpv4"], cluster["domain"]
    print(f'\nIn a browser:  chromium --ignore-certificate-errors --host-resolver-rules="MAP {domain} {address}"')
    print(f"In a shell:    curl --insecure --resolve {domain}:443:{address} {cluster['url']}")
    print("On a host:     .venv/bin/python -m local_cloud exec bridge-1")


def main() -> None:
    """Raises CalledProcessError when a step failed; the step's own output says why."""
    engine = install()
    plugins.install(engine)
    say("shell", on_path.offer(engine))
    prepare_hosts()
    embedded_cloud("up")
    select_stack(engine)
    choose_drain(engine)
    apply(engine)
    cluster = show.described(engine, STACK)
    print(show.table(cluster))
    wait_for_hosts(cluster)
    print("\nNext: pulumi config set bridges 8 && pulumi up")


if __name__ == "__main__":
    command.run(main)
