"""Level 2: the real cloud-init's cache, without its copies of the user-data after the host's own clean-up."""

from collections.abc import Callable

import pytest

from components.doors import Role
from tests.level2_checked.conftest import Host

REMEMBER = """
import os
from cloudinit.helpers import Paths
from cloudinit.sources import pkl_store
from cloudinit.sources.DataSource%(cloud)s import DataSource%(cloud)s

os.makedirs("/var/lib/cloud/instance", exist_ok=True)
source = DataSource%(cloud)s({}, None, Paths({}))
source.userdata_raw = source.userdata = "a-secret"
source.metadata = {"instance-id": "42"}
if "%(cloud)s" == "Ec2":  # as its _get_data leaves it
    source._crawled_metadata = {"meta-data": source.metadata, "user-data": b"a-secret", "dynamic": {}}
pkl_store(source, "/var/lib/cloud/instance/obj.pkl")
for name in ("user-data.txt", "user-data.txt.i", "cloud-config.txt"):
    with open(f"/var/lib/cloud/instance/{name}", "w") as copy:
        copy.write("a-secret")
"""
RECALL = """
from cloudinit.sources import pkl_load
source = pkl_load("/var/lib/cloud/instance/obj.pkl")
print(source.get_instance_id(), source.get_userdata_raw())
"""


@pytest.mark.parametrize("cloud", ["Hetzner", "Ec2"])
def test_after_the_first_boot_cloud_init_knows_the_machine_and_not_its_secrets(
    host: Callable[[Role, str], Host], cloud: str
) -> None:
    """Without the cache a reboot could look like a new machine, which gets new SSH host keys."""
    node = host("bridge", "plain")
    search = ("/usr/bin/grep", "--recursive", "--files-with-matches", "a-secret", "/var/lib/cloud", "/run")
    made = node.run("/usr/bin/python3", "-c", REMEMBER % {"cloud": cloud})
    assert made.returncode == 0, made.stderr
    assert len(node.run(*search).stdout.splitlines()) == 4
    forgotten = node.run("/usr/local/lib/jitsi-fleet/forget")
    assert forgotten.returncode == 0, forgotten.stderr
    assert node.run(*search).stdout == ""
    assert node.run("/usr/bin/python3", "-c", RECALL).stdout.strip() == "42 None"
