"""Runs in the lab's root: joins the brewery, prints each presence as a line of JSON, and asks what it is told to ask.

Arguments: JID, password, room/nick. A line of its input is {"nick", "request"}: an IQ's payload as XML, for an
occupant; the answer is printed. Ends with its connection.
"""

import asyncio
import json
import os
import ssl
import sys
import time
from typing import Any
from xml.etree import ElementTree as ET

import slixmpp  # type: ignore[import-not-found,unused-ignore]

MUC, COLIBRI = "http://jabber.org/protocol/muc", "http://jitsi.org/protocol/colibri"


class Watcher(slixmpp.ClientXMPP):  # type: ignore[misc,unused-ignore]
    def __init__(self, jid: str, password: str, seat: str) -> None:
        super().__init__(jid, password, sasl_mech="SCRAM-SHA-1")
        self.seat, self.room = seat, seat.partition("/")[0]
        self.add_event_handler("session_start", self._join)
        self.add_event_handler("presence", self._write_down)
        self.add_event_handler("disconnected", lambda _: os._exit(0))

    def get_ssl_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def _join(self, _: object) -> None:
        presence = self.make_presence(pto=self.seat)
        presence.append(ET.Element(f"{{{MUC}}}x"))
        presence.send()

    def _write_down(self, presence: Any) -> None:
        stats = presence.xml.find(f"{{{COLIBRI}}}stats")
        codes = [each.get("code") for each in presence.xml.iter(f"{{{MUC}#user}}status")]
        _say(
            kind="presence",
            time=time.time(),
            nick=presence["from"].resource,
            type=presence["type"],
            codes=codes,
            stats=None if stats is None else {each.get("name"): each.get("value") for each in stats},
        )

    async def ask(self, nick: str, request: str) -> str:
        iq = self.make_iq_set(sub=ET.fromstring(request), ito=f"{self.room}/{nick}")  # noqa: S314
        try:
            answer = await iq.send(timeout=10)
        except slixmpp.exceptions.IqError as error:
            answer = error.iq
        except slixmpp.exceptions.IqTimeout:
            return ""
        return ET.tostring(answer.xml, encoding="unicode")


def _say(**event: Any) -> None:
    print(json.dumps(event), flush=True)


async def main() -> None:
    watcher = Watcher(*sys.argv[1:])
    watcher.connect(("127.0.0.1", 5222))
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        _say(kind="answer", answer=await watcher.ask(**json.loads(line)))


asyncio.run(main())
