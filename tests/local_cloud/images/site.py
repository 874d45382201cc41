"""A closed network in which the prepared archives answer under their real names.

The command given to `run` runs as root in mount, network and process namespaces of its own, which end with it: no
packet leaves the machine. With a prepared base as `root` it runs in a copy of that, where services do not start.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from local_cloud.images.authority import NAMES
from local_cloud.images.prepare import Prepared
from local_cloud.images.web import Archives

TOP = Path(__file__).parents[3]
ADDRESS = "127.0.0.80"
_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_HOSTS = f"127.0.0.1 localhost\n{ADDRESS} {' '.join(NAMES)}\n"


def run(prepared: Prepared, *command: str, root: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in such a network."""
    where = json.dumps([str(prepared.archives), str(prepared.authority), str(root) if root else None])
    enter = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation", "private"]
    return subprocess.run(
        [*enter, sys.executable, "-m", "tests.local_cloud.images.site", where, *command],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=TOP,
    )


def main() -> int:
    """Inside the namespaces."""
    parser = argparse.ArgumentParser()
    parser.add_argument("where", type=json.loads)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    www, keys, root = options.where
    _call("ip", "link", "set", "lo", "up")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hosts").write_text(_HOSTS)
        _call("mount", "--bind", str(folder / "hosts"), "/etc/hosts")
        command = options.command
        if root:
            command = ["chroot", _copy(folder, Path(root)), *command]
        else:
            _call("mount", "--bind", f"{keys}/ca.crt", _BUNDLE)
        status = asyncio.run(_serve(Prepared({}, Path(www), Path(keys), ""), command))
        if root:
            _call("umount", "--recursive", str(folder / "disk"))
    return status


async def _serve(prepared: Prepared, command: list[str]) -> int:
    archives = Archives(prepared)
    await archives.start(ADDRESS)
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.DEVNULL)
    status = await process.wait()
    await archives.stop()
    return status


def _copy(folder: Path, base: Path) -> str:
    """An overlay of the base, in memory."""
    disk = folder / "disk"
    disk.mkdir()
    _call("mount", "-t", "tmpfs", "tmpfs", str(disk))
    upper, work, root = (disk / name for name in ("upper", "work", "root"))
    for each in (upper, work, root):
        each.mkdir()
    layers = f"lowerdir={base},upperdir={upper},workdir={work}"
    _call("mount", "-t", "overlay", "overlay", "-o", layers, str(root))
    _call("mount", "--rbind", "/dev", str(root / "dev"))
    _call("mount", "-t", "proc", "proc", str(root / "proc"))
    (root / "etc/hosts").write_text(_HOSTS)
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    return str(root)


def _call(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main())
