"""What a stack file may say: every setting, its type, its default, and the rules that hold between settings.

This is the only reader of configuration and the only home of defaults, but for those that depend on the cloud: each
cloud's terms have them (components/clouds/). Secrets are not settings: the program makes its own, and the providers
read their tokens themselves. What each key costs and what its change does to running calls stands in
Pulumi.example.yaml.
"""

from collections.abc import Callable, Collection, Mapping
from ipaddress import IPv4Network
from typing import Annotated, Literal

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

from components.clouds import known
from components.clouds.terms import Terms
from components.doors import AddressPlan
from components.rules import (
    address_range,
    by_cloud,
    domain_name,
    email_address,
    jitsi_packages,
    labels,
    ssh_public_key,
    stack_config,
)
from components.rules.setting_types import (
    CLAIM,
    LIST,
    MAP,
    distinct,
    filled,
    key_of,
    one_of,
    parsed,
    shaped,
    whole_number,
)

# The longest name below the domain must fit into 253 characters, too.
MAX_DOMAIN = domain_name.MAX_LENGTH - len("_jitsi-bridge-metrics._tcp.")

Dns = Literal["cloudflare", "none"]
Tls = Literal["letsencrypt", "cluster"]
ServerType = Annotated[str, by_cloud.shaped("server_type")]
Image = Annotated[str, by_cloud.shaped("image")]
Location = Annotated[str, by_cloud.shaped("location")]
NetworkZone = Annotated[str, shaped(r"[a-z]{2,10}(-[a-z]{2,15})+", "a network zone", "eu-central")]
ZoneId = Annotated[str, shaped(r"[0-9a-f]{32}", "a zone id of 32 hexadecimal digits", "0123456789abcdef" * 2)]
Vpc = Annotated[str, shaped(r"vpc-[0-9a-f]{8,17}", "a VPC's id", "vpc-0123456789abcdef0")]
InternetGateway = Annotated[str, shaped(r"igw-[0-9a-f]{8,17}", "an internet gateway's id", "igw-0123456789abcdef0")]
Domain = Annotated[str, parsed(domain_name.normalise, name_value=True)]
Network = Annotated[IPv4Network, parsed(address_range.private_network), AfterValidator(by_cloud.free_network)]
AdminRange = Annotated[str, parsed(address_range.admin_range)]
AdminKey = Annotated[str, parsed(ssh_public_key.checked)]
Email = Annotated[str, parsed(email_address.checked)]
Package = Annotated[str, BeforeValidator(jitsi_packages.package)]
Version = Annotated[str, BeforeValidator(jitsi_packages.version)]
LabelKey = Annotated[str, BeforeValidator(by_cloud.label_key)]
LabelValue = Annotated[str, BeforeValidator(labels.value)]

# Tokens of all providers, and the key that leads each provider away from the vendor's API.
TOKENS = {**known.TOKENS, "cloudflare:apiToken": "cloudflare:baseUrl"}

# Settings that another one requires: that one, its value, and what the absence would break.
ANY = "*"
REQUIRED_BY = {
    "zone_id": (
        "dns",
        "cloudflare",
        "otherwise it is unknown where records go. Copy the zone id from the zone's overview page at Cloudflare, "
        "or set dns to none and enter the records by hand",
    ),
    "email": (
        "tls",
        "letsencrypt",
        "otherwise nobody hears of trouble with the certificate. Write the address of whoever operates the cluster, "
        "or set tls to cluster for a certificate of the cluster's own CA, which browsers warn of",
    ),
    "internet_gateway": (
        "vpc",
        ANY,
        "otherwise no host in it reaches the internet. Write the id of the gateway that is attached to it",
    ),
}


class Settings(BaseModel):
    """One stack's settings, checked. A field sees those above it: a rule between two stands at the lower one.

    The description of a required field is the way out that its absence is reported with.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )

    cloud: Annotated[known.CloudName, one_of(known.CloudName)] = known.DEFAULT
    dns: Annotated[Dns, one_of(Dns)] = "cloudflare"
    zone: Domain = Field(description="write the DNS zone that the domain lies in, such as example.org")
    zone_id: ZoneId = Field(default="", validate_default=True)
    domain: Domain = Field(description="write the name that people will type, such as meet.example.org")
    bridges: Annotated[int, whole_number(1, 85, "a stack is one cluster of at most 90 hosts. Write 1 to 85")] = 2
    bridge_type: ServerType = by_cloud.default()
    signaling_type: ServerType = by_cloud.default()
    image: Image = "debian-12"
    locations: Annotated[tuple[Location, ...], LIST, AfterValidator(filled), AfterValidator(distinct)] = (
        by_cloud.default()
    )
    network_zone: NetworkZone = by_cloud.default()
    network: Network = IPv4Network("10.80.0.0/16")
    vpc: Vpc = ""
    internet_gateway: InternetGateway = Field(default="", validate_default=True)
    admin_cidrs: Annotated[
        tuple[AdminRange, ...], LIST, AfterValidator(address_range.separate), AfterValidator(by_cloud.few_enough)
    ] = Field(description=f"write a list of the address ranges that may reach SSH. {address_range.OWN_ADDRESS}")
    admin_keys: Annotated[tuple[AdminKey, ...], LIST, AfterValidator(ssh_public_key.distinct)] = ()
    tls: Annotated[Tls, one_of(Tls)] = "letsencrypt"
    email: Email = Field(default="", validate_default=True)
    jitsi_versions: Annotated[Mapping[Package, Version], MAP, AfterValidator(jitsi_packages.all_or_none)] = {}
    drain: Annotated[bool, CLAIM] = True
    drain_minutes: Annotated[int, whole_number(0, 1440, "a bridge that goes waits this long for its calls to end")] = 10
    drain_at_once: Annotated[int, whole_number(1, 85, "so many bridges are drained side by side")] = 20
    replace_at_once: Annotated[int, whole_number(1, 85, "so many bridges are replaced by one pulumi up")] = 3
    generation: Annotated[int, whole_number(1, 9999, "it counts the shard's replacements. Raise it by one")] = 1
    protect: Annotated[bool, CLAIM] = False
    labels: Annotated[Mapping[LabelKey, LabelValue], MAP] = {}

    @field_validator("*", mode="wrap")
    @classmethod
    def _of_its_cloud(cls, value: object, check: Callable[[object], object], info: ValidationInfo) -> object:
        return by_cloud.default_or_checked(value, check, info)

    @field_validator("zone_id", "email", "internet_gateway", mode="wrap")
    @classmethod
    def _required_by_another(cls, value: object, check: Callable[[object], str], info: ValidationInfo) -> str:
        if value != "":
            return check(value)
        other, choice, otherwise = REQUIRED_BY[info.field_name or ""]
        found = info.data.get(other)
        if found and choice in (found, ANY):
            raise ValueError(f"is missing; {other}={found} requires {key_of(info)}, {otherwise}")
        return ""

    @field_validator("internet_gateway")
    @classmethod
    def _with_its_vpc(cls, gateway: str, info: ValidationInfo) -> str:
        if gateway and info.data.get("vpc") == "":
            raise ValueError(
                f"{gateway} requires vpc, otherwise it is unknown whose it is; write both, or none of them"
            )
        return gateway

    @field_validator("domain")
    @classmethod
    def _inside_its_zone(cls, domain: str, info: ValidationInfo) -> str:
        return domain_name.with_room(domain, info.data.get("zone"), MAX_DOMAIN)

    @property
    def url(self) -> str:
        """Where people meet."""
        return f"https://{self.domain}"

    @property
    def terms(self) -> Terms:
        """Those of the cloud."""
        return known.TERMS[self.cloud]

    @property
    def plan(self) -> AddressPlan:
        """The private network and the roles' ranges in it."""
        return AddressPlan.within(self.network)


def load() -> Settings:
    """The settings of the stack that the engine runs; SettingsError (a pulumi.RunError) lists every mistake."""
    config = CONFIG.get()
    return read(pulumi.get_project(), config, {key for key in config if is_config_secret(key)})


def read(project: str, config: Mapping[str, str], secret_keys: Collection[str]) -> Settings:
    """The settings in a stack's whole configuration, whose keys have their namespaces."""
    raw = stack_config.of_project(project, config)
    others = [
        *stack_config.mistakes_of_others(project, config, secret_keys, TOKENS),
        *(stack_config.Mistake(key, text) for key, text in by_cloud.mistakes_of_provider(raw, config)),
    ]
    return parse(raw, stack_config.of_project(project, dict.fromkeys(secret_keys, "")), others)


def parse(
    raw: Mapping[str, str], secret_keys: Collection[str] = (), others: Collection[stack_config.Mistake] = ()
) -> Settings:
    """The settings in `raw`, whose keys have no namespace; `others` are mistakes to report along with its own."""
    return stack_config.check(Settings, raw, secret_keys, TOKENS, others)
