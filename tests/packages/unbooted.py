"""A host on which packages can be installed without booting it: the checkers' root, in namespaces of its own.

dpkg, debconf, users, prosody, nginx are Debian's real ones. What dpkg asks of services is written down and refused, as
in an image that is being built; the programs that a test starts itself do run. All writing goes to memory, and all
ends with the process that holds the namespaces.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools import checkers

ASKED = "/var/log/asked-of-services"
_HOLD = """set -e
mount -t tmpfs tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/host"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/host"
mount --rbind /dev "$2/host/dev"
mount -t proc proc "$2/host/proc"
ip link set lo up
echo ready
# Not by exec: as the first process, the shell takes leave of all that have lost their parents.
while :; do sleep 3600; done
"""
# What the scripts of Debian's own packages leave, which do not run in the checkers' root. uuidgen and diff, with which
# dpkg would show changes, are of packages that are not in it. Nothing that runs here has to be waited for.
_PREPARE = f"""set -e
touch /var/lib/dpkg/status
install -d -o prosody -g prosody -m 0750 /var/lib/prosody /var/log/prosody /run/prosody
mkdir -p /etc/prosody/conf.d /usr/local/bin /usr/local/share/ca-certificates /var/log/apt
chgrp prosody /etc/prosody/certs /etc/prosody/conf.avail /etc/prosody/conf.d
chmod 0750 /etc/prosody/certs
chmod 0754 /etc/prosody/conf.avail /etc/prosody/conf.d
ln -sf ../sites-available/default /etc/nginx/sites-enabled/default
cd /usr/local/bin
printf '#!/bin/sh\\nexec cat /proc/sys/kernel/random/uuid\\n' >uuidgen
printf '#!/bin/sh\\n' >sleep
printf '#!/bin/sh\\n' >diff
printf '#!/bin/sh\\n[ "$1" != --quiet ] || shift\\necho "$1 $2" >>{ASKED}\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod +x uuidgen sleep diff /usr/sbin/policy-rc.d
"""
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}


@dataclass(frozen=True)
class Unbooted:
    """The host; `pid` holds its namespaces and `tree` is its root within them."""

    pid: int
    tree: Path

    def command(self, *command: str, user: str = "root") -> list[str]:
        inside = ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid"]
        return [*inside, "chroot", f"--userspec={user}:{user}", str(self.tree), *command]

    def run(
        self, *command: str, text: str | None = None, user: str = "root", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*command, user=user),
            input=text,
            capture_output=True,
            text=True,
            env=_ENVIRONMENT | environment,
            timeout=120,
        )

    def do(self, script: str, text: str | None = None, **environment: str) -> str:
        """What a shell script prints. AssertionError, with all that it said, when it fails."""
        done = self.run("/bin/sh", "-c", script, text=text, **environment)
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout

    def read(self, path: str) -> str:
        return self.do(f"cat '{path}'")

    def write(self, path: str, content: str, mode: str = "0644") -> None:
        self.do(f"mkdir -p \"$(dirname '{path}')\" && cat >'{path}' && chmod {mode} '{path}'", content)

    def install(self, *packages: Path) -> str:
        """What dpkg and the scripts said. Dependencies are not asked for: they lie unpacked in the checkers' root."""
        said = []
        for package in packages:
            done = subprocess.run(
                self.command("/bin/sh", "-c", f"cat >/tmp/{package.name}"), input=package.read_bytes(), env=_ENVIRONMENT
            )
            assert done.returncode == 0
            said.append(self.do(f"dpkg --force-depends --install /tmp/{package.name} 2>&1"))
        return "".join(said)

    def asked_of_services(self) -> list[str]:
        """Service and action, in order; in parentheses is what would not happen in every runlevel."""
        return self.do(f"cat {ASKED} 2>/dev/null | tr -d '()'").splitlines()


@contextmanager
def unbooted(place: Path) -> Iterator[Unbooted]:
    """`place` is an empty folder. UnavailableError without root or apt."""
    if os.geteuid():
        raise checkers.UnavailableError("namespaces with an overlay of files need root")
    root = checkers.root()
    apart = ["--net", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child"]
    command = ["setpriv", "--pdeathsig=KILL", "unshare", *apart, "sh", "-c", _HOLD, "sh", str(root), str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout
            assert holder.stdout.readline() == "ready\n"
            child = int(Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text())
            host = Unbooted(child, place / "host")
            host.do(_PREPARE)
            yield host
        finally:
            holder.kill()
