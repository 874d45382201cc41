"""Level 4, of the embedded cloud itself: the commands that are about hosts, and up where none can boot."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hcloud.images import Image
from hcloud.server_types import ServerType

from local_cloud import process
from local_cloud.hosts.command_line import find

from . import plain
from .plain import Host, Lab, until


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    yield from plain.lab(tmp_path_factory.mktemp("commands"), "127.90.175.1")


@pytest.fixture(scope="module")
def host(lab: Lab) -> Host:
    """Named as the engine names servers; two more with its beginning, and two of one name, are off."""
    for name in ("bridge-2-89abcde", "bridge-2-fedcba9", "twin"):
        plain.finish(lab.begin(name, start_after_create=False).action)
    types = (ServerType(name="cx23"), Image(name="debian-12"))
    other = lab.project(secrets.token_hex(32))
    plain.finish(other.servers.create("twin", *types, start_after_create=False).action)
    return lab.make("bridge-1-0123456", "#cloud-config\nruncmd:\n- echo said by user-data\n")


def run(
    state: Path, *words: str, environment: Mapping[str, str] | None = None, after: tuple[str, ...] = ()
) -> tuple[int, str]:
    """Exit status and what it said."""
    command = [sys.executable, "-m", "local_cloud", *words, "--state", str(state), *(("--", *after) if after else ())]
    done = subprocess.run(
        command, cwd=process.CHECKOUT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_status_has_a_line_for_each_host(lab: Lab, host: Host) -> None:
    code, text = run(lab.state, "status")
    lines = [line.split() for line in text.splitlines()]
    (row,) = [line for line in lines if line and line[0] == host.name]
    assert (code, row[1:4], row[5]) == (0, ["running", host.entry["public"], "-"], "done")
    assert sum(line[1:2] == ["off"] for line in lines) == 4


def test_a_command_runs_on_the_host_and_its_exit_status_is_that_of_exec(lab: Lab, host: Host) -> None:
    assert host.name
    assert run(lab.state, "exec", "bridge-1", after=("hostname",)) == (0, "bridge-1-0123456\n")
    assert run(lab.state, "exec", "bridge-1", after=("sh", "-c", "echo no >&2; exit 42")) == (42, "no\n")
    assert run(lab.state, "exec", "bridge-1", after=("id", "-u", "--", "root")) == (0, "0\n")


def test_nothing_of_this_machine_s_environment_comes_to_the_host(lab: Lab, host: Host) -> None:
    assert host.name
    environment = {**os.environ, "https_proxy": "http://proxy.example", "LC_ALL": "C.UTF-8"}
    code, text = run(lab.state, "exec", "bridge-1", environment=environment, after=("env",))
    assert code == 0
    assert {line.partition("=")[0] for line in text.splitlines()} == {"PATH", "HOME", "LANG", "TERM"}


def test_console_shows_the_end_of_the_boot_and_of_cloud_init(lab: Lab, host: Host) -> None:
    assert host.name
    until(lambda: "login:" in run(lab.state, "console", "bridge-1")[1])
    code, text = run(lab.state, "console", "bridge-1", "--cloud-init", "--lines", "3")
    assert (code, "said by user-data" in text, len(text.splitlines())) == (0, True, 3)
    assert "\x1b" not in run(lab.state, "console", "bridge-1", "--lines", "1000")[1]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bridge-9", "no host is called bridge-9; there are: "),
        ("bridge-", "no host is called bridge-;"),
        ("bridge-2", "several hosts are called bridge-2;"),
        ("twin", "several hosts are called twin;"),
        ("bridge-2-89abcde", "bridge-2-89abcde is off"),
    ],
)
def test_a_host_that_is_not_meant_by_one_name_is_refused(lab: Lab, host: Host, name: str, said: str) -> None:
    assert host.name
    code, text = run(lab.state, "exec", name, after=("true",))
    assert (code, said in text, "Traceback" in text) == (1, True, False)


@pytest.mark.parametrize("called", ["dev-bridge-2-1a2b3c4", "i-0123456781a2b3c4", "dev-bridge-2", "bridge-2"])
def test_a_host_of_ec2_is_found_by_its_tag_and_its_id(called: str) -> None:
    hosts = [
        {"name": name, "instance": instance}
        for name, instance in (("dev-bridge-2-1a2b3c4", "i-0123456781a2b3c4"), ("dev-bridge-12-5d6e7f8", "i-2"))
    ]

    class Cloud:
        admin = SimpleNamespace(status=lambda: {"hosts": hosts})

    assert find(cast(process.LocalCloud, Cloud()), called) == hosts[0]


def test_an_option_after_the_host_s_name_is_ours_and_a_command_needs_its_dashes(lab: Lab, host: Host) -> None:
    assert host.name
    assert run(lab.state, "exec", "bridge-1", "hostname")[0] == 2
    assert run(lab.state, "status", after=("hostname",))[0] == 2


def test_ports_that_cannot_be_opened_here_are_named(lab: Lab, host: Host) -> None:
    assert process.running(lab.state)
    public = host.entry["public"]
    with plain.taken(public, 8000):
        host.run("systemd-run --unit=web python3 -m http.server 8000")
        problem = f"problem: {public}:8000 (tcp) cannot be opened: Address already in use"
        until(lambda: problem in run(lab.state, "status")[1])
    until(lambda: "problem:" not in run(lab.state, "status")[1])


def test_where_no_host_can_boot_up_says_so_in_one_line_and_serves_the_apis(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": str(tmp_path)}
    try:
        code, text = run(tmp_path, "up", "--port", "0", environment=environment)
        first, *others = text.splitlines()
        assert code == 0
        assert first.startswith("Servers are rows in the API only: hosts need systemd-nspawn, unshare")
        assert [line.startswith("The embedded cloud runs at") for line in others] == [True]
        assert run(tmp_path, "exec", "web") == (1, "local_cloud: the embedded cloud runs without hosts\n")
    finally:
        run(tmp_path, "down")
    code, text = run(tmp_path, "up", "--hosts", "--port", "0", environment=environment)
    assert (code, text.startswith("local_cloud: servers cannot boot: hosts need")) == (1, True)
