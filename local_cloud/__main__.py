"""python -m local_cloud up|down|status|reset"""

import argparse
import sys
from pathlib import Path

from . import paths, process
from .server import InUseError, serve


def main() -> int:
    options = _parser().parse_args()
    state = options.state.resolve()
    try:
        return int(options.run(options, state))
    except (process.NotStartedError, InUseError) as error:
        print(f"local_cloud: {error}", file=sys.stderr)
        return 1


def up(options: argparse.Namespace, state: Path) -> int:
    port = paths.port() if options.port is None else options.port
    if options.foreground:
        serve(state, port, options.action_seconds, options.calls_per_hour)
        return 0
    found = process.running(state)
    if found:
        print(f"The embedded cloud already runs at {found.url} (process {found.pid}).")
        return 0
    handle = process.start(state, port, options.action_seconds, options.calls_per_hour)
    print(f"The embedded cloud runs at {handle.url} (process {handle.pid}), state in {state}.")
    return 0


def down(_: argparse.Namespace, state: Path) -> int:
    handle = process.running(state)
    if handle is None:
        print("The embedded cloud does not run.")
        return 0
    handle.stop()
    print(f"The embedded cloud at {handle.url} has ended; its state stays in {state}.")
    return 0


def status(_: argparse.Namespace, state: Path) -> int:
    handle = process.running(state)
    if handle is None:
        print("The embedded cloud does not run. Start it: python -m local_cloud up")
        return 3
    report = handle.admin.status()
    print(f"address  {handle.url}\nprocess  {handle.pid}\nsince    {report['since']}\nstate    {state}")
    kinds = ("server", "network", "firewall", "placement_group", "zone", "dns_record")
    print(f"\n{'project':<26}" + "".join(f"{kind + 's':>18}" for kind in kinds))
    for project, counts in sorted(report["projects"].items()):
        if project:
            print(f"{project:<26}" + "".join(f"{counts.get(kind, 0):>18}" for kind in kinds))
    return 0


def reset(_: argparse.Namespace, state: Path) -> int:
    """Through the server where it runs; else the files go."""
    handle = process.running(state)
    if handle is not None:
        handle.admin.reset()
    else:
        for name in ("cloud.sqlite", "cloud.sqlite-wal", "cloud.sqlite-shm", "calls.jsonl"):
            (state / name).unlink(missing_ok=True)
    print(f"The embedded cloud in {state} is empty.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local_cloud", description="The embedded cloud, on loopback only.")
    commands = parser.add_subparsers(required=True, metavar="up|down|status|reset")
    for run, text in ((up, "start it"), (down, "stop it"), (status, "what it holds"), (reset, "empty it")):
        command = commands.add_parser(run.__name__, help=text, description=text)
        command.set_defaults(run=run)
        command.add_argument("--state", type=Path, default=paths.state_folder(), help="state folder (%(default)s)")
        if run is up:
            command.add_argument(
                "--port", type=int, help=f"port on 127.0.0.1 (LOCAL_CLOUD_PORT, else {paths.DEFAULT_PORT})"
            )
            command.add_argument(
                "--action-seconds", type=float, default=0.3, help="how long an action runs (%(default)s)"
            )
            command.add_argument("--calls-per-hour", type=int, default=3600, help="rate limit of a Hetzner project")
            command.add_argument("--foreground", action="store_true", help="stay in the foreground")
    return parser


if __name__ == "__main__":
    sys.exit(main())
