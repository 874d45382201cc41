"""Level 4: the web page in a browser: it opens, has run the settings of its room, and reaches prosody and jicofo."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.booted.booted import Cluster
from tests.booted.browser import Page, browser
from tests.booted.web import Web
from tools import chromium

PICTURES = Path(__file__).parent / "artifacts"
# Resolves when prosody has answered over the address that config.js names.
SPEAK_XMPP = """new Promise((resolve, reject) => {
  const socket = new WebSocket(config.websocket, 'xmpp');
  socket.onopen = () => socket.send(
    `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='${config.hosts.domain}' version='1.0'/>`);
  socket.onmessage = (message) => { resolve(message.data); socket.close(); };
  socket.onerror = () => reject(new Error('no answer from ' + config.websocket));
})"""


@pytest.fixture(scope="module")
def page(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = chromium.program()
    if program is None:
        pytest.skip("no chromium here: sudo apt-get install chromium")
    web = Web.of(cluster)
    folder = tmp_path_factory.mktemp("chromium")
    with browser(program, folder, {web.domain: web.address}, web.certificate()) as page:
        yield page


def test_a_room_opens_in_a_browser(page: Page, cluster: Cluster) -> None:
    """The picture stays in tests/booted/artifacts."""
    page.open(f"https://{cluster.domain}/{quote('Zoë trifft Jürgen')}")
    assert page.value("config.hosts.domain") == cluster.domain
    assert page.value("config.bosh") == f"https://{cluster.domain}/http-bind"
    assert page.value("subdir") == ""
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / ".gitignore").write_text("*\n")
    picture = PICTURES / "room.png"
    page.picture(picture)
    print(f"picture: {picture}")
    assert picture.stat().st_size > 5000, "nothing but one colour"


def test_a_room_below_a_tenant_has_the_tenant_s_settings_in_a_browser(page: Page, cluster: Cluster) -> None:
    page.open(f"https://{cluster.domain}/school/room")
    assert page.value("config.hosts.muc") == f"conference.school.{cluster.domain}"
    assert page.value("config.websocket") == f"wss://{cluster.domain}/school/xmpp-websocket"


def test_a_browser_reaches_prosody_and_jicofo(page: Page, cluster: Cluster) -> None:
    for room in ("room", "school/room"):
        page.open(f"https://{cluster.domain}/{room}")
        assert f"from='{cluster.domain}'" in page.value(SPEAK_XMPP).replace('"', "'")
        assert page.value("fetch('/about/health').then((answer) => answer.text())") == "OK"
