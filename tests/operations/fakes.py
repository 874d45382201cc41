"""A jicofo and bridges that only answer REST, in the shapes that the real ones were recorded in, and fail on demand.

They are threads of the test. Each bridge has a loopback address of its own and the same port, as on a private network.
Jicofo learns a bridge's state with its presence, a moment late, and moves rooms as the real one does.
"""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

DOMAIN = "meet.fake.test"
BREWERY = f"jvbbrewery@internal.auth.{DOMAIN}"
PRESENCE = 0.15  # seconds, 5 in the real one
_NUMBERS = count()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64


class Answering:
    """One REST interface; `fault` is what it does instead of answering: "hangs", "500" or "trickles"."""

    def __init__(self, address: str, port: int) -> None:
        self.address, self.fault = address, ""
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.handle(self, "GET")

            def do_POST(self) -> None:
                outer.handle(self, "POST")

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: a test's output is its own."""

        self.server = _Server((address, port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Nobody listens any more."""
        self.server.shutdown()
        self.server.server_close()

    def handle(self, request: BaseHTTPRequestHandler, method: str) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0)).decode()
        self.asked.append(f"{method} {request.path}")
        if self.fault == "hangs":
            time.sleep(20)
            return
        status, text = (500, "broken") if self.fault == "500" else self.answer(method, request.path, body)
        data = text.encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        for byte in data:
            request.wfile.write(bytes([byte]))
            if self.fault == "trickles":
                request.wfile.flush()
                time.sleep(0.05)

    def answer(self, method: str, path: str, body: str) -> tuple[int, str]:
        raise NotImplementedError


@dataclass
class Flags:
    drain: bool = False
    graceful: bool = False


class FakeBridge(Answering):
    """`rooms` are people by room."""

    def __init__(self, pool: "Pool", address: str, instance: str) -> None:
        self.pool, self.instance, self.nick = pool, instance, f"bridge-{instance}"
        self.relay_id: str | None = self.nick
        self.rooms: dict[str, int] = {}
        self.flags, self.published = Flags(), Flags()
        self.version, self.stress, self.operational, self.listed = "2.3.307-gfake", 0.0, True, True
        self.clings: set[str] = set()
        self.health = 200
        super().__init__(address, pool.port)

    @property
    def drained_as(self) -> str:
        """The words that name it to the program."""
        return f"{self.nick} {self.address} {self.instance}"

    def full(self, room: str) -> str:
        return f"{room}@conference.{DOMAIN}"

    def restart(self) -> None:
        """As systemd would: the flags are lost."""
        self.flags = Flags()

    def answer(self, method: str, path: str, body: str) -> tuple[int, str]:
        if (method, path) == ("GET", "/colibri/stats"):
            stats: dict[str, Any] = {"conferences": len(self.rooms), "participants": 0, "stress_level": self.stress}
            stats |= {"drain": self.flags.drain, "graceful_shutdown": self.flags.graceful, "version": self.version}
            return 200, json.dumps(stats | ({"relay_id": self.relay_id} if self.relay_id else {}))
        if (method, path) == ("GET", "/debug"):
            return 200, json.dumps({"shutdown_state": "RUNNING", "conferences": dict(map(self.described, self.rooms))})
        if (method, path) == ("GET", "/about/health"):
            return self.health, "" if self.health == 200 else "No valid IP addresses available for harvesting."
        if method == "POST" and path.startswith("/colibri/drain/"):
            self.flags.drain = path.endswith("enable")
            return 200, ""
        if (method, path) == ("POST", "/colibri/shutdown"):
            if json.loads(body) != {"graceful-shutdown": "true"}:
                return 400, "Missing required creator property"
            self.flags.graceful = True
            self.pool.graceful_at_once()
            return 200, ""
        return 404, "Not Found"

    def described(self, room: str) -> tuple[str, dict[str, Any]]:
        ends = {f"{number:08x}": None for number in range(self.rooms[room])}
        return f"id-{room}", {"id": f"id-{room}", "name": self.full(room), "endpoints": ends, "relays": {}}

    def told(self) -> dict[str, Any]:
        people = sum(self.rooms.values())
        return {
            "corrected-stress": round(self.stress + 0.01 * people, 4), "drain": self.published.drain,
            "endpoints": people, "graceful-shutdown": self.published.graceful, "healthy": True,
            "operational": self.operational, "relay-id": self.nick, "shutting-down": False, "version": self.version,
        }  # fmt: skip


class FakeJicofo(Answering):
    def __init__(self, pool: "Pool") -> None:
        self.pool = pool
        self.moves: list[str] = []
        super().__init__("127.77.0.1", 0)

    def listed(self) -> dict[str, FakeBridge]:
        return {f"{BREWERY}/{bridge.nick}": bridge for bridge in self.pool.bridges if bridge.listed}

    def answer(self, method: str, path: str, body: str) -> tuple[int, str]:
        if method != "GET" or body:
            return 405, ""
        url = urlsplit(path)
        if url.path == "/debug":
            known = {jid: bridge.told() for jid, bridge in self.listed().items()}
            return 200, json.dumps({"focus_manager": {}, "bridge_selector": {"strategy": "x", "bridge": known}})
        if url.path == "/move-endpoints/move-endpoints":
            return self.move({key: values[0] for key, values in parse_qs(url.query).items()})
        return 404, ""

    def move(self, query: dict[str, str]) -> tuple[int, str]:
        source = self.listed().get(query["bridge"])
        if not source:
            return 500, "Not found: Bridge not found"
        left, rooms, moved = int(query.get("numEndpoints", "1")), 0, 0
        for room, people in list(source.rooms.items()):
            if query.get("conference", source.full(room)) != source.full(room) or not left:
                continue
            target = self.selected()
            rooms, moved, left = rooms + 1, moved + min(left, people), max(0, left - people)
            if target is not source and room not in source.clings:
                target.rooms[room] = source.rooms.pop(room)
                self.moves.append(f"{room} to {target.nick}")
        return 200, json.dumps({"movedEndpoints": moved, "conferences": rooms})

    def selected(self) -> FakeBridge:
        """As the real one does, one that drains or ends is taken if there is no other."""
        fit = [bridge for bridge in self.listed().values() if bridge.operational]
        return min(
            fit, key=lambda each: (each.published.drain, each.published.graceful, each.told()["corrected-stress"])
        )


@dataclass
class Pool:
    """All of one node. `all_graceful` is what must never be: jicofo would loop."""

    bridges: list[FakeBridge] = field(default_factory=list)
    all_graceful: bool = False
    port: int = 0
    ended: bool = False

    def __post_init__(self) -> None:
        self.jicofo = FakeJicofo(self)
        self.port = self.jicofo.port  # free there, so on all loopback addresses of this kind
        threading.Thread(target=self._publish, daemon=True).start()

    def bridge(self, instance: str, **rooms: int) -> FakeBridge:
        number = next(_NUMBERS)
        made = FakeBridge(self, f"127.77.{1 + number // 250}.{1 + number % 250}", instance)
        made.rooms = dict(rooms)
        self.bridges.append(made)
        return made

    def graceful_at_once(self) -> None:
        self.all_graceful |= all(bridge.flags.graceful for bridge in self.bridges if bridge.operational)

    def _publish(self) -> None:
        while not self.ended:
            time.sleep(PRESENCE)
            for bridge in self.bridges:
                bridge.published = Flags(bridge.flags.drain, bridge.flags.graceful)

    def end(self) -> None:
        self.ended = True
        for each in (self.jicofo, *self.bridges):
            each.stop()
