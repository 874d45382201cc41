"""Joins settings and credentials to what each role's servers are made of.

Secrets are known late and only inside an Output; everything else is checked here before any resource is declared.
"""

import hashlib

import pulumi

from components.credentials import Credentials
from components.records import internal_name
from components.rollout import Build
from components.settings import Settings
from components.user_data import (
    BRIDGE_PLACEHOLDERS,
    SIGNALING_PLACEHOLDERS,
    BridgeValues,
    SignalingValues,
    check_size,
    user_data,
)


def check_user_data(settings: Settings) -> None:
    """Refuse settings whose user-data would be too large, before anything is made (pulumi.RunError)."""
    limit = settings.terms.user_data
    check_size(signaling_values(settings, settings.locations[0], **SIGNALING_PLACEHOLDERS), limit)
    for location in settings.locations:
        check_size(bridge_values(settings, location, **BRIDGE_PLACEHOLDERS), limit)


def signaling_user_data(settings: Settings, credentials: Credentials, location: str) -> pulumi.Output[str]:
    """What a shard's server in `location` boots from; secret."""
    known = {name: getattr(credentials, name) for name in SIGNALING_PLACEHOLDERS}
    return pulumi.Output.all(**known).apply(lambda secrets: user_data(signaling_values(settings, location, **secrets)))


def bridge_user_data(settings: Settings, credentials: Credentials, location: str) -> pulumi.Output[str]:
    """What every bridge in `location` boots from; secret."""
    known = {name: getattr(credentials, name) for name in BRIDGE_PLACEHOLDERS}
    return pulumi.Output.all(**known).apply(lambda secrets: user_data(bridge_values(settings, location, **secrets)))


def bridge_builds(settings: Settings, servers_per_group: int) -> dict[str, Build]:
    """What each bridge is to be made of, by name. Bridges go to the locations in turn."""
    builds = {}
    texts = [user_data(bridge_values(settings, location, **BRIDGE_PLACEHOLDERS)) for location in settings.locations]
    for number in range(settings.bridges):
        rank, place = divmod(number, len(settings.locations))
        location = settings.locations[place]
        made_of = (location, str(rank // servers_per_group), settings.bridge_type, settings.image, texts[place])
        builds[f"bridge-{number + 1}"] = Build(location, rank, _digest(*made_of))
    return builds


def bridge_secrets(credentials: Credentials) -> pulumi.Output[str]:
    """A digest of the secrets in a bridge's user-data; not secret itself."""
    secrets = [getattr(credentials, name) for name in BRIDGE_PLACEHOLDERS]
    return pulumi.Output.unsecret(pulumi.Output.all(*secrets).apply(lambda known: _digest(*known)))


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def signaling_values(settings: Settings, location: str, **secrets: str) -> SignalingValues:
    return SignalingValues(
        domain=settings.domain,
        tls=settings.tls,
        email=settings.email,
        admin_keys=settings.admin_keys,
        jitsi_versions=settings.jitsi_versions,
        plan=settings.plan,
        region=settings.terms.region(location),
        **secrets,
    )


def bridge_values(settings: Settings, location: str, **secrets: str) -> BridgeValues:
    return BridgeValues(
        domain=settings.domain,
        admin_keys=settings.admin_keys,
        jitsi_versions=settings.jitsi_versions,
        plan=settings.plan,
        region=settings.terms.region(location),
        shard_host=internal_name("shard-1", settings.domain),
        **secrets,
    )
