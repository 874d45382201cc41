"""The programs that hosts need on this machine, out of its own package archive."""

import os
import shutil
import subprocess
from collections.abc import Callable

# Program and the Debian package that has it; the keys are there on every Debian, but not on its relatives.
_PACKAGES = {
    "apt-ftparchive": "apt-utils",
    "dnsmasq": "dnsmasq-base",
    "gpg": "gnupg",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "nsenter": "util-linux",
    "pebble": "pebble",
    "systemd-nspawn": "systemd-container",
}
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class UnavailableError(Exception):
    """This machine cannot have hosts; the message says why and what would help."""


def missing() -> list[str]:
    """The packages that `install` would install."""
    absent = {package for program, package in _PACKAGES.items() if not shutil.which(program, path=_PATH)}
    return sorted(absent if os.path.exists(_KEYS) else {*absent, "debian-archive-keyring"})


def install(report: Callable[[str], None]) -> None:
    """Installs what is missing. UnavailableError without root, namespaces or apt, or where a package is lacking."""
    if os.geteuid():
        raise UnavailableError("hosts need root: their network and their disks are made of namespaces and mounts")
    if subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "true"], capture_output=True).returncode:
        raise UnavailableError("hosts need namespaces, which this machine (a container, perhaps) does not allow")
    if not shutil.which("apt-get"):
        raise UnavailableError("hosts are made with Debian's tools, and this machine has no apt")
    wanted = missing()
    if not wanted:
        return
    report(f"machine: installing {' '.join(wanted)}")
    for arguments in (["update"], ["install", "--no-install-recommends", *wanted]):
        done = subprocess.run(
            ["apt-get", "-qq", "-y", "-oDPkg::Lock::Timeout=300", *arguments],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise UnavailableError(f"apt-get cannot install {' '.join(wanted)}: {done.stderr.strip()[-500:]}")
