"""Level: the root file systems, by asking what is in them; nothing boots here."""

import configparser
import subprocess
from pathlib import Path

import pytest
import yaml

from local_cloud.images.prepare import Prepared
from local_cloud.images.recipes import RECIPES

pytestmark = pytest.mark.parametrize("image", RECIPES)


@pytest.fixture
def base(prepared: Prepared, image: str) -> Path:
    return prepared.bases[image]


def inside(base: Path, *command: str) -> str:
    """What the command prints; it must not write, since disks may lie on the base."""
    quiet = ("env", "PYTHONDONTWRITEBYTECODE=1")
    return subprocess.run(["chroot", base, *quiet, *command], check=True, capture_output=True, text=True).stdout


def test_it_is_the_release_that_the_image_is_named_after(base: Path, image: str) -> None:
    release = configparser.ConfigParser()
    release.read_string("[os]\n" + (base / "etc/os-release").read_text())
    assert f"debian-{release['os']['VERSION_ID'].strip(chr(34))}" == image


def test_nothing_in_it_makes_two_hosts_alike(base: Path) -> None:
    assert not list(base.glob("etc/ssh/ssh_host_*"))
    assert (base / "etc/machine-id").read_text() == ""
    assert not (base / "etc/hostname").exists()
    assert not (base / "var/lib/dbus/machine-id").exists()
    assert not (base / "var/lib/cloud/instance").exists()


def test_it_knows_no_name_server_and_no_name_of_the_machine_that_made_it(base: Path) -> None:
    """mmdebstrap copies both."""
    resolver = base / "etc/resolv.conf"
    assert resolver.is_symlink() or not resolver.exists()
    machine = Path("/etc/hostname").read_text().strip()
    assert machine not in (base / "etc/hosts").read_text().split()


def test_cloud_init_asks_hetzner_s_metadata_and_nobody_else(base: Path) -> None:
    settings = [yaml.safe_load(file.read_text()) or {} for file in sorted(base.glob("etc/cloud/cloud.cfg.d/*.cfg"))]
    lists = [each["datasource_list"] for each in settings if "datasource_list" in each]
    assert lists == [["Hetzner"]]


def test_cloud_init_leaves_the_package_sources_alone(base: Path) -> None:
    """Debian's default; with the upstream one the first boot would write a mirror's name over ours."""
    settings = yaml.safe_load((base / "etc/cloud/cloud.cfg").read_text())
    assert settings["apt"]["preserve_sources_list"] is True


def test_cloud_init_reads_maker_and_serial_number_from_the_host_s_files(base: Path) -> None:
    program = (
        "from cloudinit import dmi; import builtins, io; real = builtins.open\n"
        "files = {'/etc/test-dmi/system-serial-number': '42\\n'}\n"
        "builtins.open = lambda path, *a, **k: io.StringIO(files[path]) if path in files else real(path, *a, **k)\n"
        "print(dmi.read_dmi_data('system-serial-number'), dmi.read_dmi_data('baseboard-asset-tag'))"
    )
    assert inside(base, "python3", "-c", program) == "42 None\n"


def test_it_trusts_the_test_archive_s_key_where_it_would_trust_debian_s(base: Path, prepared: Prepared) -> None:
    sources = (base / "etc/apt/sources.list.d/debian.sources").read_text()
    keyrings = {line.removeprefix("Signed-By: ") for line in sources.splitlines() if line.startswith("Signed-By")}
    assert keyrings == {"/usr/share/keyrings/debian-archive-keyring.gpg"}
    ours = (prepared.authority / "debian.gpg").read_bytes()
    assert [(base / each.lstrip("/")).read_bytes() for each in keyrings] == [ours]


def test_packages_come_over_https_under_debian_s_own_names(base: Path) -> None:
    sources = (base / "etc/apt/sources.list.d/debian.sources").read_text()
    uris = [line.removeprefix("URIs: ") for line in sources.splitlines() if line.startswith("URIs")]
    assert uris == ["https://deb.debian.org/debian", "https://security.debian.org/debian-security"]
    assert not (base / "etc/apt/sources.list").exists()


def test_it_trusts_the_test_ca_beside_the_public_ones(base: Path, prepared: Prepared) -> None:
    bundle = (base / "etc/ssl/certs/ca-certificates.crt").read_text()
    assert (prepared.authority / "ca.crt").read_text().strip() in bundle
    assert bundle.count("BEGIN CERTIFICATE") > 100


def test_every_package_is_installed_whole(base: Path) -> None:
    assert inside(base, "dpkg", "--audit") == ""
    states = set(inside(base, "dpkg-query", "-W", "-f", "${db:Status-Abbrev}\n").split())
    assert states == {"ii"}
