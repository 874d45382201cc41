"""A bridge for tests of the stand-in jicofo, which joins the brewery and does what it is told over HTTP.

Run by Debian's python3 in the checkers' root. POST /set takes a JSON object: names of statistics, which are published
at once, and `answer`: "healthy", "unhealthy" or "silent".
"""

import argparse
import asyncio
import json
import ssl
from typing import Any
from xml.etree import ElementTree as ET

import slixmpp  # type: ignore[import-not-found,unused-ignore]
from aiohttp import web  # type: ignore[import-not-found,unused-ignore]
from slixmpp.xmlstream.handler import Callback  # type: ignore[import-not-found,unused-ignore]
from slixmpp.xmlstream.matcher import MatchXPath  # type: ignore[import-not-found,unused-ignore]

STATS, COLIBRI, ICE = "http://jitsi.org/protocol/colibri", "jitsi:colibri2", "urn:xmpp:jingle:transports:ice-udp:1"
HEALTH = "http://jitsi.org/protocol/healthcheck"
PUBLISHED = {
    "stress_level": "0.0",
    "average_participant_stress": "0.01",
    "graceful_shutdown": "false",
    "shutting_down": "false",
    "drain": "false",
    "healthy": "true",
    "version": "2.3.307-gfake",
}


class FakeBridge(slixmpp.ClientXMPP):  # type: ignore[misc,unused-ignore]
    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(f"jvb@auth.{options.domain}", "focus-password")
        self.room = f"jvbbrewery@internal.auth.{options.domain}/{options.nick}"
        self.stats, self.answer = dict(PUBLISHED), "healthy"
        self.conferences: dict[str, list[str]] = {}
        self.requests = 0
        self.ssl_context = ssl.create_default_context(cafile="/etc/ssl/certs/ca-certificates.crt")
        self.change(json.loads(options.state))
        self.add_event_handler("session_start", self.start)
        for name, namespace, handler in (
            ("healthcheck", HEALTH, self.check),
            ("conference-modify", COLIBRI, self.modify),
        ):
            self.register_handler(Callback(name, MatchXPath(f"{{jabber:client}}iq/{{{namespace}}}{name}"), handler))

    async def _pick_dns_answer(self, *_: Any, **__: Any) -> None:
        """Only the given address."""

    def get_ssl_context(self) -> ssl.SSLContext:
        return self.ssl_context

    async def start(self, _: Any) -> None:
        self.publish(first=True)
        await asyncio.sleep(0.06)
        while True:
            self.publish()
            await asyncio.sleep(5)

    def change(self, state: dict[str, Any]) -> None:
        self.answer = state.pop("answer", self.answer)
        self.stats |= {name: str(value).lower() if isinstance(value, bool) else value for name, value in state.items()}

    def publish(self, first: bool = False) -> None:
        presence = self.make_presence(pto=self.room)
        presence.append(ET.Element("{http://jabber.org/protocol/muc}x"))
        if not first:
            stats = ET.Element(f"{{{STATS}}}stats")
            for name, value in self.stats.items():
                ET.SubElement(stats, f"{{{STATS}}}stat", name=name, value=value)
            presence.append(stats)
        presence.send()

    def check(self, iq: Any) -> None:
        if self.answer == "healthy":
            iq.reply().send()
        elif self.answer == "unhealthy":
            refuse(iq, "internal-server-error", "No valid IP addresses available for harvesting.")

    def modify(self, iq: Any) -> None:
        self.requests += 1
        request = iq.xml.find(f"{{{COLIBRI}}}conference-modify")
        meeting = request.get("meeting-id")
        if self.answer == "silent":
            return
        if request.get("create") == "true":
            if self.stats["graceful_shutdown"] == "true" or self.stats["shutting_down"] == "true":
                refuse(iq, "service-unavailable", "In graceful shutdown")
                return
            if meeting in self.conferences:
                refuse(iq, "conflict", "Conference already exists")
                return
            self.conferences[meeting] = []
        if meeting not in self.conferences:
            refuse(iq, "item-not-found", f"Conference not found for ID: {meeting}")
            return
        answer = ET.Element(f"{{{COLIBRI}}}conference-modified")
        for endpoint in request.findall(f"{{{COLIBRI}}}endpoint"):
            self.endpoint(self.conferences[meeting], endpoint, answer)
        if request.get("expire") == "true" or not self.conferences[meeting]:
            del self.conferences[meeting]
        reply = iq.reply()
        reply.append(answer)
        reply.send()

    def endpoint(self, held: list[str], endpoint: ET.Element, answer: ET.Element) -> None:
        if endpoint.get("expire") == "true":
            held.remove(endpoint.get("id", ""))
        elif endpoint.get("create") == "true":
            held.append(endpoint.get("id", ""))
            made = ET.SubElement(answer, f"{{{COLIBRI}}}endpoint", id=endpoint.get("id", ""))
            transport = ET.SubElement(made, f"{{{COLIBRI}}}transport")
            if endpoint.find(f".//{{{COLIBRI}}}sctp") is not None:
                ET.SubElement(transport, f"{{{COLIBRI}}}sctp", port="5000")
            ice = ET.SubElement(transport, f"{{{ICE}}}transport", ufrag="fake", pwd="fakepassword")  # noqa: S106
            ET.SubElement(
                ice,
                f"{{{ICE}}}candidate",
                {"id": "c1", "component": "1", "protocol": "udp", "ip": "203.0.113.10", "port": "10000"}
                | {"type": "host", "foundation": "1", "generation": "0", "priority": "2130706431", "network": "0"},
            )
            sources = ET.SubElement(answer, f"{{{COLIBRI}}}sources")
            for number, kind in enumerate(("audio", "video"), 1000):
                media = ET.SubElement(sources, f"{{{COLIBRI}}}media-source", type=kind, id=f"jvb-{kind[0]}0")
                ET.SubElement(media, "{urn:xmpp:jingle:apps:rtp:ssma:0}source", ssrc=str(number))


def refuse(iq: Any, condition: str, text: str) -> None:
    reply = iq.reply()
    reply.error()
    reply["error"]["condition"] = condition
    reply["error"]["text"] = text
    reply.send()


async def main(options: argparse.Namespace) -> None:
    bridge = FakeBridge(options)

    async def change(request: web.Request) -> web.Response:
        bridge.change(json.loads(await request.text()))
        bridge.publish()
        return web.Response()

    async def state(_: web.Request) -> web.Response:
        return web.json_response({"conferences": bridge.conferences, "requests": bridge.requests})

    application = web.Application()
    application.router.add_post("/set", change)
    application.router.add_get("/state", state)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", options.control).start()
    bridge.connect((options.server, options.port))
    await asyncio.Event().wait()


parser = argparse.ArgumentParser()
for name in ("server", "domain", "nick"):
    parser.add_argument(f"--{name}", required=True)
for name in ("port", "control"):
    parser.add_argument(f"--{name}", type=int, required=True)
parser.add_argument("--state", default="{}")
asyncio.run(main(parser.parse_args()))
