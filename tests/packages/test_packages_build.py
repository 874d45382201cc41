"""The stand-in packages look like the recorded real ones to dpkg, apt, debconf and systemd.

Read from the files that dpkg-deb made; nothing is installed. Level 2: checked.

Over 200 lines: one claim for each thing that was recorded of a package, and one build for all.
"""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from local_cloud.packages import build as builder
from tests.packages.debian import RECORDED, Package, paragraphs, unit
from tests.versions import VERSIONS
from tools import checkers

RECORDS = {record["Package"]: record for record in paragraphs((RECORDED / "control.txt").read_text())}
# What the programs of the stand-ins need on top of what the real ones need.
PYTHON = "python3, python3-aiohttp, python3-slixmpp, python3-slixmpp-lib | python3-slixmpp (>= 1.9)"
PROGRAMS = {"jitsi-videobridge2": "videobridge", "jicofo": "jicofo"}

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="packages are built with dpkg-deb")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Package]:
    built = builder.build(tmp_path_factory.mktemp("built"))
    return {file.name.partition("_")[0]: Package(file) for file in built}


def recorded_files(package: str) -> dict[str, str]:
    lines = [line.split("\t") for line in (RECORDED / "files.tsv").read_text().splitlines()]
    return {path: f"{mode} root/root" for name, mode, path in lines if name == package}


def test_the_same_source_makes_the_same_bytes(
    packages: dict[str, Package], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the umask, the times of the checkout and the folder that it lies in."""
    copy = tmp_path / "elsewhere"
    shutil.copytree(builder.HERE, copy, copy_function=shutil.copy)
    for path in copy.rglob("*"):
        path.chmod(0o700 if path.stat().st_mode & 0o100 else 0o600)
        os.utime(path, (time.time() + 86400, time.time() - 86400))
    monkeypatch.setattr(builder, "HERE", copy)
    before = os.umask(0o077)
    try:
        again = builder.build(tmp_path / "built")
    finally:
        os.umask(before)
    assert [file.read_bytes() for file in again] == [package.file.read_bytes() for package in packages.values()]


def test_a_missing_program_is_named_before_anything_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "HERE", tmp_path)
    with pytest.raises(builder.BuildError, match=r"videobridge\.py is missing"):
        builder.build(tmp_path / "built")
    assert not (tmp_path / "built").exists()


def test_there_is_a_stand_in_for_each_package_that_the_roles_install(packages: dict[str, Package]) -> None:
    assert set(packages) == set(VERSIONS) == set(RECORDS)


@pytest.mark.parametrize("package", VERSIONS)
def test_dependencies_are_the_real_ones_and_what_the_programs_need(packages: dict[str, Package], package: str) -> None:
    fields, record = packages[package].fields(), RECORDS[package]
    more = f", {PYTHON}" if package in PROGRAMS else ""
    assert fields.get("Depends", "") == record.get("Depends", "") + more
    for relation in ("Pre-Depends", "Recommends", "Suggests", "Conflicts", "Replaces"):
        assert fields.get(relation) == record.get(relation), relation


# The real releases before and after the one that is stood in for.
NEIGHBOURS = {
    "jitsi-videobridge2": ("2.3-306-gffffffff-1", "2.3-308-g00000000-1"),
    "jicofo": ("1.0-1188-1", "1.0-1190-1"),
    **dict.fromkeys(("jitsi-meet-web", "jitsi-meet-web-config", "jitsi-meet-prosody"), ("1.0.11145-1", "1.0.11147-1")),
}


@pytest.mark.parametrize("package", VERSIONS)
def test_versions_sort_between_the_real_ones_and_say_what_they_are(packages: dict[str, Package], package: str) -> None:
    version = packages[package].fields()["Version"]
    assert "standin" in version
    older, newer = NEIGHBOURS[package]
    for lesser, greater in ((older, version), (version, newer), (older, VERSIONS[package])):
        subprocess.run(["dpkg", "--compare-versions", lesser, "lt", greater], check=True)


@pytest.mark.parametrize("package", VERSIONS)
def test_control_files_are_those_of_the_real_package(packages: dict[str, Package], package: str) -> None:
    built, record = packages[package], RECORDS[package]
    assert built.members() == set(record["Members"].split())
    if "Conffiles" in record:
        assert built.control("conffiles").split() == record["Conffiles"].split()
    if "Triggers" in record:
        assert built.control("triggers").strip() == record["Triggers"]


# Of the real files: Java's are replaced by one program, and what no cluster here uses is left out.
LEFT_OUT = {
    "jitsi-meet-web-config": {"8x8.vc-config.js", "index-jaas.html", "nginx-jaas.conf", "jitsi-meet.example-apache"},
    "jitsi-meet-prosody": {"jaas.cfg.lua", "README"},
}
ADDED = {
    "jitsi-videobridge2": {"/usr/share/jitsi-videobridge/" + name for name in ("videobridge.py", "version")}
    | {"/usr/share/jitsi-videobridge/known_keys/videobridge.txt"},
    "jicofo": {"/usr/share/jicofo/" + name for name in ("jicofo.py", "version", "known_keys/jicofo.txt")},
    "jitsi-meet-prosody": {"/usr/share/jitsi-meet/prosody-plugins/hosts.lib.lua"},
}


@pytest.mark.parametrize("package", [name for name in VERSIONS if name != "jitsi-meet-web"])
def test_files_lie_where_the_real_package_has_them(packages: dict[str, Package], package: str) -> None:
    files, recorded = packages[package].files(), recorded_files(package)
    for path in ADDED.get(package, set()):
        assert files.pop(path) == "-rw-r--r-- root/root", path
    assert files.items() <= recorded.items(), "a file or a mode that the real package does not have"
    left_out = {path for path in recorded.keys() - files.keys() if "/prosody-plugins/" not in path}
    assert {Path(path).name for path in left_out} == LEFT_OUT.get(package, set())


def test_the_web_files_are_where_the_site_looks_for_them(packages: dict[str, Package]) -> None:
    files = packages["jitsi-meet-web"].files()
    for path in ("index.html", "static/404.html", "libs/external_api.min.js", "libs/lib-jitsi-meet.min.js"):
        assert f"/usr/share/jitsi-meet/{path}" in files
    index = packages["jitsi-meet-web"].text("/usr/share/jitsi-meet/index.html")
    assert '<!--#include virtual="/config.js" -->' in index
    local = {"config.js", *(path.removeprefix("/usr/share/jitsi-meet/") for path in files)}
    for asked in re.findall(r'(?:virtual="/|src="|href=")([^"]+)"', index):
        assert asked in local, f"{asked} is asked for and not there"


def test_the_web_page_says_that_it_is_a_stand_in(packages: dict[str, Package]) -> None:
    web = packages["jitsi-meet-web"]
    for path in (
        "title.html",
        "body.html",
        "static/404.html",
        "libs/external_api.min.js",
        "libs/lib-jitsi-meet.min.js",
    ):
        assert "stand-in" in web.text(f"/usr/share/jitsi-meet/{path}"), path


@pytest.mark.parametrize("package", VERSIONS)
def test_debconf_questions_have_the_real_names_types_and_owners(packages: dict[str, Package], package: str) -> None:
    lines = [line.split("\t") for line in (RECORDED / "questions.tsv").read_text().splitlines()]
    recorded = {(name, kind, default) for owner, name, kind, default in lines if owner == package}
    asked = paragraphs(packages[package].control("templates")) if recorded else []
    assert {(each["Template"], each["Type"], each.get("Default", "")) for each in asked} == recorded


def test_the_choices_for_a_certificate_are_the_real_ones(packages: dict[str, Package]) -> None:
    """Preseeds name them letter by letter."""
    asked = paragraphs(packages["jitsi-meet-web-config"].control("templates"))
    choices = next(each["Choices"] for each in asked if each["Template"] == "jitsi-meet/cert-choice")
    assert choices.split(", ") == [
        "Let's Encrypt certificates",
        "I want to use my own certificate",
        "Generate a new self-signed certificate",
    ]


def seconds(text: str) -> str:
    """As `systemctl show` prints a time that the unit file gives as a number of seconds."""
    return f"{text}s" if text.isdigit() else text


def test_the_bridge_s_unit_has_the_recorded_properties(packages: dict[str, Package]) -> None:
    recorded = unit((RECORDED / "systemctl-show.jitsi-videobridge2.txt").read_text())
    found = unit(packages["jitsi-videobridge2"].text("/lib/systemd/system/jitsi-videobridge2.service"))
    for name in ("Type", "User", "Restart", "PIDFile", "SuccessExitStatus", "RuntimeDirectory", "RuntimeDirectoryMode"):
        assert found[name] == recorded[name], name
    for name in ("TasksMax", "LimitNOFILE", "LimitNPROC", "Environment", "Wants", "WantedBy"):
        assert found[name] == recorded[name], name
    assert seconds(found["RestartSec"]) == recorded["RestartUSec"]
    assert found["EnvironmentFile"] == recorded["EnvironmentFiles"].split()[0]
    assert found["AmbientCapabilities"].lower() == recorded["AmbientCapabilities"]
    assert found["After"] in recorded["After"]
    defaults = {"TimeoutStopSec", "TimeoutStartSec", "RemainAfterExit", "GuessMainPID", "KillMode", "KillSignal"}
    assert not defaults & found.keys(), "the real unit leaves these to systemd"


def test_systemd_makes_of_the_init_script_of_jicofo_what_was_recorded(
    packages: dict[str, Package], tmp_path: Path
) -> None:
    """A unit without a main process and without restarts, though its process may die at any time."""
    script = tmp_path / "init.d/jicofo"
    script.parent.mkdir()
    script.write_text(packages["jicofo"].text("/etc/init.d/jicofo"))
    script.chmod(0o755)
    generator = Path("/lib/systemd/system-generators/systemd-sysv-generator")
    if not generator.exists():
        try:
            generator = checkers.root() / str(generator)[1:]
        except checkers.UnavailableError as error:
            pytest.skip(str(error))
    places = [tmp_path / name for name in ("normal", "early", "late")]
    for place in places:
        place.mkdir()
    environment = {"SYSTEMD_SYSVINIT_PATH": str(script.parent), "SYSTEMD_SYSVRCND_PATH": str(tmp_path)}
    subprocess.run([generator, *places], env=environment, check=True, timeout=30)
    found = unit((places[2] / "jicofo.service").read_text())
    recorded = unit((RECORDED / "systemctl-show.jicofo.txt").read_text())
    for name in ("Type", "Restart", "GuessMainPID", "RemainAfterExit", "SuccessExitStatus", "KillMode"):
        assert found[name] == recorded[name], name
    assert found["TimeoutSec"] == recorded["TimeoutStopUSec"]
    assert set(found.get("After", "").split()) <= set(recorded["After"].split())
    assert "remote-fs.target" in found["After"]
    assert "PIDFile" not in found


def test_the_scripts_pass_shellcheck(packages: dict[str, Package]) -> None:
    try:
        command = checkers.enter(checkers.root())
    except checkers.UnavailableError as error:
        pytest.skip(str(error))
    checked = 0
    for name, package in packages.items():
        members = package.members() & {"config", "preinst", "postinst", "prerm", "postrm"}
        texts = {member: package.control(member) for member in members}
        texts |= {path: package.text(path) for path, mode in package.files().items() if "x" in mode}
        for script, text in texts.items():
            # 1091: what debconf brings is not followed.
            asked = [*command, "/usr/bin/shellcheck", "--exclude=SC1091", "-"]
            done = subprocess.run(asked, input=text, capture_output=True, text=True, env={"LANG": "C.UTF-8"})
            assert done.returncode == 0, f"{name} {script}: {done.stdout}{done.stderr}"
            checked += 1
    assert checked > 15
