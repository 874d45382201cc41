"""Level 2: the user-data as a whole: what it writes, how large it is, who may read it. Needs no checker."""

import stat
from dataclasses import fields, replace
from pathlib import Path
from typing import get_args

import pytest
import yaml
from jinja2 import UndefinedError

from components import user_data as module
from components.doors import ROLES, Role, doors_of
from components.user_data import (
    CLOUD_INIT,
    shipped,
    user_data,
)
from tests.level2_checked.rendered import (
    CASES,
    DOMAIN,
    MAKERS,
    bridge,
    case,
    landed,
    signaling,
)

SECRETS_OF_A_BRIDGE = {"jvb_password"}
HANDED_TO_CLOUD_INIT = {"host_key"}


def test_every_role_has_a_folder_doors_and_a_case_here() -> None:
    folders = {path.name for path in CLOUD_INIT.iterdir()} - {"common"}
    assert folders == set(ROLES) == set(get_args(Role)) == set(MAKERS) == {role for role, _ in CASES}
    for role in ROLES:
        assert (CLOUD_INIT / role / "user-data.yaml.j2").is_file()
        assert doors_of(role)


@pytest.mark.parametrize("role", ROLES)
def test_every_shipped_file_is_written_where_its_place_in_the_tree_says(role: Role) -> None:
    sources = {
        path.relative_to(tree)
        for tree in (CLOUD_INIT / "common/files", CLOUD_INIT / role / "files")
        for path in tree.rglob("*")
        if path.is_file()
    }
    expected = {"/" + str(path).removesuffix(".j2").replace("DOMAIN", DOMAIN) for path in sources}
    assert set(landed(case(role, "plain"))) == expected


@pytest.mark.parametrize(("role", "name"), CASES)
def test_every_file_arrives_as_it_is_but_for_comments(role: Role, name: str) -> None:
    values = case(role, name)
    arrived = landed(values)
    plain = [(path, source) for path, source in shipped(role, values.domain) if source.suffix != ".j2"]
    assert len(plain) > 5
    for path, source in plain:
        lines = [line for line in source.read_text().splitlines() if line in arrived[path].content.splitlines()]
        assert lines == arrived[path].content.splitlines(), f"{path} has lines that its source has not"
        assert (int(arrived[path].permissions, 8) & 0o100 != 0) == bool(source.stat().st_mode & stat.S_IXUSR)


@pytest.mark.parametrize(("role", "name"), CASES)
def test_admin_keys_arrive_letter_by_letter(role: Role, name: str) -> None:
    values = case(role, name)
    assert yaml.safe_load(user_data(values))["ssh_authorized_keys"] == list(values.admin_keys)


@pytest.mark.parametrize(("role", "name"), CASES)
def test_without_libyaml_the_text_is_the_same(role: Role, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = user_data(case(role, name))
    monkeypatch.setattr(module, "_DUMPER", yaml.SafeDumper)
    assert user_data(case(role, name)) == with_it


def test_no_admin_keys_leave_no_empty_list_behind() -> None:
    assert "ssh_authorized_keys" not in yaml.safe_load(user_data(bridge(admin_keys=())))


def test_a_value_that_nobody_gives_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lenient template engine renders a misspelt name as nothing, and every checker is content."""
    folder = tmp_path / "bridge/files/etc"
    folder.mkdir(parents=True)
    (tmp_path / "common/files").mkdir(parents=True)
    (tmp_path / "bridge/user-data.yaml.j2").write_text("#cloud-config\n")
    (folder / "thing.j2").write_text("{{ focus_password }}\n")
    monkeypatch.setattr(module, "CLOUD_INIT", tmp_path)
    module._environment.cache_clear()
    try:
        with pytest.raises(UndefinedError, match="focus_password"):
            user_data(bridge())
    finally:
        module._environment.cache_clear()


def test_a_file_that_both_trees_ship_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tree in ("common/files", "bridge/files"):
        (tmp_path / tree).mkdir(parents=True)
        (tmp_path / tree / "motd").touch()
    monkeypatch.setattr(module, "CLOUD_INIT", tmp_path)
    with pytest.raises(ValueError, match="/motd is shipped twice"):
        list(shipped("bridge", DOMAIN))


@pytest.mark.parametrize("role", ROLES)
def test_the_same_values_give_the_same_bytes(role: Role) -> None:
    """Other bytes would replace every bridge."""
    values = case(role, "hostile")
    module._environment.cache_clear()
    reordered = dict(sorted(values.jitsi_versions.items(), reverse=True))
    assert user_data(values) == user_data(replace(values, jitsi_versions=reordered))


@pytest.mark.parametrize(("role", "name"), CASES)
def test_files_with_secrets_are_their_owners_alone(role: Role, name: str) -> None:
    values = case(role, name)
    secrets = {each.name: getattr(values, each.name).strip() for each in fields(values) if each.metadata.get("secret")}
    files = landed(values)
    for key, secret in secrets.items():
        holders = {path: file for path, file in files.items() if secret in file.content}
        if key in HANDED_TO_CLOUD_INIT:
            assert not holders, f"{key} is cloud-init's to place, in a file that only root reads"
            continue
        assert holders, f"{key} reaches the host nowhere"
        assert {file.permissions for file in holders.values()} <= {"0600", "0700"}


def test_a_bridge_gets_one_password_and_no_private_key() -> None:
    node, text = signaling(), user_data(bridge())
    assert {each.name for each in fields(bridge()) if each.metadata.get("secret")} == SECRETS_OF_A_BRIDGE
    assert "PRIVATE KEY" not in text
    for foreign in (node.focus_password, "focus", node.email):
        assert foreign not in text


@pytest.mark.parametrize("role", ROLES)
def test_secrets_are_absent_from_what_a_traceback_would_show(role: Role) -> None:
    values = case(role, "plain")
    assert not [each.name for each in fields(values) if each.metadata.get("secret") and each.name in repr(values)]


@pytest.mark.parametrize("role", ROLES)
def test_a_certificate_is_written_whole_whatever_its_lines_begin_with(role: Role) -> None:
    """One line of base64 in 4,096 begins as a comment of apt does; it was dropped, from one cluster in a hundred."""
    certificate = "-----BEGIN CERTIFICATE-----\n//8AAAAA\n//+/AAAA\n-----END CERTIFICATE-----\n"
    text = user_data(MAKERS[role](ca_certificate=certificate))
    written = {file["path"]: file["content"] for file in yaml.safe_load(text)["write_files"]}
    assert written["/usr/local/share/ca-certificates/jitsi-fleet.crt"] == certificate
