"""The official release: what is unpacked, what is refused, and that an unreachable site costs little time."""

import hashlib
import io
import socket
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tools.conftest import Machine
from tools.engine import install, official, site
from tools.engine.pin import VERSION, RefusedError, UnavailableError
from tools.engine.pin import machine as this_machine

NAME = f"pulumi-v{VERSION}-{this_machine()}.tar.gz"
WRONG = "f" * 64
Talker = Callable[[Callable[[socket.socket], None]], None]

pytestmark = pytest.mark.usefixtures("machine")


def never(staging: Path) -> str:
    raise AssertionError(f"a wrong digest must end the run, yet {staging} was to be filled in another way")


def publish(folder: Path, listed_as: str = NAME, digest: str | None = None) -> None:
    """Put a tarball of the release's shape on the site, with its list of checksums."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for program in ("pulumi", "pulumi-language-python", "pulumi-language-python-exec"):
            member = tarfile.TarInfo(f"pulumi/{program}")
            member.size, member.mode = len(program), 0o755
            archive.addfile(member, io.BytesIO(program.encode()))
    (folder / NAME).write_bytes(packed.getvalue())
    digest = digest or hashlib.sha256(packed.getvalue()).hexdigest()
    (folder / f"pulumi-{VERSION}-checksums.txt").write_text(f"{'0' * 64}  pulumi-other.tar.gz\n{digest}  {listed_as}\n")


def test_a_release_with_the_published_digest_is_unpacked_ready_to_run(machine: Machine, release_site: Path) -> None:
    publish(release_site)
    engine = install.install([official.fetch])
    assert engine.folder == machine.cache / VERSION
    assert engine.pulumi.read_text() == "pulumi"
    assert engine.pulumi.stat().st_mode & 0o111
    assert NAME not in [file.name for file in engine.folder.iterdir()]


def test_a_release_with_another_digest_is_refused_and_not_replaced_by_a_build(
    machine: Machine, release_site: Path
) -> None:
    publish(release_site, digest=WRONG)
    with pytest.raises(RefusedError, match=f"but {WRONG} is published"):
        install.install([official.fetch, never])
    assert not (machine.cache / VERSION).exists()


def test_a_site_that_does_not_know_the_release_is_passed_over(release_site: Path, tmp_path: Path) -> None:
    publish(release_site, listed_as="something-else.tar.gz")
    with pytest.raises(UnavailableError, match="does not name"):
        official.fetch(tmp_path)


@pytest.mark.usefixtures("release_site")
def test_a_site_that_answers_404_is_passed_over(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="HTTP 404"):
        official.fetch(tmp_path)


def test_a_site_that_refuses_is_passed_over_at_once(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(UnavailableError, match="cannot be reached"):
        official.fetch(tmp_path)
    assert time.monotonic() - started < 2


def trickle(connection: socket.socket) -> None:
    """Answer for ever, one byte at a time: a socket's own time-out never ends this."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    try:
        while True:
            connection.sendall(b".")
            time.sleep(0.02)
    except OSError:
        connection.close()


def fall_silent(connection: socket.socket) -> None:
    time.sleep(30)
    connection.close()


@pytest.mark.parametrize("answer", [trickle, fall_silent])
def test_a_site_that_hangs_is_given_up_within_its_time(
    tmp_path: Path,
    talker: Talker,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[socket.socket], None],
) -> None:
    monkeypatch.setattr(site, "PATIENCE", 0.3)
    talker(answer)
    started = time.monotonic()
    with pytest.raises(UnavailableError):
        official.fetch(tmp_path)
    assert 0.3 <= time.monotonic() - started < 2


def test_a_question_to_the_site_may_take_five_seconds_in_all() -> None:
    assert site.PATIENCE == 5
