"""One API call on its way through the embedded cloud, and the answer to it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import QueryParams

from .store import Doc, Store


@dataclass(frozen=True, kw_only=True)
class Call:
    store: Store
    project: str
    method: str
    path: str
    query: QueryParams
    body: Doc
    params: Mapping[str, str]
    now: float  # seconds since the epoch
    action_seconds: float
    by_hosts: frozenset[str] = frozenset()  # commands whose actions end when a host has done them
    action_error: dict[str, str] | None = None  # a fault: what this call starts will end in this error


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def payload(self) -> bytes:
        return b"" if self.body is None else json.dumps(self.body, ensure_ascii=False).encode()


class RefusalError(Exception):
    """An error that an API answers with."""

    def answer(self) -> Answer:
        raise NotImplementedError


Handler = Callable[[Call], Answer]
Routes = list[tuple[str, str, Handler]]  # method, path below the API's base, handler
