"""Level 1, declared: Pulumi.example.yaml is complete, valid, and tells the truth about defaults. No engine runs."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import settings
from components.rules.stack_config import SettingsError
from components.settings import Settings
from tests.level1_declared.stack_files import as_text, raw_config

CHECKOUT = Path(__file__).parents[2]
EXAMPLE = (CHECKOUT / "Pulumi.example.yaml").read_text()
DEV = (CHECKOUT / "Pulumi.dev.yaml").read_text()
FIELDS = {str(field.alias): field for field in Settings.model_fields.values()}
NEEDED_BY_A_DEFAULT = {"zoneId", "email"}


def _comments() -> dict[str, str]:
    """Key to the lines of comment that stand right above it."""
    blocks = re.findall(r"((?:^  #.*\n)+)  jitsi-fleet:(\w+):", EXAMPLE, re.MULTILINE)
    return {key: re.sub(r"^  # ?", "", comment, flags=re.MULTILINE) for comment, key in blocks}


def _stated_default(key: str) -> str:
    (default,) = re.findall(r"^Default: (.+)$", _comments()[key], re.MULTILINE)
    return str(default)


def test_every_setting_is_in_the_example_and_nothing_else() -> None:
    assert list(raw_config(EXAMPLE)) == list(FIELDS), "one order in the model, the example and the report of mistakes"


@pytest.mark.parametrize("text", [EXAMPLE, DEV], ids=["example", "dev"])
def test_the_stack_file_is_valid_as_it_stands(text: str) -> None:
    config = {key: as_text(value) for key, value in yaml.safe_load(text)["config"].items()}
    settings.read("jitsi-fleet", config, set())


@pytest.mark.parametrize("key", FIELDS)
def test_every_setting_has_a_comment_of_its_own(key: str) -> None:
    assert len(_comments()[key].splitlines()) >= 2
    assert key == "cloud" or "Change: " in _comments()[key], "what a change does to running calls, hosts or records"


@pytest.mark.parametrize("key", FIELDS)
def test_the_default_in_the_comment_is_the_default_of_the_program(key: str) -> None:
    stated, field = _stated_default(key), FIELDS[key]
    if field.is_required():
        assert stated == "none, it is required"
    elif key in NEEDED_BY_A_DEFAULT:
        assert (stated, field.default) == ("none", "")
    else:
        assert _read_with(key, yaml.safe_load(stated)) == field.default


@pytest.mark.parametrize("key", sorted({*FIELDS} - NEEDED_BY_A_DEFAULT))
def test_a_key_left_out_has_its_default_unless_it_is_required(key: str) -> None:
    raw = {other: value for other, value in raw_config(EXAMPLE).items() if other != key}
    if FIELDS[key].is_required():
        with pytest.raises(SettingsError, match=f"{key}: is missing"):
            settings.parse(raw)
    else:
        assert settings.parse(raw).model_dump(by_alias=True)[key] == FIELDS[key].default


def test_only_what_must_be_changed_says_so() -> None:
    marked = {key for key, comment in _comments().items() if comment.startswith("CHANGE.")}
    assert marked == {key for key, field in FIELDS.items() if field.is_required()} | NEEDED_BY_A_DEFAULT


def test_the_versions_in_the_comment_are_a_valid_value() -> None:
    lines = re.findall(r'^    (\S+: "\S+")$', _comments()["jitsiVersions"], re.MULTILINE)
    versions = yaml.safe_load("\n".join(lines))
    assert _read_with("jitsiVersions", versions) == versions


def test_the_example_holds_no_secret_and_says_how_tokens_are_set() -> None:
    assert {key.split(":")[0] for key in yaml.safe_load(EXAMPLE)["config"]} == {"jitsi-fleet"}
    for token in ("hcloud:token", "cloudflare:apiToken"):
        assert f"pulumi config set --secret {token}" in EXAMPLE


def _read_with(key: str, value: Any) -> Any:
    raw = raw_config(EXAMPLE) | {key: as_text(value)}
    return settings.parse(raw).model_dump(by_alias=True)[key]
