"""python -m local_cloud up|down|status|reset|prepare|console|exec"""

import argparse
import shutil
import sys
from pathlib import Path

from . import paths, process
from .hetzner.primary_ips import set_first_address
from .hosts import command_line, enclosure
from .images import machine_tools
from .images import prepare as images
from .server import InUseError, serve


def main() -> int:
    # What comes after -- is a host's: an option in it is not one of ours.
    own, command = _divided(sys.argv[1:])
    parser = _parser()
    options = parser.parse_args(own)
    if command and options.run is not execute:
        parser.error("only exec takes a command after --")
    options.command = command
    state = options.state.resolve()
    try:
        return int(options.run(options, state))
    except (
        process.NotStartedError,
        InUseError,
        command_line.UnknownHostError,
        machine_tools.UnavailableError,
    ) as error:
        print(f"local_cloud: {error}", file=sys.stderr)
        return 1


def _divided(words: list[str]) -> tuple[list[str], list[str]]:
    """The words before and after the first --."""
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def up(options: argparse.Namespace, state: Path) -> int:
    port = paths.port() if options.port is None else options.port
    if options.foreground:
        set_first_address(state, options.first_address)
        serve(state, port, options.action_seconds, options.calls_per_hour, hosts=_hosts(options), aws=options.aws)
        return 0
    found = process.running(state)
    if found:
        print(f"The embedded cloud already runs at {found.url} (process {found.pid}).")
        return 0
    hosts = _hosts(options)
    limits = (options.action_seconds, options.calls_per_hour)
    handle = process.start(state, port, *limits, hosts=hosts, aws=options.aws, first_address=options.first_address)
    print(f"The embedded cloud runs at {handle.url} (process {handle.pid}), state in {state}.")
    return 0


def _hosts(options: argparse.Namespace) -> bool:
    """Whether servers boot: as asked, else where this machine can. UnavailableError where they should and cannot."""
    if options.hosts is False:
        return False
    reason = enclosure.unavailable()
    if reason is None and images.find() is None:
        reason = "the images are not prepared: python -m local_cloud prepare"
    if reason and options.hosts:
        raise machine_tools.UnavailableError(f"servers cannot boot: {reason}")
    if reason:
        print(f"Servers are rows in the API only: {reason}.")
    return reason is None


def prepare(options: argparse.Namespace, _: Path) -> int:
    prepared = images.prepare(tuple(options.image or ("debian-12",)))
    print(f"Hosts can boot: {', '.join(prepared.bases)}, Jitsi's packages from {prepared.jitsi}.")
    return 0


def console(options: argparse.Namespace, state: Path) -> int:
    return command_line.console(_running(state), options)


def execute(options: argparse.Namespace, state: Path) -> int:
    return command_line.execute(_running(state), options)


def _running(state: Path) -> process.LocalCloud:
    handle = process.running(state)
    if handle is None:
        raise process.NotStartedError("The embedded cloud does not run. Start it: python -m local_cloud up")
    return handle


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
    if report["hosts"] is not None:
        print("\n" + command_line.table(report["hosts"]))
    for problem in report["problems"]:
        print(f"problem: {problem}")
    return 0


def reset(_: argparse.Namespace, state: Path) -> int:
    """Through the server where it runs; else the files go."""
    handle = process.running(state)
    if handle is not None:
        handle.admin.reset()
    else:
        for name in ("cloud.sqlite", "cloud.sqlite-wal", "cloud.sqlite-shm", "calls.jsonl"):
            (state / name).unlink(missing_ok=True)
        shutil.rmtree(state / "hosts", ignore_errors=True)
    print(f"The embedded cloud in {state} is empty.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local_cloud", description="The embedded cloud, on loopback only.")
    commands = parser.add_subparsers(required=True, metavar="up|down|status|reset|prepare|console|exec")
    for name, run, text in (
        ("up", up, "start it"),
        ("down", down, "stop it"),
        ("status", status, "what it holds, and its hosts"),
        ("reset", reset, "empty it"),
        ("prepare", prepare, "make the images and package archives that hosts boot from"),
        ("console", console, "the last lines of a host's console"),
        ("exec", execute, "run a command on a host as root; without one, a shell"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        command.add_argument("--state", type=Path, default=paths.state_folder(), help="state folder (%(default)s)")
        if run in (console, execute):
            command.add_argument("host", help="its name, as in bridge-2")
        if run is execute:
            command.usage = "python -m local_cloud exec [--state STATE] host [-- command ...]"
        if run is console:
            command.add_argument("--lines", type=int, default=40)
            command.add_argument("--cloud-init", action="store_true", help="the log of cloud-init instead")
        if run is prepare:
            command.add_argument("--image", action="append", help="debian-12 (default), debian-13; may be given twice")
        if run is up:
            _of_up(command)
    return parser


def _of_up(command: argparse.ArgumentParser) -> None:
    command.add_argument("--port", type=int, help=f"port on 127.0.0.1 (LOCAL_CLOUD_PORT, else {paths.DEFAULT_PORT})")
    command.add_argument("--action-seconds", type=float, default=0.3, help="how long an action runs (%(default)s)")
    command.add_argument("--calls-per-hour", type=int, default=3600, help="rate limit of a Hetzner project")
    command.add_argument("--foreground", action="store_true", help="stay in the foreground")
    command.add_argument("--aws", action="store_true", help="EC2 too, which moto emulates")
    command.add_argument("--first-address", default="127.90.0.1", help="where public addresses begin (%(default)s)")
    command.add_argument(
        "--hosts", action=argparse.BooleanOptionalAction, help="let servers boot (default: where this machine can)"
    )


if __name__ == "__main__":
    sys.exit(main())
