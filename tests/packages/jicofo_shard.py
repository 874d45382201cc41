"""A shard in a network namespace of its own: real prosody and nginx with the signaling role's files, and stand-ins.

The programs run in the checkers' root of Debian packages. Whoever makes a shard is inside its namespace until it ends,
with all ports as on a host and the domain at 127.0.0.1.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_cloud.people import Site
from tests.level2_checked.rendered import landed, signaling
from tools import checkers

DOMAIN = "meet.lab.test"
BREWERY = f"jvbbrewery@internal.auth.{DOMAIN}"
PACKAGES = Path(__file__).resolve().parents[2] / "local_cloud/packages"
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET


@dataclass(frozen=True)
class Answer:
    status: int
    kind: str
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def fetch(port: int, method: str, path: str, body: str | None = None) -> Answer:
    """The answer of a program on this port of the shard, whatever its status."""
    headers = {"Content-Type": "application/json", "Accept": "*/*"}
    data = None if body is None else body.encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers, method=method)
    try:
        reply = urllib.request.urlopen(request, timeout=10)  # noqa: S310 - loopback
    except urllib.error.HTTPError as error:
        reply = error
    with reply:
        return Answer(reply.status, reply.headers.get("Content-Type", ""), reply.read().decode())


def until(claim: Callable[[], object], seconds: float, what: str) -> float:
    """How long it took for the call to give something true. AssertionError after `seconds`."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        with contextlib.suppress(OSError, ValueError):
            if claim():
                return time.monotonic() - began
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


async def soon(claim: Callable[[], object], seconds: float, what: str) -> float:
    """`until` for a test that has people in a room meanwhile."""
    return await asyncio.to_thread(until, claim, seconds, what)


@dataclass
class Program:
    process: subprocess.Popen[bytes]
    output: Path

    def kill(self, number: int) -> None:
        """To the program itself, which is below `unshare`."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        os.kill(int(children[0]), number)

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def end(self, number: int = signal.SIGKILL) -> int:
        """Its exit status, as a shell would tell it."""
        if self.process.poll() is None:
            with contextlib.suppress(OSError, IndexError):
                self.kill(number)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


@dataclass
class Bridge:
    """A stand-in bridge and its private REST interface."""

    name: str
    port: int
    program: Program

    def post(self, path: str, body: str | None = None) -> None:
        assert fetch(self.port, "POST", path, body or "").status == 200

    def rooms(self) -> int:
        return int(fetch(self.port, "GET", "/colibri/stats").json["conferences"])


@dataclass
class Shard:
    tree: Path
    programs: list[Program] = field(default_factory=list)

    @property
    def certificate(self) -> Path:
        return self.tree / "etc/ssl/certs/ca-certificates.crt"

    def site(self, request: str = "http") -> Site:
        return Site(DOMAIN, address="127.0.0.1", authority=self.certificate, request=request)

    def run(self, name: str, *command: str) -> Program:
        output = self.tree / f"tmp/{name}-{len(self.programs)}.log"
        # As checkers.enter, but in this network and with /proc, which the bridge reads.
        own = ["--mount", f"--mount-proc={self.tree}/proc", "--pid", "--fork", "--kill-child"]
        into = ["unshare", *own, "sh", "-c", 'mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"', str(self.tree)]
        path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        with output.open("wb") as file:
            process = subprocess.Popen([*into, *command], stdout=file, stderr=subprocess.STDOUT, env=path)
        self.programs.append(Program(process, output))
        return self.programs[-1]

    def start_prosody(self) -> None:
        """As the first of the programs."""
        self.run("prosody", "/usr/bin/prosody", "-F")
        self.programs.insert(0, self.programs.pop())
        until(lambda: fetch(5280, "GET", "/").status, 10, "prosody answers")

    def restart_prosody(self) -> None:
        self.programs.pop(0).end(signal.SIGTERM)
        self.start_prosody()

    def jicofo(self, **keys: Any) -> Program:
        """Starts it with the role's settings; `keys` are paths below `jicofo` with `__` for a dot."""
        role = (self.tree / "etc/jitsi/jicofo/jicofo.conf").read_text()
        more = (
            f"jicofo.{key.replace('__', '.').replace('_', '-')} = {json.dumps(value)}" for key, value in keys.items()
        )
        _write(self.tree / "etc/jitsi/lab/jicofo.conf", "\n".join((role, *more)))
        return self.run(
            "jicofo", "/usr/bin/python3", "/usr/share/jicofo/jicofo.py", "--config", "/etc/jitsi/lab/jicofo.conf"
        )

    def bridge(self, number: int, program: str = "videobridge", **keys: Any) -> Bridge:
        """Starts jvb-lab-N; `keys` are paths of its configuration with `__` for a dot."""
        name, port = f"jvb-lab-{number}", 8079 + number
        client = "videobridge.apis.xmpp-client.configs.shard-1"
        settings = {
            "videobridge.apis.rest.enabled": True,
            "videobridge.rest.shutdown.enabled": True,
            "videobridge.http-servers.private.port": port,
            "videobridge.ice.udp.port": 10000 + number,
            "videobridge.load-management.load-measurements.load-measurement": "packet-rate",
            "videobridge.health.require-valid-address": False,
            "ice4j.harvest.mapping.aws.enabled": False,
            "ice4j.harvest.mapping.stun.addresses": [],
            f"{client}.HOSTNAME": "127.0.0.1",
            f"{client}.DOMAIN": f"auth.{DOMAIN}",
            f"{client}.USERNAME": "jvb",
            f"{client}.PASSWORD": signaling().jvb_password,
            f"{client}.MUC_JIDS": BREWERY,
            f"{client}.MUC_NICKNAME": name,
        } | {key.replace("__", ".").replace("_", "-"): value for key, value in keys.items()}
        text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
        _write(self.tree / f"etc/jitsi/lab/{name}.conf", text)
        file = f"/usr/share/jitsi-{program}/videobridge.py"
        return Bridge(name, port, self.run(name, "/usr/bin/python3", file, "--config", f"/etc/jitsi/lab/{name}.conf"))

    def get(self, path: str) -> Answer:
        return fetch(8888, "GET", path)

    def numbers(self) -> dict[str, Any]:
        return dict(self.get("/stats").json)

    def selector(self) -> dict[str, int]:
        return dict(self.numbers()["bridge_selector"])

    def bridges(self) -> dict[str, Any]:
        told = self.get("/debug").json["bridge_selector"]["bridge"]
        return {jid.partition("/")[2]: state for jid, state in told.items()}

    def operational(self, number: int) -> Callable[[], bool]:
        return lambda: self.selector()["operational_bridge_count"] == number

    def end(self, *programs: Program) -> None:
        """In order, or prosody would keep the sessions of the dead for a while."""
        for program in reversed(programs or tuple(self.programs)):
            with contextlib.suppress(OSError, IndexError):
                program.kill(signal.SIGCONT)
            program.end(signal.SIGTERM)


@contextlib.contextmanager
def shard() -> Iterator[Shard]:
    """prosody and nginx run; what runs ends with it. UnavailableError where there is no apt or no right to it."""
    if os.geteuid():
        raise checkers.UnavailableError("a network namespace for a shard needs root")
    root = checkers.root()
    tree = root.parent / f"shard-{os.getpid()}"
    with _own_network(), contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, tree, ignore_errors=True)
        subprocess.run(["cp", "--archive", "--link", root, tree], check=True)
        made = Shard(tree)
        _prepare(tree)
        undo.callback(made.end)
        made.start_prosody()
        made.run("nginx", "/usr/sbin/nginx", "-g", "daemon off;")
        yield made


@contextlib.contextmanager
def _own_network() -> Iterator[None]:
    libc = ctypes.CDLL(None, use_errno=True)

    def move(result: int) -> None:
        if result:
            raise OSError(ctypes.get_errno(), "network namespace")

    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        move(libc.unshare(_NEW_NETWORK))
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        move(libc.setns(outside, _NEW_NETWORK))
        os.close(outside)


def _prepare(tree: Path) -> None:
    """What cloud-init, the packages and the role's own script leave on a signaling node, as far as it is used here."""
    values = signaling(domain=DOMAIN, tls="cluster", email="", region="nbg1")
    for path, written in landed(values).items():
        _write(tree / path.lstrip("/"), written.content)
    shutil.copytree(
        PACKAGES / "jitsi-meet-prosody/usr/share/jitsi-meet", tree / "usr/share/jitsi-meet", dirs_exist_ok=True
    )
    for folder, program in (("jicofo", "jicofo"), ("jitsi-videobridge", "videobridge"), ("jitsi-newer", "videobridge")):
        place = tree / "usr/share" / folder
        (place / "known_keys").mkdir(parents=True)
        for file in (f"{program}.py", f"known_keys/{program}.txt"):
            shutil.copy(PACKAGES / file, place / file)
    (tree / "usr/share/jicofo/version").write_text("1.0-1189-gstandin-1")
    (tree / "usr/share/jitsi-videobridge/version").write_text("2.3-307-gstandin-1")
    (tree / "usr/share/jitsi-newer/version").write_text("2.3-308-gstandin-1")
    for kind in ("crt", "key"):
        _write(tree / f"etc/jitsi-fleet/tls/site.{kind}", (tree / f"etc/jitsi-fleet/tls/web.{kind}").read_text())
        auth = (tree / f"etc/jitsi-fleet/tls/auth.{kind}").read_text()
        _write(tree / f"etc/prosody/certs/auth.{DOMAIN}.{kind}", auth)
    _write(tree / "etc/ssl/certs/ca-certificates.crt", values.ca_certificate)
    for name, target in (
        ("etc/nginx/sites-enabled/jitsi-fleet.conf", "../sites-available/jitsi-fleet.conf"),
        (f"etc/prosody/conf.d/{DOMAIN}.cfg.lua", f"../conf.avail/{DOMAIN}.cfg.lua"),
    ):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(target)
    (tree / "etc/nginx/sites-enabled/default").unlink(missing_ok=True)
    (tree / "run/prosody").mkdir(parents=True, exist_ok=True)
    (tree / "var/log/prosody").mkdir(parents=True, exist_ok=True)
    # A few people are too many at once here.
    for folder, ours, lower in (("conf.d", "rate=50r/s", "rate=5r/s"), ("sites-available", "burst=500", "burst=20")):
        limits = tree / f"etc/nginx/{folder}/jitsi-fleet.conf"
        assert ours in limits.read_text()
        _write(limits, limits.read_text().replace(ours, lower))
    main = (tree / "etc/prosody/prosody.cfg.lua").read_text()
    _write(tree / "etc/prosody/prosody.cfg.lua", f"run_as_root = true\n{main}")
    accounts = tree / f"var/lib/prosody/auth%2e{DOMAIN.replace('.', '%2e')}"
    for user, password in (("focus", values.focus_password), ("jvb", values.jvb_password)):
        _write(accounts / f"accounts/{user}.dat", f'return {{ ["password"] = "{password}"; }};')
    # As `prosodyctl mod_roster_command subscribe` of the package does.
    _write(accounts / "roster/focus.dat", _ROSTER.replace("NAME", f"focus.{DOMAIN}"))


_ROSTER = 'return { [false] = { ["version"] = 1; }; ["NAME"] = { ["subscription"] = "from"; ["groups"] = {}; }; };'


def _write(place: Path, text: str) -> None:
    """Replaces the file: its name may be a link to the cache's copy."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.write_text(text)
