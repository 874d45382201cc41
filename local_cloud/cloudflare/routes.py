"""All routes of the API, and the token that each call of it needs."""

import hashlib
import re

from ..call import Answer, Call, Routes
from . import dns_records, zones
from .errors import ApiError, result

TOKEN = re.compile(r"Bearer [0-9A-Za-z_-]{40,80}\Z")


def project(authorization: str) -> str:
    """The project of a token: any well-formed token is one of its own. The token itself is kept nowhere."""
    if not authorization:
        raise ApiError(403, 10000, "Authentication error")
    if not TOKEN.match(authorization):
        chain = [{"code": 6111, "message": "Invalid format for Authorization header"}]
        raise ApiError(400, 6003, "Invalid request headers", chain)
    return "cloudflare-" + hashlib.sha256(authorization[7:].encode()).hexdigest()[:12]


def verify(call: Call) -> Answer:
    return result({"id": zones.zone_id(call.project), "status": "active"})


ROUTES: Routes = [("GET", "/user/tokens/verify", verify), *zones.ROUTES, *dns_records.ROUTES]
