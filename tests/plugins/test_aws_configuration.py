"""The configuration of the aws double: what it takes, in which form, and whom it never speaks to."""

from typing import Any

import pytest

from local_cloud.plugins.aws.aws_provider import AwsProvider
from local_cloud.plugins.resource import ProviderError
from tests.ec2 import Keys

LOCAL = "http://127.0.0.1:8091/ec2"


@pytest.fixture(autouse=True)
def _nothing_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)


def configured(**changes: Any) -> AwsProvider:
    keys = Keys()
    config = {
        "region": "eu-central-1",
        "accessKey": keys.access,
        "secretKey": keys.secret,
        "endpoints": f'[{{"ec2": "{LOCAL}"}}]',
        "skipCredentialsValidation": "true",
    } | changes
    provider = AwsProvider()
    provider.configure({key: value for key, value in config.items() if value is not None})
    return provider


@pytest.mark.parametrize(
    "endpoints",
    [
        f'[{{"ec2": "{LOCAL}"}}]',
        [{"ec2": LOCAL}],
        [{"sts": LOCAL}, {"ec2": LOCAL}],
        f'[{{"ec2": "{LOCAL}", "iam": "http://localhost:8091"}}]',
    ],
)
def test_an_endpoint_on_loopback_is_taken_in_each_form_in_which_it_can_come(endpoints: Any) -> None:
    assert configured(endpoints=endpoints).api().region == "eu-central-1"


@pytest.mark.parametrize(
    ("endpoints", "said"),
    [
        (None, "names none for ec2"),
        ('[{"iam": "http://127.0.0.1:8091"}]', "names none for ec2"),
        ('[{"ec2": "https://ec2.eu-central-1.amazonaws.com"}]', "amazonaws.com for ec2"),
        (f'[{{"ec2": "{LOCAL}"}}, {{"sts": "https://sts.amazonaws.com"}}]', "sts.amazonaws.com for sts"),
        ('[{"ec2": "http://127.0.0.1.example.org"}]', "for ec2"),
    ],
)
def test_no_other_address_is_ever_spoken_to(endpoints: Any, said: str) -> None:
    with pytest.raises(ProviderError, match=said) as refused:
        configured(endpoints=endpoints)
    assert "pulumi plugin install resource aws" in str(refused.value)


def test_credentials_must_be_there_and_are_not_looked_for_in_a_profile() -> None:
    with pytest.raises(ProviderError, match="No valid credential sources found"):
        configured(accessKey=None)
    with pytest.raises(ProviderError, match="reads no profile"):
        configured(accessKey=None, profile="work")
    with pytest.raises(ProviderError, match="skipCredentialsValidation"):
        configured(skipCredentialsValidation=None)


def test_region_and_keys_also_come_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    keys = Keys()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
    assert configured(region=None, accessKey=None, secretKey=None).api().region == "eu-west-1"


@pytest.mark.parametrize(
    ("config", "failures"),
    [
        ({"region": "eu-central-1"}, set()),
        ({}, {"region"}),
        ({"region": "eu-central-1", "assumeRoles": '[{"roleArn": "x"}]'}, {"assumeRoles"}),
        ({"region": "eu-central-1", "colour": "red"}, {"colour"}),
        ({"region": "eu-central-1", "skipMetadataApiCheck": "true", "assumeRoles": "[]"}, set()),
    ],
)
def test_what_the_configuration_may_not_say_is_refused_by_key(config: dict[str, str], failures: set[str]) -> None:
    assert AwsProvider().check_config(config)[1].keys() == failures


def test_no_call_is_made_before_the_configuration_is_known() -> None:
    with pytest.raises(ProviderError, match="not known yet"):
        AwsProvider().api()
