"""Level 3: which jicofo.conf the stand-in takes, what it refuses, and how it meets a server that it cannot trust."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.packages.jicofo_shard import DOMAIN, PACKAGES, Answer, Shard, until

WRONG = {"xmpp__client__password": "wrong"}
# So that nothing has to be waited for.
QUICK = {"health__interval": "1 s"}
KEYS = dict(
    line.split("\t")
    for line in (PACKAGES / "known_keys/jicofo.txt").read_text().splitlines()
    if not line.startswith("#")
)


def started(lab: Shard, **keys: Any) -> tuple[Shard, Any]:
    program = lab.jicofo(**(QUICK | keys))
    until(lambda: lab.get("/about/version").status, 30, "REST answers")
    return lab, program


def test_a_key_that_jicofo_does_not_know_is_named_and_nothing_starts(cleared: Shard) -> None:
    jicofo = cleared.jicofo(bridge__selection_stratgy="SingleBridgeSelectionStrategy")
    assert jicofo.process.wait(30) == 1
    assert "unknown key jicofo.bridge.selection-stratgy" in jicofo.said()


def test_a_file_that_is_no_hocon_is_refused(cleared: Shard) -> None:
    (cleared.tree / "etc/jitsi/lab").mkdir(parents=True, exist_ok=True)
    (cleared.tree / "etc/jitsi/lab/broken.conf").write_text("jicofo { bridge {")
    program = cleared.run(
        "broken", "/usr/bin/python3", "/usr/share/jicofo/jicofo.py", "--config", "/etc/jitsi/lab/broken.conf"
    )
    assert program.process.wait(30) == 1
    assert "broken.conf cannot be read" in program.said()


def test_a_duration_that_is_none_is_named(cleared: Shard) -> None:
    jicofo = cleared.jicofo(xmpp__client__reply_timeout="soon")
    assert jicofo.process.wait(30) == 1
    assert "jicofo.xmpp.client.reply-timeout = soon is not a duration" in jicofo.said()


def test_every_key_of_jicofo_is_taken(cleared: Shard) -> None:
    """With its default, all in one file; a table takes a name of its own."""
    given = {
        key.removeprefix("jicofo."): default for key, default in KEYS.items() if not key.startswith("jicofo.xmpp.")
    }
    keys = {
        key.replace(".*", ".own").replace(".", "__").replace("-", "_"): "x" if default == "-" else json.loads(default)
        for key, default in given.items()
    }
    lab, jicofo = started(cleared, **(keys | {"bridge__health_checks__retry_delay": "1 s"}))
    assert lab.get("/about/version").json["name"] == "JiCoFo"
    jicofo.end()


def test_the_version_of_rest_has_a_dot_where_the_package_has_a_dash(cleared: Shard) -> None:
    lab, jicofo = started(cleared)
    assert lab.get("/about/version").json["version"] == "1.0.1189-gstandin"
    asked = cleared.run("version", "/usr/bin/python3", "/usr/share/jicofo/jicofo.py", "--version")
    assert asked.process.wait(30) == 0
    assert asked.said().split()[-1] == "1.0-1189-gstandin-1"
    jicofo.end()


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("health__enabled", "/about/health"),
        ("rest__debug__enabled", "/debug"),
        ("rest__prometheus__enabled", "/metrics"),
        ("rest__move_endpoints__enabled", "/move-endpoints/move-endpoints"),
    ],
)
def test_a_switched_off_part_of_rest_is_not_there(cleared: Shard, key: str, path: str) -> None:
    lab, jicofo = started(cleared, **{key: False})
    answers: list[Answer] = [lab.get(path), lab.get("/stats")]
    assert [each.status for each in answers] == [404, 200]
    jicofo.end()


def test_a_wrong_password_is_said_and_tried_again_every_second(cleared: Shard) -> None:
    lab, jicofo = started(cleared, **WRONG)
    refused = "Failed to connect/login: SASLError using SCRAM-SHA-1: not-authorized"
    took = until(lambda: jicofo.said().count(refused) >= 4, 10, "it goes on trying")
    assert 2 < took < 6
    assert lab.numbers()["bridge_selector"]["bridge_count"] == 0
    jicofo.end()


def test_a_server_whose_authority_is_unknown_is_not_logged_in_to(cleared: Shard) -> None:
    bundle = cleared.certificate
    kept = bundle.read_text()
    stranger = Path(next(iter(sorted((cleared.tree / "usr/share/ca-certificates/mozilla").glob("*.crt")))))
    bundle.write_text(stranger.read_text())
    try:
        _, jicofo = started(cleared)
        until(lambda: "PKIX path building failed" in jicofo.said(), 10, "it says why")
        assert "Registered" not in jicofo.said()
        jicofo.end()
    finally:
        bundle.write_text(kept)


def test_a_certificate_for_another_name_is_not_accepted(cleared: Shard) -> None:
    """prosody shows the web's certificate, which the same authority has signed."""
    places = [cleared.tree / f"etc/prosody/certs/auth.{DOMAIN}.{kind}" for kind in ("crt", "key")]
    kept = [place.read_text() for place in places]
    for place in places:
        place.write_text((cleared.tree / f"etc/jitsi-fleet/tls/web{place.suffix}").read_text())
    cleared.restart_prosody()
    try:
        _, jicofo = started(cleared)
        until(lambda: "Hostname mismatch" in jicofo.said(), 10, "it says why")
        assert "Registered" not in jicofo.said()
        jicofo.end()
    finally:
        for place, text in zip(places, kept, strict=True):
            place.write_text(text)
        cleared.restart_prosody()


def test_without_verification_it_logs_in_all_the_same(cleared: Shard) -> None:
    bundle = cleared.certificate
    kept = bundle.read_text()
    bundle.write_text("")
    try:
        _, jicofo = started(cleared, xmpp__client__disable_certificate_verification=True)
        until(lambda: "Registered" in jicofo.said(), 10, "it logs in")
        jicofo.end()
    finally:
        bundle.write_text(kept)


def test_the_role_s_own_settings_are_taken_as_they_are(cleared: Shard) -> None:
    jicofo = cleared.jicofo()
    until(lambda: "Joined the room." in jicofo.said(), 10, "it joins the brewery")
    assert cleared.get("/debug").json["bridge_selector"]["strategy"] == "RegionBasedBridgeSelectionStrategy"
    jicofo.end()


def test_a_restart_may_let_the_old_and_the_new_one_overlap(cleared: Shard) -> None:
    """The packaged init script does not wait for the end of the old one."""
    _, old = started(cleared)
    new = cleared.jicofo()
    until(lambda: "Starting ktor" in new.said(), 10, "the new one wants the port")
    assert new.process.poll() is None
    assert old.end(signal.SIGTERM) == 143
    until(lambda: cleared.get("/about/version").status, 10, "the new one has it")
    new.end()


def test_a_brewery_that_cannot_be_joined_is_tried_again(cleared: Shard) -> None:
    _, jicofo = started(cleared, bridge__brewery_jid=f"jvbbrewery@absent.{DOMAIN}")
    until(lambda: jicofo.said().count("BaseBrewery.start: Failed to join") == 2, 15, "it tries again")
    assert cleared.get("/about/health").status == 500
    jicofo.end()
