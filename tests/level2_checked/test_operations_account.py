"""Level 2: the account that drains are asked through: what sshd makes of its rules, what `authorize` takes and writes.

Whether a real sshd then lets anybody do more than that, level 4 shows.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from components.doors import Role
from components.operations import PROGRAM
from components.user_data import CLOUD_INIT, SignalingValues
from tests.level2_checked.conftest import Host
from tests.level2_checked.rendered import case, key_line

AUTHORIZE = CLOUD_INIT / "signaling/files/usr/local/lib/jitsi-fleet/authorize"
KEY = key_line()
SOURCES = "198.51.100.0/24,2001:db8::/64"
SMALL = "#!/usr/bin/python3\nprint('drains')\n"
HOME = "/var/lib/jitsi-fleet/operations"
SMALL = "#!/usr/bin/python3\nprint('drains')\n"
DIGEST = hashlib.sha256(SMALL.encode()).hexdigest()


@pytest.fixture
def asked(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`asked(line, program)` runs the script as SSH would, with a folder of the test's as the account's home."""
    script = tmp_path / "authorize"
    home = tmp_path / "home"
    home.mkdir()
    text = AUTHORIZE.read_text()
    assert HOME in text, "the control: the script is led to the test's folder"
    script.write_text(text.replace(HOME, str(home)))

    def run(line: str | None, program: str = SMALL) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"]} | ({} if line is None else {"SSH_ORIGINAL_COMMAND": line})
        return subprocess.run(
            ["/bin/bash", script], input=program, env=environment, capture_output=True, text=True, timeout=60
        )

    return run


def authorize(key: str, program: str = SMALL) -> str:
    return f"authorize {SOURCES} {key} {hashlib.sha256(program.encode()).hexdigest()}"


def written(tmp_path: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (tmp_path / "home").iterdir()}


def effective(node: Host, user: str) -> dict[str, str]:
    node.run("/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/host-key")
    done = node.run("/usr/sbin/sshd", "-T", "-h", "/run/host-key", "-C", f"user={user},host=x,addr=192.0.2.7")
    assert done.returncode == 0, done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_the_account_of_drains_gets_no_terminal_no_forwarding_and_no_password(
    host: Callable[[Role, str], Host],
) -> None:
    rules = effective(host("signaling", "plain"), "operations")
    assert rules["disableforwarding"] == "yes"
    assert (rules["permittty"], rules["permituserrc"]) == ("no", "no")
    assert rules["authenticationmethods"] == "publickey"
    assert (rules["passwordauthentication"], rules["kbdinteractiveauthentication"]) == ("no", "no")
    assert rules["authorizedkeysfile"].split() == ["/etc/jitsi-fleet/rotation-key", f"{HOME}/authorized_keys"]
    assert rules["clientaliveinterval"] != "0", "a session whose other end is gone must end some time"


def test_the_rules_of_that_account_are_nobody_else_s(host: Callable[[Role, str], Host]) -> None:
    rules = effective(host("signaling", "plain"), "root")
    assert rules["authorizedkeysfile"].split() == [".ssh/authorized_keys", ".ssh/authorized_keys2"]
    assert (rules["permittty"], rules["disableforwarding"]) == ("yes", "no")


def test_a_bridge_has_no_such_account(host: Callable[[Role, str], Host]) -> None:
    assert "jitsi-fleet" not in effective(host("bridge", "plain"), "operations")["authorizedkeysfile"]


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen on this machine")
def test_the_rotation_key_is_bound_to_one_program_where_nobody_but_root_writes(
    host: Callable[[Role, str], Host],
) -> None:
    node = host("signaling", "plain")
    line = (node.tree / "etc/jitsi-fleet/rotation-key").read_text()
    values = case("signaling", "plain")
    assert isinstance(values, SignalingValues)
    assert line == f'restrict,command="/usr/local/lib/jitsi-fleet/authorize" {values.rotation_public_key}\n'
    assert os.access(node.tree / "usr/local/lib/jitsi-fleet/authorize", os.X_OK)
    known = subprocess.run(["ssh-keygen", "-lf", "-"], input=line, capture_output=True, text=True)
    assert known.returncode == 0, known.stderr


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen on this machine")
def test_the_operations_key_is_named_with_its_sources_and_its_program(
    asked: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = asked(authorize(KEY, PROGRAM.read_text()), PROGRAM.read_text())
    assert done.returncode == 0, done.stderr
    home = tmp_path / "home"
    assert written(tmp_path) == {
        "authorized_keys": f'restrict,from="{SOURCES}",command="{home}/program" {KEY}\n',
        "program": PROGRAM.read_text(),
    }
    assert (home / "program").stat().st_mode & 0o777 == 0o755
    assert done.stdout.startswith("the operations key is SHA256:")
    assert done.stdout.count("\n") == 1


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen on this machine")
def test_another_key_takes_the_place_of_the_one_before(
    asked: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    other = key_line("another", size=32).rsplit(" ", 1)[0]
    assert other != KEY
    for key in (KEY, other):
        assert asked(authorize(key)).returncode == 0
    assert [line.rsplit(" ", 1)[1] for line in written(tmp_path)["authorized_keys"].splitlines()] == [other.split()[1]]


@pytest.mark.parametrize(
    "line",
    [
        None,
        "",
        "bash",
        "authorize",
        f"authorize {KEY} {DIGEST}",
        f"authorize {SOURCES} {KEY}",
        f"authorize {SOURCES} {KEY} {DIGEST} ",
        f" authorize {SOURCES} {KEY} {DIGEST}",
        f"authorize {SOURCES} {KEY} {DIGEST} comment",
        f"authorize {SOURCES} {KEY} {DIGEST[1:]}",
        f"authorize {SOURCES} {KEY} {DIGEST.upper()}",
        f"authorize {SOURCES} {KEY} {DIGEST}\nssh-ed25519 AAAA",
        f"\nauthorize {SOURCES} {KEY} {DIGEST}",
        f'authorize *",command="/bin/sh {KEY} {DIGEST}',
        f"authorize * {KEY} {DIGEST}",
        f"authorize host.example.org {KEY} {DIGEST}",
        f'authorize {SOURCES}" {KEY} {DIGEST}',
        f"authorize {SOURCES} {KEY.replace('ssh-ed25519', 'ssh-rsa', 1)} {DIGEST}",
        f"authorize {SOURCES} ssh-ed25519 $(id) {DIGEST}",
        f"authorize {SOURCES} ssh-ed25519 AAAA;id {DIGEST}",
        f"authorize {SOURCES} {KEY} {DIGEST}; id",
        f"authorize $(touch pwned) {KEY} {DIGEST}",
    ],
)
def test_all_else_is_refused_in_one_line_and_changes_nothing(
    asked: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, line: str | None
) -> None:
    done = asked(line)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "authorize SOURCES ssh-ed25519 KEY SHA256" in done.stderr
    assert written(tmp_path) == {}


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen on this machine")
@pytest.mark.parametrize("program", ["", PROGRAM.read_text()[:9000], PROGRAM.read_text() + "\n"])
def test_a_program_that_did_not_arrive_whole_leaves_the_one_before(
    asked: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, program: str
) -> None:
    """A connection that breaks half way must not leave a node that cannot drain."""
    assert asked(authorize(KEY)).returncode == 0
    before = written(tmp_path)
    other = key_line("another").rsplit(" ", 1)[0]
    done = asked(authorize(other, PROGRAM.read_text()), program)
    assert (done.returncode, done.stderr) == (1, "the program did not arrive whole\n")
    after = written(tmp_path)
    assert {name: after[name] for name in before} == before
