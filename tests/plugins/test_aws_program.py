"""The program's cluster at AWS, made by the double on the embedded cloud's EC2: each resource that it declares.

Without the engine: what the program declares goes to the double as it comes, and what the double answers goes back. So
every argument of components/clouds/aws*.py meets every part of the double, in a second.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pulumi.runtime import mocks

from local_cloud.plugins.values import reveal
from tests.ec2 import REGION
from tests.level1_declared import recording
from tests.level1_declared.providers import Provider
from tests.plugins import aws_cloud, aws_schema
from tests.plugins.aws_cloud import Account, Made

pytestmark = pytest.mark.skipif(not aws_schema.installed(), reason="pulumi-aws is not installed: pip install .[aws]")
ZONES = ["eu-central-1a", "eu-central-1b"]
# An address that is not there yet when the resource is read for the first time: the Elastic IP's counts from then on.
LATER = {"associatePublicIpAddress"}


class Through(Provider):
    """What is AWS's goes to the double, the rest is computed as at level 1."""

    def __init__(self, account: Account) -> None:
        super().__init__({}, "")
        self.account = account
        self.made: list[Made] = []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        if args.typ.startswith("aws:"):
            inputs = {key: reveal(value) for key, value in args.inputs.items() if value is not None}
            self.made.append(self.account.named(args.name, args.typ, inputs))
            return self.made[-1].id, self.made[-1].outputs
        id, outputs = super().new_resource(args)
        if args.typ.endswith(":PrivateKey"):
            outputs["publicKeyOpenssh"] = _public_key()
        return id, outputs

    def call(self, args: mocks.MockCallArgs) -> Any:
        if args.token.startswith("aws:"):
            return self.account.plugin.call("Invoke", {"tok": args.token, "args": args.args})["return"]
        return super().call(args)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with aws_cloud.opened(Path(tmp_path_factory.mktemp("cloud"))) as cloud, aws_cloud.account(cloud) as account:
        yield account


@pytest.fixture(scope="module")
def made(account: Account) -> list[Made]:
    through = Through(account)
    config = {"cloud": "aws", "locations": ZONES, "aws:region": REGION, "bridges": 8, "protect": False}
    recording.declare(config, cloud="aws", provider=through)
    return through.made


def test_everything_that_the_program_declares_is_made(made: list[Made], account: Account) -> None:
    found = account.ec2.describe_instances()["Reservations"]
    assert len(found) == 9
    assert {one["Instances"][0]["MetadataOptions"]["HttpTokens"] for one in found} == {"required"}
    assert len({resource.type for resource in made}) == 13, "every resource of the double has its use"


def test_nothing_of_it_differs_by_itself(made: list[Made]) -> None:
    for resource in made:
        assert resource.kinds() == {}, (resource.type, resource.name)


def test_nothing_of_it_differs_after_a_refresh_but_what_the_program_takes_no_notice_of(made: list[Made]) -> None:
    for resource in made:
        assert resource.read(), (resource.type, resource.name)
        assert set(resource.kinds()) <= LATER, (resource.type, resource.name)


def test_it_can_be_taken_down_in_the_engines_order(made: list[Made]) -> None:
    for resource in reversed(made):
        resource.delete()
    for resource in made:
        assert not resource.read(), (resource.type, resource.name)


def _public_key() -> str:
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
