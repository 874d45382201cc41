"""AWS's own client for the EC2 of an embedded cloud: what somebody does by hand there."""

import secrets
from dataclasses import dataclass, field
from typing import Any

import boto3

from local_cloud.process import LocalCloud

REGION = "eu-central-1"
DEBIAN = "136693071363"
"""The account whose images Debian's are."""


@dataclass(frozen=True)
class Keys:
    """An access key of its own is an account of its own, which sees nothing of others."""

    access: str = field(default_factory=lambda: "AKIA" + secrets.token_hex(8).upper())
    secret: str = field(default_factory=lambda: secrets.token_hex(20))

    def client(self, cloud: LocalCloud, **more: Any) -> Any:
        own = {"aws_access_key_id": self.access, "aws_secret_access_key": self.secret}
        return boto3.client("ec2", region_name=REGION, endpoint_url=cloud.ec2_url, **own, **more)
