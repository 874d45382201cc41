"""The stand-in modules of jitsi-meet-prosody in the real prosody, configured by the files of the signaling role.

Asked stanza for stanza, as browsers and jicofo ask. Level 2: checked.

Over 200 lines: one prosody serves all of these tests, one or two for each module.
"""

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.level2_checked.rendered import signaling
from tests.packages.jicofo_shard import DOMAIN, Shard, fetch, shard, until
from tests.packages.xmpp_wire import NAMES, Session, Tcp, Web, fields, nothing_comes, refusal
from tools import checkers

MUC, AUTH = f"conference.{DOMAIN}", f"auth.{DOMAIN}"
COMPONENTS = {
    "speakerstats": f"speakerstats.{DOMAIN}",
    "end_conference": f"endconference.{DOMAIN}",
    "av_moderation": f"avmoderation.{DOMAIN}",
    "file-sharing": f"filesharing.{DOMAIN}",
    "polls": f"polls.{DOMAIN}",
    "room_metadata": f"metadata.{DOMAIN}",
}
# A place where more than a test's handful of people would be too fast.
SLOW = f"""
Component "slow.{DOMAIN}" "muc"
  storage = "memory"
  muc_room_locking = false
  modules_enabled = {{ "muc_rate_limit" }}
  muc_rate_joins = 4
"""
PING = "<ping xmlns='urn:xmpp:ping'/>"
Guest = Callable[..., Session]


@pytest.fixture(scope="module")
def site() -> Iterator[Shard]:
    try:
        with shard() as made:
            made.end(made.programs[0])
            (made.tree / "etc/prosody/conf.d/slow.cfg.lua").write_text(SLOW)
            made.run("prosody", "/usr/bin/prosody", "-F")
            until(lambda: fetch(5280, "GET", "/").status, 10, "prosody answers")
            yield made
    except checkers.UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture
def sessions(site: Shard) -> Iterator[ExitStack]:
    """All end with the test, which has made prosody write no error."""
    log = site.tree / "var/log/prosody/prosody.err"
    before = log.read_text()
    with ExitStack() as opened:
        yield opened
    assert log.read_text() == before


@pytest.fixture
def guest(sessions: ExitStack) -> Guest:
    return lambda query="": sessions.enter_context(Session(Web(DOMAIN, query), DOMAIN))


@pytest.fixture
def focus(sessions: ExitStack) -> Session:
    return sessions.enter_context(Session(Web(DOMAIN), AUTH, ("focus", signaling().focus_password)))


@pytest.fixture
def room(focus: Session, request: pytest.FixtureRequest) -> str:
    """A room in which jicofo is."""
    made = f"{request.node.name.replace('_', '-')[:60]}@{MUC}"
    focus.join(made, "focus")
    return made


def test_guests_have_no_passwords_and_names_by_chance(guest: Guest) -> None:
    first, second = guest(), guest()
    assert first.mechanisms == {"ANONYMOUS"}
    assert first.jid.partition("@")[0] != second.jid.partition("@")[0]


def test_the_domain_announces_its_components_its_shard_and_its_region(guest: Guest) -> None:
    found = {
        (each.get("category"), each.get("type")): each.get("name")
        for each in guest().info(DOMAIN).iterfind(".//info:identity", NAMES)
    }
    announced = COMPONENTS | {"lobbyrooms": f"lobby.{DOMAIN}", "breakout_rooms": f"breakout.{DOMAIN}"}
    assert {kind: found.get(("component", kind)) for kind in announced} == announced
    assert found["server", "shard"] == "shard-1"
    assert found["server", "region"] == "nbg1"


def test_clients_are_told_that_and_the_services_beside_it_unasked(guest: Guest) -> None:
    told = guest().wait(lambda each: each.find("info:query", NAMES) is not None)
    kinds = {each.get("type") for each in told.iterfind(".//info:identity", NAMES)}
    assert {"shard", "region", *COMPONENTS} <= kinds
    assert told.find("services:services", NAMES) is not None


@pytest.mark.parametrize("kind", COMPONENTS)
def test_components_say_what_they_are_and_refuse_what_they_do_not_serve(guest: Guest, kind: str) -> None:
    person, host = guest(), COMPONENTS[kind]
    assert {each.get("type") for each in person.info(host).iterfind(".//info:identity", NAMES)} == {kind}
    person.tell(host, "<something xmlns='http://jitsi.org/jitmeet'/>")
    assert refusal(person.wait(lambda each: each.get("from") == host)) == "feature-not-implemented"


def test_breakout_rooms_are_refused_and_not_passed_over(guest: Guest) -> None:
    person, host = guest(), f"breakout.{DOMAIN}"
    person.tell(host, "<breakout_rooms type='features/breakout-rooms/add' subject='a'/>")
    assert refusal(person.wait(lambda each: each.get("from") == host)) == "feature-not-implemented"


def test_only_the_focus_makes_rooms(guest: Guest) -> None:
    person = guest()
    person.ask_to_join(f"nobodys@{MUC}", "first")
    assert refusal(person.entered(f"nobodys@{MUC}", "first")) == "not-allowed"


def test_rooms_are_listed_to_nobody_and_described_to_their_occupants_alone(guest: Guest, room: str) -> None:
    person = guest()
    assert person.ask(MUC, f"<query xmlns='{NAMES['items']}'/>").findall(".//items:item", NAMES) == []
    assert refusal(person.info(room)) == "forbidden"
    person.join(room, "one")
    assert person.info(room).get("type") == "result"


def test_a_room_has_an_id_and_a_beginning(guest: Guest, room: str) -> None:
    person = guest()
    person.join(room, "one")
    told = fields(person.info(room))
    assert len(told["muc#roominfo_meetingId"]) == 36
    assert abs(int(told["muc#roominfo_created_timestamp"]) / 1000 - time.time()) < 60


def test_people_wait_at_the_door_until_the_focus_is_in(guest: Guest, focus: Session) -> None:
    room, person = f"door@{MUC}", guest()
    person_in = f"{room}/early"
    focus.ask_to_join(room, "other")
    focus.ask(DOMAIN, PING)  # prosody has read the one before
    with nothing_comes(person, lambda each: each.get("from") == person_in, 1):
        person.ask_to_join(room, "early")
    focus.ask_to_join(room, "focus")
    assert person.entered(room, "early").get("type") is None


def test_the_focus_needs_no_password_and_others_do(guest: Guest, focus: Session, room: str) -> None:
    secret = "muc#roomconfig_roomsecret"  # noqa: S105 - the name of the setting
    form = (
        f"<query xmlns='{NAMES['owner']}'><x xmlns='jabber:x:data' type='submit'>"
        "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>"
        f"<field var='{secret}'><value>sesame</value></field></x></query>"
    )
    assert focus.ask(room, form, "set").get("type") == "result"
    person, again = guest(), f"{room}/focus"
    person.ask_to_join(room, "one")
    assert refusal(person.entered(room, "one")) == "not-authorized"
    focus.send(f"<presence xmlns='jabber:client' to='{again}' type='unavailable'/>")
    focus.wait(lambda each: each.get("from") == again and each.get("type") == "unavailable")
    person.ask_to_join(room, "one", "sesame")
    person.entered(room, "one")
    focus.join(room, "focus")


def test_people_come_in_no_faster_than_the_limit_and_in_their_order(guest: Guest) -> None:
    """Trap 17: a class that begins on the hour."""
    room, people = f"class@slow.{DOMAIN}", [guest() for _ in range(13)]
    began = time.monotonic()
    for number, person in enumerate(people):
        person.ask_to_join(room, f"n{number}")
        person.ask(DOMAIN, PING)  # prosody has read the one before
    for number, person in enumerate(people):
        assert person.entered(room, f"n{number}", 10).get("type") is None
    # Four at once, then four a second.
    assert 2 < time.monotonic() - began < 6
    people[0].entered(room, "n12")
    arrived = [each.get("from", "").partition("/")[2] for each in people[0].unasked if each.tag.endswith("}presence")]
    assert arrived == [f"n{number}" for number in range(1, 12)]


def test_rooms_below_a_tenant_are_others_than_those_beside_it(guest: Guest, focus: Session) -> None:
    inside, outside = f"[acme]standup@{MUC}", f"standup@conference.acme.{DOMAIN}"
    focus.join(inside, "focus")
    person = guest()
    person.join(outside, "one")
    assert focus.entered(inside, "one").get("type") is None
    assert {each.get("from") for each in person.unasked if each.tag.endswith("}presence")} == {f"{outside}/focus"}


def test_requests_to_the_focus_reach_its_session_and_come_back(guest: Guest, focus: Session) -> None:
    person, host = guest(), f"focus.{DOMAIN}"
    request = f"<conference xmlns='{NAMES['focus']}' room='standup@conference.acme.{DOMAIN}'/>"
    assert refusal(person.ask(host, request, "set")) == "service-unavailable"
    focus.send("<presence xmlns='jabber:client'/>")
    focus.ask(DOMAIN, PING)
    person.send(f"<iq xmlns='jabber:client' type='set' id='asked' to='{host}'>{request}</iq>")
    reached = focus.wait(lambda each: each.find("focus:conference", NAMES) is not None)
    assert reached.get("from") == f"{host}/{person.jid}"
    conference = reached.find("focus:conference", NAMES)
    assert conference is not None
    assert conference.get("room") == f"[acme]standup@{MUC}"
    focus.send(f"<iq xmlns='jabber:client' type='result' id='{reached.get('id')}' to='{reached.get('from')}'/>")
    answer = person.wait(lambda each: each.get("id") == "asked")
    assert (answer.get("type"), answer.get("from")) == ("result", host)


def test_a_request_is_refused_when_the_focus_has_gone(guest: Guest, focus: Session) -> None:
    person, request = guest(), f"<conference xmlns='{NAMES['focus']}' room='a@{MUC}'/>"
    for kind in ("", " type='unavailable'"):
        focus.send(f"<presence xmlns='jabber:client'{kind}/>")
        focus.ask(DOMAIN, PING)
    assert refusal(person.ask(f"focus.{DOMAIN}", request, "set")) == "service-unavailable"


def test_bridges_may_send_large_stanzas_and_guests_may_not(sessions: ExitStack, site: Shard) -> None:
    large = f"<ping xmlns='urn:xmpp:ping'>{'x' * 300_000}</ping>"
    trust = ssl.create_default_context(cafile=Path(site.certificate))
    account = ("jvb", signaling().jvb_password)
    bridge = sessions.enter_context(Session(Tcp(AUTH, trust), AUTH, account))
    assert bridge.ask(AUTH, large).get("type") == "result"
    person = sessions.enter_context(Session(Tcp(DOMAIN, None), DOMAIN))
    person.send(f"<iq type='get' id='large' to='{DOMAIN}'>{large}</iq>")
    assert person.wait(lambda each: each.tag.endswith("}error")).find("*") is not None


def test_a_moderator_ends_the_meeting_for_all_and_others_cannot(guest: Guest, focus: Session) -> None:
    room = f"weekly@{MUC}"
    focus.join(room, "focus")
    person, host = guest("room=weekly"), COMPONENTS["end_conference"]
    person.join(room, "one")
    person.tell(host, "<end_conference/>")
    assert refusal(person.wait(lambda each: each.get("from") == host)) == "forbidden"
    grant = (
        "<query xmlns='http://jabber.org/protocol/muc#admin'>"
        f"<item affiliation='owner' jid='{person.jid.partition('/')[0]}'/></query>"
    )
    assert focus.ask(room, grant, "set").get("type") == "result"
    person.tell(host, "<end_conference/>")
    gone = focus.wait(lambda each: each.get("from") == f"{room}/focus" and each.get("type") == "unavailable")
    assert gone.find(".//user:destroy", NAMES) is not None
