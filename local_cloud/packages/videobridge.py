"""Stand-in of jitsi-videobridge2: what operators, jicofo and the other hosts see of a bridge, without any media.

It reads jvb.conf, joins the brewery over verified XMPP, publishes presence, serves colibri2 to jicofo and the private
REST interface, binds the media port, and turns unhealthy, drains, shuts down and logs as the real program was recorded
to do (tests/packages/recordings/bridge). ICE and DTLS are not spoken: an endpoint never connects. There are no relays,
no STUN, no AWS mapping. Names in the log, in /metrics and in error pages are the real program's, so that what watches
a real bridge finds them. Long, because a package's program is one file. Runs under the Python of Debian 12 and 13 with
their python3-slixmpp, python3-aiohttp, ruby-hocon and iproute2.
"""

import argparse
import asyncio
import contextlib
import functools
import ipaddress
import json
import logging
import os
import re
import secrets
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import slixmpp  # type: ignore[import-not-found,unused-ignore]
from aiohttp import web  # type: ignore[import-not-found,unused-ignore]
from slixmpp.exceptions import IqError, IqTimeout  # type: ignore[import-not-found,unused-ignore]
from slixmpp.xmlstream.handler import Callback  # type: ignore[import-not-found,unused-ignore]
from slixmpp.xmlstream.matcher import MatchXPath  # type: ignore[import-not-found,unused-ignore]

HERE = Path(__file__).resolve().parent
JAVA_TRUST, SYSTEM_TRUST = Path("/etc/ssl/certs/java/cacerts"), Path("/etc/ssl/certs/ca-certificates.crt")
CLIENT, MUC, COLIBRI2 = "{jabber:client}", "http://jabber.org/protocol/muc", "{jitsi:colibri2}"
COLIBRI, HEALTH = "{http://jitsi.org/protocol/colibri}", "{http://jitsi.org/protocol/healthcheck}"
ICE_UDP, DTLS = "{urn:xmpp:jingle:transports:ice-udp:1}", "{urn:xmpp:jingle:apps:dtls:0}"
SSMA = "{urn:xmpp:jingle:apps:rtp:ssma:0}"
# Constants of the real bridge, in seconds: the age of an endpoint without a connection and of a conference without
# endpoints at which they are ended, and from being in the brewery to the first stats.
NEVER_CONNECTED, EMPTY, FIRST_STATS = 120, 20, 0.06

# Names that a bridge publishes, in its order, those of presence and /colibri/stats and those of /metrics. What follows
# a colon is the value as long as nothing is known: else 0.
STATS = """
incoming_loss:0.0 outgoing_loss:0.0 overall_loss:0.0 endpoints_with_high_outgoing_loss local_active_endpoints
bit_rate_download bit_rate_upload packet_rate_download packet_rate_upload rtt_aggregate:0.0 num_eps_oversending
octo_conferences inactive_conferences p2p_conferences endpoints participants receive_only_endpoints inactive_endpoints
octo_endpoints endpoints_sending_audio endpoints_sending_video largest_conference octo_receive_bitrate
octo_receive_packet_rate octo_send_bitrate octo_send_packet_rate endpoints_with_suspended_sources
total_conferences_created total_conferences_completed total_conference_seconds total_participants total_visitors
num_eps_no_msg_transport_after_delay total_relays num_relays_no_msg_transport_after_delay total_keyframes_received
total_layering_changes_received total_video_stream_milliseconds_received stress_level:0.0 conferences visitors
local_endpoints total_data_channel_messages_received total_data_channel_messages_sent
total_colibri_web_socket_messages_received total_colibri_web_socket_messages_sent total_bytes_received
endpoints_ice_failed dtls_failed_endpoints relays_ice_failed dtls_failed_relays total_bytes_sent
total_packets_received total_packets_sent total_bytes_received_octo total_bytes_sent_octo total_packets_received_octo
total_packets_sent_octo total_dominant_speaker_changes preemptive_kfr_sent preemptive_kfr_suppressed total_ice_failed
total_ice_succeeded total_ice_succeeded_relayed average_participant_stress:0.0 threads graceful_shutdown shutting_down
drain current_timestamp muc_clients_configured muc_clients_connected mucs_configured mucs_joined
endpoints_with_spurious_remb healthy endpoints_disconnected endpoints_reconnected version
"""
METRICS = """
thread_count jvm_gc_count jvm_gc_time jvm_heap_committed jvm_heap_used jvm_open_fd_count
rtp_receiver_dropped_packets_total rtp_receiver_exceptions_total rtp_sender_dropped_packets_total
rtp_sender_exceptions_total queue_dropped_packets_total queue_exceptions_total muc_clients_configured
muc_clients_connected mucs_connected mucs_joined healthy graceful_shutdown shutting_down drain_mode
conferences_completed_total conferences_created_total data_channel_messages_received_total
data_channel_messages_sent_total colibri_web_socket_messages_received_total colibri_web_socket_messages_sent_total
colibri_web_socket_close_normal_total colibri_web_socket_close_abnormal_total colibri_web_socket_error_total
packets_received_total packets_sent_total relay_packets_received_total relay_packets_sent_total endpoints_total
visitors_total endpoints_no_message_transport_after_delay_total relays_total
relays_no_message_transport_after_delay_total dominant_speaker_changes_total endpoints_ice_failed_total
endpoints_dtls_failed_total relays_ice_failed_total relays_dtls_failed_total stress:0.0
preemptive_keyframe_requests_sent_total preemptive_keyframe_requests_suppressed_total keyframes_received_total
layering_changes_received_total local_endpoints current_visitors conferences conference_seconds_total
bytes_received_total bytes_sent_total relay_bytes_received_total relay_bytes_sent_total
video_milliseconds_received_total xmpp_disconnects_total tossed_packets_energy:histogram startup_time
rejected_data_channels_total incoming_loss_fraction:0.0 outgoing_loss_fraction:0.0 loss_fraction:0.0
relay_incoming_bitrate relay_outgoing_bitrate relay_incoming_packet_rate relay_outgoing_packet_rate incoming_bitrate
outgoing_bitrate incoming_packet_rate outgoing_packet_rate average_rtt:0.0 largest_conference current_endpoints
endpoints_with_high_outgoing_loss active_endpoints endpoints_sending_audio endpoints_sending_video endpoints_relayed
endpoints_oversending endpoints_recvonly endpoints_inactive endpoints_with_spurious_remb
endpoints_with_suspended_sources conferences_inactive conferences_p2p conferences_with_relay
conferences_by_size:histogram conferences_by_audio_sender:histogram conferences_by_video_sender:histogram
ice_failed_total ice_succeeded_total ice_succeeded_relayed_total endpoints_disconnected_total
endpoints_reconnected_total
"""


# Metrics that are not there before the first conference.
CONFERENCE_METRICS = """
colibri_queue_dropped_packets_total colibri_queue_exceptions_total endpoint_receive_message_queue_dropped_packets_total
endpoint_receive_message_queue_exceptions_total srtp_send_queue_dropped_packets_total srtp_send_queue_exceptions_total
"""


def log(level: str, place: str, text: str, context: str = "") -> None:
    stamp = datetime.now().isoformat(" ", "milliseconds")
    print(f"JVB {stamp} {level}: [1] {f'[{context}] ' if context else ''}{place}: {text}", flush=True)


def java(value: Any) -> str:
    """A value as Java prints it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def iso(duration: float) -> str:
    """A duration in seconds as Java prints it: PT1M."""
    hours, minutes, rest = int(duration // 3600), int(duration % 3600 // 60), duration % 60
    return "PT" + (f"{hours}H" * (hours > 0) + f"{minutes}M" * (minutes > 0) + f"{rest:g}S" * (rest > 0) or "0S")


# Configuration


def seconds(duration: Any) -> float:
    """A duration as HOCON writes it: a number is milliseconds. ValueError for anything else."""
    text = str(duration).strip()
    units = {"": 0.001, "ms": 0.001, "milli": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|milli|[smhd]|)[a-z]*", text)
    if not found or not (found[2] or text[-1].isdigit()):
        raise ValueError(f"{text} is not a duration")
    return float(found[1]) * units[found[2]]


def boolean(value: Any) -> bool:
    text = str(value).lower()
    if text not in ("true", "false", "yes", "no", "on", "off"):
        raise ValueError(f"{value} is neither true nor false")
    return text in ("true", "yes", "on")


def number(value: Any) -> float:
    try:
        return int(value) if re.fullmatch(r"-?\d+", str(value)) else float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value} is not a number") from None


class Settings:
    """jvb.conf over the bridge's defaults; what has a duration for its default is in seconds.

    ValueError names a key that the bridge does not know, or one whose value is not of its default's kind.
    """

    def __init__(self, path: Path) -> None:
        lines = (HERE / "known_keys/videobridge.txt").read_text().splitlines()
        known = dict(line.split("\t") for line in lines if not line.startswith("#"))
        defaults = {key: json.loads(text) for key, text in known.items() if text != "-"}
        given = _hocon(path) if path.exists() else {}
        self.shards: dict[str, dict[str, Any]] = _branch(given, "videobridge.apis.xmpp-client.configs") or {}
        self.mappings: list[dict[str, Any]] = _branch(given, "ice4j.harvest.mapping.static-mappings") or []
        self._values = {key: _as_its_default(key, value, value) for key, value in defaults.items()}
        for key, value in _leaves(given):
            if key.partition(".")[0] in ("videobridge", "ice4j", "jmt"):
                if not any(_matches(key, each) for each in known):
                    raise ValueError(f"{key} in {path} is not a key of jitsi-videobridge")
                self._values[key] = _as_its_default(key, defaults.get(key), value)
        relay = [f"videobridge.relay.{name}" for name in ("region", "relay-id")]
        if self["videobridge.relay.enabled"] and not all(self.get(key) for key in relay):
            raise ValueError(f"videobridge.relay.enabled requires {' and '.join(relay)}")
        if not all({"local-address", "public-address"} <= each.keys() for each in self.mappings):
            raise ValueError("ice4j.harvest.mapping.static-mappings requires local-address and public-address in each")

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def get(self, key: str) -> Any:
        return self._values.get(key)


def _hocon(path: Path) -> dict[str, Any]:
    # Not the hocon command of the same package: it prints no whole file.
    script = "puts JSON.generate(Hocon.load(ARGV[0]))"
    done = subprocess.run(["ruby", "-rhocon", "-rjson", "-e", script, path], capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"{path} cannot be read: {done.stderr.strip().splitlines()[0][-400:]}")
    tree: dict[str, Any] = json.loads(done.stdout)
    return tree


def _branch(tree: Any, key: str) -> Any:
    return functools.reduce(lambda tree, name: tree.get(name) if isinstance(tree, dict) else None, key.split("."), tree)


def _leaves(tree: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in tree.items():
        name = name.replace(".", "-")  # a quoted one, of the user's
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = {str(index): each for index, each in enumerate(value)}
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{name}.")
        elif value != []:
            yield f"{above}{name}", value


def _matches(key: str, pattern: str) -> bool:
    # What is below a name of the user's may be written in any case.
    names, wanted = key.split("."), pattern.split(".")
    if "*" in wanted:
        names = [want if want == "*" else name.lower() for name, want in zip(names, wanted, strict=False)]
    return names == wanted and len(key.split(".")) == len(wanted)


def _as_its_default(key: str, default: Any, value: Any) -> Any:
    kind: Callable[[Any], Any] = boolean if isinstance(default, bool) else number
    if not isinstance(default, bool | int | float):
        with contextlib.suppress(ValueError):
            seconds(default)
            kind = seconds
        if kind is not seconds:
            return value
    try:
        return kind(value)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


# Addresses


@dataclass(frozen=True)
class Candidate:
    """An address under which clients may reach the media port; `base` is the host's own, where a mapping hides it."""

    address: Any
    port: int
    base: str = ""

    @property
    def private(self) -> bool:
        """As Java sees it: Python calls more addresses private."""
        ranges = map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fec0::/10"))
        return any(self.address in each for each in ranges if each.version == self.address.version)

    @property
    def valid(self) -> bool:
        return not (self.private or self.address.is_loopback or self.address.is_link_local)


def host_addresses(settings: Settings) -> list[Any]:
    """The host's addresses that ice4j.harvest allows. The real program, too, looks once, when it starts."""
    names = ("allowed-interfaces", "blocked-interfaces", "allowed-addresses", "blocked-addresses")
    interfaces, no_interfaces, addresses, no_addresses = (set(settings[f"ice4j.harvest.{each}"]) for each in names)
    found = []
    for interface in json.loads(subprocess.run(["ip", "-json", "address"], capture_output=True, check=True).stdout):
        name = interface.get("ifname")
        if "UP" not in interface.get("flags", ()) or (name not in interfaces if interfaces else name in no_interfaces):
            continue
        for each in interface["addr_info"]:
            address = ipaddress.ip_address(each["local"])
            unwanted = (
                address.is_loopback
                or (address.version == 6 and not settings["ice4j.harvest.use-ipv6"])
                or (address.is_link_local and not settings["ice4j.harvest.use-link-local-addresses"])
                or (addresses and str(address) not in addresses)
                or str(address) in no_addresses
            )
            if not unwanted:
                found.append(address)
    return found


class Media:
    """The media port on every harvested address, and what clients are told of it. Nothing is ever answered there."""

    def __init__(self, settings: Settings) -> None:
        port = settings["videobridge.ice.udp.port"]
        self.candidates: list[Candidate] = []
        self.failed = False
        self.stun_failed = bool(settings["ice4j.harvest.mapping.stun.addresses"])
        for address in host_addresses(settings):
            udp = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
            udp.setblocking(False)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, settings["ice4j.harvest.udp.receive-buffer-size"])
            try:
                udp.bind((str(address), port))
            except OSError as error:
                self.failed = True
                log("SEVERE", "Harvesters", f"Failed to bind {address}:{port}/udp: {error}")
                continue
            asyncio.get_running_loop().add_reader(udp, udp.recv, 65536)  # a full buffer would count as lost packets
            self.candidates.append(Candidate(address, port))
            place = "org.ice4j.ice.harvest.SinglePortUdpHarvester.<init>"
            log("INFO", place, f"Initialized SinglePortUdpHarvester with address {address}:{port}/udp")
        own = {str(each.address) for each in self.candidates}
        for mapping in settings.mappings:
            if mapping["local-address"] in own:
                outside = ipaddress.ip_address(mapping["public-address"])
                mapped = Candidate(outside, int(mapping.get("public-port", port)), mapping["local-address"])
                self.candidates.append(mapped)
        place = "org.ice4j.ice.harvest.MappingCandidateHarvesters.initialize"
        log("INFO", place, f"Initialized mapping harvesters (delay=0ms).  stunDiscoveryFailed={java(self.stun_failed)}")
        hide = not settings["videobridge.ice.advertise-private-candidates"]
        self.advertised = [each for each in self.candidates if not (hide and each.private)]


# The bridge


@dataclass
class Conference:
    id: str
    meeting: str
    name: str
    made: float
    endpoints: dict[str, float] = field(default_factory=dict)  # and when each was made
    created: int = field(default_factory=lambda: int(time.time() * 1000))

    def context(self, endpoint: str = "") -> str:
        end = f" epId={endpoint}" if endpoint else ""
        return f"confId={self.id} conf_name={self.name} meeting_id={self.meeting[:8]}{end}"


class ColibriError(Exception):
    """A refusal: a condition of XMPP, a reason of colibri2, a sentence, and the endpoint that it is about."""

    def __init__(self, condition: str, reason: str, text: str, endpoint: str = "") -> None:
        super().__init__(text)
        self.condition, self.reason, self.endpoint = condition, reason, endpoint


@dataclass
class Bridge:
    """Conferences, drain, health and shutdown. `end` is called with an exit status; `clock` gives seconds."""

    settings: Settings
    media: Media
    version: str
    end: Callable[[int], None]
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.conferences: dict[str, Conference] = {}
        self.shards: list[Shard] = []
        self.drain: bool = self.settings["videobridge.initial-drain-mode"]
        self.graceful = self.shutting_down = False
        self.unhealthy = ""
        self.stress = 0.0
        self.disconnects = self.created = self.completed = self.conference_seconds = self.participants = 0
        self.started = time.time()
        self._ticks = _processor_ticks()
        # Random, since there is no DTLS that it could belong to.
        self._fingerprint = ":".join(f"{each:02X}" for each in secrets.token_bytes(32))
        self.sample()

    # What is published

    def sample(self) -> None:
        """Numbers that the bridge takes every videobridge.stats.interval; all others are live."""
        self.sizes = [len(each.endpoints) for each in self.conferences.values()]
        people = sum(self.sizes)
        self.sampled = {
            "inactive_conferences": len(self.sizes), "p2p_conferences": self.sizes.count(2), "endpoints": people,
            "participants": people, "inactive_endpoints": people, "largest_conference": max(self.sizes, default=0),
            "threads": len(os.listdir("/proc/self/task")), "muc_clients_configured": len(self.shards),
            "muc_clients_connected": sum(each.connected for each in self.shards),
            "mucs_configured": sum(len(each.mucs) for each in self.shards),
            "mucs_joined": sum(len(each.joined) for each in self.shards),
        }  # fmt: skip

    def local_endpoints(self) -> int:
        return sum(len(each.endpoints) for each in self.conferences.values())

    def stats(self) -> dict[str, Any]:
        settings = self.settings
        values = {name: json.loads(zero or "0") for name, _, zero in (each.partition(":") for each in STATS.split())}
        values |= self.sampled | {
            "conferences": len(self.conferences), "local_endpoints": self.local_endpoints(),
            "total_conferences_created": self.created, "total_conferences_completed": self.completed,
            "total_conference_seconds": self.conference_seconds, "total_participants": self.participants,
            "stress_level": self.stress, "graceful_shutdown": self.graceful, "shutting_down": self.shutting_down,
            "average_participant_stress": settings["videobridge.load-management.average-participant-stress"],
            "drain": self.drain, "healthy": not self.unhealthy, "version": self.version,
            "current_timestamp": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        }  # fmt: skip
        relay = settings["videobridge.relay.enabled"]
        more = {
            "region": settings.get("videobridge.relay.region"), "release": settings.get("videobridge.version.release"),
            "relay_id": settings.get("videobridge.relay.relay-id") if relay else None,
        }  # fmt: skip
        return values | {name: value for name, value in more.items() if value}

    def presence(self) -> dict[str, Any]:
        """The stats for the brewery."""
        rule = "videobridge.apis.xmpp-client.stats-filter"
        names = self.settings[f"{rule}.whitelist"] if self.settings[f"{rule}.enabled"] else None
        return {name: value for name, value in self.stats().items() if names is None or name in names}

    def metrics(self) -> dict[str, Any]:
        stats, values = self.stats(), {}
        names = METRICS.split() + (CONFERENCE_METRICS.split() if self.created else [])
        for name, _, zero in (each.partition(":") for each in names):
            values[name] = json.loads(zero or "0") if zero != "histogram" else _histogram(
                (0, *range(7, 128, 8)) if name == "tossed_packets_energy" else range(21),
                self.sizes if name == "conferences_by_size" else (), self.started,
            )  # fmt: skip
        same = ("muc_clients_configured", "muc_clients_connected", "mucs_joined", "healthy", "graceful_shutdown",
                "shutting_down", "local_endpoints", "conferences", "largest_conference")  # fmt: skip
        return values | {name: stats[name] for name in same} | {
            "thread_count": stats["threads"], "jvm_open_fd_count": len(os.listdir("/proc/self/fd")),
            "mucs_connected": stats["mucs_configured"], "drain_mode": self.drain, "stress": self.stress,
            "conferences_completed_total": self.completed, "conferences_created_total": self.created,
            "endpoints_total": self.participants, "conference_seconds_total": self.conference_seconds,
            "xmpp_disconnects_total": self.disconnects, "startup_time": int(self.started * 1000),
            "current_endpoints": stats["endpoints"], "endpoints_inactive": stats["endpoints"],
            "conferences_inactive": stats["inactive_conferences"], "conferences_p2p": stats["p2p_conferences"],
        }  # fmt: skip

    # What happens by itself

    def check_health(self) -> None:
        settings, reason = self.settings, ""
        valid = any(each.valid for each in self.media.candidates)
        if settings["videobridge.health.require-valid-address"] and not valid:
            reason = "No valid IP addresses available for harvesting."
        elif settings["videobridge.health.require-stun"] and self.media.stun_failed:
            reason = "Address discovery through STUN failed"
        elif self.media.failed:
            reason = "Failed to bind single-port"
        sticky = settings["videobridge.health.sticky-failures"]
        if reason:
            result = f"success=false, hardFailure=true, responseCode=null, sticky={java(sticky)}, message={reason}"
            log("SEVERE", "HealthChecker.run#181", f"Health check failed in PT0S: Result({result})")
        if reason or not sticky:
            self.unhealthy = reason

    def measure_load(self) -> None:
        """The machine's busy share against the threshold. By packets, of which there are none, it stays 0."""
        load = "videobridge.load-management.load-measurements"
        before, self._ticks = self._ticks, _processor_ticks()
        busy, passed = (now - then for now, then in zip(self._ticks, before, strict=True))
        if self.settings[f"{load}.load-measurement"] == "cpu-usage" and passed:
            self.stress = busy / passed / self.settings[f"{load}.cpu-usage.load-threshold"]

    def expire(self) -> None:
        """Ends what nobody uses. A conference outlives its last endpoint by one round."""
        for conference in list(self.conferences.values()):
            age = self.clock() - conference.made
            if not conference.endpoints and age > EMPTY:
                log(
                    "INFO", "VideobridgeExpireThread", f"Conference {conference.id} should expire", conference.context()
                )
                self.end_conference(conference)
            for endpoint, made in list(conference.endpoints.items()):
                if self.clock() - made > NEVER_CONNECTED:
                    self.end_endpoint(conference, endpoint)

    def end_endpoint(self, conference: Conference, endpoint: str) -> None:
        if conference.endpoints.pop(endpoint, None) is not None:
            for part in ("DtlsTransport.stop#213", "IceTransport.stop#282"):
                log("INFO", part, "Stopping", conference.context(endpoint))
            self.maybe_shut_down()

    def end_conference(self, conference: Conference) -> None:
        if self.conferences.pop(conference.meeting, None):
            self.completed += 1
            self.conference_seconds += int(self.clock() - conference.made)
            for endpoint in list(conference.endpoints):
                self.end_endpoint(conference, endpoint)

    # What operators ask for

    def set_drain(self, drain: bool) -> None:
        log("INFO", "Videobridge.setDrainMode#438", f"Received drain request. enable={java(drain)}")
        self.drain = drain

    def shut_down(self, graceful: bool) -> None:
        place = "ShutdownManager.initiateShutdown"
        log("INFO", f"{place}#51", f"Received shutdown request, graceful={java(graceful)}")
        if self.shutting_down:
            log("INFO", place, "Already shutting down.")
        elif not graceful:
            self._leave()
        elif self.graceful:
            log("INFO", f"{place}#72", "Graceful shutdown already initiated mode.")
        else:
            self.graceful = True
            most = self.settings["videobridge.shutdown.graceful-shutdown-max-duration"]
            log("INFO", f"{place}#57", f"Entered graceful shutdown mode, will stay in this mode for up to {iso(most)}")
            asyncio.get_running_loop().call_later(most, self._leave)
            self.maybe_shut_down()

    def maybe_shut_down(self) -> None:
        people = self.local_endpoints()
        least = self.settings["videobridge.shutdown.graceful-shutdown-min-participants"]
        if self.graceful and not self.shutting_down and people <= least:
            log("INFO", "ShutdownManager.maybeShutdown#86", f"Entering SHUTTING_DOWN with {people} participants.")
            self._leave()

    def _leave(self) -> None:
        if not self.shutting_down:
            self.shutting_down = True
            delay = self.settings["videobridge.shutdown.shutting-down-delay"]
            log("INFO", "ShutdownManager.changeToShuttingDown#97", f"Will shut down in {iso(delay)}")
            asyncio.get_running_loop().call_later(delay, self._finish)

    def _finish(self) -> None:
        log("INFO", "ShutdownManager.changeToShuttingDown$lambda$0#102", "Videobridge is shutting down NOW")
        self.end(0)

    # What jicofo asks for

    def modify(self, request: ET.Element) -> ET.Element:
        """Answers a conference-modify of colibri2. ColibriError when it is refused."""
        meeting, create = request.get("meeting-id", ""), request.get("create") == "true"
        conference, endpoints = self.conferences.get(meeting), request.findall(f"{COLIBRI2}endpoint")
        if not meeting:
            raise ColibriError("bad-request", "", "No meeting-id")
        if request.findall(f"{COLIBRI2}relay"):
            raise ColibriError("feature-not-implemented", "feature_not_implemented", "This stand-in has no relays.")
        if create and conference:
            raise ColibriError("conflict", "conference_already_exists", f"Conference already exists for ID: {meeting}")
        if create and (self.graceful or self.shutting_down):
            raise ColibriError("service-unavailable", "graceful_shutdown", "In graceful shutdown")
        if create:
            conference = Conference(secrets.token_hex(8), meeting, request.get("name", ""), self.clock())
            self.conferences[meeting] = conference
            self.created += 1
            log("INFO", "Videobridge.createConference", "create_conf", conference.context())
        if not conference:
            raise ColibriError("item-not-found", "conference_not_found", f"Conference not found for ID: {meeting}")
        answer = ET.Element(f"{COLIBRI2}conference-modified")
        answer.extend([self._modify_endpoint(conference, each) for each in endpoints])
        if create or any(each.get("create") == "true" for each in endpoints):
            answer.append(_feedback_sources())
        if request.get("expire") == "true" or not (create or conference.endpoints):
            log("INFO", "Colibri2ConferenceHandler.handleConferenceModifyIQ", "Expiring.", conference.context())
            self.end_conference(conference)
        return answer

    def _modify_endpoint(self, conference: Conference, asked: ET.Element) -> ET.Element:
        name, transport = asked.get("id", ""), asked.find(f"{COLIBRI2}transport")
        answer = ET.Element(f"{COLIBRI2}endpoint", id=name)
        if asked.get("expire") == "true":
            self.end_endpoint(conference, name)
            answer.set("expire", "true")
        elif asked.get("create") == "true":
            if name in conference.endpoints:
                raise ColibriError("conflict", "", f"Endpoint with ID {name} already exists")
            if transport is None:
                raise ColibriError("bad-request", "", f"Attempt to create endpoint {name} with no <transport>")
            conference.endpoints[name] = self.clock()
            self.participants += 1
            answer.append(self._transport(transport.find(f"{COLIBRI2}sctp") is not None))
        elif name not in conference.endpoints:
            raise ColibriError("item-not-found", "unknown_endpoint", f"Endpoint not found for ID: {name}", name)
        return answer

    def _transport(self, sctp: bool) -> ET.Element:
        outer = ET.Element(f"{COLIBRI2}transport")
        inner = ET.SubElement(outer, f"{ICE_UDP}transport", pwd=secrets.token_hex(13), ufrag=secrets.token_hex(7))
        ET.SubElement(inner, f"{ICE_UDP}rtcp-mux")
        fingerprint = {"hash": "sha-256", "setup": "actpass", "cryptex": "false"}
        ET.SubElement(inner, f"{DTLS}fingerprint", fingerprint).text = self._fingerprint
        for index, each in enumerate(self.media.advertised, 1):
            hidden = {"rel-addr": each.base, "rel-port": str(each.port)} if each.base else {}
            ET.SubElement(inner, f"{ICE_UDP}candidate", {
                "component": "1", "foundation": str(index), "generation": "0", "id": secrets.token_hex(8),
                "ip": str(each.address), "network": "0", "port": str(each.port), "protocol": "udp",
                "priority": "1677724415" if hidden else "2130706431", "type": "srflx" if hidden else "host",
            } | hidden)  # fmt: skip
        if sctp and self.settings["videobridge.sctp.enabled"]:
            ET.SubElement(outer, f"{COLIBRI2}sctp", port="5000", role="server")
        return outer


def _histogram(bounds: Iterable[int], values: Iterable[int], created: float) -> dict[str, float]:
    given = list(values)
    buckets = {f"bucket_le_{bound:.1f}": float(sum(each <= bound for each in given)) for bound in bounds}
    count = float(len(given))
    return buckets | {"bucket_le_+Inf": count, "count": count, "sum": float(sum(given)), "created": created}


def _processor_ticks() -> tuple[int, int]:
    """Of the machine since its start: busy (time that was stolen is busy), and all."""
    user, nice, system, idle, wait, *others = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    busy = user + nice + system + sum(others)
    return busy, busy + idle + wait


def _feedback_sources() -> ET.Element:
    sources = ET.Element(f"{COLIBRI2}sources")
    for kind, name in (("audio", "jvb-a0"), ("video", "jvb-v0")):
        media = ET.SubElement(sources, f"{COLIBRI2}media-source", type=kind, id=name)
        source = ET.SubElement(media, f"{SSMA}source", ssrc=str(secrets.randbits(31)), name=name)
        ET.SubElement(source, f"{SSMA}parameter", name="msid", value=f"mixedmslabel mixedlabel{kind}0")
    return sources


# XMPP


@functools.cache
def authorities() -> str:
    """The authorities that Java trusts, as PEM; the system's where there is no Java."""
    if not JAVA_TRUST.exists():
        return SYSTEM_TRUST.read_text()
    try:
        return "".join(map(ssl.DER_cert_to_PEM_cert, key_store(JAVA_TRUST.read_bytes())))
    except (OSError, struct.error, ValueError) as error:
        log("WARNING", "MainKt.main", f"{JAVA_TRUST} cannot be read, so {SYSTEM_TRUST} is trusted: {error}")
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
    """One connection, used once. `ended` tells how it ended and why: unreachable, untrusted, denied or lost."""

    def __init__(self, jid: str, password: str, context: ssl.SSLContext, version: str) -> None:
        super().__init__(jid, password, sasl_mech="SCRAM-SHA-1")
        self.ended: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()
        self._context = context
        for plugin in ("xep_0030", "xep_0198", "xep_0199"):
            self.register_plugin(plugin)
        self.register_plugin("xep_0092", {"software_name": "JVB", "version": version, "os": "Linux"})
        self.register_plugin("xep_0115", {"caps_node": "https://igniterealtime.org/projects/smack"})
        for event, how in (("connection_failed", "unreachable"), ("ssl_invalid_chain", "untrusted"),
                           ("failed_all_auth", "denied"), ("disconnected", "lost")):  # fmt: skip
            self.add_event_handler(event, functools.partial(self.finish, how))

    def finish(self, how: str, why: object = "") -> None:
        if isinstance(why, ssl.SSLError):
            how = "untrusted"  # slixmpp of Debian 13 has no event of its own for it
        if not self.ended.done():
            self.ended.set_result((how, str(why or "the connection was closed")))
        self.cancel_connection_attempt()  # slixmpp would go on by itself

    def open(self, host: str, port: int, encrypted: bool) -> None:
        domain = self.boundjid.host
        if hasattr(self, "enable_direct_tls"):  # slixmpp of Debian 13
            self.enable_direct_tls, self.enable_starttls, self.enable_plaintext = False, encrypted, not encrypted
            self.connect(host, port)
        else:
            self.connect((host, port), force_starttls=encrypted, disable_starttls=not encrypted)
        self.default_domain = domain  # the name that the certificate has to bear, wherever the server is reached

    def get_ssl_context(self) -> ssl.SSLContext:
        return self._context

    async def _pick_dns_answer(self, *_: object) -> None:
        """The configured host is the server: slixmpp 1.8 would look up the domain."""

    def close(self) -> None:
        self.abort()
        if self._run_out_filters:
            self._run_out_filters.cancel()  # else the event loop keeps every client for ever


class Shard:
    """One entry of videobridge.apis.xmpp-client.configs: joins its rooms and goes on trying for ever.

    KeyError for an entry that lacks a key, ValueError for a bad value.
    """

    def __init__(self, bridge: Bridge, name: str, given: Mapping[str, Any]) -> None:
        values = {key.lower(): str(value) for key, value in given.items()}
        needed = {"hostname", "username", "password", "muc_jids", "muc_nickname"}
        if missing := needed - {key for key, value in values.items() if value}:
            raise KeyError(*missing)
        self.bridge, self.host, self.port = bridge, values["hostname"], int(number(values.get("port", 5222)))
        self.domain = values.get("domain") or self.host
        self.jid, self.password = f"{values['username']}@{self.domain}", values["password"]
        self.mucs, self.nickname = re.split(r"\s*,\s*", values["muc_jids"].strip()), values["muc_nickname"]
        self.verified = not boolean(values.get("disable_certificate_verification", "false"))
        self.encrypted = values.get("security_mode") != "disabled"
        self.context = f"hostname={self.host} id={name}"
        described = (
            f"[ org.jitsi.xmpp.mucclient.MucClientConfiguration id={name} domain={self.domain} hostname={self.host} "
            f"port={values.get('port', 'null')} username={values['username']} mucs=[{', '.join(self.mucs)}] "
            f"mucNickname={self.nickname} disableCertificateVerification={java(not self.verified)}]"
        )
        self.log("INFO", ".initializeConnectAndJoin#300", f"Initializing a new MucClient for {described}")
        self.client: Client | None = None
        self.connected = self.leaving = False
        self.joined: set[str] = set()
        self.published: dict[str, Any] = {}

    def log(self, level: str, place: str, text: str) -> None:
        log(level, f"MucClient{place}", text, self.context)

    async def run(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.verified:
            context.load_verify_locations(cadata=authorities())
        else:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.log("INFO", ".initializeConnectAndJoin#401", "Dispatching a thread to connect and login.")
        failures, was_in, again = 0, False, False
        while not self.leaving:
            if again:
                self.log("INFO", "$1.reconnectingIn#224", "Reconnecting in 0")
            how, why = await self._session(context)
            if how == "lost":
                was_in = again = True
                self.bridge.disconnects += 1
                self._closed(f"org.jivesoftware.smack.SmackException: {why}")
            elif how in ("unreachable", "untrusted"):
                self._failed(how, why, again)
                failures += 1
                # Beside the attempts to reconnect, the first one is made again every five seconds.
                again = was_in or (how == "untrusted" and failures % 5 > 0)
            # After a wrong password the real program asks again at once, for ever.
            await asyncio.sleep(0.03 if how == "denied" else 5 if how == "unreachable" and not was_in else 1)

    def _failed(self, how: str, why: str, again: bool) -> None:
        smack = "org.jivesoftware.smack.SmackException$"
        if how == "untrusted":
            place = "sun.security.provider.certpath.SunCertPathBuilderException"
            path = "unable to find valid certification path to requested target"
            cause = f"javax.net.ssl.SSLHandshakeException: PKIX path building failed: {place}: {path} ({why})"
            error = f"{smack}SmackWrappedException: {cause}\nCaused by: {cause}"
        else:
            server = f"'RFC 6120 A/AAAA Endpoint + [{self.host}:{self.port}] ({self.host}:{self.port})'"
            cause = f"failed because: java.net.ConnectException: {why}"
            error = f"{smack}EndpointConnectionException: The following addresses failed: {server} {cause}"
        if again:
            self.log("WARNING", "$1.reconnectionFailed#231", f"Reconnection failed:\n{error}")
        else:
            self.log("WARNING", ".lambda$getConnectAndLoginCallable$8#697", f"Error connecting:\n{error}")
        if how == "untrusted":
            self._closed(cause)

    def _closed(self, error: str) -> None:
        if not self.leaving:
            self.log("WARNING", "$2.connectionClosedOnError#392", f"Closed on error:\n{error}")

    async def _session(self, context: ssl.SSLContext) -> tuple[str, str]:
        """One connection from start to end: how it ended, and why."""
        client = self.client = Client(self.jid, self.password, context, self.bridge.version)
        for event, handler in (("tls_success", self._on_tls), ("session_start", self._on_session),
                               ("presence", self._on_presence)):  # fmt: skip
            client.add_event_handler(event, handler)
        for element, answer in (
            (f"{COLIBRI2}conference-modify", self._on_modify),
            (f"{HEALTH}healthcheck", self._on_health),
        ):
            client.register_handler(Callback(element, MatchXPath(f"{CLIENT}iq/{element}"), answer))
        client.open(self.host, self.port, self.encrypted)
        try:
            while not client.ended.done():
                await asyncio.wait([client.ended], timeout=30)
                if not client.ended.done() and not self.connected:
                    client.finish("unreachable", "Connection timed out")
                elif not client.ended.done() and not await self._answers(client):
                    client.finish("lost", "Ping failed, the XMPP connection needs to reconnect.")
            how, why = client.ended.result()
            if how == "denied":
                text = "Failed to login. Disconnecting to trigger a re-connect."
                error = "org.jivesoftware.smack.sasl.SASLErrorException: SASLError using SCRAM-SHA-1: not-authorized"
                self.log("WARNING", ".lambda$getConnectAndLoginCallable$8#717", f"{text}\n{error}")
                self.log("INFO", "$2.connectionClosed#370", "Closed.")
            return how, why
        finally:
            self.connected = False
            self.joined.clear()
            client.close()

    async def _answers(self, client: Client) -> bool:
        try:
            await client.plugin["xep_0199"].send_ping(self.domain, timeout=15)
        except IqTimeout:
            return False
        except IqError:
            return True
        return True

    def _on_tls(self, _: object) -> None:
        modes = "isSmEnabled:false isSmAvailable:false isSmResumptionPossible:false"
        self.log("INFO", "$2.connected#338", f"Connected. {modes}")
        self.log("INFO", ".lambda$getConnectAndLoginCallable$8#703", "Logging in.")

    def _on_session(self, _: object) -> None:
        self.log("INFO", "$2.authenticated#351", "Authenticated, resumed=false")
        self.connected = True
        for muc in self.mucs:
            self._send(muc, ET.Element(f"{{{MUC}}}x"))

    def _on_presence(self, presence: Any) -> None:
        muc, kind = presence["from"].bare, presence["type"]
        own = presence.xml.find(f"{{{MUC}#user}}x/{{{MUC}#user}}status[@code='110']") is not None
        if kind == "error":
            self.log("SEVERE", "$MucWrapper.join", f"Cannot join {muc}: {presence['error']['condition']}")
        elif own and kind != "unavailable" and muc not in self.joined:
            self.joined.add(muc)
            self.log("INFO", "$MucWrapper.join#826", f"Joined MUC: {muc}")
            asyncio.get_running_loop().call_later(FIRST_STATS, self._send_stats, muc)

    def _on_modify(self, request: Any) -> None:
        reply = request.reply()
        try:
            reply.append(self.bridge.modify(request.xml.find(f"{COLIBRI2}conference-modify")))
        except ColibriError as error:
            place = "Colibri2ConferenceHandler.handleConferenceModifyIQ"
            log("WARNING", place, f"Error processing conference-modify IQ: {error}")
            reply["error"]["condition"], reply["error"]["text"] = error.condition, str(error)
            if error.reason:
                ET.SubElement(reply["error"].xml, f"{COLIBRI2}error", reason=error.reason)
            if error.endpoint:
                ET.SubElement(reply["error"].xml, f"{COLIBRI2}endpoint", id=error.endpoint)
        reply.send()

    def _on_health(self, request: Any) -> None:
        reply = request.reply()
        if self.bridge.unhealthy:
            reply["error"]["condition"], reply["error"]["text"] = "internal-server-error", self.bridge.unhealthy
            reply["error"]["type"] = "cancel"
        reply.send()

    def publish(self, stats: dict[str, Any]) -> None:
        self.published = stats
        if not self.connected:
            self.log("WARNING", ".setPresenceExtensions#519", "Cannot set presence extension: not connected.")
        for muc in self.joined:
            self._send_stats(muc)

    def _send_stats(self, muc: str) -> None:
        stats = ET.Element(f"{COLIBRI}stats")
        for name, value in self.published.items():
            ET.SubElement(stats, f"{COLIBRI}stat", name=name, value=java(value))
        self._send(muc, stats)

    def _send(self, muc: str, extension: ET.Element) -> None:
        if self.client and self.connected:
            presence = self.client.make_presence(pto=f"{muc}/{self.nickname}", ppriority=0)
            presence.append(extension)
            presence.send()

    async def leave(self) -> None:
        self.leaving = True
        if self.client and self.connected:
            self.client.send_presence(ptype="unavailable", ppriority=0)
            await self.client.disconnect(wait=1)
        self.log("INFO", "$2.connectionClosed#370", "Closed.")


# REST


class Rest:
    """The private REST interface: status codes, bodies and headers of the real program's Jersey and Jetty."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        # Path: its method, and the settings that open it.
        self.routes: dict[str, tuple[str, tuple[str, ...], Callable[[web.Request], Awaitable[web.Response]]]] = {
            "/about/health": ("GET", ("rest.health",), self.health),
            "/about/version": ("GET", ("rest.version",), self.version),
            "/metrics": ("GET", ("rest.prometheus",), self.metrics),
            "/debug": ("GET", ("rest.debug",), self.debug),
            "/colibri/stats": ("GET", ("apis.rest",), self.stats),
            "/colibri/drain": ("GET", ("rest.drain",), self.drain),
            "/colibri/drain/enable": ("POST", ("rest.drain",), self.drain),
            "/colibri/drain/disable": ("POST", ("rest.drain",), self.drain),
            "/colibri/shutdown": ("POST", ("apis.rest", "rest.shutdown"), self.shutdown),
        }
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self.handle)
        application.on_response_prepare.append(_as_jetty)
        self.runner = web.AppRunner(application, access_log=None)

    async def start(self) -> None:
        host, port = (self.bridge.settings[f"videobridge.http-servers.private.{each}"] for each in ("host", "port"))
        await self.runner.setup()
        await web.TCPSite(self.runner, host, port).start()
        log("INFO", "org.eclipse.jetty.server.AbstractConnector.doStart", f"Started {host}:{port}")

    async def handle(self, request: web.Request) -> web.Response:
        if request.path not in self.routes:
            return _page(request, 404, "Not Found")
        method, gates, handler = self.routes[request.path]
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip()
        if request.method.replace("HEAD", "GET") != method:
            return _page(request, 405, "Method Not Allowed", allow=f"{method},OPTIONS")
        if handler == self.shutdown and kind != "application/json":
            return _page(request, 415, "Unsupported Media Type")
        if not all(self.bridge.settings[f"videobridge.{gate}.enabled"] for gate in gates):
            return _page(request, 404, "Not Found")
        return await handler(request)

    async def health(self, _: web.Request) -> web.Response:
        return _answer(self.bridge.unhealthy, status=500 if self.bridge.unhealthy else 200)

    async def version(self, _: web.Request) -> web.Response:
        return _answer({"name": "JVB", "version": self.bridge.version, "os": "Linux"})

    async def stats(self, _: web.Request) -> web.Response:
        return _answer(self.bridge.stats())

    async def drain(self, request: web.Request) -> web.Response:
        if request.method != "POST":
            return _answer({"drain": self.bridge.drain})
        self.bridge.set_drain(request.path.endswith("/enable"))
        return _answer("")

    async def shutdown(self, request: web.Request) -> web.Response:
        body = await request.text()
        try:
            asked = json.loads(body) if body.strip() else None
        except ValueError as error:
            return _answer(str(error), "text/plain", 400)
        if asked is None:
            return _page(request, 500, "Internal Server Error")
        if not isinstance(asked, dict) or "graceful-shutdown" not in asked:
            return _answer("Missing required creator property 'graceful-shutdown' (index 0)", "text/plain", 400)
        value = java(asked["graceful-shutdown"]).lower()
        if value not in ("true", "false"):
            kinds = 'only "true" or "false" recognized'
            text = f'Cannot deserialize value of type `java.lang.Boolean` from String "{value}": {kinds}'
            return _answer(text, "text/plain", 400)
        self.bridge.shut_down(value == "true")
        return _answer("")

    async def metrics(self, request: web.Request) -> web.Response:
        accepted = [each.partition(";")[0].strip() for each in request.headers.get("Accept", "").split(",")]
        for kind in accepted:
            if kind in ("application/openmetrics-text", "*/*"):
                return _answer(
                    _exposition(self.bridge, True), "application/openmetrics-text;charset=utf-8;version=1.0.0"
                )
            if kind == "text/plain":
                return _answer(_exposition(self.bridge, False), "text/plain;charset=utf-8;version=0.0.4")
            if kind == "application/json":
                return _answer(self.bridge.metrics())
        return _page(request, 500, "Request failed.")

    async def debug(self, request: web.Request) -> web.Response:
        bridge, full = self.bridge, request.query.get("full") == "true"
        state = "SHUTTING_DOWN" if bridge.shutting_down else "GRACEFUL_SHUTDOWN" if bridge.graceful else "RUNNING"
        load = {"state": "NOT_OVERLOADED" if bridge.stress < 1 else "OVERLOADED", "stress": str(bridge.stress)}
        return _answer({
            "shutdown_state": state, "drain": bridge.drain, "time": int(time.time() * 1000),
            "load_management": load | {"reducer_enabled": "false"},
            "conferences": {each.id: _described(each, full) for each in bridge.conferences.values()},
            "health": {"success": not bridge.unhealthy, "hardFailure": True, "responseCode": None,
                       "message": bridge.unhealthy or None},
        })  # fmt: skip


def _described(conference: Conference, full: bool) -> dict[str, Any]:
    """A conference in /debug: in full, too, less of an endpoint than in the real program, having no media."""
    ends, ice = list(conference.endpoints), {"closed": False, "iceConnected": False, "iceFailed": False}
    speech: dict[str, Any] = {"dominantEndpoint": "null", "dominantSpeakerIdentification": None}
    speech |= {"endpointsBySpeechActivity": ends, "endpointsInLastNOrder": ends}
    more = {"expired": False, "creation_time": conference.created, "speech_activity": speech}
    more["exporter"] = {"started": False, "exporters": []}
    endpoint = {"expired": False, "stats_id": None, "ice_transport": ice} if full else None
    return {
        "id": conference.id, "rtcstatsEnabled": False, "name": conference.name, "meeting_id": conference.meeting,
        **(more if full else {}), "endpoints": dict.fromkeys(ends, endpoint), "relays": {},
    }  # fmt: skip


def _exposition(bridge: Bridge, openmetrics: bool) -> str:
    """The metrics for Prometheus; its older text format names families otherwise."""
    lines, help_text = [], "Of a stand-in, without media."
    for name, value in bridge.metrics().items():
        full, base = f"jitsi_jvb_{name}", f"jitsi_jvb_{name.removesuffix('_total')}"
        family, histogram = base if openmetrics else full, isinstance(value, dict)
        kind = "histogram" if histogram else "counter" if full != base else "gauge"
        lines += [f"# TYPE {family} {kind}", f"# HELP {family} {help_text}"]
        for part, number in value.items() if histogram else [("", value)]:
            bound = part.removeprefix("bucket_le_")
            suffix = f'_bucket{{le="{bound}"}}' if bound != part else part and f"_{part}"
            lines += [f"{full}{suffix} {float(number)}"] if part != "created" else []
        if kind != "gauge":
            lines += [] if openmetrics else [f"# TYPE {base}_created gauge", f"# HELP {base}_created {help_text}"]
            lines.append(f"{base}_created {bridge.started:.3f}")
    return "\n".join([*lines, *(["# EOF"] if openmetrics else []), ""])


def _answer(body: Any, kind: str = "application/json", status: int = 200) -> web.Response:
    text = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))
    headers = {"Vary": "Origin", **({"Content-Type": kind} if text else {})}
    reason = "Server Error" if status == 500 else None
    answer = web.Response(body=text.encode(), status=status, headers=headers, reason=reason)
    if len(text) > 8192:
        answer.enable_chunked_encoding()
    return answer


def _page(request: web.Request, status: int, message: str, allow: str = "") -> web.Response:
    """Jetty's error page, which it keeps from methods that none would show."""
    rows = {"URI": f"http://{request.host}{request.path}", "STATUS": status, "MESSAGE": message}
    table = "\n".join(f"<tr><th>{name}:</th><td>{value}</td></tr>" for name, value in rows.items())
    body = (
        '<html>\n<head>\n<meta http-equiv="Content-Type" content="text/html;charset=ISO-8859-1"/>\n'
        f"<title>Error {status} {message}</title>\n</head>\n<body>\n<h2>HTTP ERROR {status} {message}</h2>\n"
        f"<table>\n{table}\n</table>\n\n</body>\n</html>\n"
    )
    shown = request.method in ("GET", "POST", "HEAD")
    headers = {"Cache-Control": "must-revalidate,no-cache,no-store", **({"Allow": allow} if allow else {})}
    headers |= {"Content-Type": "text/html;charset=iso-8859-1"} if shown else {}
    reason = "Server Error" if status == 500 else None
    return web.Response(body=body.encode() if shown else b"", status=status, headers=headers, reason=reason)


async def _as_jetty(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop("Server", None)
    if response.headers.get("Content-Length") == "0":
        response.headers.pop("Content-Type", None)


# Start and end


async def every(interval: float, task: Callable[[], None], first: float) -> None:
    """Calls `task` after `first` seconds and then every `interval`, without drift."""
    due = time.monotonic() + first
    while True:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        task()
        due += interval


async def run(settings: Settings, version: str) -> int:
    """Runs a bridge to its end; returns the exit status."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(status: int) -> None:
        if not ended.done():
            ended.set_result(status)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, 128 + number)
    bridge = Bridge(settings, Media(settings), version, end)
    first = bridge.presence()
    for name, given in settings.shards.items():
        with contextlib.suppress(KeyError):  # the real program says nothing of an entry that lacks a key
            bridge.shards.append(Shard(bridge, name, given))
    rest = Rest(bridge)
    await rest.start()
    tasks = [asyncio.create_task(each) for each in (*_routines(bridge), *(each.run() for each in bridge.shards))]
    for shard in bridge.shards:
        shard.publish(first)
    done, _ = await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()  # a task that has failed ends the bridge with its error
    log("INFO", "HealthChecker.stop#135", "Stopped")
    await asyncio.gather(*(shard.leave() for shard in bridge.shards))
    for task in tasks:
        task.cancel()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(rest.runner.cleanup(), 1)  # it would wait a minute for a slow reader
    log("INFO", "VideobridgeExpireThread.stop#120", "Stopping.")
    return ended.result()


def _routines(bridge: Bridge) -> Iterable[Any]:
    settings = bridge.settings
    health, sampling = settings["videobridge.health.interval"], settings["videobridge.stats.interval"]
    presence = settings["videobridge.apis.xmpp-client.presence-interval"]
    expiration = settings["videobridge.entity-expiration.check-interval"]

    def publish() -> None:
        for shard in bridge.shards:
            shard.publish(bridge.presence())

    limits = [iso(settings[f"videobridge.health.{each}"]) for each in ("timeout", "max-check-duration")]
    sticky = java(settings["videobridge.health.sticky-failures"])
    text = f"interval={int(health * 1000)}, timeout={limits[0]}, maxDuration={limits[1]}, stickyFailures={sticky}."
    log("INFO", "HealthChecker.start#122", f"Started with {text}")
    return (
        every(health, bridge.check_health, health),
        every(sampling, bridge.sample, sampling * 0.9),  # so that what is published has its age
        every(presence, publish, presence),
        every(expiration, bridge.expire, expiration),
        every(10, bridge.measure_load, 10),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Stand-in of jitsi-videobridge2: a bridge without media.")
    parser.add_argument("--config", type=Path, default=Path("/etc/jitsi/videobridge/jvb.conf"))
    parser.add_argument("--version", action="store_true", help="print the version of the package, and end")
    asked = parser.parse_args()
    package = (HERE / "version").read_text().strip()
    if asked.version:
        print(package)
        return 0
    # The package's first dash is a dot in what the program says of itself.
    version = package.rpartition("-")[0].replace("-", ".", 1)
    logging.basicConfig(level=logging.ERROR)
    logging.getLogger("slixmpp").setLevel(logging.CRITICAL)  # what it has to say is in the bridge's own log
    log("INFO", "MainKt.main#82", f"Starting jitsi-videobridge version {version}")
    try:
        return asyncio.run(run(Settings(asked.config), version))
    except (ValueError, OSError) as error:
        log("SEVERE", "MainKt.main", f"This stand-in of jitsi-videobridge2 cannot run: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
