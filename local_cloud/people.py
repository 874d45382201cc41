"""People in rooms: clients that a Jitsi site takes for browsers, without media, and what happened to their sessions.

    python -m local_cloud.people --domain meet.example --address 127.90.0.2 --authority ca.crt --rooms 3 --minutes 5

Only the public protocol, so a real site will do: conference request, XMPP over WebSocket (RFC 7395), rooms (XEP-0045),
Jingle (XEP-0166). Nobody sends media: a real bridge lets such an endpoint go after some minutes, without jicofo seeing
it. Nobody reloads, as a browser's page would when its focus has left.
"""

import argparse
import asyncio
import base64
import contextlib
import copy
import hashlib
import http.client
import json
import secrets
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree as ET

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Origin, Subprotocol

CLIENT, FRAMING = "jabber:client", "urn:ietf:params:xml:ns:xmpp-framing"
SASL, BIND = "urn:ietf:params:xml:ns:xmpp-sasl", "urn:ietf:params:xml:ns:xmpp-bind"
DISCO, PING, CAPS = "http://jabber.org/protocol/disco#info", "urn:xmpp:ping", "http://jabber.org/protocol/caps"
MUC, FOCUS = "http://jabber.org/protocol/muc", "http://jitsi.org/protocol/focus"
JINGLE, RTP, ICE = "urn:xmpp:jingle:1", "urn:xmpp:jingle:apps:rtp:1", "urn:xmpp:jingle:transports:ice-udp:1"
DTLS, SCTP = "urn:xmpp:jingle:apps:dtls:0", "urn:xmpp:jingle:transports:dtls-sctp:1"
NODE = "https://jitsi.org/jitsi-meet"
# jicofo offers what these name; without them a session has no contents.
FEATURES = sorted(
    {JINGLE, ICE, DTLS, SCTP, DISCO, PING, CAPS, "urn:xmpp:jingle:apps:rtp:audio", "urn:xmpp:jingle:apps:rtp:video"}
    | {f"urn:ietf:rfc:{number}" for number in (4588, 5761, 5888)}
    | {"http://jitsi.org/json-encoded-sources", "http://jitsi.org/source-name", "http://jitsi.org/ssrc-rewriting-1"}
    | {"http://jitsi.org/receive-multiple-video-streams"}
)
Result = TypeVar("Result")
IDENTITY = ("client", "web", "", "people")


class AbsentError(Exception):
    """A person could not come in; the message says where it stopped."""


@dataclass(frozen=True)
class Site:
    """Where people go: the domain, whose certificate `authority` (a file; the system's if None) has signed.

    `address` is dialled instead of the domain's own. `request` is how a room is asked for, "http" or "xmpp".
    """

    domain: str
    address: str | None = None
    port: int = 443
    authority: Path | None = None
    request: str = "http"

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority)

    @property
    def authority_part(self) -> str:
        return self.domain if self.port == 443 else f"{self.domain}:{self.port}"


@dataclass
class Seen:
    """What one person saw. Times are seconds of the monotonic clock; `offered`: where the last session's media is."""

    initiated: int = 0
    moved: int = 0
    terminated: int = 0
    focus_left: int = 0
    lost: str = ""
    offered: frozenset[tuple[str, int]] = frozenset()
    without_session: float | None = field(default_factory=time.monotonic)

    def dropped(self, bound: float) -> bool:
        """Whether the connection was lost, or a session ended and no other came within `bound` seconds."""
        late = self.without_session is not None and time.monotonic() - self.without_session >= bound
        return bool(self.lost) or late


class Person:
    """One client in one room, from `come` to `leave`. AbsentError when a step is refused or takes too long."""

    def __init__(self, site: Site, room: str, patience: float = 30) -> None:
        self.site, self.patience = site, patience
        self.room, self.nick = f"{room}@conference.{site.domain}".lower(), secrets.token_hex(4)
        self.jid, self.sid, self.seen = "", "", Seen()
        self.answers: dict[str, asyncio.Future[ET.Element]] = {}
        self.joined = asyncio.Event()
        self.invited = asyncio.Event()
        self.leaving = False
        self.socket: ClientConnection | None = None
        self.listener: asyncio.Task[None] | None = None

    # --- coming and going ---

    async def come(self) -> None:
        step = "connect"
        try:
            async with asyncio.timeout(self.patience):
                await self.connect()
                step = "conference request"
                while not await self.request():
                    await asyncio.sleep(1)
                step = "join the room"
                await self.send(self.presence())
                await self.joined.wait()
        except (TimeoutError, OSError, WebSocketException, http.client.HTTPException) as error:
            await self.leave()
            raise AbsentError(f"{self.room}: {step}: {error or f'not within {self.patience:g} s'}") from error

    async def leave(self) -> None:
        self.leaving = True
        if self.socket:
            with contextlib.suppress(OSError, WebSocketException):
                if self.joined.is_set():
                    await self.send(element(CLIENT, "presence", to=f"{self.room}/{self.nick}", type="unavailable"))
                await self.send(element(FRAMING, "close"))
                await self.socket.close()
        if self.listener:
            self.listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.listener

    async def connect(self) -> None:
        site = self.site
        self.socket = await connect(
            f"wss://{site.authority_part}/xmpp-websocket?room={self.room.partition('@')[0]}",
            host=site.address or site.domain,
            port=site.port,
            ssl=site.trust(),
            server_hostname=site.domain,
            origin=Origin(f"https://{site.authority_part}"),
            subprotocols=[Subprotocol("xmpp")],
            proxy=None,
        )
        await self.open()
        await self.send(element(SASL, "auth", mechanism="ANONYMOUS"))
        outcome = await self.receive()
        if outcome.tag != f"{{{SASL}}}success":
            raise AbsentError(f"{self.room}: login refused: {ET.tostring(outcome, 'unicode')}")
        await self.open()
        self.listener = asyncio.create_task(self.listen(self.socket))
        bound = await self.ask("set", element(BIND, "bind"), to="")
        self.jid = bound.findtext(f".//{{{BIND}}}jid") or ""

    async def open(self) -> None:
        """Begins the stream, anew after the login, and passes over its features."""
        await self.send(element(FRAMING, "open", to=self.site.domain, version="1.0"))
        for _ in range(2):
            await self.receive()

    async def request(self) -> bool:
        """Asks for the room; whether the focus is in it by now."""
        if self.site.request == "http":
            answer = await asyncio.to_thread(self.post, {"room": self.room, "machineUid": self.nick, "properties": {}})
            self.room = str(answer.get("room", self.room))
            return answer.get("ready") is True
        conference = element(FOCUS, "conference", room=self.room, machine_uid=self.nick)
        reply = (await self.ask("set", conference, to=f"focus.{self.site.domain}")).find(f"{{{FOCUS}}}conference")
        return reply is not None and reply.get("ready") == "true"

    def post(self, body: dict[str, object]) -> dict[str, object]:
        site = self.site
        connection = http.client.HTTPSConnection(site.domain, site.port, timeout=10)
        raw = socket.create_connection((site.address or site.domain, site.port), timeout=10)
        connection.sock = site.trust().wrap_socket(raw, server_hostname=site.domain)
        with contextlib.closing(connection):
            path = f"/conference-request/v1?room={self.room.partition('@')[0]}"
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            reply = connection.getresponse()
            text = reply.read().decode(errors="replace")
        if reply.status == 503:  # more ask at once than nginx lets in
            return {}
        if reply.status != 200:
            raise OSError(f"answered {reply.status}: {text[:200]}")
        return dict(json.loads(text))

    def presence(self) -> ET.Element:
        """With caps, from which the focus learns the features before it makes an offer."""
        made = element(CLIENT, "presence", element(MUC, "x"), to=f"{self.room}/{self.nick}")
        made.append(element(CAPS, "c", hash="sha-1", node=NODE, ver=verification()))
        made.append(element(CLIENT, "stats-id", text=f"People-{self.nick[:3]}"))
        for kind in ("audio", "video"):
            made.append(element(f"http://jitsi.org/jitmeet/{kind}", f"{kind}muted", text="true"))
        made.append(element("http://jabber.org/protocol/nick", "nick", text=f"Person {self.nick}"))
        return made

    # --- the stream ---

    async def send(self, stanza: ET.Element) -> None:
        if self.socket:
            await self.socket.send(ET.tostring(stanza, "unicode"))

    async def receive(self) -> ET.Element:
        if not self.socket:
            raise OSError("not connected")
        return ET.fromstring(await self.socket.recv())  # noqa: S314 - expat bounds entities

    async def ask(self, kind: str, payload: ET.Element, to: str) -> ET.Element:
        name = secrets.token_hex(6)
        self.answers[name] = asyncio.get_running_loop().create_future()
        await self.send(element(CLIENT, "iq", payload, type=kind, id=name, **({"to": to} if to else {})))
        answer = await self.answers[name]
        if answer.get("type") == "error":
            raise OSError(f"refused: {ET.tostring(answer, 'unicode')[:300]}")
        return answer

    async def listen(self, stream: ClientConnection) -> None:
        try:
            async for message in stream:
                stanza = ET.fromstring(message)  # noqa: S314
                if stanza.tag == f"{{{CLIENT}}}iq":
                    await self.on_iq(stanza)
                elif stanza.tag == f"{{{CLIENT}}}presence":
                    self.on_presence(stanza)
            self.lose("closed by the server")
        except WebSocketException as error:
            self.lose(str(error))

    def lose(self, why: str) -> None:
        if not self.leaving and not self.seen.lost:
            self.seen.lost = why
        for answer in self.answers.values():
            if not answer.done():
                answer.set_exception(OSError(why))

    async def on_iq(self, stanza: ET.Element) -> None:
        if stanza.get("type") in ("result", "error"):
            answer = self.answers.pop(stanza.get("id", ""), None)
            if answer and not answer.done():
                answer.set_result(stanza)
            return
        payload = next(iter(stanza), element(CLIENT, "nothing"))
        if payload.tag == f"{{{DISCO}}}query":
            await self.reply(stanza, description(payload.get("node")))
        elif payload.tag == f"{{{PING}}}ping":
            await self.reply(stanza)
        elif payload.tag == f"{{{JINGLE}}}jingle":
            await self.reply(stanza)
            await self.on_jingle(payload)
        else:
            condition = element("urn:ietf:params:xml:ns:xmpp-stanzas", "service-unavailable")
            await self.reply(stanza, element(CLIENT, "error", condition, type="cancel"), kind="error")

    async def reply(self, stanza: ET.Element, *payload: ET.Element, kind: str = "result") -> None:
        to = {"to": stanza.attrib["from"]} if "from" in stanza.attrib else {}
        await self.send(element(CLIENT, "iq", *payload, type=kind, id=stanza.get("id", ""), **to))

    def on_presence(self, stanza: ET.Element) -> None:
        room, _, nick = stanza.get("from", "").partition("/")
        if room != self.room:
            return
        kind = stanza.get("type")
        if kind == "error":
            self.lose(f"the room refuses: {ET.tostring(stanza, 'unicode')[:300]}")
        elif nick == self.nick and kind == "unavailable":
            self.lose("put out of the room")
        elif nick == self.nick:
            self.joined.set()
        elif nick == "focus" and kind == "unavailable":
            self.seen.focus_left += 1

    # --- sessions ---

    async def on_jingle(self, offer: ET.Element) -> None:
        action, sid, seen = offer.get("action"), offer.get("sid", ""), self.seen
        if action == "session-initiate":
            seen.initiated += 1
            seen.moved += seen.initiated > 1
            seen.without_session, self.sid = None, sid
            candidates = offer.iter(f"{{{ICE}}}candidate")
            seen.offered = frozenset((each.get("ip", ""), int(each.get("port", "0"))) for each in candidates)
            await self.ask_nothing(self.accept(offer))
            self.invited.set()
        elif action == "session-terminate" and sid == self.sid:
            seen.terminated += 1
            seen.without_session = time.monotonic()

    async def ask_nothing(self, jingle: ET.Element) -> None:
        """Sends a request of the session, whose answer is of no interest."""
        await self.send(element(CLIENT, "iq", jingle, type="set", id=secrets.token_hex(6), to=f"{self.room}/focus"))

    def accept(self, offer: ET.Element) -> ET.Element:
        """What a browser with camera and microphone off accepts: all that is offered, and no source of its own."""
        accept = element(JINGLE, "jingle", action="session-accept", sid=self.sid, responder=self.jid)
        accept.set("initiator", offer.get("initiator", ""))
        ufrag, password = secrets.token_hex(4), secrets.token_hex(12)
        digest = ":".join(f"{byte:02X}" for byte in secrets.token_bytes(32))
        for each in offer.findall(f"{{{JINGLE}}}content"):
            content = element(JINGLE, "content", creator="initiator", senders="both", name=each.get("name", ""))
            for described in each.findall(f"{{{RTP}}}description"):
                content.append(copy.deepcopy(described))
                for source in list(content[-1]):
                    if source.tag.startswith("{urn:xmpp:jingle:apps:rtp:ssma:0}"):
                        content[-1].remove(source)
            fingerprint = element(DTLS, "fingerprint", text=digest, hash="sha-256", setup="active")
            transport = element(ICE, "transport", fingerprint, ufrag=ufrag, pwd=password)
            transport.extend(copy.deepcopy(each.findall(f".//{{{SCTP}}}sctpmap")))
            content.append(transport)
            accept.append(content)
        accept.extend(copy.deepcopy(offer.findall("{urn:xmpp:jingle:apps:grouping:0}group")))
        return accept


def element(
    namespace: str, name: str, /, *children: ET.Element, text: str | None = None, **attributes: str
) -> ET.Element:
    made = ET.Element(f"{{{namespace}}}{name}", {key.replace("_", "-"): value for key, value in attributes.items()})
    made.text = text
    made.extend(children)
    return made


def verification() -> str:
    """The hash of XEP-0115 over what `description` says."""
    text = "/".join(IDENTITY) + "<" + "".join(f"{feature}<" for feature in FEATURES)
    return base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()


def description(node: str | None) -> ET.Element:
    category, kind, _, name = IDENTITY
    query = element(DISCO, "query", element(DISCO, "identity", category=category, type=kind, name=name))
    if node:
        query.set("node", node)
    query.extend(element(DISCO, "feature", var=feature) for feature in FEATURES)
    return query


async def all_of(work: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """What all give; the first failure, but only when none is at work any more."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for each in results:
        if isinstance(each, BaseException):
            raise each
    return [each for each in results if not isinstance(each, BaseException)]


@contextlib.asynccontextmanager
async def meeting(site: Site, room: str, people: int = 2, patience: float = 30) -> AsyncIterator[list[Person]]:
    """People in one room, all with a session; they leave one after the other. AbsentError when one does not get in."""
    present = [Person(site, room, patience) for _ in range(people)]
    try:
        await all_of(person.come() for person in present)
        try:
            async with asyncio.timeout(patience):
                await asyncio.gather(*(person.invited.wait() for person in present))
        except TimeoutError:
            raise AbsentError(f"{room}: not invited by the focus within {patience:g} s") from None
        yield present
    finally:
        for person in present:
            await person.leave()


async def hold(site: Site, rooms: list[str], people: int, seconds: float) -> dict[str, list[Seen]]:
    """Meetings in all rooms at once for `seconds`; what each person has seen by then."""
    async with contextlib.AsyncExitStack() as stack:
        groups = await all_of(stack.enter_async_context(meeting(site, room, people)) for room in rooms)
        await asyncio.sleep(seconds)
        return {room: [person.seen for person in group] for room, group in zip(rooms, groups, strict=True)}


def table(seen: dict[str, list[Seen]], bound: float) -> str:
    """A line a person; `dropped`: a session ended and no other came within `bound` seconds."""
    head = ("room", "person", "initiated", "moved", "terminated", "focus left", "dropped")
    rows = [
        (
            room,
            str(number),
            *map(str, (each.initiated, each.moved, each.terminated, each.focus_left)),
            _fate(each, bound),
        )
        for room, group in seen.items()
        for number, each in enumerate(group, 1)
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]]
    return "\n".join(line.rstrip() for line in lines)


def _fate(seen: Seen, bound: float) -> str:
    return (seen.lost or "yes") if seen.dropped(bound) else "no"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local_cloud.people", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--domain", required=True, help="of the site, as in its URL")
    parser.add_argument("--address", help="to connect to instead of the domain's own")
    parser.add_argument("--port", type=int, default=443)
    parser.add_argument("--authority", type=Path, help="certificate of the authority to trust, PEM")
    parser.add_argument("--request", choices=("http", "xmpp"), default="http", help="how a room is asked for")
    parser.add_argument("--rooms", type=int, default=1)
    parser.add_argument("--people", type=int, default=2, help="in each room")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--bound", type=float, default=10, help="seconds that a move may take")
    options = parser.parse_args()
    site = Site(options.domain, options.address, options.port, options.authority, options.request)
    rooms = [f"people-{secrets.token_hex(3)}" for _ in range(options.rooms)]
    try:
        seen = asyncio.run(hold(site, rooms, options.people, options.minutes * 60))
    except AbsentError as error:
        print(f"people: {error}", file=sys.stderr)
        return 1
    print(table(seen, options.bound))
    return int(any(each.dropped(options.bound) for group in seen.values() for each in group))


if __name__ == "__main__":
    sys.exit(main())
