"""Stand-in of jicofo 1.0: places rooms on bridges and answers REST as the real one was recorded to do.

One file although it is long, because it is installed as one program. It runs under Debian 12's and 13's python3 with
Debian's python3-slixmpp, python3-aiohttp and ruby-hocon. It is no jicofo: a room is on one bridge whatever the
strategy, sources of participants are not passed on, and there are no recorders, visitors, tokens or lobbies.
Facts: what the real program answered, published and logged (tests/packages/recordings/jicofo), and Jitsi's own names
for elements, keys and log places, kept so that searches in logs find the same lines.
"""

import argparse
import asyncio
import contextlib
import copy
import inspect
import json
import logging
import platform
import re
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import slixmpp  # type: ignore[import-not-found,unused-ignore]
from aiohttp import web  # type: ignore[import-not-found,unused-ignore]
from slixmpp.exceptions import IqError, IqTimeout  # type: ignore[import-not-found,unused-ignore]
from slixmpp.xmlstream.handler import Callback  # type: ignore[import-not-found,unused-ignore]
from slixmpp.xmlstream.matcher import MatchXPath  # type: ignore[import-not-found,unused-ignore]

HERE = Path(__file__).resolve().parent
JAVA_TRUST, SYSTEM_TRUST = Path("/etc/ssl/certs/java/cacerts"), "/etc/ssl/certs/ca-certificates.crt"
CLIENT, COLIBRI, STATS = "jabber:client", "jitsi:colibri2", "http://jitsi.org/protocol/colibri"
FOCUS, HEALTH = "http://jitsi.org/protocol/focus", "http://jitsi.org/protocol/healthcheck"
JINGLE, RTP, ICE = "urn:xmpp:jingle:1", "urn:xmpp:jingle:apps:rtp:1", "urn:xmpp:jingle:transports:ice-udp:1"
SSMA, SCTP = "urn:xmpp:jingle:apps:rtp:ssma:0", "urn:xmpp:jingle:transports:dtls-sctp:1"
MUC, DISCO = "http://jabber.org/protocol/muc", "http://jabber.org/protocol/disco#info"
# Names of features as /debug/conferences-full shows them, of those that clients announce.
FEATURES = {
    JINGLE: "JINGLE",
    ICE: "JINGLE_ICE",
    "urn:xmpp:jingle:apps:dtls:0": "DTLS",
    "urn:xmpp:jingle:apps:rtp:audio": "AUDIO",
    "urn:xmpp:jingle:apps:rtp:video": "VIDEO",
    "urn:ietf:rfc:5761": "RTCPMUX",
    "urn:ietf:rfc:5888": "BUNDLE",
    "urn:ietf:rfc:4588": "RTX",
    SCTP: "SCTP",
    "http://jitsi.org/json-encoded-sources": "JSON_SOURCES",
    "http://jitsi.org/source-name": "SOURCE_NAMES",
    "http://jitsi.org/ssrc-rewriting-1": "SSRC_REWRITING_V1",
    "http://jitsi.org/receive-multiple-video-streams": "RECEIVE_MULTIPLE_STREAMS",
}
PAYLOADS = {
    "audio": (("111", "opus", "48000", "2"),),
    "video": (("100", "VP8", "90000", ""), ("96", "rtx", "90000", "")),
}
# The real one asks again at once, 18 times a second; a fifth of that shows the same and spares the machine.
RETRY_PAUSE = 0.3
_UNITS = {"": 0.001, "ms": 0.001, "millis": 0.001, "milliseconds": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def log(level: str, place: str, text: str, context: str = "") -> None:
    stamp = datetime.now().isoformat(" ", "milliseconds")
    print(f"Jicofo {stamp} {level}: [1] {f'[{context}] ' if context else ''}{place}: {text}", flush=True)


class Settings:
    """jicofo.conf, whose every key the real program must know. ValueError names the key or what the reader said."""

    def __init__(self, path: Path) -> None:
        done = subprocess.run(["hocon", "-f", str(path), "get", "jicofo", "--json"], capture_output=True, text=True)
        if done.returncode or not done.stdout.strip().startswith("{"):
            raise ValueError(f"{path} is not readable: {(done.stderr or done.stdout).strip()[-300:]}")
        self.values = dict(_flat("jicofo", json.loads(done.stdout)))
        known = {line for line in (HERE / "known_keys/jicofo.txt").read_text().splitlines() if line[:1] != "#"}
        for key in self.values:
            if key not in known and not any(key.startswith(each[:-1]) for each in known if each.endswith(".*")):
                raise ValueError(f"{key} is not a key of jicofo")

    def __call__(self, key: str, default: Any) -> Any:
        return self.values.get(f"jicofo.{key}", default)

    def seconds(self, key: str, default: float) -> float:
        """A duration as HOCON writes it: a number is milliseconds."""
        value = str(self(key, f"{default} s"))
        match = re.fullmatch(r"\s*([\d.]+)\s*([a-z]*)\s*", value)
        unit = match and (_UNITS.get(match[2]) or _UNITS.get(match[2][:1] if match[2][:5] != "milli" else "ms"))
        if not match or not unit:
            raise ValueError(f"jicofo.{key} is not a duration: {value}")
        return float(match[1]) * unit


def _flat(prefix: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}", inner)
    elif not isinstance(value, dict):
        yield prefix, value


def trust(verify: bool) -> ssl.SSLContext:
    """Java's store of authorities where there is one, as the real program; else the system's bundle."""
    listing = None
    if verify and JAVA_TRUST.exists() and shutil.which("keytool"):
        command = ["keytool", "-list", "-rfc", "-keystore", str(JAVA_TRUST), "-storepass", "changeit"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        listing = "\n".join(re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", output, re.DOTALL))
    context = ssl.create_default_context(cadata=listing, cafile=None if listing else SYSTEM_TRUST)
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Client(slixmpp.ClientXMPP):  # type: ignore[misc,unused-ignore]
    """One connection. The certificate must bear the account's domain, wherever the server is reached."""

    def __init__(self, jid: str, password: str, context: ssl.SSLContext) -> None:
        super().__init__(jid, password)
        self.context = context
        for plugin, options in (
            ("xep_0030", {}),
            ("xep_0199", {}),
            ("xep_0115", {"caps_node": "http://jitsi.org/jicofo"}),
        ):
            self.register_plugin(plugin, options)

    def get_ssl_context(self) -> ssl.SSLContext:
        return self.context

    async def _pick_dns_answer(self, *_: Any, **__: Any) -> None:
        """Only the configured address: slixmpp would look up the account's domain."""

    def reschedule_connection_attempt(self) -> None:
        """Whoever made this connection makes the next."""

    def open(self, host: str, port: int) -> None:
        if "host" in inspect.signature(self.connect).parameters:
            self.connect(host, port)
        else:
            self.connect((host, port))
        self.default_domain = self.boundjid.domain


def element(namespace: str, name: str, /, *children: Element, text: str | None = None, **attributes: Any) -> Element:
    made = Element(f"{{{namespace}}}{name}", {key.replace("_", "-"): str(value) for key, value in attributes.items()})
    made.text = text
    made.extend(children)
    return made


class Bridge:
    """What the brewery and the health checks tell of one bridge, and what this program has put on it."""

    def __init__(self, jid: str, settings: Settings) -> None:
        self.jid, self.settings, self.stats = jid, settings, dict[str, str]()
        self.endpoints, self.restart_requests, self.moved = 0, 0, 0
        self.used = False
        self.placed: list[float] = []
        self.passed, self.failed_at = True, float("-inf")
        self.doctor: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.jid.partition("/")[2]

    def told(self, name: str) -> bool:
        return self.stats.get(name) == "true"

    @property
    def operational(self) -> bool:
        quiet = time.monotonic() - self.failed_at
        return self.passed and quiet >= self.settings.seconds("bridge.failure-reset-threshold", 60)

    def fail(self) -> None:
        self.passed, self.failed_at = False, time.monotonic()

    @property
    def stress(self) -> float:
        """What it reports and what recent participants will add, which it cannot know yet."""
        since = time.monotonic() - self.settings.seconds("bridge.participant-rampup-interval", 20)
        self.placed = [moment for moment in self.placed if moment > since]
        each = float(
            self.stats.get("average_participant_stress", self.settings("bridge.average-participant-stress", 0.01))
        )
        return round(float(self.stats.get("stress_level", 0)) + each * len(self.placed), 4)

    @property
    def overloaded(self) -> bool:
        return self.stress >= float(self.settings("bridge.stress-threshold", 0.8))

    def place(self) -> None:
        self.used = True
        self.endpoints += 1
        self.placed.append(time.monotonic())

    def __str__(self) -> str:
        told = [self.stats.get(name, "null") for name in ("version", "relay_id", "region")]
        return "Bridge[jid={}, version={}, relayId={}, region={}, correctedStress={:.2f}]".format(
            self.jid, *told, self.stress
        )

    def debug(self) -> dict[str, Any]:
        return {
            "corrected-stress": self.stress,
            "drain": self.told("drain"),
            "endpoints": self.endpoints,
            "endpoint-restart-requests": self.restart_requests,
            "failing-ice": False,
            "graceful-shutdown": self.told("graceful_shutdown"),
            "healthy": self.told("healthy"),
            "operational": self.operational,
            "overloaded": self.overloaded,
            "region": self.stats.get("region", "null"),
            "relay-id": self.stats.get("relay_id", "null"),
            "release": self.stats.get("release", "null"),
            "shutting-down": self.told("shutting_down"),
            "stress": float(self.stats.get("stress_level", 0)),
            "version": self.stats.get("version", "null"),
        }


class Participant:
    def __init__(self, nick: str, jid: str, role: str) -> None:
        self.nick, self.jid, self.role = nick, jid, role
        self.features: frozenset[str] | None = None
        self.sid, self.state = "", "ENDED"
        self.bridge: Bridge | None = None
        self.invitation: asyncio.Task[None] | None = None


class Conference:
    """One room: joins it, invites who is there, and keeps its session on one bridge."""

    def __init__(self, focus: "Focus", room: str, counted: bool = True) -> None:
        self.focus, self.room, self.counted = focus, room, counted
        self.members: dict[str, Participant] = {}
        self.inside: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ready = False
        self.meeting, self.session, self.began = str(uuid.uuid4()), "", time.monotonic()
        self.bridge: Bridge | None = None
        self.feedback: list[Element] = []
        self.allocating = asyncio.Lock()
        self.ended = False
        self.timer: asyncio.TimerHandle | None = None

    @property
    def context(self) -> str:
        return f"room={self.room} meeting_id={self.meeting}"

    async def start(self) -> None:
        focus = self.focus
        log("INFO", "JitsiMeetConferenceImpl.<init>#348", "Created new conference.", f"room={self.room}")
        log("INFO", "JitsiMeetConferenceImpl.joinTheRoom#605", f"Joining {self.room}", f"room={self.room}")
        self.wait("conference.initial-timeout", 15)
        focus.enter(self.room)
        await asyncio.wait_for(self.inside, focus.reply_timeout)
        with contextlib.suppress(IqError, IqTimeout):
            form = await focus.ask(self.room, "get", element(f"{MUC}#owner", "query"))
            for field in form.xml.iter("{jabber:x:data}field"):
                if field.get("var") == "muc#roominfo_meetingId":
                    self.meeting = field.findtext("{jabber:x:data}value") or self.meeting
        self.ready = True
        self.invite_all()

    def wait(self, key: str, default: float) -> None:
        """Ends the room, or the session of the last one in it, unless somebody comes before."""
        if self.timer:
            self.timer.cancel()
        self.timer = asyncio.get_running_loop().call_later(self.focus.settings.seconds(key, default), self.alone)

    def alone(self) -> None:
        if not self.members:
            self.end()
        elif len(self.members) == 1:
            log(
                "INFO",
                "JitsiMeetConferenceImpl.expireSingleParticipant",
                "Timing out single participant.",
                self.context,
            )
            for participant in self.members.values():
                self.terminate(participant, "expired", "Idle session timeout")
            self.expire()

    def come(self, nick: str, jid: str, role: str) -> None:
        known = self.members.get(nick)
        if known:
            known.role = role
            return
        self.members[nick] = Participant(nick, jid, role)
        log("INFO", "JitsiMeetConferenceImpl.onMemberJoined#853", f"Member joined:{nick} role={role}", self.context)
        self.focus.count["participants"] += self.counted
        if self.focus.settings("conference.enable-auto-owner", True) and jid and len(self.members) == 1:
            owner = element(f"{MUC}#admin", "item", affiliation="owner", jid=jid.partition("/")[0])
            self.focus.tell(self.room, "set", element(f"{MUC}#admin", "query", owner), self.context)
        self.invite_all()

    def go(self, nick: str) -> None:
        participant = self.members.pop(nick, None)
        if not participant:
            return
        log("INFO", "JitsiMeetConferenceImpl.onMemberLeft", f"Member left: {nick}", self.context)
        self.release([participant])
        if not self.members:
            self.end()
        elif len(self.members) == 1:
            self.wait("conference.single-participant-timeout", 20)

    def invite_all(self) -> None:
        enough = int(self.focus.settings("conference.min-participants", 2))
        if self.ended or not self.ready or len(self.members) < enough:
            return
        if self.timer:
            self.timer.cancel()
        for participant in self.members.values():
            busy = participant.invitation and not participant.invitation.done()
            if participant.state == "ENDED" and not busy:
                participant.invitation = self.focus.run(self.invite(participant))

    async def invite(self, participant: Participant) -> None:
        focus = self.focus
        if participant.features is None:
            participant.features = await focus.features(f"{self.room}/{participant.nick}")
            named = [FEATURES[each] for each in FEATURES if each in participant.features]
            text = f"Creating participant {participant.nick} with features=[{', '.join(named)}]"
            log("INFO", "JitsiMeetConferenceImpl.inviteChatMember#926", text, self.context)
        async with self.allocating:
            bridge, fresh = self.bridge, self.bridge is None
            context = f"{self.context} participant={participant.nick}"
            if fresh:
                bridge = focus.select()
            if bridge is None or not bridge.operational:
                log("WARNING", "BridgeSelector.selectBridge#186", "There are no operational bridges.")
                text = "Can not invite participant, no bridge available."
                log("SEVERE", "ParticipantInviteRunnable.doRun#216", text, context)
                return
            if fresh:
                self.bridge, self.session, self.feedback = bridge, str(uuid.uuid4()), []
            there = f"(visitor=false, session exists: {str(not fresh).lower()})"
            place = f"Selected {bridge.name} for {participant.nick} {there}"
            log("INFO", "ColibriV2SessionManager.allocate#546", place, self.context)
            bridge.place()
            participant.bridge, participant.state = bridge, "ALLOCATING"
            try:
                answer = await focus.ask(bridge.jid, "get", self.modify(create=fresh, create_endpoint=participant))
            except (IqError, IqTimeout) as error:
                reason = _reason(error)
                log(
                    "SEVERE",
                    "ColibriV2SessionManager.allocate#617",
                    f"Failed to allocate a colibri2 endpoint for {participant.nick}: {reason}",
                    self.context,
                )
                log("SEVERE", "ParticipantInviteRunnable.doRun#228", "Failed to allocate colibri channels", context)
                if self.bridge is bridge:
                    focus.count["bridges_removed"] += 1
                    focus.run(self.retry(bridge))
                return
        if participant.bridge is bridge and participant.state == "ALLOCATING":
            self.initiate(participant, answer.xml)

    async def retry(self, bridge: Bridge) -> None:
        self.leave_bridge(bridge, "was removed from the conference", again=False)
        await asyncio.sleep(RETRY_PAUSE)
        self.invite_all()

    def modify(self, create: bool = False, create_endpoint: Participant | None = None, **attributes: str) -> Element:
        """A request to the bridge: to make an endpoint, or with `expire` to end all."""
        request = element(COLIBRI, "conference-modify", meeting_id=self.meeting, **attributes)
        if create:
            request.attrib |= {"create": "true", "name": self.room, "rtcstats-enabled": "false"}
        if create_endpoint:
            features = create_endpoint.features or frozenset()
            endpoint = element(COLIBRI, "endpoint", id=create_endpoint.nick, create="true")
            for kind in self.kinds(create_endpoint):
                endpoint.append(element(COLIBRI, "media", *_payloads(kind), type=kind))
            transport = element(COLIBRI, "transport", ice_controlling="true")
            if SCTP in features and self.focus.settings("sctp.enabled", True):
                transport.append(element(COLIBRI, "sctp"))
            endpoint.extend([transport, element(COLIBRI, "capability", name="source-names")])
            request.append(endpoint)
        return request

    @staticmethod
    def kinds(participant: Participant) -> list[str]:
        return [kind for kind in PAYLOADS if f"urn:xmpp:jingle:apps:rtp:{kind}" in (participant.features or ())]

    def initiate(self, participant: Participant, answer: Element) -> None:
        transport = next(answer.iter(f"{{{ICE}}}transport"), element(ICE, "transport"))
        self.feedback = list(answer.iter(f"{{{COLIBRI}}}media-source")) or self.feedback
        contents = []
        for kind in self.kinds(participant):
            description = element(RTP, "description", *_payloads(kind), element(RTP, "rtcp-mux"), media=kind)
            description.extend(_sources(each) for each in self.feedback if each.get("type") == kind)
            contents.append(self.content(kind, description, copy.deepcopy(transport)))
        sctp = next(answer.iter(f"{{{COLIBRI}}}sctp"), None)
        if sctp is not None:
            own = copy.deepcopy(transport)
            port = sctp.get("port", "5000")
            own.append(element(SCTP, "sctpmap", number=port, protocol="webrtc-datachannel", streams="1024"))
            contents.append(self.content("data", element(RTP, "description", media="application"), own))
        group = element("urn:xmpp:jingle:apps:grouping:0", "group", semantics="BUNDLE")
        group.extend(element("urn:xmpp:jingle:apps:grouping:0", "content", name=each.get("name")) for each in contents)
        participant.sid, participant.state = secrets.token_hex(7), "PENDING"
        session = element(FOCUS, "bridge-session", id=self.session)
        if region := participant.bridge and participant.bridge.stats.get("region"):
            session.set("region", region)
        self.jingle(participant, "session-initiate", *contents, group, session)

    @staticmethod
    def content(name: str, *children: Element) -> Element:
        return element(JINGLE, "content", *children, creator="initiator", name=name, senders="both")

    def jingle(self, participant: Participant, action: str, *children: Element) -> None:
        self.focus.sent[action] += 1
        initiator = f"{self.room}/focus"
        request = element(JINGLE, "jingle", *children, action=action, initiator=initiator, sid=participant.sid)
        self.focus.tell(f"{self.room}/{participant.nick}", "set", request, self.context)

    def hear(self, nick: str, request: Element) -> None:
        """A participant accepts, or ends its session and may ask for another."""
        participant, action = self.members.get(nick), request.get("action", "")
        self.focus.received[action] += 1
        if not participant or request.get("sid") != participant.sid:
            return
        if action == "session-accept":
            participant.state = "ACTIVE"
            transport = next(request.iter(f"{{{ICE}}}transport"), None)
            if self.bridge and transport is not None:
                update = self.modify()
                inner = element(COLIBRI, "transport", copy.deepcopy(transport))
                update.append(element(COLIBRI, "endpoint", inner, id=nick))
                self.focus.tell(self.bridge.jid, "get", update, self.context)
        elif action == "session-terminate":
            restart = request.find(f"{{{FOCUS}}}bridge-session")
            if participant.bridge and restart is not None and restart.get("restart") == "true":
                participant.bridge.restart_requests += 1
                self.focus.count["request_restart"] += 1
                self.release([participant])
                self.invite_all()

    def terminate(self, participant: Participant, reason: str, text: str) -> None:
        if participant.invitation and participant.invitation is not asyncio.current_task():
            participant.invitation.cancel()
        if participant.state in ("PENDING", "ACTIVE"):
            why = element(JINGLE, "reason", element(JINGLE, reason), element(JINGLE, "text", text=text))
            self.jingle(participant, "session-terminate", why)
        participant.state = "ENDED"

    def release(self, participants: list[Participant], heard: bool = True) -> None:
        """Takes them off the bridge, and the room, too, with the last of them. `heard`: the bridge is to be told."""
        bridge = self.bridge
        held = [each for each in participants if each.bridge]
        for each in participants:
            if each.invitation and each.invitation is not asyncio.current_task():
                each.invitation.cancel()
            each.state = "ENDED"
        for each in held:
            if each.bridge:
                each.bridge.endpoints -= 1
            each.bridge = None
        if not bridge or not held:
            return
        if not any(each.bridge for each in self.members.values()):
            self.bridge = None
            request = self.modify(expire="true")
        else:
            request = self.modify()
            request.extend(element(COLIBRI, "endpoint", id=each.nick, expire="true") for each in held)
        if heard:
            self.focus.tell(bridge.jid, "get", request, f"{self.context} bridge={bridge.name}")

    def expire(self) -> None:
        self.release(list(self.members.values()))

    def move(self, participants: list[Participant], heard: bool = True, again: bool = True) -> None:
        """Ends their sessions and invites them again, on whatever bridge is selected then."""
        for each in participants:
            self.terminate(each, "success", "moving")
        self.focus.count["participants_moved"] += len(participants)
        self.release(participants, heard)
        if again:
            self.invite_all()

    def leave_bridge(self, bridge: Bridge, why: str, heard: bool = True, again: bool = True) -> None:
        if self.bridge is not bridge:
            return
        held = [each for each in self.members.values() if each.bridge is bridge]
        names = ", ".join(each.nick for each in held)
        log("INFO", "ColibriV2SessionManager.removeBridge#812", f"Removing bridges: {bridge}", self.context)
        place = "JitsiMeetConferenceImpl$BridgeSelectorEventHandler.removeBridge#2607"
        log("INFO", place, f"Re-inviting [{names}] because {bridge.jid} {why}", self.context)
        self.move(held, heard, again)

    def end(self) -> None:
        if self.ended:
            return
        self.ended = True
        if self.timer:
            self.timer.cancel()
        self.expire()
        self.focus.count["seconds"] += int(self.counted and time.monotonic() - self.began)
        self.focus.enter(self.room, leave=True)
        self.focus.conferences.pop(self.room, None)
        log("INFO", "JitsiMeetConferenceImpl.stop", "Stopped.", self.context)


def _payloads(kind: str) -> list[Element]:
    made = []
    for number, name, clock, channels in PAYLOADS[kind]:
        made.append(element(RTP, "payload-type", id=number, name=name, clockrate=clock))
        if channels:
            made[-1].set("channels", channels)
    return made


def _sources(media: Element) -> Element:
    """A source of the bridge, as its answer has it, with the owner that clients look for."""
    inner = next(media.iter(f"{{{SSMA}}}source"), None)
    ssrc = "0" if inner is None else inner.get("ssrc", "0")
    name = media.get("id") or f"jvb-{media.get('type', 'a')[0]}0"
    kind = media.get("type")
    owner = element("http://jitsi.org/jitmeet", "ssrc-info", owner="jvb")
    label = element(SSMA, "parameter", name="msid", value=f"mixedmslabel mixedlabel{kind}0")
    return element(SSMA, "source", label, owner, ssrc=ssrc, name=name)


def _reason(error: Exception) -> str:
    if isinstance(error, IqError):
        return f"{error.condition} {error.text}".strip()
    return "no answer"


class Focus:
    """The program: its connection, the bridges of the brewery, the rooms, and the checks of both."""

    def __init__(self, settings: Settings, version: str) -> None:
        self.settings, self.version = settings, version
        self.bridges: dict[str, Bridge] = {}
        self.conferences: dict[str, Conference] = {}
        self.count: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self.failure: str | None = None
        self.xmpp: Client | None = None
        self.tasks: set[asyncio.Task[Any]] = set()
        self.reply_timeout = settings.seconds("xmpp.client.reply-timeout", 15)
        self.brewery = str(settings("bridge.brewery-jid", "")).lower()
        self.domain = str(settings("xmpp.client.xmpp-domain", "") or settings("xmpp.client.domain", "localhost"))
        account = settings("xmpp.client.domain", "") or self.domain
        self.jid = f"{settings('xmpp.client.username', 'focus')}@{account}"
        self.muc = str(settings("xmpp.client.conference-muc-jid", f"conference.{self.domain}"))
        strategy = settings("bridge.selection-strategy", "SingleBridgeSelectionStrategy")
        log("INFO", "BridgeSelector.<init>#56", f"Using org.jitsi.jicofo.bridge.{strategy}")

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log("SEVERE", "TaskPools", f"{type(error).__name__}: {error}")

    # --- connection ---

    async def stay_connected(self) -> None:
        get = self.settings
        context = trust(not get("xmpp.client.disable-certificate-verification", False))
        while True:
            self.xmpp = xmpp = Client(
                f"{self.jid}/{get('xmpp.client.resource', 'focus')}", str(get("xmpp.client.password", "")), context
            )
            over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            self._follow(xmpp, over)
            xmpp.open(str(get("xmpp.client.hostname", "localhost")), int(get("xmpp.client.port", 5222)))
            log(
                "INFO", "XmppProvider.doConnect#206", "Connected, JID=null", "xmpp_connection=client"
            ) if False else None
            reason = await over
            log("SEVERE", "XmppProvider.doConnect#219", f"Failed to connect/login: {reason}", "xmpp_connection=client")
            xmpp.abort()
            self.xmpp = None
            self.lose_everything()
            text = "Failed to connect, will re-try after 1 second"
            log("WARNING", "XmppProvider.scheduleConnectTask#113", text, "xmpp_connection=client")
            await asyncio.sleep(1)

    def _follow(self, xmpp: Client, over: "asyncio.Future[str]") -> None:
        def finish(reason: Callable[[Any], str]) -> Callable[[Any], None]:
            return lambda event: None if over.done() else over.set_result(reason(event))

        xmpp.add_event_handler("session_start", self.started)
        xmpp.add_event_handler("connection_failed", finish(lambda event: f"The following addresses failed: {event}"))
        xmpp.add_event_handler("failed_auth", finish(lambda _: "SASLError using SCRAM-SHA-1: not-authorized"))
        xmpp.add_event_handler("failed_all_auth", finish(lambda _: "SASLError using SCRAM-SHA-1: not-authorized"))
        xmpp.add_event_handler("ssl_invalid_chain", finish(lambda event: f"PKIX path building failed: {event}"))
        xmpp.add_event_handler(
            "disconnected", finish(lambda event: f"XMPP connection closed: {event or 'by the server'}")
        )
        for name, namespace, handler in (("conference", FOCUS, self.on_request), ("jingle", JINGLE, self.on_jingle)):
            xmpp.register_handler(Callback(name, MatchXPath(f"{{{CLIENT}}}iq/{{{namespace}}}{name}"), handler))
        xmpp.register_handler(Callback("occupants", MatchXPath(f"{{{CLIENT}}}presence"), self.on_presence))

    def started(self, _: Any) -> None:
        if self.xmpp:
            log("INFO", "XmppProvider.authenticated#130", "Registered (resumed=false).", "xmpp_connection=client")
            self.xmpp.send_presence()
            if self.brewery:
                self.enter(self.brewery)

    def lose_everything(self) -> None:
        """Without XMPP there are no bridges, and rooms are not resumed."""
        self.count["disconnects"] += bool(self.bridges or self.conferences)
        for bridge in list(self.bridges.values()):
            self.bridge_left(bridge)
        for conference in list(self.conferences.values()):
            conference.end()

    def enter(self, room: str, leave: bool = False) -> None:
        if self.xmpp:
            presence = self.xmpp.make_presence(pto=f"{room}/focus", ptype="unavailable" if leave else None)
            if not leave:
                presence.append(element(MUC, "x"))
            presence.send()

    async def ask(self, to: str, kind: str, payload: Element) -> Any:
        """The answer; IqError as the other says, IqTimeout without one."""
        if not self.xmpp:
            raise IqTimeout(None)
        iq = self.xmpp.make_iq(id=self.xmpp.new_id(), ito=to, itype=kind)
        iq.append(payload)
        return await iq.send(timeout=self.reply_timeout)

    def tell(self, to: str, kind: str, payload: Element, context: str) -> None:
        async def work() -> None:
            try:
                await self.ask(to, kind, payload)
            except (IqError, IqTimeout) as error:
                name = payload.tag.partition("}")[2]
                log(
                    "SEVERE",
                    "XmppProvider.send",
                    f"Received error response for {name} from {to}: {_reason(error)}",
                    context,
                )

        if self.xmpp:
            self.run(work())

    async def features(self, occupant: str) -> frozenset[str]:
        began = time.monotonic()
        try:
            answer = await self.ask(occupant, "get", element(DISCO, "query"))
        except (IqError, IqTimeout):
            return frozenset()
        took = int(1000 * (time.monotonic() - began))
        log(
            "INFO",
            "XmppProvider.discoverFeatures#286",
            f"Discovered features for {occupant} in {took} ms.",
            "xmpp_connection=client",
        )
        return frozenset(each.get("var", "") for each in answer.xml.iter(f"{{{DISCO}}}feature"))

    # --- stanzas ---

    def on_request(self, iq: Any) -> None:
        query = iq.xml.find(f"{{{FOCUS}}}conference")
        sender, proxy = str(iq["from"]), self.settings("xmpp.client.client-proxy", "")
        if proxy and sender.startswith(f"{proxy}/"):
            sender = sender.partition("/")[2]
        room = query.get("room", "").lower()
        if not _is_room(room):
            self.refuse(iq)
            return
        ready = self.request(room, sender)
        reply = iq.reply()
        reply.append(
            element(
                FOCUS,
                "conference",
                element(FOCUS, "property", name="authentication", value="false"),
                room=room,
                ready=str(ready).lower(),
                focusjid=self.jid,
            )
        )
        reply.send()

    @staticmethod
    def refuse(iq: Any) -> None:
        reply = iq.reply()
        reply.error()
        reply["error"]["condition"] = "bad-request"
        reply["error"]["text"] = "No 'room' specified."
        reply.send()

    def on_jingle(self, iq: Any) -> None:
        iq.reply().send()
        room, _, nick = str(iq["from"]).partition("/")
        if room in self.conferences:
            self.conferences[room].hear(nick, iq.xml.find(f"{{{JINGLE}}}jingle"))

    def on_presence(self, presence: Any) -> None:
        room, _, nick = str(presence["from"]).partition("/")
        kind, xml = presence.xml.get("type"), presence.xml
        if kind == "error":
            if conference := self.conferences.get(room):
                log(
                    "SEVERE",
                    "ChatRoomImpl.join",
                    f"Failed to join: {presence['error']['condition']}",
                    conference.context,
                )
                conference.end()
        elif room == self.brewery and nick != "focus":
            self.on_bridge(f"{room}/{nick}", kind == "unavailable", xml)
        elif room == self.brewery and kind is None:
            log("INFO", "BaseBrewery.start#199", "Joined the room.", self.brewing)
        elif conference := self.conferences.get(room):
            if nick == "focus":
                # What is heard before the own join is the last of an earlier room of this name.
                if kind == "unavailable" and conference.inside.done():
                    conference.end()
                elif kind is None and not conference.inside.done():
                    conference.inside.set_result(None)
            elif kind == "unavailable":
                conference.go(nick)
            elif kind is None:
                item = next(xml.iter(f"{{{MUC}#user}}item"), element(MUC, "item"))
                role = {"owner": "OWNER", "admin": "ADMINISTRATOR"}.get(item.get("affiliation", ""), "PARTICIPANT")
                conference.come(nick, item.get("jid", ""), role)

    @property
    def brewing(self) -> str:
        return f"type=bridge brewery={self.brewery.partition('@')[0]}"

    # --- bridges ---

    def on_bridge(self, jid: str, left: bool, xml: Element) -> None:
        bridge = self.bridges.get(jid)
        stats = {each.get("name", ""): each.get("value", "") for each in xml.iter(f"{{{STATS}}}stat")}
        if left:
            if bridge:
                self.bridge_left(bridge)
        elif stats and bridge:
            was = bridge.told("shutting_down")
            bridge.stats = stats
            if bridge.told("shutting_down") and not was:
                log("INFO", "BridgeSelector.bridgeIsShuttingDown", f"{bridge} is shutting down")
                for conference in list(self.conferences.values()):
                    conference.leave_bridge(bridge, "is shutting down")
        elif stats:
            self.bridges[jid] = bridge = Bridge(jid, self.settings)
            bridge.stats = stats
            log("INFO", "BaseBrewery.addInstance#371", f"Added brewery instance: {jid}", self.brewing)
            log("INFO", "BridgeSelector.addJvbAddress#99", f"Added new videobridge: {bridge}")
            if self.settings("bridge.health-checks.enabled", True):
                log("INFO", "JvbDoctor.bridgeAdded#133", f"Scheduled health-check task for: {bridge}")
                bridge.doctor = self.run(self.examine(bridge))
            for conference in self.conferences.values():
                conference.invite_all()

    def bridge_left(self, bridge: Bridge) -> None:
        del self.bridges[bridge.jid]
        log("INFO", "BaseBrewery.removeInstance#383", f"Removed brewery instance: {bridge.jid}", self.brewing)
        log("INFO", "BridgeSelector.removeJvbAddress#112", f"Removing JVB: {bridge.jid}")
        if not bridge.told("graceful_shutdown") and not bridge.told("shutting_down"):
            self.count["lost_bridges"] += 1
            log("WARNING", "BridgeSelector.removeJvbAddress#115", f"Lost a bridge: {bridge.jid}")
        if bridge.doctor:
            log("INFO", "JvbDoctor.bridgeRemoved#110", f"Stopping health-check task for: {bridge}")
            bridge.doctor.cancel()
        for conference in list(self.conferences.values()):
            conference.leave_bridge(bridge, "was removed", heard=False)

    def select(self) -> Bridge | None:
        """The least loaded of those that can be had; one in a drain or a graceful shutdown only if all are."""
        fit = [each for each in self.bridges.values() if each.operational and not each.told("shutting_down")]
        region = str(self.settings("local-region", ""))
        near = "Region" in str(self.settings("bridge.selection-strategy", "")) and region

        def order(bridge: Bridge) -> tuple[bool, bool, bool, bool, float]:
            far = bool(near) and bridge.stats.get("region") != region
            busy = (bridge.told("drain"), bridge.told("graceful_shutdown"))
            return (*busy, bridge.overloaded, far, bridge.stress)

        return min(fit, key=order, default=None)

    async def examine(self, bridge: Bridge) -> None:
        """A refusal moves its rooms; silence, asked twice, only keeps new ones away."""
        interval = self.settings.seconds("bridge.health-checks.interval", 10)
        retry = self.settings.seconds("bridge.health-checks.retry-delay", interval / 2)
        while True:
            await asyncio.sleep(interval)
            for attempt in (1, 2):
                try:
                    await self.ask(bridge.jid, "get", element(HEALTH, "healthcheck"))
                    bridge.passed = True
                    break
                except IqError as error:
                    self.refused(bridge, error)
                    break
                except IqTimeout:
                    log("WARNING", "JvbDoctor$HealthCheckTask.doHealthCheck", f"Health check timed out for: {bridge}")
                    if attempt == 2:
                        bridge.fail()
                    else:
                        await asyncio.sleep(retry)

    def refused(self, bridge: Bridge, error: IqError) -> None:
        place = "JvbDoctor$HealthCheckTask.doHealthCheck#276"
        said = f"<error type='{error.etype}'><{error.condition}/><text>{error.text}</text></error>"
        if error.condition not in ("internal-server-error", "service-unavailable"):
            log("SEVERE", place, f"Unexpected error: {said}")
            return
        log("WARNING", place, f"Health check failed for: {bridge}: {said}")
        bridge.fail()
        for conference in list(self.conferences.values()):
            conference.leave_bridge(bridge, "failed health check")

    # --- rooms ---

    def request(self, room: str, sender: str) -> bool:
        """Whether the room is there already; if not, it will be soon."""
        log(
            "INFO",
            "ConferenceIqHandler.handleConferenceIq#104",
            f"Conference request for room {room}, from {sender}, token=false",
        )
        self.count["requests"] += 1
        if not self.xmpp:
            return False
        if room in self.conferences:
            return self.conferences[room].ready
        log("INFO", "ConferenceIqHandler.handleConferenceIq#112", f"New room with rtcstats disabled: {room}")
        self.count["requests_new"] += 1
        self.count["conferences"] += 1
        self.conferences[room] = conference = Conference(self, room)
        self.run(conference.start())
        return False

    def counted(self) -> list[Conference]:
        return [each for each in self.conferences.values() if each.counted]

    async def check_health(self) -> None:
        interval = self.settings.seconds("health.interval", 10)
        log(
            "INFO",
            "HealthChecker.start#122",
            f"Started with interval={int(interval * 1000)}, timeout=PT30S, maxDuration=PT20S, stickyFailures=false.",
        )
        while True:
            await asyncio.sleep(interval)
            self.failure = await self.check()
            if self.failure:
                result = (
                    f"Result(success=false, hardFailure=true, responseCode=null, sticky=false, message={self.failure})"
                )
                log("SEVERE", "HealthChecker.run#181", f"Health check failed in PT0.0001S: {result}")

    async def check(self) -> str | None:
        if not any(each.operational and not each.told("graceful_shutdown") for each in self.bridges.values()):
            return f"No operational bridges available (total bridge count: {len(self.bridges)})"
        prefix = self.settings("health.room-name-prefix", "__jicofo-health-check")
        room = f"{prefix}-{secrets.randbits(63)}@{self.muc}"
        self.conferences[room] = conference = Conference(self, room, counted=False)
        try:
            await conference.start()
        except TimeoutError:
            conference.end()
            return "Test conference failed to start due to timeout."
        return None

    def move_some(self, bridge: Bridge, number: int, only: Conference | None = None) -> dict[str, int]:
        moved = rooms = 0
        for conference in sorted(self.conferences.values(), key=lambda each: -len(each.members)):
            held = [each for each in conference.members.values() if each.bridge is bridge][: number - moved]
            if held and only in (None, conference):
                log(
                    "INFO",
                    "JitsiMeetConferenceImpl.moveEndpoints#1922",
                    f"Moving {len(held)} endpoints from {bridge.jid}",
                    conference.context,
                )
                moved, rooms = moved + len(held), rooms + 1
                bridge.moved += len(held)
                conference.move(held)
        log("INFO", "LoadRedistributor.doMove#226", f"Moved {moved} endpoints from {rooms} conferences.")
        return {"movedEndpoints": moved, "conferences": rooms}


def _is_room(jid: str) -> bool:
    return re.fullmatch(r"[^@/\s]+@[^@/\s]+", jid) is not None


class Rest:
    """What is asked on port 8888. Each answer has the shape that was recorded."""

    def __init__(self, focus: Focus) -> None:
        self.focus, self.settings = focus, focus.settings
        self.began = time.time()
        self.gauges: dict[str, float] = {}
        self.refresh()

    def routes(self) -> web.Application:
        gate = self.settings
        application = web.Application(middlewares=[_bare_errors])
        table: list[tuple[bool, str, Any]] = [
            (True, "/about/version", self.version),
            (bool(gate("health.enabled", False)), "/about/health", self.health),
            (True, "/stats", self.stats),
            (True, "/rtcstats", lambda _: {}),
            (bool(gate("rest.prometheus.enabled", True)), "/metrics", self.metrics),
        ]
        debug, move = bool(gate("rest.debug.enabled", True)), bool(gate("rest.move-endpoints.enabled", True))
        table += [
            (debug, "/debug", self.debug),
            (debug, "/debug/conferences", lambda _: list(self.focus.conferences)),
            (debug, "/debug/conferences-full", lambda _: {k: self.full(v) for k, v in self.focus.conferences.items()}),
            (debug, "/debug/conference/{room}", self.one),
            (debug, "/debug/xmpp-caps", lambda _: {}),
            (move, "/move-endpoints/move-endpoint", self.move_endpoint),
            (move, "/move-endpoints/move-endpoints", self.move_endpoints),
            (move, "/move-endpoints/move-fraction", self.move_fraction),
        ]
        for there, path, answer in table:
            if there:
                application.router.add_get(path, _answering(answer), allow_head=False)
        if gate("rest.conference-request.enabled", True):
            application.router.add_post("/conference-request/v1", self.conference_request)
        return application

    def refresh(self) -> None:
        """Numbers that /metrics knows only every half minute."""
        sizes = [len(each.members) for each in self.focus.counted()]
        self.gauges = {
            "largest_conference": max(sizes, default=0),
            "participants_current": sum(sizes),
            "participants_pairs": sum(each * (each - 1) for each in sizes),
            "threads": threading.active_count(),
        }

    async def keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(self.settings.seconds("metrics.update-interval", 30))
            self.refresh()

    def version(self, _: web.Request) -> dict[str, str]:
        return {"name": "JiCoFo", "version": self.focus.version, "os": platform.system()}

    def health(self, _: web.Request) -> web.Response:
        return web.Response(status=500 if self.focus.failure else 200, text=self.focus.failure or "OK", charset="UTF-8")

    async def conference_request(self, request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.text())
            room = str(body["room"]).lower()
        except (ValueError, KeyError, TypeError):
            return web.Response(status=400, text="Bad request: No 'room' specified.", charset="UTF-8")
        if not _is_room(room):
            return web.Response(status=400, text=f"Bad request: Invalid room name: {room}", charset="UTF-8")
        answer = {"room": room, "ready": self.focus.request(room, "null"), "focusJid": self.focus.jid}
        return web.json_response(answer | {"properties": {"authentication": "false"}})

    # --- moves ---

    def bridge(self, request: web.Request) -> Bridge:
        jid = _needed(request, "bridge")
        if not re.fullmatch(r"([^@/]+@)?[^@/]+(/.+)?", jid):
            raise _refusal(400, "Bad request: Invalid parameter: bridge ID")
        if jid not in self.focus.bridges:
            raise _refusal(500, "Not found: Bridge not found")
        return self.focus.bridges[jid]

    def conference(self, room: str) -> Conference:
        if room not in self.focus.conferences:
            raise _refusal(500, "Not found: Conference not found")
        return self.focus.conferences[room]

    def move_endpoint(self, request: web.Request) -> dict[str, int]:
        """Moves one, from whatever bridge it is on: the given one need only exist."""
        conference = self.conference(_needed(request, "conference"))
        nick = _needed(request, "endpoint")
        if "bridge" in request.query:
            self.bridge(request)
        participant = conference.members.get(nick)
        if not participant or not participant.bridge:
            log("INFO", "LoadRedistributor.moveEndpoint#122", "Failed to move")
            return {"movedEndpoints": 0, "conferences": 0}
        participant.bridge.moved += 1
        conference.move([participant])
        return {"movedEndpoints": 1, "conferences": 1}

    def move_endpoints(self, request: web.Request) -> dict[str, int]:
        number = _number(int, request.query.get("numEndpoints", "1"))
        bridge = self.bridge(request)
        only = self.conference(request.query["conference"]) if "conference" in request.query else None
        return self.focus.move_some(bridge, int(number), only)

    def move_fraction(self, request: web.Request) -> dict[str, int]:
        fraction = _number(float, request.query.get("fraction", "0.1"))
        bridge = self.bridge(request)
        return self.focus.move_some(bridge, int(fraction * bridge.endpoints))

    # --- numbers ---

    def selector(self) -> dict[str, int]:
        bridges = self.focus.bridges.values()
        return {
            "bridge_count": len(bridges),
            "operational_bridge_count": sum(each.operational for each in bridges),
            "in_shutdown_bridge_count": sum(each.told("graceful_shutdown") for each in bridges),
            "lost_bridges": self.focus.count["lost_bridges"],
            "bridge_version_count": len({each.stats.get("version") for each in bridges}),
        }

    def stats(self, _: web.Request) -> dict[str, Any]:
        focus, count = self.focus, self.focus.count
        sizes = [len(each.members) for each in focus.counted()]
        jibri = ("total_sip_call_failures", "total_live_streaming_failures", "total_recording_failures")
        jibri += ("live_streaming_active", "recording_active", "sip_call_active")
        queue = {"added_packets": 0, "removed_packets": 0, "dropped_packets": 0}
        return {
            "total_participants": count["participants"],
            "total_conferences_created": count["conferences"],
            "conferences": len(sizes),
            "conferences_with_visitors": 0,
            "bridge_failures": {name: count[name] for name in ("participants_moved", "bridges_removed")},
            "participant_notifications": {name: count[name] for name in ("ice_failed", "request_restart")},
            "largest_conference": max(sizes, default=0),
            "participants": sum(sizes),
            "visitors": 0,
            "conference_sizes": _spread(sizes, (0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 300, 400, 500)),
            "endpoint_pairs": sum(each * each for each in sizes),
            "jibri": dict.fromkeys(jibri, 0),
            "queues": {"jingle-iq-queue": queue | {"queue_size_at_remove": _queue_sizes()}}
            if count["conferences"]
            else {},
            "bridge_selector": self.selector(),
            "jibri_detector": {"count": 0, "available": 0},
            "sip_jibri_detector": {"count": 0, "available": 0},
            "jigasi": {},
            "threads": threading.active_count(),
            "jingle": {"sent": _actions(focus.sent), "received": _actions(focus.received)},
            "version": focus.version,
            "slow_health_check": 0,
            "healthy": not focus.failure,
            "health": {
                "success": not focus.failure,
                "hardFailure": True,
                "responseCode": None,
                "sticky": False,
                "message": focus.failure,
            },
        }

    def metrics(self, _: web.Request) -> web.Response:
        focus, count, selector = self.focus, self.focus.count, self.selector()
        zero = ("participants_no_start_muted_rmd", "participants_ice_failed", "jibri_recording_failures")
        zero += ("jibri_sip_failures", "jibri_live_streaming_failures")
        counters: dict[str, float] = dict.fromkeys(zero, 0) | {
            "bridge_selector_lost_bridges": count["lost_bridges"],
            "bridges_removed": count["bridges_removed"],
            "conference_requests": count["requests"],
            "conference_requests_new": count["requests_new"],
            "conferences_created": count["conferences"],
            "load_redistributor_endpoints_moved": 0,
            "participants": count["participants"],
            "participants_moved": count["participants_moved"],
            "participants_restart_requested": count["request_restart"],
            "xmpp_disconnects": count["disconnects"],
        }
        for way, actions in (("sent", focus.sent), ("received", focus.received)):
            counters |= {f"jingle_{action.replace('-', '_')}_{way}": number for action, number in actions.items()}
        empty = ("endpoint_seconds", "visitors_current", "conferences_with_visitors", "sip_jibri_instances")
        empty += ("sip_jibri_instances_available", "jibri_instances", "jibri_instances_available", "jibri_sip_active")
        empty += ("jibri_recording_active", "jibri_live_streaming_active")
        gauges: dict[str, float] = (
            dict.fromkeys(empty, 0)
            | self.gauges
            | {
                "bridge_selector_bridge_count": selector["bridge_count"],
                "bridge_selector_bridge_count_in_shutdown": selector["in_shutdown_bridge_count"],
                "bridge_selector_bridge_count_operational": selector["operational_bridge_count"],
                "bridge_selector_bridge_version_count": selector["bridge_version_count"],
                "conferences": len(focus.counted()),
                "conferences_seconds": count["seconds"],
                "healthy": not focus.failure,
            }
        )
        text = "".join(
            _family(name, "counter", {"_total": value, "_created": self.began}) for name, value in counters.items()
        )
        text += "".join(_family(name, "gauge", {"": value}) for name, value in gauges.items())
        text += _family("version", "info", {f'_info{{version="{focus.version}"}}': 1})
        if focus.bridges:
            text += self.bridge_metrics()
        return web.Response(
            body=f"{text}# EOF\n".encode(),
            headers={"Content-Type": "application/openmetrics-text; version=1.0.0; charset=utf-8"},
        )

    def bridge_metrics(self) -> str:
        def of(used: Callable[[Bridge], float | None], counter: bool = False) -> dict[str, float]:
            made: dict[str, float] = {}
            for each in self.focus.bridges.values():
                label, value = f'{{jvb="{each.name}"}}', used(each)
                if value is not None:
                    made |= {f"_total{label}": value, f"_created{label}": self.began} if counter else {label: value}
            return made

        return (
            _family("bridge_failing_ice", "gauge", of(lambda _: 0))
            + _family("bridge_endpoints", "gauge", of(lambda each: each.endpoints if each.used else None))
            + _family("bridge_endpoints_moved", "counter", of(lambda each: each.moved or None, counter=True))
            + _family(
                "bridge_restart_requests", "counter", of(lambda each: each.restart_requests or None, counter=True)
            )
        )

    # --- state ---

    def debug(self, _: web.Request) -> dict[str, Any]:
        focus = self.focus
        return {
            "focus_manager": {room: len(each.members) for room, each in focus.conferences.items()},
            "bridge_selector": {
                "strategy": self.settings("bridge.selection-strategy", "SingleBridgeSelectionStrategy"),
                "bridge": {jid: each.debug() for jid, each in focus.bridges.items()},
            },
            "jibri_detector": None,
            "sip_jibri_detector": None,
            "jigasi_detector": None,
            "av_moderation": {"address": f"avmoderation.{focus.domain}"},
            "conference_iq_handler": {
                "breakout_address": f"breakout.{focus.domain}",
                "focus_auth_jid": focus.jid,
                "jigasi_enabled": False,
                "auth_authority": "null",
            },
        }

    def one(self, request: web.Request) -> dict[str, Any]:
        return self.full(self.conference(request.match_info["room"]))

    def full(self, conference: Conference) -> dict[str, Any]:
        members = conference.members.values()
        sources = {"jvb": {"sources": [_source_debug(each) for each in conference.feedback], "groups": []}}
        state: dict[str, Any] = {
            "name": conference.room,
            "meeting_id": conference.meeting,
            "config": {"rtcstatsEnabled": not conference.counted, "startAudioMuted": None, "startVideoMuted": None},
            "chat_room": {
                "room_jid": conference.room,
                "my_occupant_jid": f"{conference.room}/focus",
                "members": {each.nick: _member(conference, each) for each in members},
                **dict.fromkeys(("audio_senders_count", "video_senders_count"), 0),
                "lobby_enabled": False,
                "participants_soft_limit": -1,
                "moderators": [],
                "visitors_enabled": "null",
                "visitors_live": False,
                "av_moderation": {},
            },
            "participants": {each.nick: _invited(conference, each, sources) for each in members if each.bridge},
            "chat_room_role_manager": {
                "class": "AutoOwnerRoleManager",
                "owner": next((each.jid for each in members if each.role == "OWNER"), "null"),
            },
            "started": True,
            **dict.fromkeys(("start_audio_muted", "start_video_muted"), False),
            "conference_properties": {"support-terminate-restart": "true"},
            "include_in_statistics": conference.counted,
            "conference_sources": {},
            **dict.fromkeys(("audio_limit_reached", "video_limit_reached"), False),
            "visitor_count": 0,
            "visitor_codecs": {"count": 0, "ranks": {}, "aggregate": []},
            "participant_count": len(members),
            **dict.fromkeys(("jibri_count", "jigasi_count", "transcriber_count"), 0),
        }
        if conference.bridge:
            state["conference_properties"]["bridge-count"] = "1"
            state["colibri_session_manager"] = _sessions(conference, conference.bridge, sources)
        return state


def _sessions(conference: Conference, bridge: Bridge, sources: dict[str, Any]) -> dict[str, Any]:
    held = [each.nick for each in conference.members.values() if each.bridge is bridge]
    flags = ("audio_muted", "video_muted", "private_addresses", "rtp_mid_demux", "visitor", "diarize")
    endpoint = {"stats_id": "null", "sources": {"sources": [], "groups": []}, "bridge": bridge.name}
    endpoint |= dict.fromkeys(flags, False) | {"ssrc_rewriting": True}
    session = {"bridge": bridge.debug(), "id": conference.session, "feedback_sources": sources, "created": True}
    return {
        "participants": {nick: {"id": nick} | endpoint for nick in held},
        "sessions": {bridge.name: session | {"relays": {}, "participants": held}},
    }


def _member(conference: Conference, member: Participant) -> dict[str, Any]:
    return {
        "region": "null",
        "occupant_jid": f"{conference.room}/{member.nick}",
        "jid": member.jid,
        **dict.fromkeys(("is_jibri", "is_jigasi", "is_transcriber", "diarize"), False),
        "role": member.role,
        "video_codecs": [],
        "stats_id": "null",
        **dict.fromkeys(("is_audio_muted", "is_video_muted"), True),
        "features": [name for feature, name in FEATURES.items() if feature in (member.features or ())],
        "capsNodeVer": "null",
    }


def _invited(conference: Conference, member: Participant, sources: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": member.nick,
        "source_signaling": {
            "signaled_sources": sources,
            "sources": sources,
            "supported_media_types": conference.kinds(member),
        },
        "invite_runnable": "Not running",
        "jingle_session": {
            "sid": member.sid,
            "remoteJid": f"{conference.room}/{member.nick}",
            "state": member.state,
        },
    }


def _source_debug(media: Element) -> dict[str, Any]:
    source = _sources(media)
    kind = media.get("type")
    name = source.get("name")
    msid = f"mixedmslabel mixedlabel{kind}0"
    return {"ssrc": int(source.get("ssrc", "0")), "media_type": kind, "name": name, "msid": msid, "videoType": "null"}


def _spread(values: list[int], bounds: tuple[int, ...]) -> dict[str, Any]:
    buckets = {}
    for low, high in zip(bounds, (*bounds[1:], None), strict=True):
        name = f"{low}_to_{'max' if high is None else high}"
        buckets[name] = sum(low <= each and (high is None or each < high) for each in values)
    return {
        "average": sum(values) / len(values) if values else "NaN",
        "max": max(values, default=0),
        "min": 0,
        "total_value": sum(values),
        "total_count": len(values),
        "discarded": 0,
        "buckets": buckets | {"p99_upper_bound": -1, "p999_upper_bound": -1},
    }


def _queue_sizes() -> dict[str, Any]:
    spread = _spread([], (0, 1, 4, 16, 64, 256, 1024, 4096, 16384))
    return {f"{key}_queue_size_at_remove" if key in ("average", "max", "min") else key: spread[key] for key in spread}


def _actions(counter: Counter[str]) -> dict[str, int]:
    return {action.upper().replace("-", "_"): number for action, number in counter.items()}


def _family(name: str, kind: str, samples: dict[str, float]) -> str:
    full = f"jitsi_jicofo_{name}"
    lines = [f"# TYPE {full} {kind}", f"# HELP {full} {name.replace('_', ' ').capitalize()}."]
    lines += [f"{full}{suffix} {_java(value)}" for suffix, value in samples.items()]
    return "".join(f"{line}\n" for line in lines)


def _java(value: float) -> str:
    return f"{value / 1e9:.12f}E9" if value >= 1e9 else str(float(value))


def _needed(request: web.Request, name: str) -> str:
    if name not in request.query:
        raise _refusal(400, f"Bad request: Missing parameter: {name}")
    return str(request.query[name])


def _number(kind: Callable[[str], float], text: str) -> float:
    try:
        return kind(text)
    except ValueError:
        raise _refusal(500, f'For input string: "{text}"') from None


class RefusalError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


_refusal = RefusalError


def _answering(answer: Callable[[web.Request], Any]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            made = answer(request)
        except RefusalError as error:
            return web.Response(status=error.status, text=error.text, charset="UTF-8")
        return made if isinstance(made, web.StreamResponse) else web.json_response(made)

    return handle


@web.middleware  # type: ignore[misc,unused-ignore]
async def _bare_errors(request: web.Request, handler: Callable[[web.Request], Awaitable[Any]]) -> Any:
    """An unknown path or method is answered without a body."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return web.Response(status=error.status, headers={"Content-Length": "0"})


async def main(settings: Settings, version: str) -> None:
    logging.getLogger("slixmpp").setLevel(logging.CRITICAL)
    focus = Focus(settings, version)
    stopped = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    if settings("health.enabled", False):
        focus.run(focus.check_health())
    if settings("rest.enabled", True):
        rest = Rest(focus)
        runner = web.AppRunner(rest.routes(), access_log=None)
        await runner.setup()
        host, port = str(settings("rest.host", "127.0.0.1")), int(settings("rest.port", 8888))
        log("INFO", "Application.start#86", f"Starting on port {port}, host {host}")
        await web.TCPSite(runner, host, port).start()
        focus.run(rest.keep_fresh())
    focus.run(focus.stay_connected())
    await stopped.wait()
    if focus.xmpp:
        focus.xmpp.disconnect()
        await asyncio.sleep(0.5)


def command() -> int:
    parser = argparse.ArgumentParser(description="Stand-in of jicofo.")
    parser.add_argument("--config", type=Path, default=Path("/etc/jitsi/jicofo/jicofo.conf"))
    parser.add_argument("--version", action="store_true")
    options = parser.parse_args()
    file = HERE / "version"
    version = file.read_text().strip() if file.exists() else "1.0-standin-1"
    if options.version:
        print(version)
        return 0
    try:
        settings = Settings(options.config)
    except ValueError as error:
        log("SEVERE", "Main.main", str(error))
        return 1
    asyncio.run(main(settings, version.rpartition("-")[0].replace("-", ".", 1)))
    return 143


if __name__ == "__main__":
    sys.exit(command())
