"""Level 4: rooms whose names have any letters, from outside: page, settings, and the ways to prosody and jicofo."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from tests.booted.booted import eventually
from tests.booted.web import Web

BOSH = "http://jabber.org/protocol/httpbind"
ROOMS = [
    *("Zoë trifft Jürgen", "Привет мир", "日本語の部屋", "👩‍🏫 class 🎉", "a+b", "100% done", "ñ;x=1", "a=b,c", "(7)"),
    *("..room", "room..", "...", "a.b.c", "config.json", "~", "%2e", "\\", "<b>", "{{7*7}}", "$subdir", "x" * 2000),
]
NO_ROOMS = ["/o'brien", "/a:b", "/a%22b", "/a&b"]
# Neither a file of the host nor a page: nginx refuses them before it looks for anything.
REFUSED = [
    "/..",
    "/../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/room%2f..%2f..%2fetc/passwd",
    "/100%",
    "/%zz",
    "/a%00b",
]


def test_every_room_is_the_web_client_whatever_its_letters(web: Web, page: str) -> None:
    for room in ROOMS:
        answer = web.ask(f"/{quote(room, safe='')}?lang=de")
        assert (answer.status, answer.text == page) == (200, True), room


def test_what_is_no_room_is_not_found_or_refused(web: Web) -> None:
    assert [web.ask(path).status for path in NO_ROOMS] == [404] * len(NO_ROOMS)
    assert [web.ask(path).status for path in REFUSED] == [400] * len(REFUSED)
    assert web.ask("/" + "x" * 40_000).status == 414


def test_a_page_below_a_tenant_has_the_tenant_s_settings(web: Web, page: str) -> None:
    assert "var subdir = '';" in page
    for tenant in ("school", "schöne schule", "Школа"):
        text = web.ask(f"/{quote(tenant)}/{quote('Zoë')}").text
        assert f"var subdir = '{quote(tenant)}/';" in text
        assert page.splitlines()[-1] in text


@pytest.mark.parametrize("tenant", ["", "/school", "/sch%C3%B6ne%20schule"])
def test_prosody_answers_over_bosh(web: Web, tenant: str) -> None:
    body = f"<body xmlns='{BOSH}' rid='1' to='{web.domain}' ver='1.6' wait='5' hold='1' xml:lang='en'/>"
    answer = web.ask(f"{tenant}/http-bind?room=zo%C3%AB", body, {"Content-Type": "text/xml; charset=utf-8"})
    assert answer.status == 200
    opened = ET.fromstring(answer.text)  # noqa: S314 - expat bounds entities
    assert opened.tag == f"{{{BOSH}}}body"
    assert opened.get("sid"), answer.text
    assert opened.get("from") == web.domain


@pytest.mark.parametrize("tenant", ["", "/school", "/sch%C3%B6ne%20schule"])
def test_prosody_answers_over_websocket(web: Web, tenant: str) -> None:
    with web.websocket(f"{tenant}/xmpp-websocket?room=zo%C3%AB") as stream:
        assert web.greeted(stream)


@pytest.mark.parametrize("room", ["plain", "Zoë & Jürgen", "日本語", "class 🎉"])
def test_jicofo_makes_a_room_of_any_letters_ready(web: Web, room: str) -> None:
    name = quote(room, safe="").lower()  # as the web client writes it
    address = f"{name}@conference.{web.domain}"
    asked = {"room": address, "machineUid": "test", "properties": {}}
    path = f"/conference-request/v1?room={quote(name)}"
    # The first request makes jicofo join the room; whoever asks again later is told that it is there.
    eventually(lambda: web.post(path, asked)["ready"], 20, pause=1)


def test_a_school_behind_one_address_may_come_in_at_once(web: Web) -> None:
    """Trap 17: a class of 300 that begins on the hour asks for its room in one moment."""
    body = json.dumps({"room": f"assembly@conference.{web.domain}", "machineUid": "test", "properties": {}})
    headers = {"Content-Type": "application/json"}
    with ThreadPoolExecutor(16) as pupils:
        asked = [pupils.submit(web.ask, "/conference-request/v1?room=assembly", body, headers) for _ in range(300)]
        answers = Counter(each.result().status for each in asked)
    assert answers == {200: 300}
