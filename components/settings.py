"""What a stack file may say: every setting, its type, its default, and the rules that hold between settings.

This is the only reader of configuration and the only home of defaults. Secrets are not settings: the program makes
its own, and the providers read their tokens themselves. What each key costs and what its change does to running calls
stands in Pulumi.example.yaml.
"""

from collections.abc import Callable, Collection, Mapping
from ipaddress import IPv4Network
from typing import Annotated, Literal

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

from components.doors import AddressPlan
from components.rules import (
    address_range,
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

Cloud = Literal["hetzner"]
Dns = Literal["cloudflare", "none"]
Tls = Literal["letsencrypt", "cluster"]
ServerType = Annotated[str, shaped(r"[a-z][a-z0-9-]{1,31}", "a server type", "ccx13")]
Image = Annotated[str, shaped(r"[a-z0-9][a-z0-9.-]{0,62}", "an image's name or a snapshot's number", "debian-12")]
Location = Annotated[str, shaped(r"[a-z]{3}[a-z0-9]{0,13}", "a location (which is not a datacenter)", "fsn1")]
NetworkZone = Annotated[str, shaped(r"[a-z]{2,10}(-[a-z]{2,15})+", "a network zone", "eu-central")]
ZoneId = Annotated[str, shaped(r"[0-9a-f]{32}", "a zone id of 32 hexadecimal digits", "0123456789abcdef" * 2)]
Domain = Annotated[str, parsed(domain_name.normalise, name_value=True)]
Network = Annotated[IPv4Network, parsed(address_range.private_network)]
AdminRange = Annotated[str, parsed(address_range.admin_range)]
AdminKey = Annotated[str, parsed(ssh_public_key.checked)]
Email = Annotated[str, parsed(email_address.checked)]
Package = Annotated[str, BeforeValidator(jitsi_packages.package)]
Version = Annotated[str, BeforeValidator(jitsi_packages.version)]
LabelKey = Annotated[str, BeforeValidator(labels.key)]
LabelValue = Annotated[str, BeforeValidator(labels.value)]

# Settings that another one requires: that one, its value, and what the absence would break.
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
}


class Settings(BaseModel):
    """One stack's settings, checked. A field sees those above it: a rule between two stands at the lower one.

    The description of a required field is the way out that its absence is reported with.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )

    cloud: Annotated[Cloud, one_of(Cloud, later=["aws"])] = "hetzner"
    dns: Annotated[Dns, one_of(Dns)] = "cloudflare"
    zone: Domain = Field(description="write the DNS zone that the domain lies in, such as example.org")
    zone_id: ZoneId = Field(default="", validate_default=True)
    domain: Domain = Field(description="write the name that people will type, such as meet.example.org")
    bridges: Annotated[int, whole_number(1, 85, "a stack is one cluster of at most 90 hosts. Write 1 to 85")] = 2
    bridge_type: ServerType = "ccx13"
    signaling_type: ServerType = "ccx23"
    image: Image = "debian-12"
    locations: Annotated[tuple[Location, ...], LIST, AfterValidator(filled), AfterValidator(distinct)] = ("fsn1",)
    network_zone: NetworkZone = "eu-central"
    network: Network = IPv4Network("10.80.0.0/16")
    admin_cidrs: Annotated[tuple[AdminRange, ...], LIST, AfterValidator(address_range.separate)] = Field(
        description=f"write a list of the address ranges that may reach SSH. {address_range.OWN_ADDRESS}"
    )
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

    @field_validator("zone_id", "email", mode="wrap")
    @classmethod
    def _required_by_another(cls, value: object, check: Callable[[object], str], info: ValidationInfo) -> str:
        if value != "":
            return check(value)
        other, choice, otherwise = REQUIRED_BY[info.field_name or ""]
        if info.data.get(other) == choice:
            raise ValueError(f"is missing; {other}={choice} requires {key_of(info)}, {otherwise}")
        return ""

    @field_validator("domain")
    @classmethod
    def _inside_its_zone(cls, domain: str, info: ValidationInfo) -> str:
        zone = info.data.get("zone")
        if zone is not None and not domain_name.is_within(domain, zone):
            raise ValueError(
                f"{domain} is outside the zone {zone}; records for it would never be found. "
                f"Write a name that ends in .{zone}, or the zone that {domain} lies in"
            )
        if len(domain) > MAX_DOMAIN:
            raise ValueError(
                f"has {len(domain)} characters; {MAX_DOMAIN} leave room for the names of the hosts below it. Shorten it"
            )
        return domain

    @property
    def url(self) -> str:
        """Where people meet."""
        return f"https://{self.domain}"

    @property
    def plan(self) -> AddressPlan:
        """The private network and its subnets."""
        return AddressPlan.within(self.network)


def load() -> Settings:
    """The settings of the stack that the engine runs; SettingsError (a pulumi.RunError) lists every mistake."""
    config = CONFIG.get()
    return read(pulumi.get_project(), config, {key for key in config if is_config_secret(key)})


def read(project: str, config: Mapping[str, str], secret_keys: Collection[str]) -> Settings:
    """The settings in a stack's whole configuration, whose keys have their namespaces."""
    others = stack_config.mistakes_of_others(project, config, secret_keys)
    own_secrets = stack_config.of_project(project, dict.fromkeys(secret_keys, ""))
    return parse(stack_config.of_project(project, config), own_secrets, others)


def parse(
    raw: Mapping[str, str], secret_keys: Collection[str] = (), others: Collection[stack_config.Mistake] = ()
) -> Settings:
    """The settings in `raw`, whose keys have no namespace; `others` are mistakes to report along with its own."""
    return stack_config.check(Settings, raw, secret_keys, others)
