"""The ASGI application: the APIs, the key service and the admin calls on one port."""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from . import keys
from .apis import CLOUDFLARE, HETZNER, Api
from .call import Handler
from .faults import Order
from .gate import Gate

if TYPE_CHECKING:
    from .aws.ec2 import Ec2

Endpoint = Callable[[Request], Awaitable[Response]]


def build(gate: Gate, ec2: "Ec2 | None" = None) -> Starlette:
    mounts = [Mount(api.base, routes=_routes(gate, api)) for api in (HETZNER, CLOUDFLARE)]
    routes = [*mounts, Route("/kms", _kms(gate), methods=["POST"]), Route("/kms/", _kms(gate), methods=["POST"])]
    if ec2 is not None:
        routes += [Route("/ec2", _ec2(gate, ec2), methods=["POST"]), Route("/ec2/", _ec2(gate, ec2), methods=["POST"])]
    app = Starlette(routes=[*routes, *_admin(gate, ec2)], exception_handlers={HTTPException: _unrouted(gate)})
    app.router.redirect_slashes = False
    return app


def _routes(gate: Gate, api: Api) -> list[Route]:
    def endpoint(handler: Handler) -> Endpoint:
        async def serve(request: Request) -> Response:
            return await gate.serve(request, api, handler)

        return serve

    return [Route(path, endpoint(handler), methods=[method]) for method, path, handler in api.routes]


def _unrouted(gate: Gate) -> Callable[[Request, Exception], Awaitable[Response]]:
    """404 and 405 in the words of the API whose path it is."""

    async def answer(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        for api in (HETZNER, CLOUDFLARE):
            if request.url.path.startswith(api.base + "/"):
                text = f"{request.method} {request.url.path.removeprefix(api.base)} is not part of this API"
                return await gate.serve(request, api, api.refusal(status, None, text))
        return JSONResponse({"error": "not found"}, status)

    return answer


def _kms(gate: Gate) -> Endpoint:
    async def serve(request: Request) -> Response:
        begun, target = time.perf_counter(), request.headers.get("x-amz-target", "")
        answer = keys.answer(target, await request.body())
        spent = round((time.perf_counter() - begun) * 1000, 2)
        entry = {"api": "kms", "method": "POST", "path": f"/{target}", "query": "", "project": "", "ms": spent}
        gate.log.write({**entry, "status": answer.status})
        return Response(answer.payload(), answer.status, answer.headers)

    return serve


def _ec2(gate: Gate, ec2: "Ec2") -> Endpoint:
    from .aws import serving  # moto, only for who asked for it

    async def serve(request: Request) -> Response:
        return await serving.serve(gate, ec2, request)

    return serve


def _admin(gate: Gate, ec2: "Ec2 | None") -> list[Route]:
    """Calls for tests and for the command line. They are not logged, and no fault hits them."""
    since = time.strftime("%Y-%m-%d %H:%M:%S")

    async def status(_: Request) -> Response:
        report = {"since": since, "action_seconds": gate.action_seconds, "projects": gate.store.counts()}
        if gate.hosts is None:
            return JSONResponse({**report, "hosts": None, "problems": []})
        return JSONResponse({**report, "hosts": gate.hosts.report(), "problems": gate.hosts.problems()})

    async def log(request: Request) -> Response:
        return JSONResponse({"calls": gate.log.since(int(request.query_params.get("since", "0")))})

    async def add_fault(request: Request) -> Response:
        try:
            standing = gate.faults.add(Order.model_validate_json(await request.body()))
        except ValidationError as error:
            return JSONResponse({"error": [f"{e['loc']}: {e['msg']}" for e in error.errors()]}, 422)
        return JSONResponse(standing.report(), 201)

    async def faults(_: Request) -> Response:
        return JSONResponse({"faults": gate.faults.report()})

    async def no_faults(_: Request) -> Response:
        gate.faults.clear()
        return Response(status_code=204)

    async def service(request: Request) -> Response:
        """Body {"name": "archives", "away": true}: a service that the hosts use goes away or returns."""
        order = await request.json()
        if gate.hosts is None:
            return JSONResponse({"error": "the embedded cloud runs without hosts"}, 409)
        try:
            await gate.hosts.service(order["name"], order["away"])
        except KeyError as error:
            return JSONResponse({"error": f"no such service or field: {error}"}, 422)
        return Response(status_code=204)

    async def reset(_: Request) -> Response:
        gate.reset()
        if ec2 is not None:
            ec2.reset()
        return Response(status_code=204)

    return [
        Route("/admin/status", status),
        Route("/admin/log", log),
        Route("/admin/faults", add_fault, methods=["POST"]),
        Route("/admin/faults", faults),
        Route("/admin/faults", no_faults, methods=["DELETE"]),
        Route("/admin/services", service, methods=["POST"]),
        Route("/admin/reset", reset, methods=["POST"]),
    ]
