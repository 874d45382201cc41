"""All routes of the API, and what each call of it passes first: the token and the rate limit."""

import hashlib

from ..call import Routes
from . import (
    actions,
    attachments,
    catalogue,
    firewalls,
    networks,
    placement_groups,
    primary_ips,
    server_actions,
    servers,
    ssh_keys,
)
from .errors import ApiError

ROUTES: Routes = [
    *actions.ROUTES,
    *catalogue.ROUTES,
    *ssh_keys.ROUTES,
    *networks.ROUTES,
    *firewalls.ROUTES,
    *placement_groups.ROUTES,
    *primary_ips.ROUTES,
    *servers.ROUTES,
    *attachments.ROUTES,
    *server_actions.ROUTES,
]
TOKEN_LENGTH = 64


def project(authorization: str) -> str:
    """The project of a token: any token of 64 characters is one of its own. The token itself is kept nowhere."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or len(token) != TOKEN_LENGTH:
        raise ApiError(401, "unauthorized", "unable to authenticate")
    return "hetzner-" + hashlib.sha256(token.encode()).hexdigest()[:12]
