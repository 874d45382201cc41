"""A stand-in of an HTTP API that answers recorded calls, each once, and nothing else."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class ReplayedApi:
    """The recorded calls that are still to come, and what was called instead of them."""

    pending: list[dict[str, Any]] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    url: str = ""

    def expect(self, calls: list[dict[str, Any]]) -> None:
        """Replace what is to come."""
        self.pending, self.unexpected = list(calls), []

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Answer the next recorded call if it is this one."""
        if not self.pending:
            self.unexpected.append(f"{method} {path} after the last recorded call")
            return 418, {"error": {"code": "not_recorded", "message": path}}
        call = self.pending.pop(0)
        made, expected = (method, _target(path), body), (call["method"], _target(call["path"]), call["request"])
        if _plain(made) != _plain(expected):
            self.unexpected.append(f"{made} instead of {expected}")
        return call["status"], call["response"]


def _target(path: str) -> tuple[str, list[tuple[str, str]]]:
    parts = urlsplit(path)
    return parts.path, sorted(parse_qsl(parts.query))


def _plain(call: Any) -> Any:
    """Lists whose order says nothing: an API's rules and ids."""
    if isinstance(call, dict):
        return {key: _plain(value) for key, value in call.items()}
    if isinstance(call, list):
        return sorted((_plain(item) for item in call), key=lambda item: json.dumps(item, sort_keys=True))
    return tuple(map(_plain, call)) if isinstance(call, tuple) else call


@contextmanager
def serving() -> Iterator[ReplayedApi]:
    """Serve on a free loopback port."""
    api = ReplayedApi()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, answer = api.answer(self.command, self.path, body)
            text = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the test says what went wrong."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        api.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield api
        server.shutdown()
