"""A prosody of Debian's, bridges and a watcher of the brewery, in namespaces and a root of their own.

What a bridge meets on a host is here: prosody's brewery behind TLS, and addresses to harvest. Everything ends with the
process that holds the namespaces. Longer than other files: prosody, the bridges and who asks them share the namespaces.
"""

import datetime
import json
import os
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.packages.certificates import certificate, key_pem, pem
from tools import checkers

HERE, PACKAGES = Path(__file__).parent, Path(__file__).parents[2] / "local_cloud/packages"
DOMAIN, PASSWORD = "meet.lab.test", 'a#b@c"d'  # as letters that a careless reader of HOCON stumbles over
BREWERY = f"jvbbrewery@internal.auth.{DOMAIN}"
VERSION = "2.3-307-gstandin-1"
PROGRAM = "/usr/share/jitsi-videobridge"
HIBERNATION = 10  # seconds; 15 in a cluster
PUBLIC, PRIVATE = "198.51.100.7", "10.77.0.1"
BRIDGE: dict[str, Any] = {
    "videobridge.apis.xmpp-client.configs.shard": {
        "HOSTNAME": "127.0.0.1",
        "DOMAIN": f"auth.{DOMAIN}",
        "USERNAME": "jvb",
        "PASSWORD": PASSWORD,
        "MUC_JIDS": BREWERY,
    },
    "videobridge.apis.rest.enabled": True,
    "videobridge.rest.shutdown.enabled": True,
    "videobridge.load-management.load-measurements.load-measurement": "packet-rate",
    "ice4j.harvest.mapping.aws.enabled": False,
}
_PROSODY = f"""
run_as_root = true
daemonize = false
pidfile = "/run/prosody.pid"
modules_enabled = {{ "roster", "saslauth", "tls", "disco", "ping", "smacks" }}
modules_disabled = {{ "s2s", "offline" }}
c2s_require_encryption = true
c2s_ports = {{ 5222 }}
authentication = "internal_hashed"
storage = "internal"
log = {{ info = "*console" }}
component_admins_as_room_owners = true
-- How long a bridge that vanished stays in the brewery.
smacks_hibernation_time = {HIBERNATION}
VirtualHost "auth.{DOMAIN}"
  ssl = {{ key = "/etc/lab/auth.key", certificate = "/etc/lab/auth.crt" }}
VirtualHost "other.{DOMAIN}"
  ssl = {{ key = "/etc/lab/auth.key", certificate = "/etc/lab/auth.crt" }}
Component "internal.auth.{DOMAIN}" "muc"
  storage = "memory"
  restrict_room_creation = true
  muc_room_locking = false
  muc_room_default_public_jids = true
  admins = {{ "focus@auth.{DOMAIN}", "jvb@auth.{DOMAIN}" }}
"""


@dataclass(frozen=True)
class Answer:
    """What the REST interface said; `body` is parsed where it is JSON."""

    status: str
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


@dataclass
class Bridge:
    """A running bridge."""

    lab: "Lab"
    process: subprocess.Popen[str]
    log_file: Path
    port: int
    nick: str

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def at(self, text: str) -> list[float]:
        """When the log's lines with this text were written, in seconds."""
        stamps = [line[4:27] for line in self.log.splitlines() if text in line and line.startswith("JVB ")]
        return [datetime.datetime.fromisoformat(each).timestamp() for each in stamps]

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> Answer | None:
        """One request, without any header but those given (`_` stands for a dash); None when nobody listens."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.lab.request(port=self.port, method=method, path=path, headers=given, body=body)
        return Answer(**answer) if answer else None

    def stats(self) -> dict[str, Any] | None:
        answer = self.ask("GET", "/colibri/stats")
        return dict(answer.body) if answer else None

    def shut_down(self, graceful: str) -> None:
        asked = json.dumps({"graceful-shutdown": graceful})
        answer = self.ask("POST", "/colibri/shutdown", asked, Content_Type="application/json")
        assert answer
        assert answer.status == "200 OK"

    def kill(self, number: int) -> None:
        # The program is the child of nsenter.
        os.kill(int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()), number)


@dataclass
class Watcher:
    """An occupant of the brewery who writes down what it sees and can ask a bridge, as jicofo does."""

    process: subprocess.Popen[str]
    seen: list[dict[str, Any]] = field(default_factory=list)
    answers: "queue.Queue[dict[str, Any]]" = field(default_factory=queue.Queue)

    def follow(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            event = json.loads(line)
            if event["kind"] == "presence":
                self.seen.append(event)
            else:
                self.answers.put(event)

    def of(self, nick: str, since: float = 0) -> list[dict[str, Any]]:
        """Presences of an occupant; `since` is a time of time.time()."""
        return [each for each in list(self.seen) if each["nick"] == nick and each["time"] >= since]

    def ask(self, nick: str, request: str) -> str:
        """Sends an IQ's payload to a bridge and returns the whole answer as XML."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"nick": nick, "request": request}) + "\n")
        self.process.stdin.flush()
        answer: str = self.answers.get(timeout=20)["answer"]
        return answer


class Lab:
    """The namespaces, with prosody running."""

    password = PASSWORD

    def __init__(self, root: Path, tree: Path) -> None:
        self.tree = tree
        subprocess.run(["cp", "--archive", "--link", root, tree], check=True)
        for source in ("videobridge.py", "known_keys/videobridge.txt"):
            self.write(f"{PROGRAM}/{source}", (PACKAGES / source).read_text())
        self.write(f"{PROGRAM}/version", VERSION + "\n")
        self.write("/etc/hosts", "127.0.0.1 localhost\n")
        self.write("/etc/prosody/prosody.cfg.lua", _PROSODY)
        for helper in ("brewery_watcher.py", "rest_asker.py"):
            self.write(f"/opt/{helper}", (HERE / helper).read_text())
        self._certify()
        script = (
            "mount -t proc proc /proc; ip link set lo up; ip link add lab type veth peer name other; "
            f"ip address add {PUBLIC}/32 dev lab; ip address add {PRIVATE}/32 dev lab; "
            "ip link set lab up; ip link set other up; echo ready; exec sleep infinity"
        )
        command = [*checkers.enter(tree), "sh", "-c", script]
        self._holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout
        assert self._holder.stdout.readline() == "ready\n"
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text()
        self._inside = children.split()[0]
        for user in ("jvb", "focus"):
            done = self.run("prosodyctl", "--root", "register", user, f"auth.{DOMAIN}", PASSWORD)
            assert done.returncode == 0, done.stdout + done.stderr
        self._numbers = iter(range(8080, 9999))
        self._watcher: Watcher | None = None
        self._asker = self.start("python3", "/opt/rest_asker.py", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.start_prosody()

    def write(self, path: str, content: str | bytes) -> None:
        place = self.tree / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)  # its name may be a link to the cache's copy
        place.write_bytes(content.encode() if isinstance(content, str) else content)

    def enter(self) -> list[str]:
        user = ["--user", "--preserve-credentials"] if os.geteuid() else []
        return ["nsenter", "--target", self._inside, *user, "--mount", "--net", "--pid", "--root", "--wd"]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.enter(), *command], capture_output=True, text=True, timeout=60, env=_ENVIRONMENT)

    def start(self, *command: str, **streams: Any) -> subprocess.Popen[str]:
        return subprocess.Popen([*self.enter(), *command], text=True, env=_ENVIRONMENT, **streams)

    def start_prosody(self) -> None:
        with (self.tree / "prosody.log").open("a") as output:
            self._prosody = self.start("prosody", "-F", stdout=output, stderr=output)
        wait_for(lambda: ":5222" in self.run("ss", "-ltn").stdout, "prosody listens")

    def stop_prosody(self) -> None:
        self.run("sh", "-c", "kill $(cat /run/prosody.pid)")
        self._prosody.wait(10)

    @contextmanager
    def trusting(self, pem: str, java: bytes = b"") -> Iterator[None]:
        """Hosts that trust another authority; with `java`, a key store of Java's, too."""
        self.write("/etc/ssl/certs/ca-certificates.crt", pem)
        if java:
            self.write("/etc/ssl/certs/java/cacerts", java)
        try:
            yield
        finally:
            self.write("/etc/ssl/certs/ca-certificates.crt", self.authority)
            (self.tree / "etc/ssl/certs/java/cacerts").unlink(missing_ok=True)

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()

    def configuration(self, settings: Mapping[str, Any]) -> str:
        """HOCON of dotted keys, so that maps of the same name have to be merged."""
        return "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())

    @contextmanager
    def bridge(self, settings: Mapping[str, Any] | None = None, **shard: Any) -> Iterator[Bridge]:
        """A bridge with the recordings' settings, changed by `settings`; `shard` changes its entry."""
        port = next(self._numbers)
        values = BRIDGE | {
            "videobridge.http-servers.private.port": port,
            "videobridge.ice.udp.port": port + 2000,
        }
        # A nickname of its own: after a kill, prosody keeps the last one's for a while.
        shard = BRIDGE["videobridge.apis.xmpp-client.configs.shard"] | {"MUC_NICKNAME": f"jvb-lab-{port}"} | shard
        values["videobridge.apis.xmpp-client.configs.shard"] = shard
        file, log_file = f"/etc/jvb-{port}.conf", self.tree / f"jvb-{port}.log"
        self.write(file, self.configuration(values | dict(settings or {})))
        with log_file.open("w") as output:
            process = self.start("python3", f"{PROGRAM}/videobridge.py", "--config", file, stdout=output, stderr=output)
        bridge = Bridge(self, process, log_file, port, shard["MUC_NICKNAME"])
        try:
            wait_for(lambda: process.poll() is not None or bridge.ask("GET", "/"), "the bridge answers")
            yield bridge
        finally:
            if process.poll() is None:
                bridge.kill(9)
            process.wait(10)

    def watcher(self) -> Watcher:
        """The watcher in the brewery; a new one when prosody has sent the last one away."""
        if not self._watcher or self._watcher.process.poll() is not None:
            account = [f"focus@auth.{DOMAIN}", PASSWORD, f"{BREWERY}/focus"]
            process = self.start("python3", "/opt/brewery_watcher.py", *account, **_PIPES)
            watcher = self._watcher = Watcher(process)
            threading.Thread(target=watcher.follow, daemon=True).start()
            wait_for(lambda: watcher.of("focus"), "the watcher is in the brewery")
        return self._watcher

    def request(self, **request: Any) -> dict[str, Any] | None:
        """Asks a REST interface; what rest_asker.py has got."""
        assert self._asker.stdin
        assert self._asker.stdout
        print(json.dumps(request), file=self._asker.stdin, flush=True)
        answer: dict[str, Any] | None = json.loads(self._asker.stdout.readline())
        return answer

    def _certify(self) -> None:
        authority, authority_key = certificate("the lab's authority")
        host, key = certificate(f"auth.{DOMAIN}", issuer=(authority, authority_key))
        self.write("/etc/lab/auth.crt", pem(host))
        self.write("/etc/lab/auth.key", key_pem(key))
        self.authority = pem(authority)
        self.write("/etc/ssl/certs/ca-certificates.crt", self.authority)


def room(
    meeting: str, create: Sequence[str] = (), expire: Sequence[str] = (), change: Sequence[str] = (), new: bool = True
) -> str:
    """A conference-modify, as jicofo sends it; one that makes endpoints makes the conference, too, if that is `new`."""
    plain = ' create="true"' if create and new else ""
    ends = "".join(f'<endpoint id="{each}" create="true"><transport><sctp/></transport></endpoint>' for each in create)
    ends += "".join(f'<endpoint id="{each}" expire="true"/>' for each in expire)
    ends += "".join(f'<endpoint id="{each}"/>' for each in change)
    name = f"{meeting}@conference.{DOMAIN}"
    plain = f'xmlns="jitsi:colibri2" meeting-id="{meeting}" name="{name}"{plain}'
    return f"<conference-modify {plain}>{ends}</conference-modify>"


_PIPES: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", "HOME": "/root"}


def wait_for(claim: Callable[[], Any], what: str, limit: float = 30) -> None:
    """Waits until `claim` holds. AssertionError after `limit` seconds; how long it takes is no claim."""
    start = time.monotonic()
    while not claim():
        assert time.monotonic() - start < limit, f"not within {limit} s: {what}"
        time.sleep(0.02)


@contextmanager
def lab(root: Path, folder: Path) -> Iterator[Lab]:
    if not shutil.which("nsenter"):
        raise checkers.UnavailableError("no nsenter on this machine")
    made = Lab(root, folder)
    try:
        yield made
    finally:
        made.close()
