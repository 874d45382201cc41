"""The stand-in packages, installed: what they leave on a host, what they keep, and what they take away again.

By the real dpkg and debconf of Debian 12 on a host that is not booted. Level 2: checked.

Over 200 lines: two hosts with everything installed serve all of these tests.
"""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_cloud.packages.build import build
from tests.level2_checked.rendered import bridge, landed, signaling
from tests.packages.debian import RECORDED
from tests.packages.unbooted import Unbooted, unbooted
from tools import checkers

DOMAIN = "meet.lab.test"
ANSWERS = """
jitsi-meet-prosody jitsi-videobridge/jvb-hostname string {domain}
jitsi-meet-prosody jitsi-videobridge/jvbsecret password jvb-Secret
jicofo jicofo/jicofo-authpassword password focus-Secret
jitsi-meet-web-config jitsi-meet/cert-choice select {choice}
jitsi-meet-web-config jitsi-meet/cert-path-key string /etc/jitsi-fleet/tls/site.key
jitsi-meet-web-config jitsi-meet/cert-path-crt string /etc/jitsi-fleet/tls/site.crt
jitsi-meet-web-config jitsi-meet/jaas-choice boolean false
"""
SELF_SIGNED, OWN = "Generate a new self-signed certificate", "I want to use my own certificate"
PATIENT = "--silent --fail --retry 50 --retry-delay 1 --retry-connrefused --max-time 20"
ORDER = ("jitsi-meet-web-config", "jitsi-meet-prosody", "jitsi-videobridge2", "jicofo", "jitsi-meet-web")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {file.name.partition("_")[0]: file for file in build(tmp_path_factory.mktemp("built"))}


@pytest.fixture(scope="module")
def plain(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unbooted]:
    """All packages on one host, with nothing there before but the answers."""
    try:
        with unbooted(tmp_path_factory.mktemp("plain")) as host:
            host.do("debconf-set-selections", ANSWERS.format(domain=DOMAIN, choice=SELF_SIGNED))
            host.install(*(packages[name] for name in ORDER))
            yield host
    except checkers.UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def prepared(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unbooted]:
    """All packages on one host, after the files of both roles, as their scripts do it."""
    try:
        with unbooted(tmp_path_factory.mktemp("prepared")) as host:
            node, worker = landed(signaling(domain=DOMAIN)), landed(bridge(domain=DOMAIN))
            for path, file in (worker | node).items():
                host.write(path, file.content, file.permissions)
            host.write("/etc/jitsi/videobridge/jvb.conf", worker["/etc/jitsi-fleet/jvb.conf"].content, "0600")
            host.write("/etc/jitsi/videobridge/config", "VIDEOBRIDGE_MAX_MEMORY=512m\n")
            host.do(
                f"cd /etc/jitsi-fleet/tls && cp web.key site.key && cp web.crt site.crt"
                f" && install -o prosody -g prosody -m 0600 auth.key /var/lib/prosody/auth.{DOMAIN}.key"
                f" && install -o prosody -g prosody -m 0644 auth.crt /var/lib/prosody/auth.{DOMAIN}.crt"
                f" && ln -sf /var/lib/prosody/auth.{DOMAIN}.key /var/lib/prosody/auth.{DOMAIN}.crt /etc/prosody/certs/"
                f" && ln -sf /etc/prosody/conf.avail/{DOMAIN}.cfg.lua /etc/prosody/conf.d/"
            )
            host.do("debconf-set-selections", ANSWERS.format(domain=DOMAIN, choice=OWN))
            host.install(*(packages[name] for name in ORDER))
            yield host
    except checkers.UnavailableError as error:
        pytest.skip(str(error))


def test_files_belong_to_whom_they_belong_after_a_real_installation(plain: Unbooted) -> None:
    recorded = (RECORDED / "modes.txt").read_text().splitlines()
    paths = [line.split()[2] for line in recorded]
    script = 'for path; do echo $(stat --printf \'%A %U:%G %n \' "$path"; readlink "$path"); done'
    assert plain.run("/bin/sh", "-c", script, "sh", *paths).stdout.splitlines() == recorded


def test_the_programs_have_users_of_their_own_in_one_group(plain: Unbooted) -> None:
    for user, home in (("jvb", "/usr/share/jitsi-videobridge"), ("jicofo", "/usr/share/jicofo")):
        line = plain.do(f"getent passwd {user}").strip().split(":")
        assert int(line[2]) < 1000
        assert line[3] == plain.do("getent group jitsi").split(":")[2]
        assert line[5:] == [home, "/bin/bash"]


def hocon(host: Unbooted, file: str, key: str) -> str:
    return host.do(f"hocon -f {file} get {key}").strip().strip('"')


def test_the_bridge_s_configuration_follows_the_answers(plain: Unbooted) -> None:
    client = "videobridge.apis.xmpp-client.configs.shard"
    file = "/etc/jitsi/videobridge/jvb.conf"
    assert hocon(plain, file, f"{client}.HOSTNAME") == "localhost"
    assert hocon(plain, file, f"{client}.DOMAIN") == f"auth.{DOMAIN}"
    assert hocon(plain, file, f"{client}.PASSWORD") == "jvb-Secret"
    assert hocon(plain, file, f"{client}.MUC_JIDS") == f"jvbbrewery@internal.auth.{DOMAIN}"
    assert re.fullmatch(r"[0-9a-f-]{36}", hocon(plain, file, f"{client}.MUC_NICKNAME"))
    assert "-Dconfig.file=/etc/jitsi/videobridge/jvb.conf" in plain.read("/etc/jitsi/videobridge/config")


def test_the_configuration_of_jicofo_follows_the_answers(plain: Unbooted) -> None:
    for key, value in {
        "xmpp.client.client-proxy": f"focus.{DOMAIN}",
        "xmpp.client.xmpp-domain": DOMAIN,
        "xmpp.client.domain": f"auth.{DOMAIN}",
        "xmpp.client.username": "focus",
        "xmpp.client.password": "focus-Secret",
        "bridge.brewery-jid": f"JvbBrewery@internal.auth.{DOMAIN}",
    }.items():
        assert hocon(plain, "/etc/jitsi/jicofo/jicofo.conf", f"jicofo.{key}") == value


def test_the_certificate_of_the_accounts_ends_after_a_year(plain: Unbooted) -> None:
    """Trap 31: nothing renews it."""
    certificate = f"/var/lib/prosody/auth.{DOMAIN}.crt"
    plain.do(f"openssl x509 -in {certificate} -noout -checkhost auth.{DOMAIN} | grep 'does match'")
    plain.do(f"openssl x509 -in {certificate} -noout -checkend $((364 * 86400))")
    assert plain.run("openssl", "x509", "-in", certificate, "-noout", "-checkend", str(366 * 86400)).returncode == 1


def test_focus_lets_its_component_see_when_it_is_online(plain: Unbooted) -> None:
    folder = f"/var/lib/prosody/auth%2e{DOMAIN.replace('.', '%2e')}"
    roster = plain.read(f"{folder}/roster/focus.dat")
    assert re.search(rf'\["focus\.{re.escape(DOMAIN)}"\] = \{{[^}}]*(\{{\}};)?\s*\["subscription"\] = "from"', roster)


def test_services_are_asked_in_the_recorded_order(plain: Unbooted) -> None:
    """prosody twice, for its accounts are made in between; the bridge and jicofo are configured after it."""
    asked = plain.asked_of_services()
    assert asked[:3] == ["nginx reload", "prosody restart", "prosody restart"]
    assert [each for each in asked if each.endswith(" start")] == ["jitsi-videobridge2.service start", "jicofo start"]


def test_nginx_accepts_the_site(plain: Unbooted) -> None:
    done = plain.run("/usr/sbin/nginx", "-t")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def web(plain: Unbooted) -> Callable[[str], tuple[str, str, str]]:
    """Asks the package's own site: status, content type and body."""
    plain.do("nginx")

    def ask(path: str) -> tuple[str, str, str]:
        shown = "%{http_code} %{content_type}"
        url = f"--insecure --resolve {DOMAIN}:443:127.0.0.1 'https://{DOMAIN}{path}'"
        answer = plain.do(f"curl --silent --output /tmp/body --write-out '{shown}' {url}")
        status, kind = answer.split()
        return status, kind, plain.read("/tmp/body")  # noqa: S108 - of that host

    return ask


@pytest.mark.parametrize("path", ["/", "/Standup", "/B%C3%BCro%20%F0%9F%8E%89", "/acme/Standup"])
def test_a_room_s_page_brings_its_settings_and_all_that_it_asks_for(
    web: Callable[[str], tuple[str, str, str]], path: str
) -> None:
    status, kind, page = web(path)
    assert (status, kind) == ("200", "text/html")
    assert f"domain: '{DOMAIN}'" in page
    assert f"var subdomain = '{'acme.' if 'acme' in path else ''}'" in page
    assert "<!--#" not in page
    for asked in re.findall(r'(?:src|href)="([^"]+\.[a-z]+)"', page):
        assert web(f"/{asked}")[0] == "200", asked


def test_what_is_not_there_is_said_by_the_package_s_page(web: Callable[[str], tuple[str, str, str]]) -> None:
    status, _, page = web("/images/none.png")
    assert status == "404"
    assert "stand-in" in page


def test_a_new_authority_in_java_s_store_restarts_jicofo_and_the_bridge(plain: Unbooted) -> None:
    """Trap 9: whatever changed the store. The script is called as dpkg does, who would not without Java's packages."""
    before = len(plain.asked_of_services())
    plain.do("/var/lib/dpkg/info/jitsi-meet-prosody.postinst triggered update-ca-certificates-java")
    assert plain.asked_of_services()[before:] == ["jitsi-videobridge2 restart", "jicofo restart"]


@pytest.mark.parametrize("which", ["plain", "prepared"])
def test_prosody_starts_without_a_complaint(which: str, request: pytest.FixtureRequest) -> None:
    """With the packages' modules, under the packages' own configuration and under that of the role."""
    host: Unbooted = request.getfixturevalue(which)
    with subprocess.Popen(
        host.command("/usr/bin/prosody", "-F", user="prosody"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as prosody:
        try:
            answer = host.do(f"curl {PATIENT} --header 'Host: {DOMAIN}' http://127.0.0.1:5280/http-bind")
            said = host.do("cat /var/log/prosody/prosody.log /var/log/prosody/prosody.err")
        finally:
            host.run("pkill", "--full", "/usr/bin/prosody")
            prosody.wait(20)
    assert "BOSH" in answer
    assert f"{DOMAIN}:http" in said, "the log must be that of this prosody"
    assert not [line for line in said.splitlines() if "\terror\t" in line or "\twarn\t" in line]


@pytest.fixture
def jicofo(plain: Unbooted) -> Iterator[Unbooted]:
    plain.do("rm -f /usr/local/bin/sleep && /etc/init.d/jicofo start")
    yield plain
    plain.run("/etc/init.d/jicofo", "stop")


def test_the_init_script_starts_restarts_and_ends_jicofo(jicofo: Unbooted) -> None:
    jicofo.do(f"curl {PATIENT} http://127.0.0.1:8888/about/version")
    shown = jicofo.do("ps -o user=,args= -C python3").split()
    assert shown[:3] == ["jicofo", "python3", "-Xmx3072m"]
    assert shown[3:] == ["/usr/share/jicofo/jicofo.py", "--config", "/etc/jitsi/jicofo/jicofo.conf"]
    first = jicofo.do("pgrep --euid jicofo python3")
    jicofo.do("/etc/init.d/jicofo restart")
    jicofo.do(
        f"while kill -0 {first.strip()} 2>/dev/null; do sleep 0.1; done; curl {PATIENT} 127.0.0.1:8888/about/version"
    )
    assert len(jicofo.do("pgrep --euid jicofo python3").split()) == 1, "the restarted one must outlive the first"
    jicofo.do("/etc/init.d/jicofo stop && sleep 3")
    assert jicofo.run("pgrep", "--euid", "jicofo", "python3").returncode == 1
    assert "Jicofo" in jicofo.read("/var/log/jitsi/jicofo.log")


@pytest.mark.parametrize(
    ("script", "variable", "file"),
    [
        ("/usr/share/jitsi-videobridge/jvb.sh", "VIDEOBRIDGE_MAX_MEMORY", "/etc/other.conf"),
        ("/usr/share/jicofo/jicofo.sh", "JICOFO_MAX_MEMORY", "/etc/other.conf"),
    ],
)
def test_memory_and_the_place_of_the_settings_come_from_the_environment(
    plain: Unbooted, script: str, variable: str, file: str
) -> None:
    plain.write("/opt/shown/python3", '#!/bin/sh\necho "$@"\n', "0755")
    asked = {
        variable: "640m",
        "JAVA_SYS_PROPS": f"-Dconfig.file={file} -Dother=1",
        "PATH": "/opt/shown:/usr/sbin:/usr/bin:/bin",
    }
    shown = plain.do(script, **asked).split()
    assert shown[0] == "-Xmx640m"
    assert shown[2:] == ["--config", file]
    refused = plain.run(script, **(asked | {variable: "640 MB"}))
    assert refused.returncode == 1
    assert "Invalid maximum heap size: -Xmx640 MB" in refused.stderr


def test_what_the_roles_wrote_first_is_kept(prepared: Unbooted) -> None:
    node, worker = landed(signaling(domain=DOMAIN)), landed(bridge(domain=DOMAIN))
    kept = f"/etc/prosody/conf.avail/{DOMAIN}.cfg.lua"
    assert prepared.read(kept) == node[kept].content
    assert prepared.read("/etc/prosody/prosody.cfg.lua") == node["/etc/prosody/prosody.cfg.lua"].content
    assert prepared.read("/etc/jitsi/videobridge/jvb.conf") == worker["/etc/jitsi-fleet/jvb.conf"].content
    assert prepared.read("/etc/jitsi/videobridge/config").startswith("VIDEOBRIDGE_MAX_MEMORY=512m\n")
    assert prepared.read(f"/var/lib/prosody/auth.{DOMAIN}.crt") == node["/etc/jitsi-fleet/tls/auth.crt"].content
    assert prepared.run("test", "-e", f"/usr/local/share/ca-certificates/auth.{DOMAIN}.crt").returncode == 1


def test_the_package_adds_its_own_to_the_role_s_jicofo_conf_and_keeps_the_rest(prepared: Unbooted) -> None:
    values = signaling(domain=DOMAIN)
    file = "/etc/jitsi/jicofo/jicofo.conf"
    assert hocon(prepared, file, "jicofo.xmpp.client.password") == values.focus_password
    assert hocon(prepared, file, "jicofo.bridge.brewery-jid") == f"jvbbrewery@internal.auth.{DOMAIN}"
    assert hocon(prepared, file, "jicofo.health.enabled") == "true"
    assert hocon(prepared, file, "jicofo.xmpp.trusted-domains") == "[]"


def test_a_certificate_of_one_s_own_is_used_and_none_is_made(prepared: Unbooted) -> None:
    site = prepared.read(f"/etc/nginx/sites-available/{DOMAIN}.conf")
    assert "ssl_certificate /etc/jitsi-fleet/tls/site.crt;" in site
    assert "ssl_certificate_key /etc/jitsi-fleet/tls/site.key;" in site
    assert prepared.run("test", "-e", f"/etc/jitsi/meet/{DOMAIN}.crt").returncode == 1


def test_an_upgrade_forgets_what_was_added_to_the_options_of_jicofo(
    prepared: Unbooted, packages: dict[str, Path]
) -> None:
    """Trap 10; those of the bridge are kept."""
    prepared.do("echo JICOFO_MAX_MEMORY=1g >>/etc/jitsi/jicofo/config; echo X=1 >>/etc/jitsi/videobridge/config")
    prepared.install(packages["jicofo"], packages["jitsi-videobridge2"])
    assert "JICOFO_MAX_MEMORY" not in prepared.read("/etc/jitsi/jicofo/config")
    kept = prepared.read("/etc/jitsi/videobridge/config")
    assert kept.endswith("X=1\n")
    assert kept.count("JAVA_SYS_PROPS=") == 1


def found(host: Unbooted) -> set[str]:
    """All files but those that dpkg and debconf keep for themselves."""
    walk = "import os; [print(f'{at}/{name}') for at, _, names in os.walk('/') for name in names]"
    own = ("/dev/", "/proc/", "/sys/", "/tmp/", "/var/lib/dpkg/")  # noqa: S108 - what another tree has there
    listed = host.do(f'/usr/bin/python3 -c "{walk}"').splitlines()
    return {path.replace("//", "/") for path in listed if not path.replace("//", "/").startswith(own)}


def test_a_purge_leaves_accounts_and_nothing_else(packages: dict[str, Path], tmp_path: Path) -> None:
    """prosody's accounts are prosody's."""
    try:
        with unbooted(tmp_path) as host:
            host.do("debconf-set-selections", ANSWERS.format(domain=DOMAIN, choice=SELF_SIGNED))
            before = found(host)
            host.install(*(packages[name] for name in ORDER))
            host.do("dpkg --purge " + " ".join(reversed(ORDER)))
            left = {path for path in found(host) - before if re.search(f"jitsi|jicofo|jvb|{DOMAIN}|focus", path)}
            accounts = f"/var/lib/prosody/auth%2e{DOMAIN.replace('.', '%2e')}"
            assert {path for path in left if not path.startswith(accounts)} == set()
            for user in ("jvb", "jicofo"):
                assert host.run("getent", "passwd", user).returncode == 2
    except checkers.UnavailableError as error:
        pytest.skip(str(error))
