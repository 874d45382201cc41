"""Runs in the lab's root: sends requests to the REST interfaces of bridges, from beside them.

A line of its input is {"port", "method", "path", "headers", "body"}: sent with those headers and Host only. The answer
is printed as JSON, null where nobody listens.
"""

import http.client
import json
import sys
from typing import Any


def answer(port: int, method: str, path: str, headers: dict[str, str], body: str | None) -> dict[str, Any] | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        length = {} if body is None else {"Content-Length": str(len(body))}
        for name, value in (headers | length).items():
            connection.putheader(name, value)
        connection.endheaders((body or "").encode())
        got = connection.getresponse()
        text = got.read().decode()
        return {"status": f"{got.status} {got.reason}", "headers": dict(got.getheaders()), "text": text}
    except OSError:
        return None
    finally:
        connection.close()


for line in sys.stdin:
    print(json.dumps(answer(**json.loads(line))), flush=True)
