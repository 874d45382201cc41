"""Where on a host secrets of a cluster are, and where they may be."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local_cloud.hosts.command_line import inside
from tests.booted.booted import Host

SEARCH = (Path(__file__).parent / "search.py").read_text()


@dataclass(frozen=True, order=True)
class Find:
    name: str
    place: str
    mode: str
    owner: str


def search(host: Host, secrets: dict[str, list[bytes]]) -> list[Find]:
    needles = json.dumps({name: [shape.hex() for shape in shapes] for name, shapes in secrets.items()})
    asked = [*inside(host.cluster.workshop.cloud, host.entry), "python3", "-c", SEARCH, str(host.made)]
    done = subprocess.run(asked, input=needles, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return sorted(Find(**found) for found in json.loads(done.stdout))


def needed(domain: str) -> dict[str, list[Find]]:
    """What may be on a host, by its role."""
    return {
        "shard": [
            Find("key auth", f"/var/lib/prosody/auth.{domain}.key", "0600", "prosody"),
            Find("key signaling-host", "/etc/ssh/ssh_host_ed25519_key", "0600", "root"),
            Find("key web", "/etc/jitsi-fleet/tls/site.key", "0600", "root"),
            Find("password focus", "/etc/jitsi/jicofo/jicofo.conf", "0640", "jicofo"),
        ],
        "bridge": [Find("password jvb", "/etc/jitsi/videobridge/jvb.conf", "0600", "jvb")],
    }
