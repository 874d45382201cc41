"""A newer version of the bridge's package beside the others, so that a cluster has something to be upgraded to.

It is the very package that is there, real or stand-in, with another number: what an upgrade does to calls does not
depend on what is new.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from local_cloud.images.jitsi import PACKAGES, VARIABLE, get

BRIDGE = "jitsi-videobridge2"


def offer(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Lets hosts from now on find the packages of `folder`, which it fills; `jitsiVersions` before and after."""
    known = get(print).folder
    for package in sorted(known.glob("*.deb")):
        shutil.copy2(package, folder)
    old = {field(package, "Package"): field(package, "Version") for package in sorted(folder.glob("*.deb"))}
    (bridge,) = folder.glob(f"{BRIDGE}_*.deb")
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", str(bridge), str(tree)], check=True)
    upstream, _, revision = old[BRIDGE].rpartition("-")
    newer = f"{upstream}.newer-{revision}"
    control = tree / "DEBIAN/control"
    control.write_text(re.sub("(?m)^Version: .*$", f"Version: {newer}", control.read_text()))
    # What a stand-in says of itself; a real bridge has it in its jar.
    said = tree / "usr/share/jitsi-videobridge/version"
    if said.is_file():
        said.write_text(newer + "\n")
    made = folder / f"{BRIDGE}_{newer}_{field(bridge, 'Architecture')}.deb"
    of = bridge.stat()
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(int(of.st_mtime))}
    build = ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(tree), str(made)]
    subprocess.run(build, check=True, env=environment, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    # The cache knows a folder by names, sizes and times: the second run finds what the first has prepared.
    os.utime(made, ns=(of.st_atime_ns, of.st_mtime_ns))
    os.environ[VARIABLE] = str(folder)
    before = {package: old[package] for package in PACKAGES}
    return before, {**before, BRIDGE: newer}


def field(package: Path, name: str) -> str:
    asked = ["dpkg-deb", "--field", str(package), name]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
