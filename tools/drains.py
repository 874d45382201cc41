"""Asks a running cluster about drains: what fewer bridges would mean for calls now, and which drains are going on.

    python -m tools.drains forecast 3              if `bridges` were 3
    python -m tools.drains status

Both take --stack. They use the stack's own key, which can do no more than this, and the SSH client of this machine.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tools import command
from tools.engine.environment import ordinary
from tools.engine.install import install
from tools.engine.pin import CHECKOUT, RefusedError

USER = "operations"
CONNECT_SECONDS = 15


def outputs(stack: str) -> dict[str, Any]:
    """All outputs of the stack, with the key; raises CalledProcessError when there is no such stack."""
    engine = install()
    asked: list[str | Path] = [engine.pulumi, "stack", "output", "--json", "--show-secrets", "--stack", stack]
    done = subprocess.run(asked, cwd=CHECKOUT, env=ordinary(engine), check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ask(stack: dict[str, Any], text: str) -> Any:
    """What the signaling node answers to `text`; RefusedError, with its words, when it does not."""
    host = stack["shards"][0]["publicIpv4"]
    with tempfile.TemporaryDirectory() as folder:
        key, known = Path(folder) / "key", Path(folder) / "known_hosts"
        key.touch(mode=0o600)
        key.write_text(stack["operationsKey"])
        known.write_text(f"{host} {stack['operationsHostKey']}\n")
        options = {
            "IdentitiesOnly": "yes",
            "IdentityFile": key,
            "IdentityAgent": "none",
            "UserKnownHostsFile": known,
            "StrictHostKeyChecking": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": CONNECT_SECONDS,
            "LogLevel": "ERROR",
        }
        flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        asked = ["ssh", "-F", "none", *flags, f"{USER}@{host}", text]
        done = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise RefusedError(f"{USER}@{host} does not answer: {done.stderr.strip() or done.returncode}")
    return json.loads(done.stdout)


def leaving(stack: dict[str, Any], bridges: int) -> list[dict[str, Any]]:
    """The bridges that go when there are to be `bridges`: those at the end of the row."""
    return list(stack["bridges"][bridges:])


def forecast(stack: dict[str, Any], bridges: int) -> str:
    """What a person reads before `pulumi config set bridges N && pulumi up`."""
    going = leaving(stack, bridges)
    if not going:
        return f"{len(stack['bridges'])} bridges, none goes: nobody's call is touched."
    text = " ".join(f"{bridge['name']},{bridge['privateIpv4']},{bridge['instance']}" for bridge in going)
    return told(ask(stack, f"forecast {text}"), bridges)


def told(answer: dict[str, Any], bridges: int) -> str:
    """The answer of the node as lines: each bridge that goes, those that stay, what it comes to."""
    lines = [
        f"{each['name']}: {each['conferences']} conferences, {each['people']} people"
        + ("" if each["reachable"] else "; does not answer")
        + ("" if each["in_brewery"] else "; not in the brewery")
        for each in answer["leaving"]
    ]
    stay = answer["staying"]
    lines.append(f"{len(stay)} bridges stay with room for {answer['room_for']} people below jicofo's limit of load")
    if not answer["jicofo"]:
        lines.append("jicofo does not answer: nothing could be moved now")
    if answer["ended_conferences"]:
        lines.append(
            f"{answer['ended_conferences']} conferences with {answer['ended_people']} people would END at the deadline"
            " if they last so long: no bridge stays that could take them"
        )
    elif answer["too_many"]:
        lines.append(
            f"{answer['too_many']} people are more than the others take well: they are moved and overload them"
        )
    else:
        lines.append(f"bridges {bridges}: who still talks at the deadline is moved, no call ends")
    return "\n".join(lines)


def status(stack: dict[str, Any]) -> str:
    """One line for each drain that the node knows of."""
    known = ask(stack, "status")
    lines = [
        f"{each['name']}: {each['phase']}, {'going on' if each['running'] else 'nobody is at it'}, "
        f"{each['seconds_left']} s to the deadline, {len(each['start'])} conferences at the start, "
        f"{len(each['moved'])} moved, {len(each['dropped'])} dropped"
        for each in known
    ]
    return "\n".join(lines) or "no drain is going on"


def main() -> None:
    """Raises RefusedError when the node does not answer."""
    parser = argparse.ArgumentParser(description="Ask a running cluster about drains.")
    parser.add_argument("--stack", default="dev")
    asked = parser.add_subparsers(dest="about", required=True)
    number = asked.add_parser("forecast", help="what fewer bridges would mean for calls now")
    number.add_argument("bridges", type=int, help="the number that `bridges` would be set to")
    asked.add_parser("status", help="the drains that the signaling node knows of")
    arguments = parser.parse_args()
    stack = outputs(arguments.stack)
    print(forecast(stack, arguments.bridges) if arguments.about == "forecast" else status(stack))


if __name__ == "__main__":
    command.run(main)
