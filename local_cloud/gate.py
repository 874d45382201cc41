"""What every API call passes: token, rate limit, faults, one transaction, the log."""

import asyncio
import json
import time
from dataclasses import replace
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from . import connections
from .apis import HETZNER, Api
from .call import Answer, Call, Handler, RefusalError
from .faults import Fault, Faults
from .hetzner import actions
from .hetzner.rate_limit import RateLimit
from .log import CallLog
from .store import Doc, Store


class Hosts(Protocol):
    """Who performs actions on hosts that really run (hosts/site.py)."""

    def wake(self) -> None:
        """Called after each call: something may have changed."""

    def report(self) -> list[Doc]:
        """One entry per server."""

    def problems(self) -> list[str]:
        """What does not work though it should, in words."""

    async def service(self, name: str, away: bool) -> None:
        """Take a service away from the hosts, or give it back; KeyError if there is none of that name."""


class Gate:
    def __init__(self, store: Store, log: CallLog, action_seconds: float, calls_per_hour: int) -> None:
        self.store, self.log, self.action_seconds = store, log, action_seconds
        self.faults, self.limit = Faults(), RateLimit(calls_per_hour)
        self._by_hosts: frozenset[str] = frozenset()
        self.hosts: Hosts | None = None

    def perform(self, commands: frozenset[str], hosts: "Hosts") -> None:
        """Leave the actions of these commands to hosts."""
        self._by_hosts, self.hosts = commands, hosts

    async def serve(self, request: Request, api: Api, handler: Handler | RefusalError) -> Response:
        """Answer one call of an API; `handler` is a RefusalError where no route fits."""
        begun, path = time.perf_counter(), request.url.path.removeprefix(api.base)
        entry = {"api": api.name, "method": request.method, "path": path, "query": request.url.query}
        project, fault, headers = "", None, {}
        try:
            project = api.project(request.headers.get("authorization", ""))
            if api is HETZNER:
                headers = self.limit.take(project, time.time())
            fault = self.faults.strike(api.name, request.method, path, project)
            answer = await self._answer(request, api, project, handler, fault)
        except RefusalError as refusal:
            answer = refusal.answer()
            if project and api is HETZNER:
                headers = self.limit.headers(project, time.time())
        cut = fault is not None and bool(fault.cut)
        milliseconds = round((time.perf_counter() - begun) * 1000, 2)
        status = 0 if cut else answer.status
        self.log.write({**entry, "status": status, "project": project, "ms": milliseconds})
        if cut:
            await connections.cut(request)
        kind = {"content-type": "application/json"} if answer.body is not None else {}
        return Response(answer.payload(), answer.status, {**kind, **headers, **answer.headers})

    async def _answer(
        self, request: Request, api: Api, project: str, handler: Handler | RefusalError, fault: Fault | None
    ) -> Answer:
        raw = await request.body()
        if fault is not None:
            await asyncio.sleep(fault.delay_seconds)
            if fault.status is not None or fault.code is not None:
                refused = api.refusal(fault.status, fault.code, fault.message).answer()
                return replace(refused, headers=fault.headers)
            if fault.cut in (True, "before"):
                return Answer(500)
        if isinstance(handler, RefusalError):
            raise handler
        now = time.time()
        with self.store.transaction():
            actions.settle(self.store, now)
        call = Call(
            store=self.store,
            project=project,
            method=request.method,
            path=request.url.path,
            query=request.query_params,
            body=_body(api, raw),
            params=request.path_params,
            now=now,
            action_seconds=self.action_seconds,
            by_hosts=self._by_hosts,
            action_error=fault.action_error.model_dump() if fault and fault.action_error else None,
        )
        try:
            with self.store.transaction():
                return handler(call)
        finally:
            self.wake()

    def wake(self) -> None:
        """Something may have changed: the hosts look."""
        if self.hosts is not None:
            self.hosts.wake()

    def reset(self) -> None:
        """Empty the state, the log, the faults and the rate limits. Keys are derived and stay."""
        with self.store.transaction():
            self.store.clear()
        self.wake()
        self.log.clear()
        self.faults.clear()
        self.limit.clear()


def _body(api: Api, raw: bytes) -> dict[str, object]:
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise api.refusal(400, None, "invalid JSON in the request") from error
    if not isinstance(body, dict):
        raise api.refusal(400, None, "the request must be a JSON object")
    return body
