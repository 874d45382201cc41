"""Looking at the hosts of a cluster until they have installed their roles, for `make up`."""

import re
import time
from pathlib import Path
from typing import Any

from local_cloud.hosts.machine import tail
from local_cloud.process import LocalCloud

# A role's installation goes on trying; after so many failures in a row somebody has to look.
ATTEMPTS = 4
LONGEST = 1200.0  # seconds
LINES = 25


class HostError(Exception):
    """A host did not come up; the message has the last lines of its log."""


def wait(cloud: LocalCloud, addresses: set[str], longest: float = LONGEST) -> float:
    """Wait for the servers with these public addresses; the seconds that it took. HostError when one of them fails."""
    begun, told = time.monotonic(), ""
    while True:
        hosts = [host for host in cloud.admin.hosts() if host["public"] in addresses]
        for host in hosts:
            _check(host)
        missing = sorted(host["name"] for host in hosts if not _installed(host))
        if len(hosts) == len(addresses) and not missing:
            return time.monotonic() - begun
        progress = f"hosts      {len(hosts) - len(missing)} of {len(addresses)} are ready"
        if progress != told:
            print(progress, flush=True)
            told = progress
        if time.monotonic() - begun > longest:
            logs = [_log(host) for host in hosts if not _installed(host)]
            raise HostError("\n".join([f"not ready after {longest:.0f} s: {', '.join(missing)}", *logs[:1]]))
        time.sleep(0.5)


def check(cloud: LocalCloud) -> None:
    """HostError when any server's host has failed for good."""
    for host in cloud.admin.hosts():
        _check(host)


def _check(host: dict[str, Any]) -> None:
    if (host["cloud_init"] or "").startswith("error"):
        log = Path(host["folder"]) / "upper/var/log/cloud-init-output.log"
        raise HostError(f"{host['name']}: cloud-init failed, {host['cloud_init']}\n{tail(log, LINES)}")
    begun = len(re.findall(r"jitsi-fleet: \w+: 1/", tail(_console(host), 5000)))
    if begun > ATTEMPTS and not _installed(host):
        raise HostError(f"{host['name']}: its installation has failed {ATTEMPTS} times\n{_log(host)}")


def _installed(host: dict[str, Any]) -> bool:
    done = host["cloud_init"] == "done"
    return done and (Path(host["folder"]) / "upper/var/lib/jitsi-fleet/installed").exists()


def _console(host: dict[str, Any]) -> Path:
    return Path(host["folder"]) / "console.log"


def _log(host: dict[str, Any]) -> str:
    return tail(_console(host), LINES)
