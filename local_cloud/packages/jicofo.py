"""Stand-in of jicofo 1.0: places rooms on bridges and answers REST as the real one was recorded to do.

One file although it is long, because it is installed as one program. It runs under Debian 12's and 13's python3 with
Debian's python3-slixmpp, python3-aiohttp and ruby-hocon. It is no jicofo: a room is on one bridge whatever the
strategy, sources of participants are not passed on, and there are no recorders, visitors, tokens or lobbies.
What it answers, publishes and logs is held to tests/packages/recordings/jicofo. Places in the log are the real ones, so
that what searches real logs finds the same lines.
"""

import argparse
import asyncio
import contextlib
import copy
import functools
import json
import logging
import platform
import re
import secrets
import signal
import ssl
import struct
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
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
JAVA_TRUST, SYSTEM_TRUST = Path("/etc/ssl/certs/java/cacerts"), Path("/etc/ssl/certs/ca-certificates.crt")
CLIENT, COLIBRI, STATS = "jabber:client", "jitsi:colibri2", "http://jitsi.org/protocol/colibri"
FOCUS, HEALTH = "http://jitsi.org/protocol/focus", "http://jitsi.org/protocol/healthcheck"
JINGLE, RTP, ICE = "urn:xmpp:jingle:1", "urn:xmpp:jingle:apps:rtp:1", "urn:xmpp:jingle:transports:ice-udp:1"
SSMA, GROUP = "urn:xmpp:jingle:apps:rtp:ssma:0", "urn:xmpp:jingle:apps:grouping:0"
SCTP = "urn:xmpp:jingle:transports:dtls-sctp:1"
MUC, DISCO = "http://jabber.org/protocol/muc", "http://jabber.org/protocol/disco#info"
# What clients announce, by the name that /debug/conferences-full has for it.
FEATURES = {
    "JINGLE": JINGLE, "JINGLE_ICE": ICE, "DTLS": "urn:xmpp:jingle:apps:dtls:0",
    "AUDIO": "urn:xmpp:jingle:apps:rtp:audio", "VIDEO": "urn:xmpp:jingle:apps:rtp:video",
    "RTCPMUX": "urn:ietf:rfc:5761", "BUNDLE": "urn:ietf:rfc:5888", "RTX": "urn:ietf:rfc:4588", "SCTP": SCTP,
    "JSON_SOURCES": "http://jitsi.org/json-encoded-sources", "SOURCE_NAMES": "http://jitsi.org/source-name",
    "SSRC_REWRITING_V1": "http://jitsi.org/ssrc-rewriting-1",
    "RECEIVE_MULTIPLE_STREAMS": "http://jitsi.org/receive-multiple-video-streams",
}  # fmt: skip
PAYLOADS = {"audio": ("111 opus 48000 2",), "video": ("100 VP8 90000", "96 rtx 90000")}
# The real one tries again at once, 18 times a second; a part of that shows the same and spares the machine.
RETRY_PAUSE = 0.3
RETRY_JOIN = 5  # seconds, when the brewery lets nobody in

# Answers of REST in their recorded shape, with what is always the same in a stand-in.
_BOUNDS = (0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 300, 400, 500)
_QUEUE = """{"added_packets":0,"removed_packets":0,"dropped_packets":0,"queue_size_at_remove":{
"average_queue_size_at_remove":"NaN","max_queue_size_at_remove":0,"min_queue_size_at_remove":0,"total_value":0,
"total_count":0,"discarded":0,"buckets":{"0_to_1":0,"1_to_4":0,"4_to_16":0,"16_to_64":0,"64_to_256":0,"256_to_1024":0,
"1024_to_4096":0,"4096_to_16384":0,"16384_to_max":0,"p99_upper_bound":-1,"p999_upper_bound":-1}}}"""
_ROOM = """{"started":true,"start_audio_muted":false,"start_video_muted":false,"conference_sources":{},
"audio_limit_reached":false,"video_limit_reached":false,"visitor_count":0,
"visitor_codecs":{"count":0,"ranks":{},"aggregate":[]},"jibri_count":0,"jigasi_count":0,"transcriber_count":0}"""
_CHAT = """{"audio_senders_count":0,"video_senders_count":0,"lobby_enabled":false,"participants_soft_limit":-1,
"moderators":[],"visitors_enabled":"null","visitors_live":false,
"av_moderation":{"VIDEO":{"enabled":false,"whitelist":[]},"AUDIO":{"enabled":false,"whitelist":[]}}}"""
_MEMBER = """{"region":"null","is_jibri":false,"is_jigasi":false,"is_transcriber":false,"video_codecs":[],
"stats_id":"null","is_audio_muted":true,"is_video_muted":true,"diarize":false,"capsNodeVer":"null"}"""
_ENDPOINT = """{"stats_id":"null","sources":{"sources":[],"groups":[]},"audio_muted":false,"video_muted":false,
"private_addresses":false,"ssrc_rewriting":true,"rtp_mid_demux":false,"visitor":false,"diarize":false}"""
# Families of /metrics that stay at 0.
_COUNTERS = """participants_no_start_muted_rmd participants_ice_failed jibri_recording_failures jibri_sip_failures
jibri_live_streaming_failures load_redistributor_endpoints_moved"""
_GAUGES = """endpoint_seconds visitors_current conferences_with_visitors sip_jibri_instances jibri_instances
sip_jibri_instances_available jibri_instances_available jibri_sip_active jibri_recording_active
jibri_live_streaming_active"""


def log(level: str, place: str, text: str, context: str = "") -> None:
    stamp = datetime.now().isoformat(" ", "milliseconds")
    print(f"Jicofo {stamp} {level}: [1] {f'[{context}] ' if context else ''}{place}: {text}", flush=True)


class Settings:
    """jicofo.conf over jicofo's defaults. ValueError names a key that jicofo does not know, or a bad value."""

    def __init__(self, path: Path) -> None:
        # Not the hocon command: it does not resolve what a value refers to.
        script = "puts JSON.generate(Hocon.load(ARGV[0]))"
        done = subprocess.run(["ruby", "-rhocon", "-rjson", "-e", script, path], capture_output=True, text=True)
        if done.returncode:
            raise ValueError(f"{path} cannot be read: {done.stderr.strip()[:300]}")
        lines = (HERE / "known_keys/jicofo.txt").read_text().splitlines()
        known = dict(line.split("\t") for line in lines if not line.startswith("#"))
        self._values = {key: json.loads(default) for key, default in known.items() if default != "-"}
        tables = tuple(key[:-1] for key in known if key.endswith(".*"))
        for key, value in _leaves("jicofo", json.loads(done.stdout).get("jicofo", {})):
            if key not in known and not key.startswith(tables):
                raise ValueError(f"unknown key {key} in {path}")
            self._values[key] = value

    def get(self, key: str, default: Any = "") -> Any:
        return self._values.get(f"jicofo.{key}", default)

    def flag(self, key: str) -> bool:
        return str(self.get(key)).lower() in ("true", "yes", "on")

    def seconds(self, key: str) -> float:
        """A duration as HOCON writes it: a number is milliseconds."""
        units = {"": 0.001, "ms": 0.001, "millisecond": 0.001, "s": 1, "second": 1, "m": 60, "minute": 60, "h": 3600}
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(self.get(key)))
        unit = found and units.get(found[2] if len(found[2]) < 3 else found[2].removesuffix("s"))
        if not found or not unit:
            raise ValueError(f"jicofo.{key} = {self.get(key)} is not a duration")
        return float(found[1]) * unit


def _leaves(prefix: str, value: Any) -> Iterable[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield prefix, value
        return
    for key, inner in value.items():
        yield from _leaves(f"{prefix}.{key}", inner)


def trusted() -> str:
    """The authorities that Java trusts, as PEM; the system's where there is no Java."""
    if not JAVA_TRUST.exists():
        return SYSTEM_TRUST.read_text()
    try:
        return "".join(map(ssl.DER_cert_to_PEM_cert, key_store(JAVA_TRUST.read_bytes())))
    except (OSError, struct.error, ValueError) as error:
        log("WARNING", "Main.main", f"{JAVA_TRUST} cannot be read, so {SYSTEM_TRUST} is trusted: {error}")
        return SYSTEM_TRUST.read_text()


def key_store(data: bytes) -> Iterable[bytes]:
    """The certificates of a key store of the kind JKS, which Debian's ca-certificates-java makes. ValueError if not."""
    magic, version, count = struct.unpack_from(">III", data)
    if (magic, version) != (0xFEEDFEED, 2):
        raise ValueError("it is no key store of the kind JKS")
    at = 12
    for _ in range(count):
        kind, alias = struct.unpack_from(">IH", data, at)
        if kind != 2:
            raise ValueError("it holds more than certificates")
        at += 6 + alias + 8  # the date
        (name,) = struct.unpack_from(">H", data, at)
        (length,) = struct.unpack_from(">I", data, at + 2 + name)
        at += 6 + name + length
        yield data[at - length : at]


class Client(slixmpp.ClientXMPP):  # type: ignore[misc,unused-ignore]
    """One connection, used once. `ended` tells why. The server's certificate must bear the account's domain."""

    def __init__(self, jid: str, password: str, context: ssl.SSLContext) -> None:
        super().__init__(jid, password, sasl_mech="SCRAM-SHA-1")
        self.context, self.registered = context, False
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        for plugin in ("xep_0030", "xep_0199"):
            self.register_plugin(plugin)
        self.register_plugin("xep_0115", {"caps_node": "http://jitsi.org/jicofo"})
        for event, reason in (
            ("connection_failed", "The following addresses failed"),
            ("failed_all_auth", "SASLError using SCRAM-SHA-1: not-authorized"),
            ("ssl_invalid_chain", "PKIX path building failed"),
            ("disconnected", "Connection or outbound has closed"),
        ):
            self.add_event_handler(event, functools.partial(self.finish, reason))

    def finish(self, reason: str, what: object) -> None:
        if isinstance(what, ssl.SSLError):
            reason = "PKIX path building failed"  # slixmpp of Debian 13 has no event of its own for it
        if not self.ended.done():
            self.ended.set_result(f"{reason}: {what}" if isinstance(what, Exception) else reason)

    def get_ssl_context(self) -> ssl.SSLContext:
        return self.context

    async def _pick_dns_answer(self, *_: Any, **__: Any) -> None:
        """Only the configured address: slixmpp would look the account's domain up."""

    def reschedule_connection_attempt(self) -> None:
        """Whoever made this connection makes the next."""

    def open(self, host: str, port: int) -> None:
        if hasattr(self, "enable_direct_tls"):  # slixmpp 1.9 and later: Debian 13
            self.enable_direct_tls, self.enable_starttls, self.enable_plaintext = False, True, False
            self.connect(host, port)
        else:
            self.connect((host, port))
        self.default_domain = self.boundjid.domain


def element(namespace: str, name: str, /, *children: Element, text: str | None = None, **attributes: str) -> Element:
    made = Element(f"{{{namespace}}}{name}", {key.replace("_", "-"): value for key, value in attributes.items()})
    made.text = text
    made.extend(children)
    return made


def reason_of(error: Exception) -> str:
    return f"{error.condition} {error.text}" if isinstance(error, IqError) else "no answer"


class Bridge:
    """What the brewery and the health checks tell of one bridge, and what this program has put on it."""

    def __init__(self, jid: str, settings: Settings, stats: dict[str, str]) -> None:
        self.jid, self.settings, self.stats = jid, settings, stats
        self.name = jid.partition("/")[2]
        self.endpoints = self.restart_requests = self.moved = 0
        self.placed: list[float] = []
        self.used, self.passed, self.failed_at = False, True, float("-inf")
        self.doctor: asyncio.Task[None] | None = None

    def told(self, name: str) -> bool:
        return self.stats.get(name) == "true"

    @property
    def operational(self) -> bool:
        return self.passed and time.monotonic() - self.failed_at >= self.settings.seconds(
            "bridge.failure-reset-threshold"
        )

    def fail(self) -> None:
        self.passed, self.failed_at = False, time.monotonic()

    @property
    def stress(self) -> float:
        """What it reports, and what recent participants will add, which it cannot know yet."""
        since = time.monotonic() - self.settings.seconds("bridge.participant-rampup-interval")
        self.placed = [moment for moment in self.placed if moment > since]
        each = self.stats.get("average_participant_stress") or self.settings.get("bridge.average-participant-stress")
        return round(float(self.stats.get("stress_level", 0)) + float(each) * len(self.placed), 4)

    def place(self) -> None:
        self.used = True
        self.endpoints += 1
        self.placed.append(time.monotonic())

    def __str__(self) -> str:
        version, relay, region = (self.stats.get(name, "null") for name in ("version", "relay_id", "region"))
        return (
            f"Bridge[jid={self.jid}, version={version}, relayId={relay}, region={region}, "
            f"correctedStress={self.stress:.2f}]"
        )

    def debug(self) -> dict[str, Any]:
        flags = ("drain", "graceful_shutdown", "healthy", "shutting_down")
        texts = ("region", "relay_id", "release", "version")
        state = {name: self.told(name) for name in flags} | {name: self.stats.get(name, "null") for name in texts}
        return {name.replace("_", "-"): value for name, value in state.items()} | {
            "corrected-stress": self.stress, "endpoints": self.endpoints, "failing-ice": False,
            "endpoint-restart-requests": self.restart_requests, "operational": self.operational,
            "overloaded": self.stress >= float(self.settings.get("bridge.stress-threshold")),
            "stress": float(self.stats.get("stress_level", 0)),
        }  # fmt: skip


class Participant:
    def __init__(self, nick: str, jid: str, role: str) -> None:
        self.nick, self.jid, self.role = nick, jid, role
        self.features: frozenset[str] | None = None
        self.sid, self.state = "", "ENDED"
        self.bridge: Bridge | None = None
        self.invitation: asyncio.Task[None] | None = None

    def kinds(self) -> list[str]:
        return [kind for kind in PAYLOADS if FEATURES[kind.upper()] in (self.features or ())]

    def stop_inviting(self) -> None:
        if self.invitation and self.invitation is not asyncio.current_task():
            self.invitation.cancel()
        self.invitation = None


class Conference:
    """One room: joins it, invites who is there, and keeps its session on one bridge."""

    def __init__(self, focus: "Focus", room: str, counted: bool = True) -> None:
        self.focus, self.room, self.counted = focus, room, counted
        self.members: dict[str, Participant] = {}
        self.inside: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ready = self.pausing = self.ended = False
        self.meeting, self.session, self.began = str(uuid.uuid4()), "", time.monotonic()
        self.bridge: Bridge | None = None
        self.feedback: list[Element] = []
        self.allocating = asyncio.Lock()
        self.timer: asyncio.TimerHandle | None = None

    def log(self, level: str, place: str, text: str, more: str = "") -> None:
        log(level, place, text, f"room={self.room} meeting_id={self.meeting}{more}")

    async def start(self) -> None:
        """TimeoutError when the room does not let it in."""
        self.log("INFO", "JitsiMeetConferenceImpl.joinTheRoom#605", f"Joining {self.room}")
        self.wait("conference.initial-timeout")
        self.focus.enter(self.room)
        await asyncio.wait_for(self.inside, self.focus.reply_timeout)
        with contextlib.suppress(IqError, IqTimeout):
            form = await self.focus.ask(self.room, "get", element(f"{MUC}#owner", "query"))
            for field in form.xml.iter("{jabber:x:data}field"):
                if field.get("var") == "muc#roominfo_meetingId":
                    self.meeting = field.findtext("{jabber:x:data}value") or self.meeting
        self.ready = True
        self.invite_all()

    # Who is there

    def wait(self, key: str) -> None:
        """Ends the room, or the session of the last one in it, unless somebody comes before."""
        if self.timer:
            self.timer.cancel()
        self.timer = asyncio.get_running_loop().call_later(self.focus.settings.seconds(key), self.alone)

    def alone(self) -> None:
        if not self.members:
            self.end()
        elif len(self.members) == 1:
            self.log("INFO", "JitsiMeetConferenceImpl.expireSingleParticipant", "Timing out single participant.")
            self.terminate(list(self.members.values()), "expired")

    def come(self, nick: str, jid: str, role: str) -> None:
        if nick in self.members:
            self.members[nick].role = role
            return
        self.members[nick] = Participant(nick, jid, role)
        self.log("INFO", "JitsiMeetConferenceImpl.onMemberJoined#853", f"Member joined:{nick} role={role}")
        self.focus.count["participants"] += self.counted
        self.elect()
        self.invite_all()

    def go(self, nick: str) -> None:
        participant = self.members.get(nick)
        if not participant:
            return
        self.log("INFO", "JitsiMeetConferenceImpl.onMemberLeft", f"Member left:{nick}")
        self.release([participant])
        del self.members[nick]
        if not self.members:
            self.end()
        elif len(self.members) == 1:
            self.wait("conference.single-participant-timeout")
        self.elect()

    def elect(self) -> None:
        """Somebody is always moderator."""
        there = list(self.members.values())
        wanted = self.focus.settings.flag("conference.enable-auto-owner")
        if wanted and there and there[0].jid and not any(each.role == "OWNER" for each in there):
            item = element(f"{MUC}#admin", "item", affiliation="owner", jid=there[0].jid.partition("/")[0])
            self.focus.tell(self.room, "set", element(f"{MUC}#admin", "query", item))

    # Sessions

    def invite_all(self) -> None:
        enough = int(self.focus.settings.get("conference.min-participants"))
        if self.ended or self.pausing or not self.ready or len(self.members) < enough:
            return
        if self.timer:
            self.timer.cancel()
        for each in self.members.values():
            if each.state == "ENDED" and (not each.invitation or each.invitation.done()):
                each.invitation = self.focus.run(self.invite(each))

    async def invite(self, participant: Participant) -> None:
        if participant.features is None:
            participant.features = await self.focus.features(f"{self.room}/{participant.nick}")
            named = ", ".join(name for name, feature in FEATURES.items() if feature in participant.features)
            text = f"Creating participant {participant.nick} with features=[{named}]"
            self.log("INFO", "JitsiMeetConferenceImpl.inviteChatMember#926", text)
        async with self.allocating:
            answer = await self.allocate(participant)
        if answer is not None:
            self.initiate(participant, answer)

    async def allocate(self, participant: Participant) -> Element | None:
        """Asks the room's bridge, or one selected now, for an endpoint. None if there is none or it refuses."""
        fresh = self.bridge is None
        bridge = self.bridge or self.focus.select()
        more = f" participant={participant.nick}"
        if bridge is None or not bridge.operational:
            log("WARNING", "BridgeSelector.selectBridge#186", "There are no operational bridges.")
            text = "Can not invite participant, no bridge available."
            self.log("SEVERE", "ParticipantInviteRunnable.doRun#216", text, more)
            return None
        if fresh:
            self.bridge, self.session, self.feedback = bridge, str(uuid.uuid4()), []
        text = (
            f"Selected {bridge.name} for {participant.nick} (visitor=false, session exists: {str(not fresh).lower()})"
        )
        self.log("INFO", "ColibriV2SessionManager.allocate#546", text)
        bridge.place()
        participant.bridge, participant.state = bridge, "ALLOCATING"
        try:
            answer = await self.focus.ask(bridge.jid, "get", self.request_of(participant, fresh))
        except (IqError, IqTimeout) as error:
            text = f"Failed to allocate a colibri2 endpoint for {participant.nick}: {reason_of(error)}"
            self.log("SEVERE", "ColibriV2SessionManager.allocate#617", text)
            self.log("SEVERE", "ParticipantInviteRunnable.doRun#228", "Failed to allocate colibri channels", more)
            if isinstance(error, IqTimeout):
                bridge.fail()
            self.give_up(bridge)
            return None
        xml: Element = answer.xml
        return xml

    def give_up(self, bridge: Bridge) -> None:
        """Takes the bridge that refused out of the room, and tries anew a little later."""
        self.focus.count["bridges_removed"] += 1
        names = ", ".join(self.members)
        place = "JitsiMeetConferenceImpl$ColibriSessionManagerListener.bridgeRemoved#2842"
        text = f"Bridge {bridge} was removed from the conference. Re-inviting its participants: [{names}]"
        self.log("INFO", place, text)
        self.pausing = True
        self.move(list(self.members.values()))
        asyncio.get_running_loop().call_later(RETRY_PAUSE, self.go_on)

    def go_on(self) -> None:
        self.pausing = False
        self.invite_all()

    def modify(self, *endpoints: Element, **attributes: str) -> Element:
        return element(COLIBRI, "conference-modify", *endpoints, meeting_id=self.meeting, **attributes)

    def request_of(self, participant: Participant, create: bool) -> Element:
        medias = [element(COLIBRI, "media", *_payloads(kind), type=kind) for kind in participant.kinds()]
        transport = element(COLIBRI, "transport", ice_controlling="true")
        if SCTP in (participant.features or ()) and self.focus.settings.flag("sctp.enabled"):
            transport.append(element(COLIBRI, "sctp"))
        names = element(COLIBRI, "capability", name="source-names")
        endpoint = element(COLIBRI, "endpoint", *medias, transport, names, id=participant.nick, create="true")
        new = {"create": "true", "name": self.room, "rtcstats_enabled": "false"}
        return self.modify(endpoint, **(new if create else {}))

    def initiate(self, participant: Participant, answer: Element) -> None:
        """Offers what the participant can do, over the bridge's transport."""
        transport = next(answer.iter(f"{{{ICE}}}transport"), element(ICE, "transport"))
        self.feedback = self.feedback or list(answer.iter(f"{{{COLIBRI}}}media-source"))
        contents = []
        for kind in participant.kinds():
            sources = [_source(each) for each in self.feedback if each.get("type") == kind]
            described = element(RTP, "description", *_payloads(kind), element(RTP, "rtcp-mux"), *sources, media=kind)
            contents.append(_content(kind, described, transport))
        sctp = next(answer.iter(f"{{{COLIBRI}}}sctp"), None)
        if sctp is not None:
            contents.append(_content("data", element(RTP, "description", media="application"), transport))
            channel = {"number": sctp.get("port", "5000"), "protocol": "webrtc-datachannel", "streams": "1024"}
            contents[-1][-1].append(element(SCTP, "sctpmap", **channel))
        group = element(GROUP, "group", semantics="BUNDLE")
        group.extend(element(GROUP, "content", name=each.get("name", "")) for each in contents)
        session = element(FOCUS, "bridge-session", id=self.session)
        if participant.bridge and "region" in participant.bridge.stats:
            session.set("region", participant.bridge.stats["region"])
        participant.sid, participant.state = secrets.token_hex(7), "PENDING"
        self.jingle(participant, "session-initiate", *contents, group, session)

    def jingle(self, participant: Participant, action: str, *children: Element) -> None:
        self.focus.sent[action] += 1
        request = element(
            JINGLE, "jingle", *children, action=action, initiator=f"{self.room}/focus", sid=participant.sid
        )
        self.focus.tell(f"{self.room}/{participant.nick}", "set", request)

    def hear(self, nick: str, request: Element) -> None:
        """A participant accepts, or ends its session and may ask for another."""
        participant, action = self.members.get(nick), request.get("action", "")
        self.focus.received[action] += 1
        if not participant or not participant.bridge or request.get("sid") != participant.sid:
            return
        if action == "session-accept":
            participant.state = "ACTIVE"
            found = next(request.iter(f"{{{ICE}}}transport"), None)
            if found is not None:
                own = element(COLIBRI, "transport", copy.deepcopy(found))
                self.focus.tell(participant.bridge.jid, "get", self.modify(element(COLIBRI, "endpoint", own, id=nick)))
        elif action == "session-terminate":
            restart = request.find(f"{{{FOCUS}}}bridge-session")
            bridge = participant.bridge
            self.release([participant])
            if restart is not None and restart.get("restart") == "true":
                bridge.restart_requests += 1
                self.focus.count["request_restart"] += 1
                self.invite_all()

    def terminate(self, participants: list[Participant], reason: str, heard: bool = True) -> None:
        for each in participants:
            if each.state in ("PENDING", "ACTIVE"):
                self.jingle(each, "session-terminate", element(JINGLE, "reason", element(JINGLE, reason)))
        self.release(participants, heard)

    def release(self, participants: list[Participant], heard: bool = True) -> None:
        """Takes them off the bridge, and the room, too, with the last of them. `heard`: the bridge can be told."""
        bridge, held = self.bridge, [each for each in participants if each.bridge]
        for each in participants:
            each.stop_inviting()
            if each.bridge:
                each.bridge.endpoints -= 1
            each.bridge, each.state = None, "ENDED"
        if not bridge or not held:
            return
        if any(each.bridge for each in self.members.values()):
            request = self.modify(*(element(COLIBRI, "endpoint", id=each.nick, expire="true") for each in held))
        else:
            self.bridge, request = None, self.modify(expire="true")
        if heard:
            self.focus.tell(bridge.jid, "get", request)

    def move(self, participants: list[Participant], heard: bool = True) -> None:
        """Ends their sessions and invites them anew, on whatever bridge is selected then."""
        self.focus.count["participants_moved"] += len(participants)
        self.terminate(participants, "success", heard)
        self.invite_all()

    def leave_bridge(self, bridge: Bridge, why: str, heard: bool = True) -> None:
        if self.bridge is not bridge:
            return
        held = [each for each in self.members.values() if each.bridge]
        self.log("INFO", "ColibriV2SessionManager.removeBridge#812", f"Removing bridges: {bridge}")
        place = "JitsiMeetConferenceImpl$BridgeSelectorEventHandler.removeBridge#2607"
        names = ", ".join(each.nick for each in held)
        self.log("INFO", place, f"Re-inviting [{names}] because {bridge.jid} {why}")
        self.move(held, heard)

    def end(self) -> None:
        if self.ended:
            return
        self.ended = True
        if self.timer:
            self.timer.cancel()
        self.release(list(self.members.values()))
        self.focus.count["seconds"] += int(time.monotonic() - self.began) * self.counted
        self.focus.enter(self.room, leave=True)
        self.focus.conferences.pop(self.room, None)
        self.log("INFO", "JitsiMeetConferenceImpl.stop", "Stopped.")


def _payloads(kind: str) -> list[Element]:
    made = []
    for line in PAYLOADS[kind]:
        names = ("id", "name", "clockrate", "channels")
        made.append(element(RTP, "payload-type", **dict(zip(names, line.split(), strict=False))))
    return made


def _content(name: str, described: Element, transport: Element) -> Element:
    own = copy.deepcopy(transport)
    return element(JINGLE, "content", described, own, creator="initiator", name=name, senders="both")


def _source(media: Element) -> Element:
    """One of the bridge's own sources, with the owner that clients look for."""
    found = next(media.iter(f"{{{SSMA}}}source"), element(SSMA, "source", ssrc="0"))
    label = element(SSMA, "parameter", name="msid", value=f"mixedmslabel mixedlabel{media.get('type')}0")
    owner = element("http://jitsi.org/jitmeet", "ssrc-info", owner="jvb")
    return element(SSMA, "source", label, owner, ssrc=found.get("ssrc", ""), name=media.get("id", ""))


class Focus:
    """The program: its connection, the bridges of the brewery, the rooms, and the checks of both."""

    def __init__(self, settings: Settings, version: str) -> None:
        self.settings, self.version = settings, version
        self.bridges: dict[str, Bridge] = {}
        self.conferences: dict[str, Conference] = {}
        self.count, self.sent, self.received = Counter[str](), Counter[str](), Counter[str]()
        self.failure: str | None = None
        self.xmpp: Client | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.reply_timeout = settings.seconds("xmpp.client.reply-timeout")
        self.brewery = str(settings.get("bridge.brewery-jid")).lower()
        self.brewing = f"type=bridge brewery={self.brewery.partition('@')[0]}"
        self.domain = str(settings.get("xmpp.client.xmpp-domain") or settings.get("xmpp.client.domain"))
        self.jid = f"{settings.get('xmpp.client.username')}@{settings.get('xmpp.client.domain') or self.domain}"
        self.muc = str(settings.get("xmpp.client.conference-muc-jid") or f"conference.{self.domain}")
        log(
            "INFO",
            "BridgeSelector.<init>#56",
            f"Using org.jitsi.jicofo.bridge.{settings.get('bridge.selection-strategy')}",
        )
        log("INFO", "BaseBrewery.<init>#107", f"Initialized with JID={self.brewery}", self.brewing)

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        def done(task: asyncio.Task[None]) -> None:
            self.tasks.discard(task)
            if not task.cancelled() and (error := task.exception()):
                log("SEVERE", "TaskPools", f"{type(error).__name__}: {error}")

        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(done)
        return task

    # The connection

    async def stay_connected(self) -> None:
        settings, context, connection = self.settings, ssl.create_default_context(), "xmpp_connection=client"
        if settings.flag("xmpp.client.disable-certificate-verification"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        else:
            context = ssl.create_default_context(cadata=trusted())
        account = f"{self.jid}/{settings.get('xmpp.client.resource')}"
        while True:
            self.xmpp = xmpp = Client(account, str(settings.get("xmpp.client.password")), context)
            self.listen(xmpp)
            xmpp.open(str(settings.get("xmpp.client.hostname")), int(settings.get("xmpp.client.port")))
            await asyncio.wait([xmpp.ended], timeout=30)
            if not xmpp.registered:
                xmpp.finish("The following addresses failed", TimeoutError("no answer"))
            reason = await xmpp.ended
            self.xmpp = None
            xmpp.abort()
            if xmpp.registered:
                place = "XmppProvider$connectionListener$1.connectionClosedOnError#155"
                log("SEVERE", place, f"XMPP connection closed on error: {reason}", connection)
                self.lose_everything()
            else:
                log("SEVERE", "XmppProvider.doConnect#219", f"Failed to connect/login: {reason}", connection)
            place = "XmppProvider.scheduleConnectTask$lambda$3$lambda$2#113"
            log("WARNING", place, "Failed to connect, will re-try after 1 second", connection)
            await asyncio.sleep(1)

    def listen(self, xmpp: Client) -> None:
        where = ("XmppProvider.doConnect#206", "Connected, JID=null", "xmpp_connection=client")
        xmpp.add_event_handler("connected", lambda _: log("INFO", *where))
        xmpp.add_event_handler("session_start", self.registered)
        for name, namespace, handler in (("conference", FOCUS, self.on_request), ("jingle", JINGLE, self.on_jingle)):
            xmpp.register_handler(Callback(name, MatchXPath(f"{{{CLIENT}}}iq/{{{namespace}}}{name}"), handler))
        xmpp.register_handler(Callback("occupants", MatchXPath(f"{{{CLIENT}}}presence"), self.on_presence))

    def registered(self, _: object) -> None:
        if self.xmpp:
            self.xmpp.registered = True
            place = "XmppProvider$connectionListener$1.authenticated#130"
            log("INFO", place, "Registered (resumed=false).", "xmpp_connection=client")
            self.xmpp.send_presence()  # client_proxy waits for it
            self.enter(self.brewery)

    def lose_everything(self) -> None:
        """Without XMPP there are no bridges, and rooms are not resumed."""
        self.count["disconnects"] += 1
        for bridge in list(self.bridges.values()):
            self.bridge_left(bridge)
        for conference in list(self.conferences.values()):
            conference.end()

    def enter(self, room: str, leave: bool = False) -> None:
        if self.xmpp and room:
            presence = self.xmpp.make_presence(pto=f"{room}/focus", ptype="unavailable" if leave else None)
            if not leave:
                presence.append(element(MUC, "x"))
            presence.send()

    async def ask(self, to: str, kind: str, payload: Element) -> Any:
        """The answer; IqError as the other says, IqTimeout without one."""
        if not self.xmpp:
            raise IqTimeout(slixmpp.Iq())
        iq = self.xmpp.make_iq(id=self.xmpp.new_id(), ito=to, itype=kind)
        iq.append(payload)
        return await iq.send(timeout=self.reply_timeout)

    def tell(self, to: str, kind: str, payload: Element) -> None:
        async def work() -> None:
            try:
                await self.ask(to, kind, payload)
            except (IqError, IqTimeout) as error:
                name = payload.tag.partition("}")[2]
                log("SEVERE", "XmppProvider.send", f"Received error response for {name} to {to}: {reason_of(error)}")

        if self.xmpp:
            self.run(work())

    async def features(self, occupant: str) -> frozenset[str]:
        try:
            answer = await self.ask(occupant, "get", element(DISCO, "query"))
        except (IqError, IqTimeout):
            return frozenset()
        log(
            "INFO", "XmppProvider.discoverFeatures#286", f"Discovered features for {occupant}", "xmpp_connection=client"
        )
        return frozenset(each.get("var", "") for each in answer.xml.iter(f"{{{DISCO}}}feature"))

    # What comes in

    def on_request(self, iq: Any) -> None:
        room = iq.xml.find(f"{{{FOCUS}}}conference").get("room", "").lower()
        # client_proxy gives the client's address as the resource of its own.
        sender = str(iq["from"]).removeprefix(f"{self.settings.get('xmpp.client.client-proxy')}/")
        reply = iq.reply()
        if is_room(room):
            answer = {"room": room, "ready": str(self.request(room, sender)).lower(), "focusjid": self.jid}
            property_ = element(FOCUS, "property", name="authentication", value="false")
            reply.append(element(FOCUS, "conference", property_, **answer))
        else:
            reply.error()
            reply["error"]["condition"], reply["error"]["text"] = "bad-request", "No 'room' specified."
        reply.send()

    def on_jingle(self, iq: Any) -> None:
        iq.reply().send()
        room, _, nick = str(iq["from"]).partition("/")
        if room in self.conferences:
            self.conferences[room].hear(nick, iq.xml.find(f"{{{JINGLE}}}jingle"))

    def on_presence(self, presence: Any) -> None:
        room, _, nick = str(presence["from"]).partition("/")
        xml, kind = presence.xml, presence.xml.get("type")
        conference = self.conferences.get(room)
        if conference and kind == "error":
            conference.log("SEVERE", "ChatRoomImpl.join", f"Failed to join: {presence['error']['condition']}")
            conference.end()
        elif conference and nick == "focus":
            # What is heard before the own join is the last of an earlier room of this name.
            if kind == "unavailable" and conference.inside.done():
                conference.end()
            elif kind is None and not conference.inside.done():
                conference.inside.set_result(None)
        elif conference and kind is None:
            item = next(xml.iter(f"{{{MUC}#user}}item"), element(MUC, "item"))
            role = {"owner": "OWNER", "admin": "ADMINISTRATOR"}.get(item.get("affiliation", ""), "PARTICIPANT")
            conference.come(nick, item.get("jid", ""), role)
        elif conference:
            conference.go(nick)
        elif room == self.brewery and nick != "focus":
            self.on_bridge(f"{room}/{nick}", kind == "unavailable", xml)
        elif room == self.brewery and kind is None:
            log("INFO", "BaseBrewery.start#199", "Joined the room.", self.brewing)
        elif room == self.brewery and kind == "error":
            log("SEVERE", "BaseBrewery.start", f"Failed to join: {presence['error']['condition']}", self.brewing)
            asyncio.get_running_loop().call_later(RETRY_JOIN, self.enter, self.brewery)

    # Bridges

    def on_bridge(self, jid: str, left: bool, xml: Element) -> None:
        bridge = self.bridges.get(jid)
        stats = {each.get("name", ""): each.get("value", "") for each in xml.iter(f"{{{STATS}}}stat")}
        if left:
            if bridge:
                self.bridge_left(bridge)
        elif stats and bridge:
            before, bridge.stats = bridge.told("shutting_down"), stats
            if bridge.told("shutting_down") and not before:
                self.leave_bridge(bridge, "is shutting down")
        elif stats:
            self.bridges[jid] = bridge = Bridge(jid, self.settings, stats)
            log("INFO", "BaseBrewery.addInstance#371", f"Added brewery instance: {jid}", self.brewing)
            log("INFO", "BridgeSelector.addJvbAddress#99", f"Added new videobridge: {bridge}")
            if self.settings.flag("bridge.health-checks.enabled"):
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
        self.leave_bridge(bridge, "was removed", heard=False)

    def leave_bridge(self, bridge: Bridge, why: str, heard: bool = True) -> None:
        for conference in list(self.conferences.values()):
            conference.leave_bridge(bridge, why, heard)

    def select(self) -> Bridge | None:
        """The least loaded of those that can be had; one in a drain or a graceful shutdown only if all are."""
        fit = [each for each in self.bridges.values() if each.operational and not each.told("shutting_down")]
        region = self.settings.get("local-region") if "Region" in self.settings.get("bridge.selection-strategy") else ""
        limit = float(self.settings.get("bridge.stress-threshold"))

        def order(bridge: Bridge) -> tuple[bool, bool, bool, bool, float]:
            far = bool(region) and bridge.stats.get("region") != region
            return bridge.told("drain"), bridge.told("graceful_shutdown"), bridge.stress >= limit, far, bridge.stress

        return min(fit, key=order, default=None)

    async def examine(self, bridge: Bridge) -> None:
        """A refusal moves its rooms; silence, asked twice, only keeps new ones away."""
        checks = "bridge.health-checks"
        interval = self.settings.seconds(f"{checks}.interval")
        own = self.settings.get(f"{checks}.retry-delay")
        pause = self.settings.seconds(f"{checks}.retry-delay") if own else interval / 2
        while True:
            await asyncio.sleep(interval)
            if not await self.answers(bridge):
                await asyncio.sleep(pause)
                if not await self.answers(bridge):
                    bridge.fail()

    async def answers(self, bridge: Bridge) -> bool:
        place = "JvbDoctor$HealthCheckTask.doHealthCheck#276"
        try:
            await self.ask(bridge.jid, "get", element(HEALTH, "healthcheck"))
            bridge.passed = True
        except IqTimeout:
            log("WARNING", place, f"Health check timed out for: {bridge}")
            return False
        except IqError as error:
            log("WARNING", place, f"Health check failed for: {bridge}: {reason_of(error)}")
            if error.condition in ("internal-server-error", "service-unavailable"):
                bridge.fail()
                self.leave_bridge(bridge, "failed health check")
        return True

    # Rooms

    def request(self, room: str, sender: str) -> bool:
        """Whether the room is there already; if not, it soon will be."""
        place, text = "ConferenceIqHandler.handleConferenceIq", f"Conference request for room {room}, from {sender}"
        log("INFO", f"{place}#104", f"{text}, token=false")
        self.count["requests"] += 1
        if room in self.conferences:
            return self.conferences[room].ready
        if self.xmpp:
            log("INFO", f"{place}#112", f"New room with rtcstats disabled: {room}")
            self.count.update(("requests_new", "conferences"))
            self.run(self.open(self.new(room)))  # who asks at the same moment must find it
        return False

    def new(self, room: str, counted: bool = True) -> Conference:
        self.conferences[room] = conference = Conference(self, room, counted)
        return conference

    async def open(self, conference: Conference) -> None:
        """TimeoutError when its room does not let it in."""
        try:
            await conference.start()
        except TimeoutError:
            conference.end()
            raise

    def counted(self) -> list[Conference]:
        return [each for each in self.conferences.values() if each.counted]

    async def check_health(self) -> None:
        interval, place = self.settings.seconds("health.interval"), "HealthChecker"
        timing = f"interval={int(interval * 1000)}, timeout=PT30S, maxDuration=PT20S, stickyFailures=false."
        log("INFO", f"{place}.start#122", f"Started with {timing}")
        while True:
            await asyncio.sleep(interval)
            self.failure = await self.failing()
            if self.failure:
                result = (
                    f"Result(success=false, hardFailure=true, responseCode=null, sticky=false, message={self.failure})"
                )
                log("SEVERE", f"{place}.run#181", f"Health check failed in PT0.001S: {result}")

    async def failing(self) -> str | None:
        """Why this jicofo is of no use; None if it can open a room and has a bridge for it."""
        if not any(each.operational and not each.told("graceful_shutdown") for each in self.bridges.values()):
            return f"No operational bridges available (total bridge count: {len(self.bridges)})"
        room = f"{self.settings.get('health.room-name-prefix')}-{secrets.randbits(63)}@{self.muc}"
        try:
            await self.open(self.new(room, counted=False))
        except TimeoutError:
            return "Test conference failed to start due to timeout."
        return None

    def move_some(self, bridge: Bridge, number: int, only: Conference | None = None) -> dict[str, int]:
        log("INFO", "LoadRedistributor.moveEndpoints#157", f"Moving {number} endpoints from bridge={bridge.jid}")
        moved = rooms = 0
        for conference in sorted(self.conferences.values(), key=lambda each: -len(each.members)):
            held = [each for each in conference.members.values() if each.bridge is bridge][: number - moved]
            if held and only in (None, conference):
                text = f"Moving {len(held)} endpoints from {bridge.jid}"
                conference.log("INFO", "JitsiMeetConferenceImpl.moveEndpoints#1922", text)
                moved, rooms, bridge.moved = moved + len(held), rooms + 1, bridge.moved + len(held)
                conference.move(held)
        log("INFO", "LoadRedistributor.doMove#226", f"Moved {moved} endpoints from {rooms} conferences.")
        return {"movedEndpoints": moved, "conferences": rooms}


def is_room(jid: str) -> bool:
    return re.fullmatch(r"[^@/\s]+@[^@/\s]+", jid) is not None


class RefusalError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Rest:
    """What is answered on port 8888."""

    def __init__(self, focus: Focus) -> None:
        self.focus, self.settings, self.began = focus, focus.settings, time.time()
        self.refresh()

    def application(self) -> web.Application:
        rooms, open_ = self.focus.conferences, self.settings.flag
        debug, move = open_("rest.debug.enabled"), open_("rest.move-endpoints.enabled")
        made = web.Application(middlewares=[_without_body])
        for there, path, answer in (
            (
                True,
                "/about/version",
                lambda _: {"name": "JiCoFo", "version": self.focus.version, "os": platform.system()},
            ),
            (open_("health.enabled"), "/about/health", self.health),
            (True, "/stats", self.stats),
            (True, "/rtcstats", lambda _: {}),
            (open_("rest.prometheus.enabled"), "/metrics", self.metrics),
            (debug, "/debug", self.debug),
            (debug, "/debug/conferences", lambda _: list(rooms)),
            (debug, "/debug/conferences-full", lambda _: {room: self.full(each) for room, each in rooms.items()}),
            (debug, "/debug/conference/{room}", lambda request: self.full(self.conference(request.match_info["room"]))),
            (debug, "/debug/xmpp-caps", lambda _: {}),
            (move, "/move-endpoints/move-endpoint", self.move_endpoint),
            (move, "/move-endpoints/move-endpoints", self.move_endpoints),
            (move, "/move-endpoints/move-fraction", self.move_fraction),
        ):
            if there:
                made.router.add_get(path, _answering(answer), allow_head=False)
        if open_("rest.conference-request.enabled"):
            made.router.add_post("/conference-request/v1", self.conference_request)
        return made

    async def start(self) -> None:
        """OSError when the port is not free within ten seconds: after a restart the old program may still have it."""
        runner = web.AppRunner(self.application(), access_log=None)
        await runner.setup()
        host, port = str(self.settings.get("rest.host")), int(self.settings.get("rest.port"))
        log("INFO", "Application.start#86", f"Starting ktor on port {port}, host {host}")
        for left in range(20, -1, -1):
            try:
                await web.TCPSite(runner, host, port).start()
                return
            except OSError:
                if not left:
                    raise
                await asyncio.sleep(0.5)

    def health(self, _: web.Request) -> web.Response:
        return _text(500 if self.focus.failure else 200, self.focus.failure or "OK")

    async def conference_request(self, request: web.Request) -> web.Response:
        try:
            room = str(json.loads(await request.text())["room"]).lower()
        except (ValueError, KeyError, TypeError):
            return _text(400, "Bad request: No 'room' specified.")
        if not is_room(room):
            return _text(400, f"Bad request: Invalid room name: {room}")
        answer = {"room": room, "ready": self.focus.request(room, "null"), "focusJid": self.focus.jid}
        return _json(answer | {"properties": {"authentication": "false"}})

    # Moves

    def bridge(self, request: web.Request) -> Bridge:
        jid = _needed(request, "bridge")
        if not re.fullmatch(r"([^@/]+@)?[^@/]+(/.+)?", jid):
            raise RefusalError(400, "Bad request: Invalid parameter: bridge ID")
        if jid not in self.focus.bridges:
            raise RefusalError(500, "Not found: Bridge not found")
        return self.focus.bridges[jid]

    def conference(self, room: str) -> Conference:
        if room not in self.focus.conferences:
            raise RefusalError(500, "Not found: Conference not found")
        return self.focus.conferences[room]

    def move_endpoint(self, request: web.Request) -> dict[str, int]:
        """Moves one, from whatever bridge it is on: the given one need only exist."""
        conference, nick = self.conference(_needed(request, "conference")), _needed(request, "endpoint")
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

    # Numbers

    def refresh(self) -> None:
        """Numbers that /metrics takes only every half minute."""
        sizes = [len(each.members) for each in self.focus.counted()]
        self.taken: dict[str, float] = {
            "largest_conference": max(sizes, default=0), "participants_current": sum(sizes),
            "participants_pairs": sum(each * (each - 1) for each in sizes), "threads": threading.active_count(),
        }  # fmt: skip

    async def keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(self.settings.seconds("metrics.update-interval"))
            self.refresh()

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
        largest = max(sizes, default=0)
        buckets = {
            f"{low}_to_{high or 'max'}": sum(low <= each and (not high or each < high) for each in sizes)
            for low, high in zip(_BOUNDS, (*_BOUNDS[1:], None), strict=True)
        }
        jibri = [f"total_{kind}_failures" for kind in ("sip_call", "live_streaming", "recording")]
        jibri += ["live_streaming_active", "recording_active", "sip_call_active"]
        return {
            "total_participants": count["participants"], "total_conferences_created": count["conferences"],
            "conferences": len(sizes), "conferences_with_visitors": 0,
            "bridge_failures": {name: count[name] for name in ("participants_moved", "bridges_removed")},
            "participant_notifications": {name: count[name] for name in ("ice_failed", "request_restart")},
            "largest_conference": largest, "participants": sum(sizes), "visitors": 0,
            "conference_sizes": {
                "average": sum(sizes) / len(sizes) if sizes else "NaN", "max": largest, "min": 0,
                "total_value": sum(sizes), "total_count": len(sizes), "discarded": 0,
                "buckets": buckets | {"p99_upper_bound": -1, "p999_upper_bound": -1},
            },
            "endpoint_pairs": sum(each * each for each in sizes), "jibri": dict.fromkeys(jibri, 0),
            "queues": {"jingle-iq-queue": json.loads(_QUEUE)} if count["conferences"] else {},
            "bridge_selector": self.selector(), "jibri_detector": {"count": 0, "available": 0},
            "sip_jibri_detector": {"count": 0, "available": 0}, "jigasi": {}, "threads": threading.active_count(),
            "jingle": {way: {action.upper().replace("-", "_"): number for action, number in actions.items()}
                       for way, actions in (("sent", focus.sent), ("received", focus.received))},
            "version": focus.version, "slow_health_check": 0, "healthy": not focus.failure,
            "health": {"success": not focus.failure, "hardFailure": True, "responseCode": None, "sticky": False,
                       "message": focus.failure},
        }  # fmt: skip

    def metrics(self, _: web.Request) -> web.Response:
        count, selector, bridges = self.focus.count, self.selector(), list(self.focus.bridges.values())
        counters = dict.fromkeys(_COUNTERS.split(), 0) | {
            "bridge_selector_lost_bridges": count["lost_bridges"], "bridges_removed": count["bridges_removed"],
            "conference_requests": count["requests"], "conference_requests_new": count["requests_new"],
            "conferences_created": count["conferences"], "participants": count["participants"],
            "participants_moved": count["participants_moved"], "xmpp_disconnects": count["disconnects"],
            "participants_restart_requested": count["request_restart"],
        }  # fmt: skip
        for way, actions in (("sent", self.focus.sent), ("received", self.focus.received)):
            counters |= {f"jingle_{action.replace('-', '_')}_{way}": number for action, number in actions.items()}
        gauges = dict.fromkeys(_GAUGES.split(), 0.0) | self.taken | {
            "bridge_selector_bridge_count": selector["bridge_count"],
            "bridge_selector_bridge_count_operational": selector["operational_bridge_count"],
            "bridge_selector_bridge_count_in_shutdown": selector["in_shutdown_bridge_count"],
            "bridge_selector_bridge_version_count": selector["bridge_version_count"],
            "conferences": len(self.focus.counted()), "conferences_seconds": count["seconds"],
            "healthy": not self.focus.failure,
        }  # fmt: skip
        families = [_family(name, "counter", {"": value}, self.began) for name, value in counters.items()]
        families += [_family(name, "gauge", {"": value}) for name, value in gauges.items()]
        families.append(_family("version", "info", {f'_info{{version="{self.focus.version}"}}': 1}))
        if bridges:
            label = {each: f'{{jvb="{each.name}"}}' for each in bridges}
            endpoints = {label[each]: each.endpoints for each in bridges if each.used}
            moved = {label[each]: each.moved for each in bridges if each.moved}
            restarts = {label[each]: each.restart_requests for each in bridges if each.restart_requests}
            families += [
                _family("bridge_failing_ice", "gauge", dict.fromkeys(label.values(), 0)),
                _family("bridge_endpoints", "gauge", endpoints),
            ]
            families.append(_family("bridge_endpoints_moved", "counter", moved, self.began))
            families.append(_family("bridge_restart_requests", "counter", restarts, self.began))
        kind = "application/openmetrics-text; version=1.0.0; charset=utf-8"
        return web.Response(body=("".join(families) + "# EOF\n").encode(), headers={"Content-Type": kind})

    # State

    def debug(self, _: web.Request) -> dict[str, Any]:
        focus = self.focus
        return {
            "focus_manager": {room: len(each.members) for room, each in focus.conferences.items()},
            "bridge_selector": {
                "strategy": self.settings.get("bridge.selection-strategy"),
                "bridge": {jid: each.debug() for jid, each in focus.bridges.items()},
            },
            **dict.fromkeys(("jibri_detector", "sip_jibri_detector", "jigasi_detector")),
            "av_moderation": {"address": f"avmoderation.{focus.domain}"},
            "conference_iq_handler": {
                "breakout_address": f"breakout.{focus.domain}", "focus_auth_jid": focus.jid,
                "jigasi_enabled": False, "auth_authority": "null",
            },
        }  # fmt: skip

    def full(self, conference: Conference) -> dict[str, Any]:
        room, members, bridge = conference.room, conference.members.values(), conference.bridge
        sources = {"jvb": {"sources": [_source_debug(each) for each in conference.feedback], "groups": []}}
        held = [each for each in members if each.bridge]
        properties = {"support-terminate-restart": "true"} | ({"bridge-count": "1"} if bridge else {})
        state = json.loads(_ROOM) | {
            "name": room, "meeting_id": conference.meeting, "include_in_statistics": conference.counted,
            "config": {"rtcstatsEnabled": not conference.counted, "startAudioMuted": None, "startVideoMuted": None},
            "chat_room": json.loads(_CHAT) | {
                "room_jid": room, "my_occupant_jid": f"{room}/focus",
                "members": {each.nick: _member(room, each) for each in members},
            },
            "participants": {each.nick: _invited(room, each, sources) for each in held},
            "chat_room_role_manager": {
                "class": "AutoOwnerRoleManager",
                "owner": next((each.jid for each in members if each.role == "OWNER"), "null"),
            },
            "conference_properties": properties, "participant_count": len(members),
        }  # fmt: skip
        if bridge:
            nicks = [each.nick for each in held]
            state["colibri_session_manager"] = {
                "participants": {nick: json.loads(_ENDPOINT) | {"id": nick, "bridge": bridge.name} for nick in nicks},
                "sessions": {bridge.name: {
                    "bridge": bridge.debug(), "id": conference.session, "feedback_sources": sources, "created": True,
                    "relays": {}, "participants": nicks,
                }},
            }  # fmt: skip
        made: dict[str, Any] = state
        return made


def _member(room: str, member: Participant) -> dict[str, Any]:
    features = [name for name, feature in FEATURES.items() if feature in (member.features or ())]
    own = {"occupant_jid": f"{room}/{member.nick}", "jid": member.jid, "role": member.role, "features": features}
    return dict(json.loads(_MEMBER) | own)


def _invited(room: str, member: Participant, sources: dict[str, Any]) -> dict[str, Any]:
    signaled = {"signaled_sources": sources, "sources": sources, "supported_media_types": member.kinds()}
    session = {"sid": member.sid, "remoteJid": f"{room}/{member.nick}", "state": member.state}
    running = bool(member.invitation and not member.invitation.done())
    invite = "Running" if running else "Not running"
    return {"id": member.nick, "source_signaling": signaled, "invite_runnable": invite, "jingle_session": session}


def _source_debug(media: Element) -> dict[str, Any]:
    source, kind = _source(media), media.get("type")
    told = {"ssrc": int(source.get("ssrc", "0")), "media_type": kind, "name": source.get("name")}
    return told | {"msid": f"mixedmslabel mixedlabel{kind}0", "videoType": "null"}


def _family(name: str, kind: str, samples: Mapping[str, float], created: float | None = None) -> str:
    """One family of OpenMetrics; with `created` (of a counter) in its two lines a sample."""
    full = f"jitsi_jicofo_{name}"
    lines = [f"# TYPE {full} {kind}", f"# HELP {full} {name.replace('_', ' ').capitalize()}."]
    for label, value in samples.items():
        lines.append(f"{full}{'_total' if created else ''}{label} {float(value)}")
        if created:
            lines.append(f"{full}_created{label} {created / 1e9:.12f}E9")
    return "".join(f"{line}\n" for line in lines)


def _needed(request: web.Request, name: str) -> str:
    if name not in request.query:
        raise RefusalError(400, f"Bad request: Missing parameter: {name}")
    return str(request.query[name])


def _number(kind: Callable[[str], float], text: str) -> float:
    try:
        return kind(text)
    except ValueError:
        raise RefusalError(500, f'For input string: "{text}"') from None


def _text(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text, charset="UTF-8")


def _json(value: Any) -> web.Response:
    return web.Response(body=json.dumps(value, separators=(",", ":")).encode(), content_type="application/json")


def _answering(answer: Callable[[web.Request], Any]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            made = answer(request)
        except RefusalError as error:
            return _text(error.status, str(error))
        return made if isinstance(made, web.StreamResponse) else _json(made)

    return handle


@web.middleware  # type: ignore[misc,untyped-decorator,unused-ignore]
async def _without_body(request: web.Request, handler: Callable[[web.Request], Awaitable[Any]]) -> Any:
    """An unknown path or method is answered with nothing but its status."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return web.Response(status=error.status)


async def serve(settings: Settings, version: str) -> None:
    """Until a signal comes; OSError when the REST port cannot be had."""
    stopped = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    focus = Focus(settings, version)
    if settings.flag("health.enabled"):
        focus.run(focus.check_health())
    if settings.flag("rest.enabled"):
        rest = Rest(focus)
        await rest.start()
        focus.run(rest.keep_fresh())
    focus.run(focus.stay_connected())
    await stopped.wait()
    if focus.xmpp:
        focus.xmpp.disconnect()
        await asyncio.wait([focus.xmpp.ended], timeout=2)


def main() -> int:
    parser = argparse.ArgumentParser(description="Stand-in of jicofo.")
    parser.add_argument("--config", type=Path, default=Path("/etc/jitsi/jicofo/jicofo.conf"))
    parser.add_argument("--version", action="store_true")
    options = parser.parse_args()
    version = (HERE / "version").read_text().strip()
    if options.version:
        print(version)
        return 0
    logging.getLogger("slixmpp").setLevel(logging.CRITICAL)
    try:
        settings = Settings(options.config)
        # REST says 1.0.1189 of the package 1.0-1189-1.
        asyncio.run(serve(settings, version.rpartition("-")[0].replace("-", ".", 1)))
    except (ValueError, OSError) as error:
        log("SEVERE", "Main.main", f"This stand-in of jicofo does not start: {error}")
        return 1
    return 143  # as Java after SIGTERM


if __name__ == "__main__":
    sys.exit(main())
