"""Answers and errors in Cloudflare's envelope."""

from typing import Any

from ..call import Answer, RefusalError
from ..store import Doc


class ApiError(RefusalError):
    def __init__(self, status: int, code: int, message: str, chain: list[Doc] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.chain = status, code, message, chain

    def answer(self) -> Answer:
        error: Doc = {"code": self.code, "message": self.message}
        if self.chain:
            error["error_chain"] = self.chain
        return Answer(self.status, {"success": False, "errors": [error], "messages": [], "result": None})


def result(value: Any, **more: Doc) -> Answer:
    return Answer(200, {"success": True, "errors": [], "messages": [], "result": value, **more})


def invalid(code: int, message: str) -> ApiError:
    return ApiError(400, code, message)
