"""Level 2: how user-data is packed, and how much room is left. Needs no checker."""

import base64
import gzip
from collections.abc import Mapping
from dataclasses import fields, replace

import pulumi
import pytest

from components.clouds import known
from components.clouds.known import CloudName
from components.clouds.terms import UserDataLimit
from components.doors import ROLES, Role
from components.operations import PROGRAM
from components.user_data import (
    BRIDGE_PLACEHOLDERS,
    SIGNALING_PLACEHOLDERS,
    check_size,
    packed,
    user_data,
)
from tests.level2_checked.rendered import (
    CASES,
    LONGEST_DOMAIN,
    MAKERS,
    Values,
    bridge,
    case,
    key_line,
    landed,
    signaling,
)

PLACEHOLDERS: dict[Role, Mapping[str, str]] = {"signaling": SIGNALING_PLACEHOLDERS, "bridge": BRIDGE_PLACEHOLDERS}
ROOM: list[tuple[Role, str, int]] = [
    ("bridge", "plain", 8 * 1024),
    ("bridge", "long", 8 * 1024),
    ("signaling", "plain", 15 * 1024),
    ("signaling", "long", 15 * 1024),
]
LIMITS: Mapping[CloudName, UserDataLimit] = {cloud: terms.user_data for cloud, terms in known.TERMS.items()}
KEYS_THAT_FIT: list[tuple[CloudName, str, int, int]] = [
    ("hetzner", "ssh-rsa", 520, 20),
    ("aws", "ssh-rsa", 520, 6),
    ("aws", "ssh-ed25519", 32, 40),
]
MOST_OF_SSH = 64 * 1024
"""Bytes of the program for drains; the state holds them once."""


@pytest.mark.parametrize("role", ROLES)
def test_placeholders_are_no_smaller_than_what_they_stand_for(role: Role) -> None:
    """At the longest domain, whose name the certificates repeat."""
    values = MAKERS[role](domain=LONGEST_DOMAIN)
    placeholders = PLACEHOLDERS[role]
    assert {each.name for each in fields(values) if each.metadata.get("secret")} <= set(placeholders)
    for name, placeholder in placeholders.items():
        real = getattr(values, name)
        assert len(placeholder) >= len(real), f"{name} has {len(real)} characters"
        assert placeholder.count("\n") >= real.count("\n")
        assert len(gzip.compress(placeholder.encode())) >= len(gzip.compress(real.encode())), f"{name} packs better"


@pytest.mark.parametrize("role", ROLES)
def test_packed_with_placeholders_a_text_is_no_smaller_than_the_real_one(role: Role) -> None:
    """check_size sees placeholders only."""
    values = MAKERS[role](domain=LONGEST_DOMAIN)
    stood_in_for = MAKERS[role](domain=LONGEST_DOMAIN, **PLACEHOLDERS[role])
    assert len(packed(user_data(stood_in_for))) >= len(packed(user_data(values)))


@pytest.mark.parametrize(("role", "name"), CASES)
def test_a_packed_text_is_the_plain_one_as_cloud_init_reads_it(role: Role, name: str) -> None:
    text = user_data(case(role, name))
    assert gzip.decompress(base64.b64decode(packed(text), validate=True)).decode() == text


def test_packing_knows_no_time_of_day() -> None:
    assert base64.b64decode(packed("text"))[4:8] == bytes(4)


@pytest.mark.parametrize(("role", "name", "most"), ROOM)
def test_user_data_leaves_room(role: Role, name: str, most: int) -> None:
    """The state holds every server's copy, and admin keys need room below the cloud's limit."""
    assert len(packed(user_data(case(role, name)))) <= most


@pytest.mark.parametrize("cloud", LIMITS)
@pytest.mark.parametrize("values", [bridge(**BRIDGE_PLACEHOLDERS), signaling(**SIGNALING_PLACEHOLDERS)])
def test_too_many_admin_keys_are_refused_before_any_call(cloud: CloudName, values: Values) -> None:
    limit = LIMITS[cloud]
    check_size(values, limit)
    keys = tuple(key_line(f"admin-{number}", kind="ssh-rsa", size=520) for number in range(60))
    with pytest.raises(pulumi.RunError, match=rf"at most {limit.most}.*60 keys.*Ed25519") as refusal:
        check_size(replace(values, admin_keys=keys), limit)
    assert keys[0] not in str(refusal.value)


@pytest.mark.parametrize(("cloud", "kind", "size", "number"), KEYS_THAT_FIT)
@pytest.mark.parametrize("role", ROLES)
def test_the_longest_domain_and_many_keys_fit(role: Role, cloud: CloudName, kind: str, size: int, number: int) -> None:
    keys = tuple(key_line(f"admin-{each}@laptop.example.org", kind=kind, size=size) for each in range(number))
    check_size(MAKERS[role](domain=LONGEST_DOMAIN, admin_keys=keys, **PLACEHOLDERS[role]), LIMITS[cloud])


@pytest.mark.parametrize("text", ["", "a", "ab", "abc", "abcd" * 999])
def test_a_limit_counts_what_the_cloud_counts(text: str) -> None:
    """AWS counts the compressed bytes, before base64; Hetzner what is sent."""
    sent = packed(text)
    assert LIMITS["aws"].size(sent) == len(base64.b64decode(sent))
    assert LIMITS["hetzner"].size(sent) == len(sent)


def test_the_program_for_drains_travels_by_ssh_and_not_in_user_data() -> None:
    """It may be replaced while the node runs; user-data is for ever."""
    program = PROGRAM.read_text()
    assert "SSH_ORIGINAL_COMMAND" in program
    assert not [path for path, file in landed(signaling()).items() if "def drain(" in file.content]
    assert len(program.encode()) < MOST_OF_SSH
