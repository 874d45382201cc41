"""Level 4: the web site from outside: TLS, headers, settings, what browsers may keep."""

import gzip
import ssl

import pytest

from tests.booted.booted import Cluster
from tests.booted.web import Web


def test_the_certificate_is_the_cluster_s_and_for_its_domain_alone(web: Web) -> None:
    with web.handshake(web.trust()) as secured:
        told = secured.getpeercert()
    assert told
    assert told["subjectAltName"] == (("DNS", web.domain),)
    with pytest.raises(ssl.SSLCertVerificationError):
        web.handshake(ssl.create_default_context())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_current_tls_is_spoken(web: Web, version: ssl.TLSVersion) -> None:
    context = web.trust()
    context.minimum_version = context.maximum_version = version
    with web.handshake(context) as secured:
        assert secured.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused_by_the_site(web: Web, version: ssl.TLSVersion) -> None:
    context = web.trust()
    context.set_ciphers("ALL:@SECLEVEL=0")  # else the client would refuse it first
    context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLError, match=r"alert protocol version"):
        web.handshake(context)


def test_browsers_get_http_2(web: Web) -> None:
    context = web.trust()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with web.handshake(context) as secured:
        assert secured.selected_alpn_protocol() == "h2"


def test_plain_http_leads_to_https_whatever_is_asked_for(web: Web) -> None:
    for path in ("/", "/Zo%C3%AB?jwt=a%20b", "/school/room", "/config.js"):
        answer = web.ask(path, port=80)
        assert (answer.status, answer.headers["location"]) == (301, f"https://{web.domain}{path}")
    stranger = web.ask("/", headers={"Host": "elsewhere.example"}, port=80)
    assert stranger.headers["location"] == f"https://{web.domain}/"


def test_every_answer_has_the_site_s_headers(web: Web) -> None:
    for path in ("/", "/room", "/config.js", "/http-bind", "/about/health", "/libs/gone.js", "/css/all.css?v=1"):
        headers = web.ask(path).headers
        assert headers["strict-transport-security"] == "max-age=63072000", path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "strict-origin-when-cross-origin", path
        assert headers["x-jitsi-shard"] == "shard-1", path


def test_no_version_of_a_server_is_told(web: Web) -> None:
    for port in (80, 443):
        for path in ("/", "/libs/gone.js", "/%zz"):
            answer = web.ask(path, port=port)
            assert answer.headers["server"] == "nginx", (port, path)
            assert b"nginx/" not in answer.body, (port, path)
            assert "x-powered-by" not in answer.headers, (port, path)


def test_config_js_leads_browsers_to_this_site(web: Web) -> None:
    plain, tenant = web.ask("/config.js"), web.ask("/school/config.js")
    for answer in (plain, tenant):
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("application/javascript")
        assert f'var domain = "{web.domain}";' in answer.text
        assert "<!--#" not in answer.text
    assert "var subdir = '';" in plain.text
    assert "var subdomain = '';" in plain.text
    assert "var subdir = 'school/';" in tenant.text
    assert "var subdomain = 'school.';" in tenant.text


def test_config_js_names_no_shard(web: Web) -> None:
    """Trap 13: the page may come from another shard than the room, and reloads for ever when the two differ."""
    assert "shard" not in web.ask("/config.js").text
    assert web.ask("/xmpp-websocket").headers["x-jitsi-shard"] == "shard-1"


def test_health_is_jicofo_s_and_not_the_web_client(web: Web) -> None:
    """Trap 14: the packaged site answers 200 with the page of a room, whatever happens to jicofo."""
    assert web.ask("/about/health").text == "OK"


def test_settings_are_asked_for_again_and_scripts_are_kept(web: Web) -> None:
    """Page and settings are made for each request; scripts carry a version in their address."""
    for path in ("/", "/room", "/config.js"):
        assert not {"etag", "last-modified", "expires", "cache-control"} & web.ask(path).headers.keys(), path
    script = "/libs/app.bundle.min.js"
    assert web.ask(f"{script}?v=1").headers["cache-control"] == "max-age=315360000"
    etag = web.ask(script).headers["etag"]
    assert web.ask(script, headers={"If-None-Match": etag}).status == 304


def test_text_is_packed_for_browsers_that_ask(web: Web, page: str) -> None:
    for path, whole in (("/", page), ("/libs/app.bundle.min.js", web.ask("/libs/app.bundle.min.js").text)):
        packed = web.ask(path, headers={"Accept-Encoding": "gzip, br"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["vary"] == "Accept-Encoding"
        assert len(packed.body) < len(whole.encode())
        assert gzip.decompress(packed.body).decode() == whole


def test_what_is_missing_gets_the_client_s_own_404_page(web: Web, cluster: Cluster) -> None:
    missing = web.ask("/static/nothing-here.html")
    own = cluster.shard.run("cat /usr/share/jitsi-meet/static/404.html")
    assert missing.status == 404
    assert missing.headers["content-type"].startswith("text/html")
    assert own.splitlines()[0].strip() in missing.text
    assert "<center>" not in missing.text, "this page is nginx's own"
