"""The programs that check the rendered files, out of Debian's packages, in a folder of their own.

`python -m tools.checkers` fetches them. Nothing is installed on the machine: apt resolves and downloads with its state
in the cache, and the packages are unpacked beside each other into a root for chroot, without their scripts, so that no
service starts. Works for every user where user namespaces do; needs apt, so a Debian or a relative of it.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tools.say import say

PACKAGES = (
    "apt",
    "bash",
    "ca-certificates",
    "cloud-init",
    "coreutils",
    "curl",
    "dash",
    "grep",
    "iproute2",
    "lua-unbound",
    "nftables",
    "nginx-light",
    "openssh-server",
    "prosody",
    "python3-aiohttp",
    "python3-slixmpp",
    "ruby-hocon",
    "sed",
    "shellcheck",
    "systemd",
    "unattended-upgrades",
)
# Folders that are links in a merged /usr; packages of Debian 12 still name them the old way.
_MERGED = ("bin", "lib", "lib64", "sbin")
# What the packages' scripts, which do not run here, would have made.
_ACCOUNTS = """root:x:0:0::/root:/bin/sh
www-data:x:33:33::/var/www:/bin/false
prosody:x:101:101::/var/lib/prosody:/bin/false
sshd:x:102:102::/run/sshd:/bin/false
"""
_GROUPS = """root:x:0:
www-data:x:33:
prosody:x:101:
"""


class UnavailableError(Exception):
    """The checkers cannot be had on this machine; the message says why."""


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "jitsi-fleet/checkers"


def root() -> Path:
    """The folder that the packages lie in, fetched if it is not there; two calls at once wait for each other.

    UnavailableError where there is no apt; RuntimeError when apt fails, which is a fault to mend and not to skip.
    """
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise UnavailableError("the checkers come from Debian's packages, and this machine has no apt")
    digest = hashlib.sha256("\n".join((*PACKAGES, Path(__file__).read_text(), _release())).encode()).hexdigest()[:12]
    place = cache() / digest
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = place / "root"
        if not ready.is_dir():
            unfinished = place / "root.new"
            shutil.rmtree(unfinished, ignore_errors=True)
            _unpack(_download(place), unfinished)
            unfinished.rename(ready)
            shutil.rmtree(place / "apt")
    return ready


def enter(tree: Path) -> list[str]:
    """The start of a command that runs a program with `tree` as its root, the machine's devices and no network.

    When it ends, so does all that it has started.
    """
    own = ["--map-root-user"] if os.geteuid() else []
    script = 'mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'
    return ["unshare", *own, "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, str(tree)]


def _release() -> str:
    return Path("/etc/os-release").read_text()


def _download(place: Path) -> list[Path]:
    """The packages and all that they depend on: to an empty status file nothing is installed yet."""
    state = place / "apt"
    for folder in ("lists/partial", "archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    options = {
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state,
        "APT::Sandbox::User": "",
        "APT::Install-Recommends": "false",
        "APT::Update::Error-Mode": "any",
        "Acquire::Retries": 3,
        "Debug::NoLocking": "true",
    }
    apt = ["apt-get", "-qq", "-y", *(f"-o{key}={value}" for key, value in options.items())]
    for arguments in (["update"], ["install", "--download-only", *PACKAGES]):
        done = subprocess.run([*apt, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the checkers cannot be fetched: apt-get {arguments[0]}: {done.stderr.strip()[-500:]}")
    return sorted((state / "archives").glob("*.deb"))


def _unpack(packages: list[Path], tree: Path) -> None:
    for name in _MERGED:
        (tree / "usr" / name).mkdir(parents=True)
        (tree / name).symlink_to(f"usr/{name}")
    for package in packages:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as source:
            subprocess.run(
                ["tar", "--extract", "--keep-directory-symlink", "--no-same-owner", "--directory", tree],
                stdin=source.stdout,
                check=True,
            )
    for folder in (
        "dev",
        "proc",
        "run/sshd",
        "root",
        "tmp",
        "var/log/nginx",
        "var/lib/nginx",
        "var/lib/prosody",
        "etc/prosody/certs",
    ):
        (tree / folder).mkdir(parents=True, exist_ok=True)
    (tree / "etc/passwd").write_text(_ACCOUNTS)
    (tree / "etc/group").write_text(_GROUPS)
    (tree / "etc/resolv.conf").touch()
    authorities = sorted((tree / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    (tree / "etc/ssl/certs/ca-certificates.crt").write_text("".join(each.read_text() for each in authorities))
    shutil.copy(tree / "usr/share/openssh/sshd_config", tree / "etc/ssh/sshd_config")


def main() -> None:
    try:
        say("checkers", str(root()))
    except UnavailableError as error:
        say("checkers", f"{error}; the tests that need them will be skipped")


if __name__ == "__main__":
    main()
