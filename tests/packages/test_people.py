"""Level 3: people in rooms speak the public protocol, and tell truly what happened to their sessions.

On real prosody and nginx with the signaling role's files; jicofo and the bridges are stand-ins.
"""

import asyncio
import dataclasses
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from local_cloud.people import FEATURES, JINGLE, RTP, AbsentError, Person, Seen, Site, element, hold, meeting, table
from tests.packages.jicofo_shard import DOMAIN, Bridge, Shard, fetch, shard, soon, until
from tools import checkers


@pytest.fixture(scope="module")
def lab() -> Iterator[Shard]:
    """With jicofo; bridges are a test's own."""
    try:
        with shard() as made:
            made.jicofo(conference__single_participant_timeout="2 s", health__interval="1 s")
            until(lambda: made.get("/about/version").status, 10, "REST answers")
            yield made
    except checkers.UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture
def bridge(lab: Shard) -> Iterator[Bridge]:
    made = lab.bridge(1)
    until(lab.operational(1), 10, "the bridge is there")
    yield made
    made.program.end(signal.SIGTERM)
    until(lab.operational(0), 10, "the bridge has left")


@pytest.mark.parametrize("request_by", ["http", "xmpp"])
def test_people_come_in_by_either_kind_of_request(lab: Shard, bridge: Bridge, request_by: str) -> None:
    async def scene() -> None:
        async with meeting(lab.site(request_by), "Room-With-Capitals", people=3) as people:
            assert {each.room for each in people} == {f"room-with-capitals@conference.{DOMAIN}"}
            assert [each.seen.initiated for each in people] == [1, 1, 1]
            assert lab.numbers()["participants"] == 3
            assert bridge.rooms() == 1
        await soon(lambda: lab.numbers()["conferences"] == 0, 3, "the room ends when all have left")
        await soon(lambda: bridge.rooms() == 0, 3, "the bridge is told so")

    asyncio.run(scene())


def test_a_room_that_two_ask_for_at_the_same_moment_is_made_once(lab: Shard) -> None:
    def ask() -> int:
        body = {"room": f"at-once@conference.{DOMAIN}", "machineUid": "somebody", "properties": {}}
        return fetch(8888, "POST", "/conference-request/v1", json.dumps(body)).status

    made = lab.numbers()["total_conferences_created"]
    (jicofo,) = [each for each in lab.programs if each.output.name.startswith("jicofo")]
    with ThreadPoolExecutor(4) as people:
        jicofo.kill(signal.SIGSTOP)  # it finds all of them waiting when it goes on
        asked = [people.submit(ask) for _ in range(4)]
        time.sleep(0.3)
        jicofo.kill(signal.SIGCONT)
        assert [each.result() for each in asked] == [200] * 4
    assert lab.numbers()["total_conferences_created"] == made + 1


@pytest.mark.usefixtures("bridge")
def test_their_features_bring_a_session_with_all_contents(lab: Shard) -> None:
    class Attentive(Person):
        offers: list[ET.Element]

        async def on_jingle(self, offer: ET.Element) -> None:
            self.offers = [*getattr(self, "offers", []), offer]
            await super().on_jingle(offer)

    async def scene() -> None:
        people = [Attentive(lab.site(), "room") for _ in range(2)]
        await asyncio.gather(*(each.come() for each in people))
        await asyncio.gather(*(each.invited.wait() for each in people))
        offer = people[0].offers[0]
        contents = {each.get("name"): each for each in offer.findall(f"{{{JINGLE}}}content")}
        assert set(contents) == {"audio", "video", "data"}
        for content in contents.values():
            assert content.find(f"{{{RTP}}}description") is not None
            transport = content.find("{urn:xmpp:jingle:transports:ice-udp:1}transport")
            assert transport is not None
            assert transport.get("ufrag")
            assert transport.find("{urn:xmpp:jingle:apps:dtls:0}fingerprint") is not None
        assert offer.find("{urn:xmpp:jingle:apps:grouping:0}group") is not None
        assert offer.find("{http://jitsi.org/protocol/focus}bridge-session") is not None
        state = lab.get("/debug/conferences-full").json[f"room@conference.{DOMAIN}"]
        member = state["chat_room"]["members"][people[0].nick]
        assert {"AUDIO", "VIDEO", "SCTP", "SOURCE_NAMES"} <= set(member["features"])
        await soon(lambda: accepted(lab) == ["ACTIVE", "ACTIVE"], 3, "jicofo took what they accept")
        for each in people:
            await each.leave()

    asyncio.run(scene())


def accepted(lab: Shard) -> list[str]:
    state = lab.get("/debug/conferences-full").json[f"room@conference.{DOMAIN}"]
    return [each["jingle_session"]["state"] for each in state["participants"].values()]


def test_what_is_accepted_is_what_was_offered_without_the_bridge_s_sources() -> None:
    source = element("urn:xmpp:jingle:apps:rtp:ssma:0", "source", ssrc="1")
    described = element(RTP, "description", element(RTP, "payload-type", id="111", name="opus"), source, media="audio")
    offered = element(JINGLE, "content", described, name="audio", creator="initiator")
    offer = element(JINGLE, "jingle", offered, action="session-initiate", sid="abc", initiator="room/focus")
    person = Person(Site(DOMAIN), "room")
    person.sid = "abc"
    accept = person.accept(offer)
    assert (accept.get("action"), accept.get("sid"), accept.get("initiator")) == ("session-accept", "abc", "room/focus")
    (content,) = accept.findall(f"{{{JINGLE}}}content")
    assert content.get("name") == "audio"
    assert content.find(f"{{{RTP}}}description/{{{RTP}}}payload-type") is not None
    assert not list(accept.iter("{urn:xmpp:jingle:apps:rtp:ssma:0}source"))
    assert all(each.get("setup") == "active" for each in accept.iter("{urn:xmpp:jingle:apps:dtls:0}fingerprint"))


def test_features_are_told_before_a_client_joins_as_jicofo_wants() -> None:
    presence = Person(Site(DOMAIN), "room").presence()
    caps = presence.find("{http://jabber.org/protocol/caps}c")
    assert caps is not None
    assert len(caps.get("ver", "")) == 28
    assert {f"urn:xmpp:jingle:apps:rtp:{kind}" for kind in ("audio", "video")} <= set(FEATURES)


def test_a_move_is_no_drop_and_the_end_of_a_session_without_another_is(lab: Shard, bridge: Bridge) -> None:
    async def scene() -> None:
        async with meeting(lab.site(), "room") as people:
            jid = f"jvbbrewery%40internal.auth.{DOMAIN}%2Fjvb-lab-1"
            assert lab.get(f"/move-endpoints/move-endpoints?bridge={jid}&numEndpoints=10").json["movedEndpoints"] == 2
            await soon(lambda: all(each.seen.moved == 1 for each in people), 5, "they have new sessions")
            assert [each.seen.terminated for each in people] == [1, 1]
            assert not any(each.seen.dropped(0) for each in people)
            bridge.program.end(signal.SIGTERM)
            await soon(lambda: all(each.seen.terminated == 2 for each in people), 5, "their sessions end")
            assert not any(each.seen.dropped(10) for each in people)
            await soon(lambda: all(each.seen.dropped(1) for each in people), 3, "that is a drop after a second")
            lab.bridge(1)
            await soon(lambda: all(each.seen.moved == 2 for each in people), 10, "a bridge is back")
            assert not any(each.seen.dropped(0) for each in people)

    asyncio.run(scene())
    lab.programs[-1].end(signal.SIGTERM)


@pytest.mark.usefixtures("bridge")
def test_a_lost_connection_is_a_drop(lab: Shard) -> None:
    async def scene() -> None:
        async with meeting(lab.site(), "room") as people:
            await asyncio.to_thread(lab.restart_prosody)
            await soon(lambda: all(each.seen.lost for each in people), 5, "the connection is gone")
            assert all(each.seen.dropped(60) for each in people)
        await soon(lab.operational(1), 15, "the bridge is back")

    asyncio.run(scene())


def test_nobody_comes_in_where_the_certificate_is_not_trusted(lab: Shard) -> None:
    async def scene() -> None:
        with pytest.raises(AbsentError, match=r"connect: .*CERTIFICATE_VERIFY_FAILED"):
            await Person(dataclasses.replace(lab.site(), authority=None), "room", patience=5).come()
        with pytest.raises(AbsentError, match=r"connect: .*Hostname mismatch"):
            await Person(dataclasses.replace(lab.site(), domain="other.lab.test"), "room", patience=5).come()

    asyncio.run(scene())


def test_a_room_without_a_bridge_says_so(lab: Shard) -> None:
    async def scene() -> None:
        with pytest.raises(AbsentError, match="not invited by the focus within 2 s"):
            async with meeting(lab.site(), "room", patience=2):
                pass

    asyncio.run(scene())


def test_a_refused_request_says_what_was_answered(lab: Shard) -> None:
    async def scene() -> None:
        with pytest.raises(AbsentError, match="conference request: answered 400: Bad request"):
            await Person(lab.site(), "no@room", patience=5).come()

    asyncio.run(scene())


def test_more_people_at_once_than_nginx_lets_ask_are_all_let_in(lab: Shard, bridge: Bridge) -> None:
    async def scene() -> dict[str, list[Seen]]:
        # 24 requests, where twenty may come at once and five a second.
        holding = asyncio.create_task(hold(lab.site(), [f"room-{number}" for number in range(8)], 3, 2))
        await soon(lambda: lab.numbers()["participants"] == 24, 20, "all are in")
        await soon(lambda: bridge.rooms() == 8, 5, "all rooms have a session")
        return await holding

    seen = asyncio.run(scene())
    assert [len(group) for group in seen.values()] == [3] * 8
    assert all(each.initiated == 1 and not each.dropped(0) for group in seen.values() for each in group)


def test_the_table_has_a_line_for_each_person() -> None:
    kept = Seen(initiated=2, moved=1, terminated=1, without_session=None)
    lost = Seen(initiated=1, lost="closed by the server", without_session=None)
    head, *lines = table({"one": [kept, lost], "two": [Seen()]}, bound=0).splitlines()
    assert head.split() == ["room", "person", "initiated", "moved", "terminated", "focus", "left", "dropped"]
    assert [line.split()[:5] for line in lines[:2]] == [["one", "1", "2", "1", "1"], ["one", "2", "1", "0", "0"]]
    assert [line.split("  ")[-1].strip() for line in lines] == ["no", "closed by the server", "yes"]


@pytest.mark.usefixtures("bridge")
def test_the_command_prints_the_table_and_fails_when_nobody_gets_in(lab: Shard) -> None:
    def command(*more: str) -> subprocess.CompletedProcess[str]:
        arguments = ["--domain", DOMAIN, "--address", "127.0.0.1", "--authority", str(lab.certificate), *more]
        return subprocess.run(
            [sys.executable, "-m", "local_cloud.people", *arguments], capture_output=True, text=True, timeout=60
        )

    done = command("--rooms", "2", "--minutes", "0.02")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 5
    done = command("--request", "xmpp", "--minutes", "0.02", "--port", "444")
    assert done.returncode == 1
    assert "people: " in done.stderr
    assert "connect:" in done.stderr


@pytest.mark.usefixtures("bridge")
def test_a_person_answers_what_it_is_asked(lab: Shard) -> None:
    """Another client of the room pings it, asks what it can do, and asks what nobody answers."""

    async def scene() -> None:
        async with meeting(lab.site(), "room") as (one, other):
            to = f"{other.room}/{other.nick}"
            answer = await one.ask("get", element("urn:xmpp:ping", "ping"), to)
            assert answer.get("type") == "result"
            query = element("http://jabber.org/protocol/disco#info", "query", node="https://example.org#x")
            told: Any = (await one.ask("get", query, to)).find(query.tag)
            assert told.get("node") == "https://example.org#x"
            assert [each.get("var") for each in told if each.get("var")] == FEATURES
            with pytest.raises(OSError, match="service-unavailable"):
                await one.ask("get", element("jabber:iq:version", "query"), to)

    asyncio.run(scene())
