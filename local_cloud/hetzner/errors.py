"""Errors as Hetzner Cloud's API reports them: HTTP status, code, message, details."""

from ..call import Answer, RefusalError
from ..store import Doc

STATUS = {  # code -> HTTP status, from Hetzner's own description of its API
    "json_error": 400,
    "unauthorized": 401,
    "token_readonly": 401,
    "forbidden": 403,
    "maintenance": 403,
    "resource_limit_exceeded": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "uniqueness_error": 409,
    "conflict": 409,
    "resource_unavailable": 412,
    "invalid_input": 422,
    "service_error": 422,
    "placement_error": 422,
    "unsupported_error": 422,
    "locked": 423,
    "protected": 423,
    "rate_limit_exceeded": 429,
    "server_error": 500,
    "bad_gateway": 502,
    "unavailable": 503,
    "timeout": 504,
}


class ApiError(RefusalError):
    def __init__(self, status: int, code: str, message: str, details: Doc | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.details = status, code, message, details

    def answer(self) -> Answer:
        return Answer(self.status, {"error": {"code": self.code, "message": self.message, "details": self.details}})


def invalid(field: str, rule: str) -> ApiError:
    details = {"fields": [{"name": field, "messages": [rule]}]}
    return ApiError(422, "invalid_input", f"invalid input in field '{field}': {rule}", details)


def not_found(what: str, key: object) -> ApiError:
    return ApiError(404, "not_found", f"{what} with ID '{key}' not found")


def taken(what: str, field: str = "name") -> ApiError:
    return ApiError(409, "uniqueness_error", f"{what} is already used", {"fields": [{"name": field}]})


def limit(message: str, name: str) -> ApiError:
    return ApiError(403, "resource_limit_exceeded", message, {"limits": [{"name": name}]})


def protected(what: str) -> ApiError:
    return ApiError(423, "protected", f"{what} deletion is protected")
