"""Level 2: the real nginx with the rendered site, asked over loopback. An echo stands in for prosody and jicofo."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import pytest

from components.doors import Role
from tests.level2_checked.conftest import Host
from tests.level2_checked.rendered import DOMAIN
from tests.level2_checked.test_checkers import prepare_nginx

HTML = "<!doctype html><title>the web client</title>"
ECHO = """
import http.server, sys, threading

class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = {5280: "prosody", 8888: "jicofo"}[self.server.server_port]
        seen = [name, self.path, self.headers["Host"], self.headers["X-Forwarded-For"] or ""]
        body = " ".join(seen).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

for port in (5280, 8888):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Echo)
    threading.Thread(target=server.serve_forever).start()
print("ready", flush=True)
"""
ASK = """
set -e
ip link set lo up
: >/run/echo
python3 /root/echo.py >/run/echo & echo=$!
until grep -q ready /run/echo; do sleep 0.1; done
nginx
while read -r url; do
  curl --silent --max-time 10 --cacert /usr/local/share/ca-certificates/jitsi-fleet.crt \
    --resolve "$DOMAIN:443:127.0.0.1" --resolve "$DOMAIN:80:127.0.0.1" \
    --resolve "$DOMAIN:8100:127.0.0.1" --output /run/body \
    --dump-header /run/headers --write-out '%{http_code}' "$url" >/run/code
  python3 -c 'import json; print(json.dumps([open("/run/" + name, errors="replace").read()
    for name in ("code", "headers", "body")]))'
  : >/run/body
done
nginx -s quit
kill $echo
"""


@dataclass(frozen=True)
class Answer:
    code: int
    headers: Mapping[str, str]
    body: str


Ask = Callable[..., list[Answer]]


@pytest.fixture(scope="module")
def ask(host: Callable[[Role, str], Host]) -> Ask:
    """`ask(path, ...)` answers of the site, in order; all of one call go to one nginx."""
    node = host("signaling", "plain")
    prepare_nginx(node)
    node.write("/usr/share/jitsi-meet/index.html", HTML)
    node.write("/usr/share/jitsi-meet/libs/app.js", "app")
    node.write("/usr/share/jitsi-meet/page.html", '<script><!--#include virtual="/config.js" --></script>')
    node.write("/var/lib/jitsi-fleet/acme/.well-known/acme-challenge/token", "proof")
    node.write("/var/lib/jitsi-fleet/manifest/versions", "jicofo=1\n")
    node.write("/root/echo.py", ECHO)
    node.write("/root/ask.sh", f"DOMAIN={DOMAIN}\n{ASK}")

    def answers(*paths: str) -> list[Answer]:
        urls = [path if "://" in path else f"https://{DOMAIN}{path}" for path in paths]
        done = node.run("/bin/bash", "/root/ask.sh", text="\n".join(urls) + "\n")
        assert done.returncode == 0, done.stderr + done.stdout
        return [_answer(*json.loads(line)) for line in done.stdout.splitlines()]

    return answers


def _answer(code: str, headers: str, body: str) -> Answer:
    pairs = [line.partition(": ") for line in headers.splitlines()]
    return Answer(int(code), {name.lower(): value for name, colon, value in pairs if colon}, body)


def test_the_site_is_verified_by_the_cluster_s_ca_and_sends_its_headers(ask: Ask) -> None:
    (page,) = ask("/")
    assert (page.code, page.body) == (200, HTML)
    assert page.headers["strict-transport-security"] == "max-age=63072000"
    assert page.headers["x-jitsi-shard"] == "shard-1"
    assert page.headers["x-content-type-options"] == "nosniff"


def test_a_room_of_any_letters_is_the_web_client(ask: Ask) -> None:
    rooms = ["room", "Zoë meets", "日本語", "a b", "a+b", "100%", "ñ;x=1", "..room", "school/room", "school/日本"]
    for room, answer in zip(rooms, ask(*(f"/{quote(room)}" for room in rooms)), strict=True):
        assert (answer.code, answer.body) == (200, HTML), room


def test_a_name_with_a_letter_that_the_web_client_refuses_is_no_room(ask: Ask) -> None:
    assert [answer.code for answer in ask("/o'brien", "/a:b", "/a%22b", "/a&b")] == [404] * 4


def test_health_is_jicofo_s_own(ask: Ask) -> None:
    """The packaged site answers 200 with the web client, whatever happens to jicofo."""
    (health,) = ask("/about/health")
    assert health.body.startswith("jicofo /about/health ")


def test_tenants_reach_prosody_with_their_prefix(ask: Ask) -> None:
    plain, tenant, websocket = ask("/http-bind?room=a", "/school/http-bind?room=a", "/xmpp-websocket?room=%C3%BC")
    assert plain.body == f"prosody /http-bind?prefix=&room=a {DOMAIN} 127.0.0.1"
    assert tenant.body == f"prosody /http-bind?prefix=school&room=a {DOMAIN} 127.0.0.1"
    assert websocket.body == f"prosody /xmpp-websocket?prefix=&room=%C3%BC {DOMAIN} 127.0.0.1"


def test_config_js_knows_the_tenant(ask: Ask) -> None:
    plain, tenant = ask("/config.js", "/school/config.js")
    assert "var subdir = '';" in plain.body
    assert plain.headers["content-type"].startswith("application/javascript")
    assert "var subdir = 'school/';" in tenant.body
    assert "var subdomain = 'school.';" in tenant.body


def test_a_page_that_includes_config_js_knows_the_tenant(ask: Ask) -> None:
    """As the web client's own page does; a `set` of the whole site ran again for what is included."""
    plain, tenant = ask("/page.html", "/school/page.html")
    assert "var subdir = '';" in plain.body
    assert "var subdir = 'school/';" in tenant.body
    assert "var subdomain = 'school.';" in tenant.body


def test_scripts_can_be_kept_by_browsers_and_settings_cannot(ask: Ask) -> None:
    script, versioned, settings, page = ask("/libs/app.js", "/libs/app.js?v=1", "/config.js", "/room")
    assert script.headers["etag"]
    assert versioned.headers["cache-control"] == "max-age=315360000"
    for answer in (settings, page):
        assert not {"etag", "last-modified", "expires", "cache-control"} & answer.headers.keys()


def test_of_jicofo_only_health_and_conference_requests_are_public(ask: Ask) -> None:
    paths = ["/debug", "/move-endpoints/move-endpoints", "/metrics", "/pin", "/stats", "/about/version", "/room-census"]
    for path, answer in zip(paths, ask(*paths), strict=True):
        assert not answer.body.startswith(("jicofo", "prosody")), path
    (request,) = ask("/conference-request/v1")
    assert request.body.startswith("jicofo /conference-request/v1 ")


def test_plain_http_redirects_except_for_challenges(ask: Ask) -> None:
    page, challenge = ask(f"http://{DOMAIN}/room?x=1", f"http://{DOMAIN}/.well-known/acme-challenge/token")
    assert (page.code, page.headers["location"]) == (301, f"https://{DOMAIN}/room?x=1")
    assert challenge.body == "proof"


def test_the_manifest_is_for_bridges_only(ask: Ask) -> None:
    (manifest,) = ask(f"http://{DOMAIN}:8100/versions")
    assert manifest.code == 403


def test_missing_files_are_missing(ask: Ask) -> None:
    there, gone, alive = ask("/libs/app.js?v=1", "/libs/gone.js", "/_unlock")
    assert (there.code, gone.code, alive.code) == (200, 404, 204)
