"""An embedded cloud with EC2, and an account in it, for tests of the aws double."""

from collections.abc import Iterator

import pytest

from local_cloud.process import LocalCloud
from tests.plugins import aws_cloud
from tests.plugins.aws_cloud import Account


@pytest.fixture(scope="module")
def ec2_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with aws_cloud.opened(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture
def account(ec2_cloud: LocalCloud) -> Iterator[Account]:
    with aws_cloud.account(ec2_cloud) as account:
        yield account
    ec2_cloud.admin.clear_faults()
