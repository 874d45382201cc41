"""A root file system of Debian as a cloud would boot it, to lay the disks of hosts on.

Made by mmdebstrap out of Debian's own archive. It differs from a cloud's image in what a container on this machine
needs, and all of that is here: the package archives are trusted by test keys and a test CA, cloud-init looks for
Hetzner's metadata only, and reads maker and serial number from files: a container sees no firmware tables.
"""

import shutil
import subprocess
from pathlib import Path

from .recipes import Recipe

DEBIAN = "deb.debian.org/debian"
SECURITY = "security.debian.org/debian-security"
_KEYRING = "usr/share/keyrings/debian-archive-keyring.gpg"

# Manual pages stay: without their folders the set-up of a Java runtime fails.
_DPKG = ("path-exclude=/usr/share/doc/*", "path-exclude=/usr/share/locale/*", "force-unsafe-io")

_SOURCES = """\
Types: deb
URIs: https://{debian}
Suites: {codename}
Components: main
Signed-By: /{keyring}

Types: deb
URIs: https://{security}
Suites: {codename}-security
Components: main
Signed-By: /{keyring}
"""

_DMI = '''

def read_dmi_data(key):
    """Appended by the embedded cloud: the host's own answers, since a container sees no firmware tables."""
    try:
        with open("/etc/test-dmi/" + key, encoding="utf-8") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None
'''


def make(root: Path, recipe: Recipe, authority: Path) -> None:
    """Fills the empty folder `root`. RuntimeError when mmdebstrap fails, which tries each download three times."""
    sources = "\n".join(
        f"deb [signed-by=/{_KEYRING}] http://{place} {suite} main"
        for place, suite in ((DEBIAN, recipe.codename), (f"{DEBIAN}-security", f"{recipe.codename}-security"))
    )
    done = subprocess.run(
        [
            "mmdebstrap",
            "--quiet",
            "--mode=root",
            "--variant=apt",
            "--aptopt=Acquire::Retries 3",
            *(f"--dpkgopt={option}" for option in _DPKG),
            f"--include={','.join(recipe.base)}",
            recipe.codename,
            str(root),
            "-",
        ],
        input=sources,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"mmdebstrap of {recipe.codename}: {done.stderr.strip()[-1000:]}")
    _trust(root, recipe, authority)
    _prepare_cloud_init(root)
    # As in Debian's own cloud images; with none set cloud-init would make one, and fail.
    (root / "etc/default/locale").write_text("LANG=C.UTF-8\n")
    _forget_this_machine(root)


def _trust(root: Path, recipe: Recipe, authority: Path) -> None:
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    (root / "etc/apt/sources.list.d/debian.sources").write_text(
        _SOURCES.format(debian=DEBIAN, security=SECURITY, codename=recipe.codename, keyring=_KEYRING)
    )
    (root / _KEYRING).unlink()
    shutil.copy(authority / "debian.gpg", root / _KEYRING)
    certificate = root / "usr/local/share/ca-certificates/embedded-cloud.crt"
    certificate.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(authority / "ca.crt", certificate)
    subprocess.run(["chroot", root, "update-ca-certificates"], check=True, capture_output=True)


def _prepare_cloud_init(root: Path) -> None:
    settings = root / "etc/cloud/cloud.cfg.d"
    (settings / "90_dpkg.cfg").write_text("datasource_list: [Hetzner]\n")
    # As in Debian's own cloud images: the host's name is in its /etc/hosts.
    (settings / "01_debian_cloud.cfg").write_text("manage_etc_hosts: true\n")
    module = "usr/lib/python3/dist-packages/cloudinit/dmi.py"
    with (root / module).open("a") as source:
        source.write(_DMI)
    subprocess.run(["chroot", root, "python3", "-m", "py_compile", f"/{module}"], check=True)


def _forget_this_machine(root: Path) -> None:
    """Each host gets keys, an id, a name and a name server of its own; the build leaves copies of this machine's."""
    for key in root.glob("etc/ssh/ssh_host_*"):
        key.unlink()
    (root / "etc/machine-id").write_text("")
    (root / "var/lib/dbus/machine-id").unlink(missing_ok=True)
    (root / "etc/hostname").unlink(missing_ok=True)
    if not (root / "etc/resolv.conf").is_symlink():
        (root / "etc/resolv.conf").unlink(missing_ok=True)
