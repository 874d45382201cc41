"""Level: what the roles install, fetched by apt in a copy of the base, over HTTPS under the real names.

Hosts install it in tests/booted, of both releases.
"""

import re
import sys
from pathlib import Path

import pytest

from local_cloud.images.jitsi import PACKAGES
from local_cloud.images.prepare import Prepared
from local_cloud.images.recipes import RECIPES
from tests.local_cloud.images import site


def installed_by_the_roles() -> set[str]:
    """Every name that a role's script gives to `apt_get install`."""
    scripts = [file.read_text() for file in (site.TOP / "cloud_init").glob("*/files/usr/local/lib/jitsi-fleet/*")]
    lines = [line for text in scripts for line in re.findall(r"(?:apt_get install|install_base) (.*)", text)]
    return {word for line in lines for word in line.split() if re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", word)}


SCRIPT = """
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
curl --fail --silent --show-error --output /etc/apt/jitsi.asc https://download.jitsi.org/jitsi-key.gpg.key
echo 'deb [signed-by=/etc/apt/jitsi.asc] https://download.jitsi.org stable/' >/etc/apt/sources.list.d/jitsi.list
apt-get -q update
apt-get -qq -y --no-install-recommends --download-only install $ROLES $JITSI
apt-get -qq --simulate dist-upgrade
dpkg-query -W -f '${Package}_\\n'
ls /var/cache/apt/archives
"""


@pytest.mark.parametrize("image", RECIPES)
def test_a_host_can_fetch_all_that_the_roles_name(prepared: Prepared, image: str) -> None:
    """apt refuses an archive with a wrong signature, a wrong certificate or a package of another digest by itself."""
    java = {name for name in RECIPES[image].offered if name.startswith("openjdk-")}
    wanted = sorted(installed_by_the_roles() | java)
    assert {"nginx", "prosody", "certbot", "nftables"} <= set(wanted)
    script = f"ROLES='{' '.join(wanted)}' JITSI='{' '.join(PACKAGES)}'\n{SCRIPT}"
    done = site.run(prepared, "bash", "-c", script, root=prepared.bases[image])
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    there = {line.partition("_")[0] for line in lines}  # in the base, or fetched
    assert {*wanted, *PACKAGES} <= there
    assert not [line for line in lines if line.startswith("Inst ")], "the archive has updates of what is in the base"


def test_a_host_refuses_an_archive_that_another_key_signed(prepared: Prepared) -> None:
    script = """
    curl --fail --silent --output /usr/share/keyrings/debian-archive-keyring.asc \
      https://download.jitsi.org/jitsi-key.gpg.key
    sed -i 's/keyring.gpg/keyring.asc/' /etc/apt/sources.list.d/debian.sources
    apt-get -q -o APT::Update::Error-Mode=any update
    """
    done = site.run(prepared, "bash", "-c", script, root=prepared.bases["debian-12"])
    assert done.returncode == 100
    assert "is not signed" in done.stderr


def test_jitsi_s_packages_are_fetched_from_their_archive_where_it_answers(prepared: Prepared, tmp_path: Path) -> None:
    """The archive of the hosts plays Jitsi's own, in a network where it has that name."""
    program = f"""if 1:
    import os
    os.environ.update(XDG_CACHE_HOME={str(tmp_path)!r}, JITSI_FLEET_PACKAGES="")
    from local_cloud.images import jitsi
    found = jitsi.get(print)
    print(found.label, *sorted(file.name.split("_")[0] for file in found.folder.glob("*.deb")))
    assert jitsi.chosen() == found
    """
    done = site.run(prepared, sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == " ".join(["Jitsi's archive", *sorted(PACKAGES)])
