"""XMPP stanza for stanza, for tests of prosody's modules: over WebSocket as browsers and over TCP as bridges.

The caller decides when to read: what came meanwhile is kept.
"""

import base64
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol, Self, cast
from xml.etree import ElementTree as ET

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

NAMES = {
    "bind": "urn:ietf:params:xml:ns:xmpp-bind",
    "c": "jabber:client",
    "data": "jabber:x:data",
    "focus": "http://jitsi.org/protocol/focus",
    "info": "http://jabber.org/protocol/disco#info",
    "items": "http://jabber.org/protocol/disco#items",
    "muc": "http://jabber.org/protocol/muc",
    "owner": "http://jabber.org/protocol/muc#owner",
    "ping": "urn:xmpp:ping",
    "sasl": "urn:ietf:params:xml:ns:xmpp-sasl",
    "services": "urn:xmpp:extdisco:2",
    "stanzas": "urn:ietf:params:xml:ns:xmpp-stanzas",
    "user": "http://jabber.org/protocol/muc#user",
}


class Wire(Protocol):
    """A stream of elements. TimeoutError when nothing comes in time, EOFError at the end."""

    def open(self, host: str) -> None: ...

    def send(self, text: str) -> None: ...

    def receive(self, seconds: float) -> ET.Element: ...

    def close(self) -> None: ...


class Web:
    """A browser's way, past nginx."""

    def __init__(self, domain: str, query: str = "") -> None:
        raw = socket.create_connection(("127.0.0.1", 5280))
        url = f"ws://{domain}:5280/xmpp-websocket?{query}"
        # Without a bound on what waits to be read, which would keep the answer to the closing frame out, too.
        self.stream: ClientConnection = connect(url, sock=raw, subprotocols=[Subprotocol("xmpp")], max_queue=None)

    def open(self, host: str) -> None:
        self.send(f"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='{host}' version='1.0'/>")
        self.receive(5)

    def send(self, text: str) -> None:
        self.stream.send(text)

    def receive(self, seconds: float) -> ET.Element:
        return ET.fromstring(self.stream.recv(seconds))  # noqa: S314 - expat bounds entities

    def close(self) -> None:
        self.stream.close()


class Tcp:
    """A bridge's way; `trust` None for one without TLS."""

    def __init__(self, domain: str, trust: ssl.SSLContext | None) -> None:
        self.stream: socket.socket = socket.create_connection(("127.0.0.1", 5222))
        if trust:
            self.open(domain)
            self.receive(5)
            self.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            assert self.receive(5).tag.endswith("}proceed")
            self.stream = trust.wrap_socket(self.stream, server_hostname=domain)

    def open(self, host: str) -> None:
        self.parser: ET.XMLPullParser[Any] = ET.XMLPullParser(["start", "end"])
        self.depth = 0
        streams = "http://etherx.jabber.org/streams"
        self.send(f"<stream:stream xmlns='jabber:client' xmlns:stream='{streams}' to='{host}' version='1.0'>")

    def send(self, text: str) -> None:
        self.stream.sendall(text.encode())

    def receive(self, seconds: float) -> ET.Element:
        self.stream.settimeout(seconds)
        while True:
            for event, found in cast("Iterator[tuple[str, ET.Element]]", self.parser.read_events()):
                self.depth += 1 if event == "start" else -1
                if event == "end" and self.depth == 1:
                    return found
            data = self.stream.recv(65536)
            if not data:
                raise EOFError("the stream has ended")
            self.parser.feed(data)

    def close(self) -> None:
        self.stream.close()


class Session:
    """A client that has logged in: a guest, or the account of that name and password."""

    def __init__(self, wire: Wire, host: str, account: tuple[str, str] | None = None) -> None:
        self.wire = wire
        self.wire.open(host)
        self.mechanisms = {each.text for each in self.wire.receive(5).iterfind(".//sasl:mechanism", NAMES)}
        proof = base64.b64encode("\0".join(("", *account)).encode()).decode() if account else ""
        mechanism = "PLAIN" if account else "ANONYMOUS"
        self.send(f"<auth xmlns='{NAMES['sasl']}' mechanism='{mechanism}'>{proof}</auth>")
        outcome = self.wire.receive(5)
        assert outcome.tag == f"{{{NAMES['sasl']}}}success", ET.tostring(outcome, "unicode")
        self.wire.open(host)
        self.wire.receive(5)
        self.send(f"<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='{NAMES['bind']}'/></iq>")
        self.unasked: list[ET.Element] = []
        self.jid = self.wait(lambda each: each.get("id") == "bind").findtext(".//bind:jid", "", NAMES)
        self.number = 0

    def send(self, text: str) -> None:
        self.wire.send(text)

    def wait(self, wanted: Callable[[ET.Element], object], seconds: float = 5) -> ET.Element:
        """The first that is wanted, of those passed over before and those to come. TimeoutError after `seconds`."""
        for each in self.unasked:
            if wanted(each):
                self.unasked.remove(each)
                return each
        end = time.monotonic() + seconds
        while True:
            found = self.wire.receive(max(end - time.monotonic(), 0))
            if wanted(found):
                return found
            self.unasked.append(found)

    def ask(self, to: str, payload: str, kind: str = "get") -> ET.Element:
        self.number += 1
        name = f"ask-{self.number}"
        self.send(f"<iq xmlns='jabber:client' type='{kind}' id='{name}' to='{to}'>{payload}</iq>")
        return self.wait(lambda each: each.get("id") == name and each.get("type") in ("result", "error"))

    def info(self, of: str) -> ET.Element:
        return self.ask(of, f"<query xmlns='{NAMES['info']}'/>")

    def tell(self, to: str, payload: str) -> None:
        self.send(f"<message xmlns='jabber:client' to='{to}' id='told'>{payload}</message>")

    def ask_to_join(self, room: str, nick: str, password: str = "") -> None:
        secret = f"<password>{password}</password>" if password else ""
        self.send(
            f"<presence xmlns='jabber:client' to='{room}/{nick}'><x xmlns='{NAMES['muc']}'>{secret}</x></presence>"
        )

    def entered(self, room: str, nick: str, seconds: float = 5) -> ET.Element:
        """Its own presence in the room, or the refusal."""
        place = f"{room}/{nick}"
        return self.wait(lambda each: each.tag.endswith("}presence") and each.get("from") == place, seconds)

    def join(self, room: str, nick: str) -> None:
        self.ask_to_join(room, nick)
        own = self.entered(room, nick)
        assert own.get("type") is None, ET.tostring(own, "unicode")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wire.close()


def refusal(stanza: ET.Element) -> str:
    """The condition of an error; empty for what is none."""
    return next((each.tag.partition("}")[2] for each in stanza.iterfind("c:error/*", NAMES)), "")


def fields(info: ET.Element) -> dict[str, str]:
    """The form in an answer of disco."""
    return {
        each.get("var", ""): each.findtext("data:value", "", NAMES) for each in info.iterfind(".//data:field", NAMES)
    }


@contextmanager
def nothing_comes(session: Session, wanted: Callable[[ET.Element], object], seconds: float) -> Iterator[None]:
    """AssertionError when such a stanza comes within `seconds` after the block."""
    yield
    try:
        found = session.wait(wanted, seconds)
    except TimeoutError:
        return
    raise AssertionError(f"came too early: {ET.tostring(found, 'unicode')}")
