"""A shard for tests on this machine's loopback: real prosody, the stand-in jicofo, and bridges that a test controls.

The programs run in the checkers' root of Debian packages, on free ports.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tools import checkers

DOMAIN = "meet.lab.test"
BREWERY = f"jvbbrewery@internal.auth.{DOMAIN}"
PACKAGES = Path(__file__).resolve().parents[2] / "local_cloud/packages"
FAKE = Path(__file__).with_name("fake_bridge.py")
PASSWORD = "focus-password"  # noqa: S105 - of a server that lives as long as the test


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def fetch(port: int, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"http://127.0.0.1:{port}{path}", None if body is None else body.encode(), headers, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310
            return Answer(reply.status, {k.lower(): v for k, v in reply.headers.items()}, reply.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read().decode())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(claim: Any, seconds: float, what: str) -> float:
    """Waits until the call gives true; how long that took. AssertionError after `seconds`."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while loop.time() - began < seconds:
        with contextlib.suppress(OSError):
            if await asyncio.to_thread(claim):
                return loop.time() - began
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


@dataclass
class Program:
    """A process in the root, with what it printed."""

    process: subprocess.Popen[bytes]
    output: Path

    @property
    def pid(self) -> int:
        """Of the program itself, below `unshare`."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def stop(self, number: int = signal.SIGKILL) -> int:
        if self.process.poll() is None:
            with contextlib.suppress(OSError, IndexError):
                os.kill(self.pid, number)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


@dataclass
class FakeBridge:
    """A bridge that does what the test says, by its control port."""

    name: str
    control: int
    program: Program

    def set(self, **state: Any) -> None:
        assert fetch(self.control, "POST", "/set", json.dumps(state)).status == 200

    def state(self) -> dict[str, Any]:
        return dict(fetch(self.control, "GET", "/state").json)


@dataclass
class Shard:
    tree: Path
    certificate: Path
    c2s: int = field(default_factory=free_port)
    web: int = field(default_factory=free_port)
    rest: int = field(default_factory=free_port)
    programs: list[Program] = field(default_factory=list)

    def run(self, name: str, *command: str, **environment: str) -> Program:
        output = self.tree / f"tmp/{name}-{len(self.programs)}.log"
        into = [part for part in checkers.enter(self.tree) if part != "--net"]
        path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        with output.open("wb") as file:
            process = subprocess.Popen(
                [*into, *command], stdout=file, stderr=subprocess.STDOUT, env=path | environment, start_new_session=True
            )
        program = Program(process, output)
        self.programs.append(program)
        return program

    def prosody(self) -> Program:
        return self.run("prosody", "/usr/bin/prosody", "-F", "--config", "/etc/prosody/shard.cfg.lua")

    def jicofo(self, **keys: Any) -> Program:
        """Starts it with settings of the cluster's kind; `keys` are dotted paths below `jicofo`, `__` for a dot."""
        settings = {
            "bridge.brewery-jid": BREWERY,
            "health.enabled": True,
            "rest.port": self.rest,
            "xmpp.client.hostname": "127.0.0.1",
            "xmpp.client.port": self.c2s,
            "xmpp.client.domain": f"auth.{DOMAIN}",
            "xmpp.client.xmpp-domain": DOMAIN,
            "xmpp.client.password": PASSWORD,
            "xmpp.client.client-proxy": f"focus.{DOMAIN}",
        } | {key.replace("__", ".").replace("_", "-"): value for key, value in keys.items()}
        lines = (f"jicofo.{key} = {json.dumps(value)}" for key, value in settings.items())
        (self.tree / "etc/jicofo.conf").write_text("\n".join(lines))
        return self.run("jicofo", "/usr/bin/python3", "/opt/jicofo/jicofo.py", "--config", "/etc/jicofo.conf")

    def bridge(self, name: str, **state: Any) -> FakeBridge:
        control = free_port()
        program = self.run(
            name,
            "/usr/bin/python3",
            "/opt/fake_bridge.py",
            *("--server", "127.0.0.1", "--port", str(self.c2s), "--domain", DOMAIN),
            *("--nick", name, "--control", str(control), "--state", json.dumps(state)),
        )
        return FakeBridge(name, control, program)

    def get(self, path: str) -> Answer:
        return fetch(self.rest, "GET", path)

    def numbers(self) -> dict[str, Any]:
        return dict(self.get("/stats").json)

    def bridges(self) -> dict[str, Any]:
        told = self.get("/debug").json["bridge_selector"]["bridge"]
        return {jid.partition("/")[2]: state for jid, state in told.items()}

    def stop(self, *programs: Program) -> None:
        for program in reversed(programs or tuple(self.programs)):
            program.stop()


@contextlib.contextmanager
def shard() -> Iterator[Shard]:
    """A root with prosody running in it; all that runs in it ends with it. UnavailableError without apt."""
    root = checkers.root()
    tree = root.parent / f"jicofo-{os.getpid()}-{free_port()}"
    subprocess.run(["cp", "--archive", "--link", root, tree], check=True)
    made = Shard(tree, tree / "tmp/ca.crt")
    try:
        _prepare(made)
        made.prosody()
        yield made
    finally:
        made.stop()
        shutil.rmtree(tree, ignore_errors=True)


def _prepare(made: Shard) -> None:
    tree = made.tree
    (tree / "opt/jicofo").mkdir(parents=True)
    shutil.copy(PACKAGES / "jicofo.py", tree / "opt/jicofo")
    shutil.copytree(PACKAGES / "known_keys", tree / "opt/jicofo/known_keys")
    (tree / "opt/jicofo/version").write_text("1.0-1189-gstandin-1")
    shutil.copy(FAKE, tree / "opt/fake_bridge.py")
    authority = _certificates(tree)
    bundle = tree / "etc/ssl/certs/ca-certificates.crt"
    bundle.unlink()
    bundle.write_bytes(authority)
    made.certificate.write_bytes(authority)
    (tree / "etc/prosody/shard.cfg.lua").write_text(_configuration(made))
    for user, password in (("focus", PASSWORD), ("jvb", PASSWORD)):
        folder = tree / f"var/lib/prosody/auth%2e{DOMAIN.replace('.', '%2e')}/accounts"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{user}.dat").write_text(f'return {{ ["password"] = "{password}"; }};')


def _certificates(tree: Path) -> bytes:
    """Writes the key pairs of both names; the authority's certificate."""
    now = datetime.now(UTC)

    def build(name: str, key: ec.EllipticCurvePrivateKey, issuer: str, sign: ec.EllipticCurvePrivateKey) -> bytes:
        def common(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        builder = x509.CertificateBuilder(common(issuer), common(name), key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(name == issuer, None), critical=True)
        if name != issuer:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        return builder.sign(sign, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    authority = ec.generate_private_key(ec.SECP256R1())
    for name in (f"auth.{DOMAIN}", DOMAIN):
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (tree / f"etc/prosody/certs/{name}.key").write_bytes(pem)
        (tree / f"etc/prosody/certs/{name}.crt").write_bytes(build(name, key, "test authority", authority))
    return build("test authority", authority, "test authority", authority)


def _configuration(made: Shard) -> str:
    """As the signaling role configures prosody, with what is in Debian's package."""
    focus, jvb, certs = f"focus@auth.{DOMAIN}", f"jvb@auth.{DOMAIN}", "/etc/prosody/certs"
    return f"""
run_as_root = true
pidfile = "/tmp/prosody.pid"
data_path = "/var/lib/prosody"
modules_enabled = {{ "roster"; "saslauth"; "tls"; "disco"; "ping"; }}
modules_disabled = {{ "s2s"; "offline"; }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {made.c2s} }}
http_ports = {{}}
https_ports = {{ {made.web} }}
https_ssl = {{ key = "{certs}/{DOMAIN}.key"; certificate = "{certs}/{DOMAIN}.crt"; }}
consider_websocket_secure = true
component_admins_as_room_owners = true
authentication = "internal_plain"
storage = "internal"
log = {{ info = "*console" }}

VirtualHost "{DOMAIN}"
  authentication = "anonymous"
  modules_enabled = {{ "websocket"; "smacks"; }}
  ssl = {{ key = "{certs}/{DOMAIN}.key"; certificate = "{certs}/{DOMAIN}.crt"; }}

VirtualHost "auth.{DOMAIN}"
  modules_enabled = {{ "smacks"; }}
  smacks_hibernation_time = 15
  ssl = {{ key = "{certs}/auth.{DOMAIN}.key"; certificate = "{certs}/auth.{DOMAIN}.crt"; }}

Component "conference.{DOMAIN}" "muc"
  restrict_room_creation = true
  storage = "memory"
  admins = {{ "{focus}" }}
  muc_room_locking = false
  muc_room_default_public_jids = true

Component "internal.auth.{DOMAIN}" "muc"
  restrict_room_creation = true
  storage = "memory"
  admins = {{ "{focus}", "{jvb}" }}
  muc_room_locking = false
  muc_room_default_public_jids = true
"""
