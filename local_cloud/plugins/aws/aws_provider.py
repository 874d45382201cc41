"""The provider: its configuration, its resources, its one function."""

import json
import os
from typing import Any

from local_cloud.plugins.aws import ami
from local_cloud.plugins.aws.api import VERSION, Api
from local_cloud.plugins.aws.aws_resource import AwsResource
from local_cloud.plugins.aws.eip import Eip
from local_cloud.plugins.aws.instance import Instance
from local_cloud.plugins.aws.internet_gateway import InternetGateway
from local_cloud.plugins.aws.key_pair import KeyPair
from local_cloud.plugins.aws.placement_group import PlacementGroup
from local_cloud.plugins.aws.routes import Route, RouteTable, RouteTableAssociation
from local_cloud.plugins.aws.security_group import SecurityGroup
from local_cloud.plugins.aws.security_group_rule import SecurityGroupEgressRule, SecurityGroupIngressRule
from local_cloud.plugins.aws.subnet import Subnet
from local_cloud.plugins.aws.vpc import Vpc
from local_cloud.plugins.loopback import is_loopback
from local_cloud.plugins.provider import Provider
from local_cloud.plugins.resource import ProviderError
from local_cloud.plugins.values import UNKNOWN, Values, reveal, without_marks

RESOURCES: tuple[type[AwsResource], ...] = (
    Vpc,
    Subnet,
    InternetGateway,
    RouteTable,
    Route,
    RouteTableAssociation,
    SecurityGroup,
    SecurityGroupIngressRule,
    SecurityGroupEgressRule,
    PlacementGroup,
    KeyPair,
    Instance,
    Eip,
)
TAKEN = ("accessKey", "defaultTags", "endpoints", "maxRetries", "profile", "region", "secretKey", "token")
"""What the double makes use of; of a profile it says that it reads none."""
PASSED_OVER = (
    "insecure",
    "retryMode",
    "s3UsEast1RegionalEndpoint",
    "s3UsePathStyle",
    "skipCredentialsValidation",
    "skipMetadataApiCheck",
    "skipRegionValidation",
    "skipRequestingAccountId",
    "tokenBucketRateLimiterCapacity",
    "userAgents",
)
"""What changes nothing here: no credential is checked and no account looked up anyway."""
ABSENT = (
    "allowedAccountIds",
    "assumeRoleWithWebIdentity",
    "assumeRoles",
    "customCaBundle",
    "ec2MetadataServiceEndpoint",
    "ec2MetadataServiceEndpointMode",
    "forbiddenAccountIds",
    "httpProxy",
    "httpsProxy",
    "ignoreTags",
    "noProxy",
    "sharedConfigFiles",
    "sharedCredentialsFiles",
    "stsRegion",
    "tagPolicyCompliance",
    "useDualstackEndpoint",
    "useFipsEndpoint",
)
NO_REGION = (
    "missing region information\nMake sure you have set your AWS region, e.g. `pulumi config set aws:region us-west-2`."
)
NO_CREDENTIALS = (
    "No valid credential sources found.\nPlease see "
    "https://www.pulumi.com/registry/packages/aws/installation-configuration/ for more information about providing "
    "credentials."
)
ONLY_LOOPBACK = (
    "this is a double of the aws plugin, which speaks to the embedded cloud on this machine (127.0.0.1) only. For a "
    f"real account, install the official plugin: pulumi plugin install resource aws {VERSION}"
)
RETRIES = 25
"""The provider's default; how it counts is a guess: so many calls after the first."""


class AwsProvider(Provider):
    """Configured by the stack's keys `aws:...`; region and keys also by the usual variables of the environment."""

    accepts_resources = False

    def __init__(self) -> None:
        self._api: Api | None = None
        self._default_tags: Values = {}
        made = [resource(self.api, lambda: self._default_tags) for resource in RESOURCES]
        super().__init__("aws", VERSION, made)

    def api(self) -> Api:
        """Return the configured API."""
        if self._api is None:
            raise ProviderError("aws: the provider's configuration is not known yet")
        return self._api

    def check_config(self, news: Values) -> tuple[Values, dict[str, str]]:
        known = {"version", "pluginDownloadURL", *TAKEN, *PASSED_OVER}
        failures = {key: f"'{key}' is not part of this double" for key in ABSENT if _decoded(news.get(key))}
        failures |= {key: f"Unknown property '{key}'" for key in sorted(news.keys() - known - set(ABSENT))}
        if not _region(news):
            failures["region"] = NO_REGION
        return news, failures

    def configure(self, config: Values) -> None:
        plain = {key: _decoded(value) for key, value in config.items()}
        if UNKNOWN in plain.values():
            return
        access_key = plain.get("accessKey") or os.environ.get("AWS_ACCESS_KEY_ID")
        secret_key = plain.get("secretKey") or os.environ.get("AWS_SECRET_ACCESS_KEY")
        if not access_key or not secret_key:
            hint = " (a double reads no profile: give it keys)" if plain.get("profile") else ""
            raise ProviderError(NO_CREDENTIALS + hint)
        if str(plain.get("skipCredentialsValidation")).lower() != "true":
            raise ProviderError(f"aws:skipCredentialsValidation is not set, but {ONLY_LOOPBACK}")
        self._default_tags = dict((plain.get("defaultTags") or {}).get("tags") or {})
        retries = plain.get("maxRetries")
        self._api = Api(
            region=_region(plain),
            endpoint=_endpoint(plain.get("endpoints")),
            access_key=str(access_key),
            secret_key=str(secret_key),
            token=plain.get("token"),
            max_retries=RETRIES if retries in (None, "") else int(retries),
        )

    def invoke(self, token: str, arguments: Values) -> Values:
        if token != ami.TOKEN:
            return super().invoke(token, arguments)
        return ami.look_up(self.api(), arguments)


def _region(config: Values) -> str:
    return str(config.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "")


def _endpoint(endpoints: Any) -> str:
    """The endpoint of EC2: a list of objects, each naming one service or several. All must be on loopback."""
    named = {service: url for entry in endpoints or [] for service, url in entry.items() if url}
    for service, url in sorted(named.items()):
        if not is_loopback(str(url)):
            raise ProviderError(f"aws:endpoints has {url} for {service}, but {ONLY_LOOPBACK}")
    if "ec2" not in named:
        raise ProviderError(f"aws:endpoints names none for ec2, but {ONLY_LOOPBACK}")
    return str(named["ec2"])


def _decoded(value: Any) -> Any:
    """A value of the stack file: lists and objects arrive as text, in JSON."""
    value = without_marks(reveal(value))
    if isinstance(value, str) and value[:1] in ("[", "{"):
        return without_marks(json.loads(value))
    return value
