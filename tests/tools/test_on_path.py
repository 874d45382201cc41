"""`pulumi` in a plain shell: the link is made where it helps, and never over what somebody else put there."""

from pathlib import Path

import pytest

from tests.tools.conftest import Machine
from tools.engine import on_path
from tools.engine.install import Engine
from tools.engine.pin import VERSION


@pytest.fixture
def engine(machine: Machine) -> Engine:
    return Engine(machine.engine(machine.cache / VERSION).parent, "of the test")


@pytest.fixture
def local(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's ~/.local/bin, on PATH before the machine's folder."""
    folder = machine.home / ".local" / "bin"
    folder.mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{folder}:{machine.bin}")
    return folder


def test_the_engine_is_linked_into_the_users_own_folder(engine: Engine, local: Path) -> None:
    assert on_path.offer(engine) == f"linked as {local / 'pulumi'}"
    assert (local / "pulumi").resolve() == engine.pulumi


def test_a_second_run_changes_nothing(engine: Engine, local: Path) -> None:
    on_path.offer(engine)
    before = (local / "pulumi").lstat().st_mtime_ns
    assert "is this one" in on_path.offer(engine)
    assert (local / "pulumi").lstat().st_mtime_ns == before


def test_the_link_of_an_older_version_of_ours_is_renewed(machine: Machine, engine: Engine, local: Path) -> None:
    older = machine.engine(machine.cache / "3.1.0", version="3.1.0")
    (local / "pulumi").symlink_to(older)
    on_path.offer(engine)
    assert (local / "pulumi").resolve() == engine.pulumi


def test_a_dead_link_of_ours_is_renewed(machine: Machine, engine: Engine, local: Path) -> None:
    (local / "pulumi").symlink_to(machine.cache / "3.1.0" / "pulumi")
    on_path.offer(engine)
    assert (local / "pulumi").resolve() == engine.pulumi


@pytest.mark.parametrize("executable", [True, False])
def test_a_file_that_is_not_ours_is_never_overwritten(
    machine: Machine, engine: Engine, local: Path, executable: bool
) -> None:
    file = machine.program("pulumi", "echo mine", local)
    file.chmod(0o755 if executable else 0o644)
    said = on_path.offer(engine)
    assert file.read_text() == "#!/bin/sh\necho mine\n"
    assert f'export PATH="{engine.folder}:$PATH"' in said


def test_a_dead_link_that_is_not_ours_is_never_overwritten(machine: Machine, engine: Engine, local: Path) -> None:
    (local / "pulumi").symlink_to(machine.home / "nowhere")
    on_path.offer(engine)
    assert (local / "pulumi").readlink() == machine.home / "nowhere"


def test_where_another_pulumi_would_run_first_no_link_is_made_and_the_user_is_told(
    machine: Machine, engine: Engine, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = machine.engine(machine.bin, version="3.1.0")
    monkeypatch.setenv("PATH", f"{machine.bin}:{local}")
    assert f"{other} is another one" in on_path.offer(engine)
    assert not (local / "pulumi").exists()


def test_a_link_before_another_pulumi_on_path_is_made(machine: Machine, engine: Engine, local: Path) -> None:
    machine.engine(machine.bin, version="3.1.0")
    assert on_path.offer(engine) == f"linked as {local / 'pulumi'}"


def test_where_no_folder_of_path_is_usual_the_user_gets_one_line_to_type(engine: Engine) -> None:
    assert on_path.offer(engine) == f'To use this one in your shell: export PATH="{engine.folder}:$PATH"'
