"""The two APIs behind one shape: base path, routes, token, and how each words an error that is not of a handler."""

from collections.abc import Callable
from dataclasses import dataclass

from .call import RefusalError, Routes
from .cloudflare import errors as cloudflare_errors
from .cloudflare import routes as cloudflare
from .hetzner import errors as hetzner_errors
from .hetzner import routes as hetzner


@dataclass(frozen=True)
class Api:
    name: str
    base: str
    routes: Routes
    project: Callable[[str], str]  # from the Authorization header; raises a RefusalError
    refusal: Callable[[int | None, str | int | None, str], RefusalError]  # status, code, message


def _hetzner(status: int | None, code: str | int | None, message: str) -> RefusalError:
    codes = {number: name for name, number in reversed(hetzner_errors.STATUS.items())}
    name = str(code or codes.get(status or 500, "server_error"))
    return hetzner_errors.ApiError(status or hetzner_errors.STATUS.get(name, 422), name, message)


def _cloudflare(status: int | None, code: str | int | None, message: str) -> RefusalError:
    number = (
        int(code)
        if code is not None and str(code).isdecimal()
        else {404: 7003, 405: 10405, 429: 971}.get(status or 400, 1000)
    )
    return cloudflare_errors.ApiError(status or 400, number, message)


HETZNER = Api("hetzner", "/hetzner/v1", hetzner.ROUTES, hetzner.project, _hetzner)
CLOUDFLARE = Api("cloudflare", "/cloudflare/client/v4", cloudflare.ROUTES, cloudflare.project, _cloudflare)
