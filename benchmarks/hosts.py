"""From user-data to the brewery, and how many hosts a machine boots: `python -m benchmarks.hosts`.

Level 4, as root. First one bridge at a time beside a running cluster: cold (the machine's page cache is dropped before)
and warm, by the steps that its installation announces. Then plain Debian hosts, twice as many each time, until the time
of their boots (to the end of cloud-init) has doubled. Ratios are against the first row of the same run.
"""

import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

from local_cloud.images.prepare import prepare
from tests.booted.booted import Cluster, Host, eventually
from tests.level3_applied.applied import Workshop

FIRST_ADDRESS = "127.90.192.1"
MOST_HOSTS = 64


def main() -> None:
    with _cluster() as cluster:
        text = cluster.user_data("bridge-1")
        print("| bridge | seconds | against cold | " + " | ".join(STEPS) + " |")
        print("|--|--:|--:|" + "--:|" * len(STEPS))
        first = 0.0
        for name in ("cold", "warm", "warm again"):
            seconds, shares = _one_bridge(cluster, text, drop=name == "cold")
            first = first or seconds
            told = " | ".join(f"{share:.0%}" for share in shares)
            print(f"| {name} | {seconds:.1f} | {seconds / first:.2f} | {told} |", flush=True)
        print("\n| plain hosts at once | median seconds to the end of cloud-init | against one | seconds for all |")
        print("|--:|--:|--:|--:|")
        number, alone = 1, 0.0
        while number <= MOST_HOSTS:
            median, slowest = _plain_hosts(cluster, number)
            alone = alone or median
            print(f"| {number} | {median:.1f} | {median / alone:.2f} | {slowest:.1f} |", flush=True)
            if median > 2 * alone:
                break
            number *= 2


# What a bridge does between "create server" and the brewery; the texts are where the next step begins.
STEPS = {
    "boot to the private address": r"private address",
    "firewall": r"2/5",
    "base packages, Java": r"3/5",
    "configuration, version": r"5/5",
    "jitsi-videobridge2": r"bridge: done",
    "joining": None,
}


@contextmanager
def _cluster() -> Iterator[Cluster]:
    prepare()
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop.open(Path(folder), action_seconds=0, hosts=True, first_address=FIRST_ADDRESS)
        try:
            cluster = Cluster(workshop, bridges=1)
            cluster.up()
            yield cluster
        finally:
            workshop.close()


def _one_bridge(cluster: Cluster, user_data: str, *, drop: bool) -> tuple[float, list[float]]:
    """Seconds from the creation to the brewery, and the share of each of STEPS."""
    if drop:
        subprocess.run(["sync"], check=True)
        Path("/proc/sys/vm/drop_caches").write_text("3")
    before, begun = cluster.bridges_in_the_brewery(), time.time()
    with cluster.stranger("bridge-more", user_data, in_network=True) as host:
        eventually(lambda: cluster.bridges_in_the_brewery() > before, 600, pause=0.2)
        ended = time.time()
        marks = [begun, *_marks(host), ended]
    seconds = ended - begun
    return seconds, [(later - earlier) / seconds for earlier, later in pairwise(marks)]


def _marks(host: Host) -> list[float]:
    units = "-u jitsi-fleet-install -u jitsi-fleet-private-address"
    lines = host.run(f"journalctl --boot {units} --output short-unix --no-pager").splitlines()
    times = []
    for text in filter(None, STEPS.values()):
        found = next(line for line in lines if re.search("jitsi-fleet: .*" + text, line))
        times.append(float(found.split()[0]))
    return times


def _plain_hosts(cluster: Cluster, number: int) -> tuple[float, float]:
    """Median and greatest seconds from the creation to the end of cloud-init."""
    with ExitStack() as hosts:
        begun = time.time()
        made = [hosts.enter_context(cluster.stranger(f"plain-{each}")) for each in range(number)]
        eventually(lambda: all(host.entry["cloud_init"] != "running" for host in made), 600, pause=0.2)
        ends = [float(host.run("stat --format %.Y /run/cloud-init/result.json")) for host in made]
        boots = [end - host.entry["since"] for end, host in zip(ends, made, strict=True)]
        return statistics.median(boots), max(ends) - begun


if __name__ == "__main__":
    main()
