"""Level: the server of the archives, over real connections on loopback, and the certificates that it shows."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from local_cloud.images import authority
from local_cloud.images.prepare import Prepared
from local_cloud.images.web import Archives

TEXT = b"0123456789" * 1000


@pytest.fixture(scope="module")
def prepared(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Prepared:  # noqa: ARG001
    folder = tmp_path_factory.mktemp("web")
    (folder / "keys").mkdir()
    authority.make(folder / "keys")
    for name in ("deb.debian.org", "download.jitsi.org"):
        (folder / "www" / name / "pool").mkdir(parents=True)
        (folder / "www" / name / "pool/a+b%3a1~2_all.deb").write_bytes(TEXT + name.encode())
    (folder / "secret").write_text("not for the world")
    return Prepared({}, folder / "www", folder / "keys", "")


class Site:
    """The running server, asked as a host would."""

    def __init__(self, archives: Archives, ports: tuple[int, int], keys: Path) -> None:
        self.archives, self.ports = archives, ports
        self._trust = ssl.create_default_context(cafile=keys / "ca.crt")

    async def start(self) -> None:
        await self.archives.start("127.0.0.1", *self.ports)

    async def get(self, path: str, host: str = "deb.debian.org", secure: bool = True, **headers: str) -> httpx.Response:
        scheme, port = ("https", self.ports[1]) if secure else ("http", self.ports[0])
        async with httpx.AsyncClient(verify=self._trust) as client:
            return await client.get(
                f"{scheme}://127.0.0.1:{port}{path}",
                headers={"Host": host, **{name.replace("_", "-"): value for name, value in headers.items()}},
                extensions={"sni_hostname": host},
            )


@asynccontextmanager
async def running(prepared: Prepared) -> AsyncIterator[Site]:
    site = Site(Archives(prepared), (_free_port(), _free_port()), prepared.authority)
    await site.start()
    yield site
    await site.archives.stop()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def ask(prepared: Prepared, questions: Callable[[Site], Awaitable[None]]) -> None:
    async def session() -> None:
        async with running(prepared) as site:
            await questions(site)

    asyncio.run(session())


FILE = "/pool/a+b%253a1~2_all.deb"  # as apt writes an epoch in a file's name


@pytest.mark.parametrize("secure", [True, False], ids=["https", "http"])
def test_each_name_has_files_of_its_own(prepared: Prepared, secure: bool) -> None:
    async def questions(site: Site) -> None:
        for name in ("deb.debian.org", "download.jitsi.org"):
            assert (await site.get(FILE, name, secure)).content == TEXT + name.encode()

    ask(prepared, questions)


def test_a_host_that_trusts_the_test_ca_alone_accepts_every_name_that_is_answered_here(prepared: Prepared) -> None:
    async def questions(site: Site) -> None:
        for name in authority.NAMES:
            assert (await site.get("/", name)).status_code == 404
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await site.get("/", "www.debian.org")

    ask(prepared, questions)


def test_nothing_is_served_under_another_name(prepared: Prepared) -> None:
    async def questions(site: Site) -> None:
        for name in ("elsewhere.example", "..", ""):
            assert (await site.get(FILE, name, secure=False)).status_code == 404

    ask(prepared, questions)


def test_nothing_outside_of_the_archives_can_be_read(prepared: Prepared) -> None:
    async def questions(site: Site) -> None:
        for path in ("/../../secret", "/%2e%2e/%2e%2e/secret", "/..%2f..%2fsecret", "/pool"):
            assert (await site.get(path, secure=False)).status_code == 404

    ask(prepared, questions)


def test_a_broken_download_is_continued_where_it_ended(prepared: Prepared) -> None:
    async def questions(site: Site) -> None:
        whole = await site.get(FILE)
        rest = await site.get(FILE, Range="bytes=9995-", If_Range=whole.headers["Last-Modified"])
        assert rest.status_code == 206
        assert rest.content == whole.content[9995:]
        changed = await site.get(FILE, Range="bytes=9995-", If_Range="Thu, 01 Jan 2015 00:00:00 GMT")
        assert (changed.status_code, changed.content) == (200, whole.content)

    ask(prepared, questions)


def test_an_index_that_has_not_changed_is_not_sent_again(prepared: Prepared) -> None:
    async def questions(site: Site) -> None:
        seen = (await site.get(FILE)).headers["Last-Modified"]
        assert (await site.get(FILE, If_Modified_Since=seen)).status_code == 304
        file = prepared.archives / "deb.debian.org/pool/a+b%3a1~2_all.deb"
        os.utime(file, (file.stat().st_atime, file.stat().st_mtime + 60))
        assert (await site.get(FILE, If_Modified_Since=seen)).status_code == 200

    ask(prepared, questions)


def test_an_archive_that_is_down_refuses_connections_until_it_is_up_again(prepared: Prepared) -> None:
    async def questions(site: Site) -> None:
        await site.archives.stop()
        for secure in (True, False):
            with pytest.raises(httpx.ConnectError):
                await site.get(FILE, secure=secure)
        await site.start()
        assert (await site.get(FILE)).status_code == 200

    ask(prepared, questions)


def test_an_archive_goes_down_within_two_seconds_whatever_is_still_being_read(prepared: Prepared) -> None:
    async def questions(site: Site) -> None:
        big = prepared.archives / "deb.debian.org/pool/big"
        with big.open("wb") as file:
            file.truncate(1 << 28)
        reader, writer = await asyncio.open_connection("127.0.0.1", site.ports[0])
        writer.write(b"GET /pool/big HTTP/1.1\r\nHost: deb.debian.org\r\n\r\n")
        await reader.readexactly(1000)
        await asyncio.wait_for(site.archives.stop(), 2)
        writer.close()

    ask(prepared, questions)


def test_the_private_keys_can_be_read_by_their_owner_only(prepared: Prepared) -> None:
    modes = {file.name: file.stat().st_mode & 0o777 for file in prepared.authority.glob("*.key")}
    assert modes == dict.fromkeys(("ca.key", "server.key", "debian.key", "jitsi.key"), 0o600)
    assert prepared.authority.stat().st_mode & 0o777 == 0o700
