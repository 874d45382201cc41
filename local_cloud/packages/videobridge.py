"""Stand-in of jitsi-videobridge2: what operators, jicofo and the other hosts see of a bridge, without any media.

It reads jvb.conf, joins the brewery over verified XMPP, publishes presence, serves colibri2 to jicofo and the private
REST interface, binds the media port and turns unhealthy, drains, shuts down and logs as the real program was recorded
to do (tests/packages/recordings/bridge). ICE and DTLS are not spoken: an endpoint never connects, and relays, STUN and
the AWS mapping are not there. The names in the log and in /metrics are the real program's, so that what watches a real
bridge finds them. Longer than other files because a package's program is one file. Runs under the Python of
Debian 12 and 13 with their python3-slixmpp, python3-aiohttp, ruby-hocon and iproute2.
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
CLIENT, MUC, COLIBRI2 = "jabber:client", "http://jabber.org/protocol/muc", "jitsi:colibri2"
COLIBRI, HEALTH = "http://jitsi.org/protocol/colibri", "http://jitsi.org/protocol/healthcheck"
ICE_UDP, DTLS = "urn:xmpp:jingle:transports:ice-udp:1", "urn:xmpp:jingle:apps:dtls:0"
# An endpoint that never had a connection, and a conference without endpoints, in seconds: constants of the bridge.
NEVER_CONNECTED, EMPTY = 120, 20

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


def log(level: str, place: str, text: str, context: str = "") -> None:
    stamp = datetime.now().isoformat(" ", "milliseconds")
    print(f"JVB {stamp} {level}: [1] {f'[{context}] ' if context else ''}{place}: {text}", flush=True)


def seconds(duration: Any) -> float:
    """A duration as HOCON writes it: a number is milliseconds. ValueError for anything else."""
    units = {
        "": 0.001,
        "ms": 0.001,
        "milli": 0.001,
        "s": 1,
        "second": 1,
        "m": 60,
        "minute": 60,
        "h": 3600,
        "hour": 3600,
    }
    units |= {"millisecond": 0.001, "d": 86400, "day": 86400}
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(duration))
    unit = found and units.get(found[2] if len(found[2]) < 3 else found[2].removesuffix("s"))
    if not found or not unit:
        raise ValueError(f"{duration} is not a duration")
    return float(found[1]) * unit


def iso(duration: float) -> str:
    """A duration as Java prints it: 60 is PT1M."""
    whole, parts = duration, ""
    for name, size in (("H", 3600), ("M", 60)):
        if whole >= size:
            parts, whole = f"{parts}{int(whole // size)}{name}", whole % size
    return f"PT{parts}{f'{whole:g}S' if whole or not parts else ''}"


class Settings:
    """jvb.conf over the bridge's defaults. ValueError names a key that the bridge does not know, or a bad value."""

    def __init__(self, path: Path) -> None:
        lines = (HERE / "known_keys/videobridge.txt").read_text().splitlines()
        known = dict(line.split("\t") for line in lines if not line.startswith("#"))
        self._values = {key: json.loads(default) for key, default in known.items() if default != "-"}
        self._tree = _hocon(path) if path.exists() else {}
        for key, value in _leaves(self._tree):
            root = key.partition(".")[0]
            if root in ("videobridge", "ice4j", "jmt") and not any(_matches(key, each) for each in known):
                raise ValueError(f"unknown key {key} in {path}")
            self._values[key] = value

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def get(self, key: str) -> Any:
        return self._values.get(key)

    def flag(self, key: str) -> bool:
        value = str(self[key]).lower()
        if value not in ("true", "false", "yes", "no", "on", "off"):
            raise ValueError(f"{key} = {self[key]} is neither true nor false")
        return value in ("true", "yes", "on")

    def number(self, key: str) -> float:
        try:
            return float(self[key])
        except ValueError:
            raise ValueError(f"{key} = {self[key]} is not a number") from None

    def seconds(self, key: str) -> float:
        try:
            return seconds(self[key])
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None

    def branch(self, *path: str) -> Any:
        """The part of jvb.conf below `path`, as written there; None if there is none."""
        return functools.reduce(lambda tree, name: tree.get(name) if isinstance(tree, dict) else None, path, self._tree)


def _hocon(path: Path) -> dict[str, Any]:
    # Not the hocon command: it prints no whole file.
    script = "puts JSON.generate(Hocon.load(ARGV[0]))"
    done = subprocess.run(["ruby", "-rhocon", "-rjson", "-e", script, path], capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"{path} cannot be read: {done.stderr.strip().splitlines()[0][-400:]}")
    tree: dict[str, Any] = json.loads(done.stdout)
    return tree


def _leaves(tree: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in tree.items():
        key = f"{above}{name}"
        if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            yield from _leaves({str(index): each for index, each in enumerate(value)}, f"{key}.")
        elif isinstance(value, dict):
            yield from _leaves(value, f"{key}.")
        else:
            yield key, value


def _matches(key: str, pattern: str) -> bool:
    # The keys of a shard are written in any case. An empty list stands in the place of its items.
    if key == "ice4j.harvest.mapping.static-mappings":
        return True
    names, wanted = key.split("."), pattern.split(".")
    same = [want in ("*", name.lower() if "*" in wanted else name) for name, want in zip(names, wanted, strict=False)]
    return len(names) == len(wanted) and all(same)


@dataclass(frozen=True)
class Candidate:
    """An address under which clients may reach the media port; `base` is the host's own where a mapping hides it."""

    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int
    base: str = ""

    def valid(self) -> bool:
        return not (self.address.is_loopback or self.address.is_link_local or self.private())

    def private(self) -> bool:
        """As Java sees it: what Python calls private is more."""
        ranges = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fec0::/10")
        networks = [ipaddress.ip_network(each) for each in ranges]
        return any(self.address in each for each in networks if each.version == self.address.version)


def host_addresses(settings: Settings) -> list[Any]:
    """The host's addresses that ice4j.harvest allows, at this moment; the real program, too, looks once, at start."""
    rule = {name: set(settings[f"ice4j.harvest.{name}"]) for name in (
        "allowed-interfaces", "blocked-interfaces", "allowed-addresses", "blocked-addresses",
    )}  # fmt: skip
    found = []
    for interface in json.loads(subprocess.run(["ip", "-json", "address"], capture_output=True, check=True).stdout):
        name, allowed = interface.get("ifname"), rule["allowed-interfaces"]
        if "UP" not in interface.get("flags", ()) or (
            name not in allowed if allowed else name in rule["blocked-interfaces"]
        ):
            continue
        for each in interface["addr_info"]:
            address = ipaddress.ip_address(each["local"])
            unwanted = (
                address.is_loopback
                or (address.version == 6 and not settings.flag("ice4j.harvest.use-ipv6"))
                or (address.is_link_local and not settings.flag("ice4j.harvest.use-link-local-addresses"))
                or (rule["allowed-addresses"] and str(address) not in rule["allowed-addresses"])
                or str(address) in rule["blocked-addresses"]
            )
            if not unwanted:
                found.append(address)
    return found


class Media:
    """The media port on every harvested address, and what is told to clients about it. Nothing is ever answered."""

    def __init__(self, settings: Settings) -> None:
        port, size = int(settings.number("videobridge.ice.udp.port")), settings["ice4j.harvest.udp.receive-buffer-size"]
        self.sockets: list[socket.socket] = []
        self.candidates: list[Candidate] = []
        self.failed = False
        for address in host_addresses(settings):
            udp = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, int(size))
            try:
                udp.bind((str(address), port))
            except OSError as error:
                self.failed = True
                log("SEVERE", "Harvesters.<init>", f"Failed to bind {address}:{port}: {error}")
                continue
            self.sockets.append(udp)
            self.candidates.append(Candidate(address, port))
            log(
                "INFO",
                "org.ice4j.ice.harvest.SinglePortUdpHarvester.<init>",
                f"Initialized SinglePortUdpHarvester with address {address}:{port}/udp",
            )
        own = {str(each.address) for each in self.candidates}
        for mapping in settings.branch("ice4j", "harvest", "mapping", "static-mappings") or ():
            if mapping["local-address"] in own:
                outside = ipaddress.ip_address(mapping["public-address"])
                self.candidates.append(
                    Candidate(outside, int(mapping.get("public-port", port)), mapping["local-address"])
                )
        self.stun_failed = bool(settings["ice4j.harvest.mapping.stun.addresses"])
        log(
            "INFO",
            "org.ice4j.ice.harvest.MappingCandidateHarvesters.initialize",
            f"Initialized mapping harvesters (delay=0ms).  stunDiscoveryFailed={str(self.stun_failed).lower()}",
        )
        hide = not settings.flag("videobridge.ice.advertise-private-candidates")
        self.advertised = [each for each in self.candidates if not (hide and each.private())]

    def wait(self) -> None:
        """Keeps the sockets' buffers empty, as a bridge that reads them would."""
        loop = asyncio.get_running_loop()
        for udp in self.sockets:
            udp.setblocking(False)
            loop.add_reader(udp, lambda udp=udp: udp.recv(65536))


@dataclass
class Conference:
    id: str
    meeting: str
    name: str
    made: float
    endpoints: dict[str, float] = field(default_factory=dict)  # id -> when it was made
    created: int = field(default_factory=lambda: int(time.time() * 1000))

    def context(self, endpoint: str = "") -> str:
        end = f" epId={endpoint}" if endpoint else ""
        return f"confId={self.id} conf_name={self.name} meeting_id={self.meeting[:8]}{end}"


class ColibriError(Exception):
    """A refusal: the condition of XMPP, the reason of colibri2, and a sentence."""

    def __init__(self, condition: str, reason: str, text: str, endpoint: str = "") -> None:
        super().__init__(text)
        self.condition, self.reason, self.endpoint = condition, reason, endpoint


class Bridge:
    """Conferences, drain, health and shutdown. `clock` gives seconds; `end` is called with an exit status, once."""

    def __init__(
        self, settings: Settings, media: Media, version: str, end: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.settings, self.media, self.version, self.end, self.clock = settings, media, version, end, clock
        self.conferences: dict[str, Conference] = {}
        self.shards: list[Shard] = []
        self.drain = settings.flag("videobridge.initial-drain-mode")
        self.graceful = self.shutting_down = False
        self.unhealthy = ""
        self.stress = 0.0
        self.disconnects = self.created = self.completed = self.conference_seconds = self.participants = 0
        self.started = time.time()
        self.sampled: dict[str, Any] = {}
        self.sizes: list[int] = []
        self._ticks = _processor_ticks()
        # Nobody can use it: there is no DTLS behind it.
        self._fingerprint = ":".join(f"{each:02X}" for each in secrets.token_bytes(32))

    # What is published

    def sample(self) -> None:
        """Numbers that the bridge takes every videobridge.stats.interval; the others are live."""
        self.sizes = [len(each.endpoints) for each in self.conferences.values()]
        people = sum(self.sizes)
        joined = sum(len(each.joined) for each in self.shards)
        self.sampled = {
            "inactive_conferences": len(self.sizes), "p2p_conferences": self.sizes.count(2), "endpoints": people,
            "participants": people, "inactive_endpoints": people, "largest_conference": max(self.sizes, default=0),
            "threads": len(os.listdir("/proc/self/task")), "muc_clients_configured": len(self.shards),
            "muc_clients_connected": sum(each.connected for each in self.shards),
            "mucs_configured": sum(len(each.mucs) for each in self.shards), "mucs_joined": joined,
        }  # fmt: skip

    def local_endpoints(self) -> int:
        return sum(len(each.endpoints) for each in self.conferences.values())

    def stats(self) -> dict[str, Any]:
        settings = self.settings
        values = {each.partition(":")[0]: json.loads(each.partition(":")[2] or "0") for each in STATS.split()}
        values |= self.sampled | {
            "conferences": len(self.conferences), "local_endpoints": self.local_endpoints(),
            "total_conferences_created": self.created, "total_conferences_completed": self.completed,
            "total_conference_seconds": self.conference_seconds, "total_participants": self.participants,
            "stress_level": self.stress, "graceful_shutdown": self.graceful, "shutting_down": self.shutting_down,
            "average_participant_stress": settings.number("videobridge.load-management.average-participant-stress"),
            "drain": self.drain, "healthy": not self.unhealthy, "version": self.version,
            "current_timestamp": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        }  # fmt: skip
        optional = {
            "region": settings.get("videobridge.relay.region"),
            "release": settings.get("videobridge.version.release"),
        }
        if settings.flag("videobridge.relay.enabled"):
            optional["relay_id"] = settings.get("videobridge.relay.relay-id")
        return values | {name: value for name, value in optional.items() if value}

    def presence(self) -> dict[str, Any]:
        """The stats for the brewery."""
        allowed = self.settings["videobridge.apis.xmpp-client.stats-filter.whitelist"]
        chosen = self.settings.flag("videobridge.apis.xmpp-client.stats-filter.enabled")
        return {name: value for name, value in self.stats().items() if not chosen or name in allowed}

    def metrics(self) -> dict[str, Any]:
        stats, values = self.stats(), dict.fromkeys(METRICS.split(), 0)
        plain: dict[str, Any] = {each.partition(":")[0]: each.partition(":")[2] for each in values}
        bounds = {"tossed_packets_energy": (0, *range(7, 128, 8))}
        for name, zero in plain.items():
            sizes = self.sizes if name == "conferences_by_size" else []
            plain[name] = (
                _histogram(bounds.get(name, range(21)), sizes, self.started)
                if zero == "histogram"
                else json.loads(zero or "0")
            )
        same = ("muc_clients_configured", "muc_clients_connected", "mucs_joined", "healthy", "graceful_shutdown",
                "shutting_down", "local_endpoints", "conferences", "largest_conference")  # fmt: skip
        return plain | {name: stats[name] for name in same} | {
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
        settings = self.settings
        reason = ""
        if settings.flag("videobridge.health.require-valid-address") and not any(
            each.valid() for each in self.media.candidates
        ):
            reason = "No valid IP addresses available for harvesting."
        elif settings.flag("videobridge.health.require-stun") and self.media.stun_failed:
            reason = "Address discovery through STUN failed"
        elif self.media.failed:
            reason = "Failed to bind single-port"
        if reason:
            result = f"Result(success=false, hardFailure=true, responseCode=null, sticky=false, message={reason})"
            log("SEVERE", "HealthChecker.run#181", f"Health check failed in PT0S: {result}")
        if reason or not settings.flag("videobridge.health.sticky-failures"):
            self.unhealthy = reason

    def measure_load(self) -> None:
        """The machine's busy share against the threshold; with packet-rate there are no packets, so no load."""
        load = "videobridge.load-management.load-measurements"
        before, self._ticks = self._ticks, _processor_ticks()
        passed = [now - then for now, then in zip(self._ticks, before, strict=True)]
        if self.settings[f"{load}.load-measurement"] == "cpu-usage" and passed[1]:
            self.stress = passed[0] / passed[1] / self.settings.number(f"{load}.cpu-usage.load-threshold")

    def expire(self) -> None:
        """Ends what nobody uses. A conference outlives its last endpoint by one round."""
        now = self.clock()
        for conference in list(self.conferences.values()):
            if not conference.endpoints and now - conference.made > EMPTY:
                log("INFO", "VideobridgeExpireThread.expire", f"Conference {conference.id} should expire, expiring it")
                self.end_conference(conference)
            for endpoint, made in list(conference.endpoints.items()):
                if now - made > NEVER_CONNECTED:
                    log("INFO", "VideobridgeExpireThread.expire", f"Expiring endpoint {endpoint}")
                    self.end_endpoint(conference, endpoint)

    def end_endpoint(self, conference: Conference, endpoint: str) -> None:
        if conference.endpoints.pop(endpoint, None) is not None:
            log("INFO", "DtlsTransport.stop#213", "Stopping", conference.context(endpoint))
            log("INFO", "IceTransport.stop#282", "Stopping", conference.context(endpoint))
            self.maybe_shut_down()

    def end_conference(self, conference: Conference) -> None:
        if self.conferences.pop(conference.meeting, None):
            self.completed += 1
            self.conference_seconds += int(self.clock() - conference.made)
            for endpoint in list(conference.endpoints):
                self.end_endpoint(conference, endpoint)

    # What operators ask for

    def set_drain(self, drain: bool) -> None:
        log("INFO", "Videobridge.setDrainMode#438", f"Received drain request. enable={str(drain).lower()}")
        self.drain = drain

    def shut_down(self, graceful: bool) -> None:
        place = "ShutdownManager.initiateShutdown"
        log("INFO", f"{place}#51", f"Received shutdown request, graceful={str(graceful).lower()}")
        if self.shutting_down:
            log("INFO", place, "Already shutting down.")
        elif not graceful:
            self._leave()
        elif self.graceful:
            log("INFO", f"{place}#72", "Graceful shutdown already initiated mode.")
        else:
            self.graceful = True
            longest = self.settings.seconds("videobridge.shutdown.graceful-shutdown-max-duration")
            log(
                "INFO",
                f"{place}#57",
                f"Entered graceful shutdown mode, will stay in this mode for up to {iso(longest)}",
            )
            asyncio.get_running_loop().call_later(longest, self._leave)
            self.maybe_shut_down()

    def maybe_shut_down(self) -> None:
        people = self.local_endpoints()
        least = self.settings.number("videobridge.shutdown.graceful-shutdown-min-participants")
        if self.graceful and not self.shutting_down and people <= least:
            log("INFO", "ShutdownManager.maybeShutdown#86", f"Entering SHUTTING_DOWN with {people} participants.")
            self._leave()

    def _leave(self) -> None:
        if not self.shutting_down:
            self.shutting_down = True
            delay = self.settings.seconds("videobridge.shutdown.shutting-down-delay")
            log("INFO", "ShutdownManager.changeToShuttingDown#97", f"Will shut down in {iso(delay)}")
            asyncio.get_running_loop().call_later(delay, self._finish)

    def _finish(self) -> None:
        log("INFO", "ShutdownManager.changeToShuttingDown$lambda$0#102", "Videobridge is shutting down NOW")
        self.end(0)

    # What jicofo asks for

    def modify(self, request: ET.Element) -> ET.Element:
        """Answers a conference-modify. ColibriError when the bridge refuses it."""
        meeting, create = request.get("meeting-id", ""), request.get("create") == "true"
        if not meeting:
            raise ColibriError("bad-request", "", "No meeting-id")
        conference = self.conferences.get(meeting)
        if create and conference:
            raise ColibriError("conflict", "conference_already_exists", f"Conference already exists for ID: {meeting}")
        if create and (self.graceful or self.shutting_down):
            raise ColibriError("service-unavailable", "graceful_shutdown", "In graceful shutdown")
        if create:
            conference = Conference(secrets.token_hex(8), meeting, request.get("name", ""), self.clock())
            self.conferences[meeting] = conference
            self.created += 1
            log("INFO", "Videobridge.createConference", f"create_conf, id={conference.id} meeting_id={meeting}")
        if not conference:
            raise ColibriError("item-not-found", "conference_not_found", f"Conference not found for ID: {meeting}")
        answer = ET.Element(f"{{{COLIBRI2}}}conference-modified")
        if request.findall(f"{{{COLIBRI2}}}relay"):
            raise ColibriError("feature-not-implemented", "feature_not_implemented", "This stand-in has no relays.")
        endpoints = request.findall(f"{{{COLIBRI2}}}endpoint")
        for each in endpoints:
            answer.append(self._modify_endpoint(conference, each))
        if create or any(each.get("create") == "true" for each in endpoints):
            answer.append(_feedback_sources())
        if request.get("expire") == "true" or (not create and not conference.endpoints):
            log("INFO", "Colibri2ConferenceHandler.handleConferenceModifyIQ", "Expiring.", conference.context())
            self.end_conference(conference)
        return answer

    def _modify_endpoint(self, conference: Conference, asked: ET.Element) -> ET.Element:
        name = asked.get("id", "")
        answer = ET.Element(f"{{{COLIBRI2}}}endpoint", {"id": name})
        if asked.get("expire") == "true":
            self.end_endpoint(conference, name)
            answer.set("expire", "true")
        elif asked.get("create") == "true":
            if name in conference.endpoints:
                raise ColibriError("conflict", "", f"Endpoint with ID {name} already exists")
            wanted = asked.find(f"{{{COLIBRI2}}}transport")
            if wanted is None:
                raise ColibriError("bad-request", "", f"Attempt to create endpoint {name} with no <transport>")
            conference.endpoints[name] = self.clock()
            self.participants += 1
            answer.append(self._transport(wanted.find(f"{{{COLIBRI2}}}sctp") is not None))
        elif name not in conference.endpoints:
            raise ColibriError("item-not-found", "unknown_endpoint", f"Endpoint not found for ID: {name}", name)
        return answer

    def _transport(self, sctp: bool) -> ET.Element:
        outer = ET.Element(f"{{{COLIBRI2}}}transport")
        inner = ET.SubElement(outer, f"{{{ICE_UDP}}}transport", pwd=secrets.token_hex(13), ufrag=secrets.token_hex(7))
        ET.SubElement(inner, f"{{{ICE_UDP}}}rtcp-mux")
        fingerprint = ET.SubElement(inner, f"{{{DTLS}}}fingerprint", hash="sha-256", setup="actpass", cryptex="false")
        fingerprint.text = self._fingerprint
        for index, each in enumerate(self.media.advertised, 1):
            kind, priority = ("srflx", 1677724415) if each.base else ("host", 2130706431)
            candidate = {
                "component": "1", "foundation": str(index), "generation": "0", "id": secrets.token_hex(8),
                "ip": str(each.address), "network": "0", "port": str(each.port), "priority": str(priority),
                "protocol": "udp", "type": kind,
            }  # fmt: skip
            candidate |= {"rel-addr": each.base, "rel-port": str(each.port)} if each.base else {}
            ET.SubElement(inner, f"{{{ICE_UDP}}}candidate", candidate)
        if sctp and self.settings.flag("videobridge.sctp.enabled"):
            ET.SubElement(outer, f"{{{COLIBRI2}}}sctp", port="5000", role="server")
        return outer


def _histogram(bounds: Iterable[int], values: list[int], created: float) -> dict[str, float]:
    buckets = {f"bucket_le_{bound:.1f}": float(sum(each <= bound for each in values)) for bound in bounds}
    count = float(len(values))
    return buckets | {"bucket_le_+Inf": count, "count": count, "sum": float(sum(values)), "created": created}


def _processor_ticks() -> tuple[int, int]:
    """Busy (stolen time is busy) and all, since the machine started."""
    user, nice, system, idle, wait, *others = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9])
    busy = user + nice + system + sum(others)
    return busy, busy + idle + wait


def _feedback_sources() -> ET.Element:
    sources = ET.Element(f"{{{COLIBRI2}}}sources")
    for kind, name in (("audio", "jvb-a0"), ("video", "jvb-v0")):
        media = ET.SubElement(sources, f"{{{COLIBRI2}}}media-source", type=kind, id=name)
        namespace = "urn:xmpp:jingle:apps:rtp:ssma:0"
        ssrc = str(secrets.randbits(31))
        source = ET.SubElement(media, f"{{{namespace}}}source", ssrc=ssrc, name=name)
        ET.SubElement(source, f"{{{namespace}}}parameter", name="msid", value=f"mixedmslabel mixedlabel{kind}0")
    return sources


def trusted() -> str:
    """The authorities that Java trusts, as PEM; the system's where there is no Java. Slow: it starts a Java."""
    if not JAVA_TRUST.exists():
        return SYSTEM_TRUST.read_text()
    command = ["keytool", "-list", "-rfc", "-keystore", str(JAVA_TRUST), "-storepass", "changeit"]
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        log("WARNING", "MainKt.main", f"{JAVA_TRUST} cannot be read, so {SYSTEM_TRUST} is trusted: {error}")
        return SYSTEM_TRUST.read_text()
    return "\n".join(re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text, re.DOTALL))


class Client(slixmpp.ClientXMPP):  # type: ignore[misc,unused-ignore]
    """One connection to a shard, used once. `ended` tells how it ended: (unreachable | untrusted | denied | lost, why)."""

    def __init__(self, shard: "Shard", version: str) -> None:
        super().__init__(shard.jid, shard.password, sasl_mech="SCRAM-SHA-1")
        self.ended: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()
        self._context = shard.tls
        for plugin in ("xep_0030", "xep_0198", "xep_0199"):
            self.register_plugin(plugin)
        self.register_plugin("xep_0092", {"software_name": "JVB", "version": version, "os": "Linux"})
        self.register_plugin("xep_0115", {"caps_node": "https://igniterealtime.org/projects/smack"})
        for event, end in (
            ("connection_failed", "unreachable"),
            ("ssl_invalid_chain", "untrusted"),
            ("disconnected", "lost"),
        ):
            self.add_event_handler(event, functools.partial(self._end, end))
        self.add_event_handler("failed_all_auth", functools.partial(self._end, "denied"))

    def _end(self, how: str, why: object) -> None:
        if not self.ended.done():
            self.ended.set_result((how, str(why)))
        self.cancel_connection_attempt()  # slixmpp would go on by itself

    def open(self, host: str, port: int, encrypted: bool) -> None:
        domain = self.boundjid.host
        if hasattr(self, "enable_direct_tls"):  # slixmpp 1.9 and later: Debian 13
            self.enable_direct_tls, self.enable_starttls, self.enable_plaintext = False, encrypted, not encrypted
            self.connect(host, port)
        else:
            self.connect((host, port), force_starttls=encrypted, disable_starttls=not encrypted)
        self.default_domain = domain  # the name that the certificate must bear, wherever the server is reached

    def get_ssl_context(self) -> ssl.SSLContext:
        return self._context

    async def _pick_dns_answer(self, *_: object) -> None:
        """No look-up of the domain: the configured host is the server (slixmpp 1.8)."""

    def close(self) -> None:
        self.abort()
        if self._run_out_filters:
            self._run_out_filters.cancel()  # else the loop keeps each client for ever


class Shard:
    """One entry of videobridge.apis.xmpp-client.configs: goes on trying for ever, and joins its rooms."""

    def __init__(self, bridge: Bridge, name: str, given: Mapping[str, Any]) -> None:
        values = {key.lower(): str(value) for key, value in given.items()}
        missing = {"hostname", "username", "password", "muc_jids", "muc_nickname"} - {
            key for key, value in values.items() if value
        }
        if missing:
            raise ValueError(f"{name} lacks {', '.join(sorted(missing))}")
        self.bridge, self.host, self.port = bridge, values["hostname"], int(values.get("port", 5222))
        self.domain = values.get("domain") or self.host
        self.jid, self.password = f"{values['username']}@{self.domain}", values["password"]
        self.mucs, self.nickname = re.split(r"\s*,\s*", values["muc_jids"].strip()), values["muc_nickname"]
        self.verified = values.get("disable_certificate_verification", "false").lower() != "true"
        local = self.host in ("localhost", "127.0.0.1", "::1")
        self.encrypted = values.get("security_mode", "ifpossible" if local else "required") != "disabled"
        self.context = f"hostname={self.host} id={name}"
        self.described = (
            f"[ org.jitsi.xmpp.mucclient.MucClientConfiguration id={name} domain={self.domain} hostname={self.host} "
            f"port={values.get('port', 'null')} username={values['username']} mucs=[{', '.join(self.mucs)}] "
            f"mucNickname={self.nickname} disableCertificateVerification={str(not self.verified).lower()}]"
        )
        self.tls = ssl.create_default_context()
        self.client: Client | None = None
        self.connected = False
        self.joined: set[str] = set()
        self.published: dict[str, Any] = {}

    def log(self, level: str, place: str, text: str) -> None:
        log(level, place, text, self.context)

    async def run(self) -> None:
        self.log("INFO", "MucClient.initializeConnectAndJoin#300", f"Initializing a new MucClient for {self.described}")
        self.log("INFO", "MucClient.initializeConnectAndJoin#401", "Dispatching a thread to connect and login.")
        failures, was_in = 0, False
        while True:
            how, why = await self._session()
            if how == "in":
                was_in, failures = True, 0
                self.bridge.disconnects += 1
                self._closed_on_error(f"org.jivesoftware.smack.SmackException: {why}")
                await asyncio.sleep(1)
            elif how == "denied":
                # The real program, too, asks again at once, for ever.
                await asyncio.sleep(0.08)
            else:
                self._failed(how, why, first=not was_in and (how == "unreachable" or failures % 5 == 0))
                failures += 1
                await asyncio.sleep(1 if was_in or how != "unreachable" else 5)

    def _failed(self, how: str, why: str, first: bool) -> None:
        if how == "untrusted":
            ended = "PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path to requested target"
            why = f"javax.net.ssl.SSLHandshakeException: {ended} ({why})"
            error = f"org.jivesoftware.smack.SmackException$SmackWrappedException: {why}\nCaused by: {why}"
        else:
            endpoint = f"'RFC 6120 A/AAAA Endpoint + [{self.host}:{self.port}] ({self.host}:{self.port})'"
            error = f"org.jivesoftware.smack.SmackException$EndpointConnectionException: The following addresses failed: {endpoint} failed because: java.net.ConnectException: {why}"
        if first:
            self.log("WARNING", "MucClient.lambda$getConnectAndLoginCallable$8#697", f"Error connecting:\n{error}")
        else:
            self.log("INFO", "MucClient$1.reconnectingIn#224", "Reconnecting in 0")
            self.log("WARNING", "MucClient$1.reconnectionFailed#231", f"Reconnection failed:\n{error}")
        if how == "untrusted":
            self._closed_on_error(why)

    def _closed_on_error(self, error: str) -> None:
        self.log("WARNING", "MucClient$2.connectionClosedOnError#392", f"Closed on error:\n{error}")

    async def _session(self) -> tuple[str, str]:
        """One connection from start to end: how and why it ended; `in` if it had been logged in."""
        client = self.client = Client(self, self.bridge.version)
        client.add_event_handler("tls_success", self._on_connected)
        client.add_event_handler("session_start", self._on_session)
        client.add_event_handler("presence", self._on_presence)
        for namespace, element, answer in (
            (COLIBRI2, "conference-modify", self._on_modify),
            (HEALTH, "healthcheck", self._on_health),
        ):
            client.register_handler(Callback(element, MatchXPath(f"{{{CLIENT}}}iq/{{{namespace}}}{element}"), answer))
        client.open(self.host, self.port, self.encrypted)
        was_in = False
        try:
            while not client.ended.done():
                await asyncio.wait([client.ended], timeout=30)
                was_in = was_in or self.connected
                if not client.ended.done() and not await self._answers(client):
                    client.ended.set_result(("lost", "Ping failed, the XMPP connection needs to reconnect."))
            how, why = client.ended.result()
            if how == "denied":
                self.log(
                    "WARNING",
                    "MucClient.lambda$getConnectAndLoginCallable$8#717",
                    "Failed to login. Disconnecting to trigger a re-connect.\norg.jivesoftware.smack.sasl.SASLErrorException: SASLError using SCRAM-SHA-1: not-authorized",
                )
                self.log("INFO", "MucClient$2.connectionClosed#370", "Closed.")
            return ("in" if was_in or self.connected else how), why
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
            pass
        return self.connected

    def _on_connected(self, _: object) -> None:
        self.log(
            "INFO",
            "MucClient$2.connected#338",
            "Connected. isSmEnabled:false isSmAvailable:false isSmResumptionPossible:false",
        )
        self.log("INFO", "MucClient.lambda$getConnectAndLoginCallable$8#703", "Logging in.")

    def _on_session(self, _: object) -> None:
        self.log("INFO", "MucClient$2.authenticated#351", "Authenticated, resumed=false")
        self.connected = True
        for muc in self.mucs:
            self._send(muc, ET.Element(f"{{{MUC}}}x"))

    def _on_presence(self, presence: Any) -> None:
        muc = presence["from"].bare
        own = presence.xml.find(f"{{{MUC}#user}}x/{{{MUC}#user}}status[@code='110']") is not None
        if own and presence["type"] != "unavailable" and muc not in self.joined:
            self.joined.add(muc)
            self.log("INFO", "MucClient$MucWrapper.join#826", f"Joined MUC: {muc}")
            asyncio.get_running_loop().call_later(0.06, self._send_stats, muc)
        elif presence["type"] == "error" and presence["from"].resource == self.nickname:
            condition = presence["error"]["condition"]
            self.log("SEVERE", "MucClient$MucWrapper.join", f"Cannot join {muc}: {condition}")

    def _on_modify(self, request: Any) -> None:
        reply = request.reply()
        try:
            reply.append(self.bridge.modify(request.xml.find(f"{{{COLIBRI2}}}conference-modify")))
        except ColibriError as error:
            log(
                "WARNING",
                "Colibri2ConferenceHandler.handleConferenceModifyIQ",
                f"Error processing conference-modify IQ: {error}",
            )
            reply["error"]["condition"], reply["error"]["text"] = error.condition, str(error)
            if error.reason:
                ET.SubElement(reply["error"].xml, f"{{{COLIBRI2}}}error", reason=error.reason)
            if error.endpoint:
                ET.SubElement(reply["error"].xml, f"{{{COLIBRI2}}}endpoint", id=error.endpoint)
        reply.send()

    def _on_health(self, request: Any) -> None:
        reply = request.reply()
        if self.bridge.unhealthy:
            reply["error"]["type"], reply["error"]["condition"] = "cancel", "internal-server-error"
            reply["error"]["text"] = self.bridge.unhealthy
        reply.send()

    def publish(self, stats: dict[str, Any]) -> None:
        self.published = stats
        if not self.connected:
            self.log("WARNING", "MucClient.setPresenceExtensions#519", "Cannot set presence extension: not connected.")
        for muc in self.joined:
            self._send_stats(muc)

    def _send_stats(self, muc: str) -> None:
        stats = ET.Element(f"{{{COLIBRI}}}stats")
        for name, value in self.published.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            ET.SubElement(stats, f"{{{COLIBRI}}}stat", name=name, value=text)
        self._send(muc, stats)

    def _send(self, muc: str, extension: ET.Element) -> None:
        if self.client and self.connected:
            presence = self.client.make_presence(pto=f"{muc}/{self.nickname}", ppriority=0)
            presence.append(extension)
            presence.send()

    async def leave(self) -> None:
        if self.client and self.connected:
            self.client.send_presence(ptype="unavailable", ppriority=0)
            await self.client.disconnect(wait=1)
        self.log("INFO", "MucClient$2.connectionClosed#370", "Closed.")


Handler = Callable[[web.Request], Awaitable[web.Response]]


class Rest:
    """The private REST interface: status codes, bodies and headers of the real program's Jersey and Jetty."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        # Path, method, its gate: the setting that opens it.
        self.routes: dict[str, tuple[str, tuple[str, ...], Handler]] = {
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
        settings = self.bridge.settings
        host, port = (
            settings["videobridge.http-servers.private.host"],
            settings.number("videobridge.http-servers.private.port"),
        )
        await self.runner.setup()
        await web.TCPSite(self.runner, host, int(port), shutdown_timeout=0.2).start()
        log(
            "INFO",
            "org.eclipse.jetty.server.AbstractConnector.doStart",
            f"Started ServerConnector{{HTTP/1.1}}{{{host}:{int(port)}}}",
        )

    async def handle(self, request: web.Request) -> web.Response:
        method, gates, handler = self.routes.get(request.path, ("", (), None))
        if not handler:
            return _page(request, 404, "Not Found")
        if request.method != ("GET" if request.method == "HEAD" == method else method) and request.method != method:
            return _page(request, 405, "Method Not Allowed", allow=f"{method},OPTIONS")
        if handler == self.shutdown and request.headers.get("Content-Type", "").partition(";")[0] != "application/json":
            return _page(request, 415, "Unsupported Media Type")
        if not all(self.bridge.settings.flag(f"videobridge.{gate}.enabled") for gate in gates):
            return _page(request, 404, "Not Found")
        return await handler(request)

    async def health(self, _: web.Request) -> web.Response:
        if self.bridge.unhealthy:
            return _answer(self.bridge.unhealthy, status=500)
        return _answer("")

    async def version(self, _: web.Request) -> web.Response:
        return _answer({"name": "JVB", "version": self.bridge.version, "os": "Linux"})

    async def stats(self, _: web.Request) -> web.Response:
        return _answer(self.bridge.stats())

    async def drain(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            self.bridge.set_drain(request.path.endswith("/enable"))
            return _answer("")
        return _answer({"drain": self.bridge.drain})

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
        value = str(asked["graceful-shutdown"]).lower()
        if value not in ("true", "false"):
            text = f'Cannot deserialize value of type `java.lang.Boolean` from String "{value}": only "true" or "false" recognized'
            return _answer(text, "text/plain", 400)
        self.bridge.shut_down(value == "true")
        return _answer("")

    async def metrics(self, request: web.Request) -> web.Response:
        accept = request.headers.get("Accept", "")
        wanted = [each.partition(";")[0].strip() for each in accept.split(",")]
        if "application/openmetrics-text" in wanted or ("*/*" in wanted and "text/plain" not in wanted):
            return _answer(_prometheus(self.bridge, True), "application/openmetrics-text;charset=utf-8;version=1.0.0")
        if "text/plain" in wanted:
            return _answer(_prometheus(self.bridge, False), "text/plain;charset=utf-8;version=0.0.4")
        if "application/json" in wanted:
            return _answer(self.bridge.metrics())
        return _page(request, 500, "Request failed.")

    async def debug(self, request: web.Request) -> web.Response:
        bridge, full = self.bridge, request.query.get("full") == "true"
        state = "SHUTTING_DOWN" if bridge.shutting_down else "GRACEFUL_SHUTDOWN" if bridge.graceful else "RUNNING"
        health = {
            "success": not bridge.unhealthy,
            "hardFailure": True,
            "responseCode": None,
            "message": bridge.unhealthy or None,
        }
        conferences = {each.id: _described(each, full) for each in bridge.conferences.values()}
        return _answer({
            "shutdown_state": state, "drain": bridge.drain, "time": int(time.time() * 1000),
            "load_management": {"state": "NOT_OVERLOADED" if bridge.stress < 1 else "OVERLOADED",
                                "stress": str(bridge.stress), "reducer_enabled": "false"},
            "conferences": conferences, "health": health,
        })  # fmt: skip


def _described(conference: Conference, full: bool) -> dict[str, Any]:
    """A conference in /debug; in full what the stand-in has of it, so less of an endpoint than the real program."""
    ends = list(conference.endpoints)
    values: dict[str, Any] = {
        "id": conference.id, "rtcstatsEnabled": False, "name": conference.name, "meeting_id": conference.meeting,
    }  # fmt: skip
    if full:
        speakers = {"endpointsBySpeechActivity": ends, "endpointsInLastNOrder": ends}
        values |= {
            "expired": False, "creation_time": conference.created,
            "speech_activity": {"dominantEndpoint": "null", "dominantSpeakerIdentification": None} | speakers,
        }  # fmt: skip
    ice = {"closed": False, "iceWriteable": False, "iceConnected": False, "iceFailed": False}
    one = {"expired": False, "stats_id": None, "ice_transport": ice} if full else None
    return values | {"endpoints": dict.fromkeys(ends, one), "relays": {}}


def _prometheus(bridge: Bridge, openmetrics: bool) -> str:
    lines = []
    for name, value in bridge.metrics().items():
        full, counter = f"jitsi_jvb_{name}", name.endswith("_total")
        family = full.removesuffix("_total") if openmetrics else full
        kind = "counter" if counter else "histogram" if isinstance(value, dict) else "gauge"
        lines += [f"# TYPE {family} {kind}", f"# HELP {family} {name.replace('_', ' ')}, of a stand-in."]
        if isinstance(value, dict):
            for part, number in value.items():
                bucket = part.removeprefix("bucket_le_")
                suffix = f'bucket{{le="{bucket}"}}' if part != bucket else part
                if openmetrics or part != "created":
                    lines.append(f"{full}_{suffix} {number}")
        else:
            lines.append(f"{full} {float(value)}")
        if openmetrics and counter:
            lines.append(f"{family}_created {bridge.started:.3f}")
    return "\n".join([*lines, *(["# EOF"] if openmetrics else []), ""])


def _answer(body: Any, kind: str = "application/json", status: int = 200) -> web.Response:
    text = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))
    headers = {"Vary": "Origin"} | ({"Content-Type": kind} if text else {})
    answer = web.Response(
        body=text.encode(), status=status, headers=headers, reason="Server Error" if status == 500 else None
    )
    if len(text) > 8192:
        answer.enable_chunked_encoding()
    return answer


def _page(request: web.Request, status: int, message: str, allow: str = "") -> web.Response:
    """Jetty's error page; it has none for methods without a body of their own."""
    rows = {"URI": f"http://{request.host}{request.path}", "STATUS": status, "MESSAGE": message}
    table = "\n".join(f"<tr><th>{name}:</th><td>{value}</td></tr>" for name, value in rows.items())
    body = (
        '<html>\n<head>\n<meta http-equiv="Content-Type" content="text/html;charset=ISO-8859-1"/>\n'
        f"<title>Error {status} {message}</title>\n</head>\n<body>\n<h2>HTTP ERROR {status} {message}</h2>\n"
        f"<table>\n{table}\n</table>\n\n</body>\n</html>\n"
    )
    headers = {"Cache-Control": "must-revalidate,no-cache,no-store"} | ({"Allow": allow} if allow else {})
    if request.method in ("GET", "POST", "HEAD"):
        headers["Content-Type"] = "text/html;charset=iso-8859-1"
    else:
        body = ""
    return web.Response(
        body=body.encode(), status=status, headers=headers, reason="Server Error" if status == 500 else None
    )


async def _as_jetty(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop("Server", None)
    if response.headers.get("Content-Length") == "0":
        response.headers.pop("Content-Type", None)


async def _every(interval: float, task: Callable[[], None], first: float = 0) -> None:
    """Calls `task` after `first` seconds and then every `interval`, without drift."""
    due = time.monotonic() + first
    while True:
        await asyncio.sleep(max(0, due - time.monotonic()))
        task()
        due += interval


async def run(settings: Settings, version: str) -> int:
    """Runs the bridge to its end; the exit status."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()
    finish = functools.partial(lambda status: None if ended.done() else ended.set_result(status))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, finish, 128 + number)
    media = Media(settings)
    media.wait()
    bridge = Bridge(settings, media, version, finish)
    bridge.sample()
    first = bridge.presence()
    for name, given in (settings.branch("videobridge", "apis", "xmpp-client", "configs") or {}).items():
        # The real program says nothing of an entry that lacks a key, and does not use it.
        with contextlib.suppress(ValueError):
            bridge.shards.append(Shard(bridge, name, given))
    rest = Rest(bridge)
    await rest.start()
    health = "videobridge.health"
    interval = settings.seconds(f"{health}.interval")
    log(
        "INFO",
        "HealthChecker.start#122",
        f"Started with interval={int(interval * 1000)}, timeout={iso(settings.seconds(f'{health}.timeout'))}, maxDuration={iso(settings.seconds(f'{health}.max-check-duration'))}, stickyFailures={str(settings.flag(f'{health}.sticky-failures')).lower()}.",
    )
    presence, sampling = (
        settings.seconds("videobridge.apis.xmpp-client.presence-interval"),
        settings.seconds("videobridge.stats.interval"),
    )
    checks = settings.seconds("videobridge.entity-expiration.check-interval")
    tasks = [
        asyncio.create_task(each)
        for each in (
            _every(interval, bridge.check_health, interval),
            _every(sampling, bridge.sample, sampling),
            _every(checks, bridge.expire, checks),
            _every(10, bridge.measure_load, 10),
            _every(presence, lambda: [each.publish(bridge.presence()) for each in bridge.shards], presence),  # type: ignore[arg-type,return-value]
            *(_start(each, first) for each in bridge.shards),
        )
    ]
    watch = asyncio.gather(*tasks)
    done, _ = await asyncio.wait([ended, watch], return_when=asyncio.FIRST_COMPLETED)
    if watch in done:
        watch.result()
    log("INFO", "HealthChecker.stop#135", "Stopped")
    await asyncio.gather(*(each.leave() for each in bridge.shards))
    watch.cancel()
    await rest.runner.cleanup()
    log("INFO", "VideobridgeExpireThread.stop#120", "Stopping.")
    return ended.result()


async def _start(shard: Shard, first: dict[str, Any]) -> None:
    shard.publish(first)
    if shard.verified:
        pem = await asyncio.get_running_loop().run_in_executor(None, trusted)
        shard.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        shard.tls.load_verify_locations(cadata=pem)
    else:
        shard.tls.check_hostname, shard.tls.verify_mode = False, ssl.CERT_NONE
    await shard.run()


def main() -> int:
    parser = argparse.ArgumentParser(description="Stand-in of jitsi-videobridge2: a bridge without media.")
    parser.add_argument("--config", type=Path, default=Path("/etc/jitsi/videobridge/jvb.conf"))
    parser.add_argument("--version", action="store_true", help="print the version of the package, and end")
    asked = parser.parse_args()
    package = (HERE / "version").read_text().strip()
    if asked.version:
        print(package)
        return 0
    # The package's dash before the number of commits is a dot in what the program says of itself.
    version = package.rpartition("-")[0].replace("-", ".", 1)
    logging.getLogger("slixmpp").setLevel(logging.CRITICAL)
    log("INFO", "MainKt.main#82", f"Starting jitsi-videobridge version {version}")
    try:
        return asyncio.run(run(Settings(asked.config), version))
    except (ValueError, OSError) as error:
        log("SEVERE", "MainKt.main", f"This stand-in of jitsi-videobridge2 does not start: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
