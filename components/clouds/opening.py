"""The way from settings to the stack's cloud. Imports one provider's package, that of the chosen cloud."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import pulumi

from components.clouds import Cloud
from components.clouds.known import CloudName
from components.settings import Settings


@dataclass(frozen=True, kw_only=True)
class CloudArgs:
    """What a cloud makes its shared parts from. `settings` is whole: which of them concern a cloud, it knows itself."""

    settings: Settings
    labels: Mapping[str, str]
    unused_public_key: pulumi.Input[str]
    """For clouds that want one at their servers' creation. The hosts do not take keys from the cloud."""
    shard_locations: Collection[str]
    """Where signaling nodes stand since earlier runs: they stay there while a change of location waits."""


def chosen(cloud: CloudName) -> Callable[[str, CloudArgs], Cloud]:
    """What makes the cloud `cloud`; pulumi.RunError where its package is missing, before any resource is declared."""
    match cloud:
        case "hetzner":
            from components.clouds.hetzner import HetznerCloud

            return HetznerCloud
        case "aws":
            if find_spec("pulumi_aws") is None:
                raise pulumi.RunError(
                    "cloud: aws needs the Python package pulumi-aws, which is not installed, so that nobody else "
                    "downloads its large plugin. Install it with: .venv/bin/python -m pip install -c constraints.txt "
                    "'.[aws]'"
                )
            from components.clouds.aws import AwsCloud

            return AwsCloud
