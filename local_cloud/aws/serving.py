"""What every call of EC2 passes on its way: key, faults, the log. gate.py is the same for the other APIs."""

import asyncio
import time

from starlette.requests import Request
from starlette.responses import Response

from .. import connections
from ..call import Answer
from ..faults import Fault
from ..gate import Gate
from .ec2 import Ec2, account_of, logged, parameters, project, refusal

NAME = "ec2"


async def serve(gate: Gate, ec2: Ec2, request: Request) -> Response:
    begun, body = time.perf_counter(), await request.body()
    sent = parameters(body)
    action = sent.get("Action", "")
    account = account_of(request.headers.get("authorization", ""))
    fault = None
    if account is None:
        answer = refusal(401, "AuthFailure", "AWS was not able to validate the provided access credentials")
    else:
        fault = gate.faults.strike(NAME, request.method, f"/{action}", project(account))
        answer = await _answer(ec2, request, body, account, fault)
    cut = fault is not None and bool(fault.cut)
    entry = {"api": NAME, "method": request.method, "path": f"/{action}", "query": logged(sent)}
    spent = round((time.perf_counter() - begun) * 1000, 2)
    status, owner = 0 if cut else answer.status, project(account) if account else ""
    gate.log.write({**entry, "status": status, "project": owner, "ms": spent})
    if cut:
        await connections.cut(request)
    gate.wake()
    return Response(answer.body, answer.status, {**answer.headers, **(fault.headers if fault else {})})


async def _answer(ec2: Ec2, request: Request, body: bytes, account: str, fault: Fault | None) -> Answer:
    if fault is not None:
        await asyncio.sleep(fault.delay_seconds)
        if fault.status is not None or fault.code is not None:
            return refusal(fault.status, str(fault.code or "InternalError"), fault.message)
        if fault.cut in (True, "before"):
            return Answer(500, "")
    fails = fault.action_error.model_dump() if fault and fault.action_error else None
    headers = {name.title(): value for name, value in request.headers.items()}
    return ec2.answer(headers, body, account, fails)
