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
(AT_AWS,) = re.findall(r"```yaml\n(.*?)```", (CHECKOUT / "docs/aws.md").read_text(), re.DOTALL)
EXAMPLES = {"hetzner": EXAMPLE, "aws": AT_AWS}
ONLY_AT_AWS = {"vpc", "internetGateway"}
FIELDS = {str(field.alias): field for field in Settings.model_fields.values()}
NEEDED_BY_A_DEFAULT = {"zoneId", "email"}


def _comments() -> dict[str, str]:
    """Key to the lines of comment that stand right above it."""
    blocks = re.findall(r"((?:^  #(?! jitsi-fleet:).*\n)+)  (?:# )?jitsi-fleet:(\w+):", EXAMPLE, re.MULTILINE)
    return {key: re.sub(r"^  # ?", "", comment, flags=re.MULTILINE) for comment, key in blocks}


def _stated_default(key: str, cloud: str) -> str:
    (default,) = re.findall(r"^Default: (.+)$", _comments()[key], re.MULTILINE)
    everywhere, _, at_aws = str(default).partition("; aws: ")
    return at_aws if at_aws and cloud == "aws" else everywhere


def test_every_setting_is_in_the_example_and_nothing_else() -> None:
    assert list(_comments()) == list(FIELDS), "one order in the model, the example and the report of mistakes"
    assert set(FIELDS) - set(raw_config(EXAMPLE)) == ONLY_AT_AWS


@pytest.mark.parametrize("text", [EXAMPLE, DEV, AT_AWS], ids=["example", "dev", "docs/aws.md"])
def test_the_stack_file_is_valid_as_it_stands(text: str) -> None:
    config = {key: as_text(value) for key, value in yaml.safe_load(text)["config"].items()}
    settings.read("jitsi-fleet", config, set())


@pytest.mark.parametrize("key", FIELDS)
def test_every_setting_has_a_comment_of_its_own(key: str) -> None:
    assert len(_comments()[key].splitlines()) >= 2
    assert "Change: " in _comments()[key], "what a change does to running calls, hosts or records"


@pytest.mark.parametrize(
    ("cloud", "key"),
    [(cloud, key) for cloud in EXAMPLES for key in sorted({*FIELDS} - NEEDED_BY_A_DEFAULT - {"cloud"})],
)
def test_the_default_in_the_comment_is_what_a_key_has_that_is_left_out(cloud: str, key: str) -> None:
    whole = raw_config(EXAMPLES[cloud])
    raw = {other: value for other, value in whole.items() if other != key} | {"cloud": cloud}
    stated = _stated_default(key, cloud)
    if stated == "none, it is required":
        with pytest.raises(SettingsError, match=f"{key}: is missing"):
            settings.parse(raw)
    elif stated == "none" or (cloud, key) == ("aws", "networkZone"):
        assert settings.parse(raw).model_dump(by_alias=True)[key] == ""
    else:
        same = settings.parse(raw | {key: as_text(yaml.safe_load(stated))})
        assert settings.parse(raw).model_dump(by_alias=True)[key] == same.model_dump(by_alias=True)[key]


def test_what_is_needed_by_a_default_has_none_itself() -> None:
    assert _stated_default("cloud", "hetzner") == FIELDS["cloud"].default
    assert {(_stated_default(key, "hetzner"), FIELDS[key].default) for key in NEEDED_BY_A_DEFAULT} == {("none", "")}


def test_only_what_must_be_changed_says_so() -> None:
    marked = {key for key, comment in _comments().items() if comment.startswith("CHANGE.")}
    assert marked == {key for key, field in FIELDS.items() if field.is_required()} | NEEDED_BY_A_DEFAULT


def test_the_versions_in_the_comment_are_a_valid_value() -> None:
    lines = re.findall(r'^    (\S+: "\S+")$', _comments()["jitsiVersions"], re.MULTILINE)
    versions = yaml.safe_load("\n".join(lines))
    assert _read_with("jitsiVersions", versions) == versions


def test_the_example_holds_no_secret_and_says_how_tokens_are_set() -> None:
    assert {key.split(":")[0] for key in yaml.safe_load(EXAMPLE)["config"]} == {"jitsi-fleet"}
    for token in ("hcloud:token", "aws:secretKey", "cloudflare:apiToken"):
        assert f"pulumi config set --secret {token}" in EXAMPLE


def _read_with(key: str, value: Any) -> Any:
    raw = raw_config(EXAMPLE) | {key: as_text(value)}
    return settings.parse(raw).model_dump(by_alias=True)[key]
