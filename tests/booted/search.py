"""Searches a host's disk and processes, run on it, for what must not be there; needs nothing but Python.

    python3 search.py SINCE <needles.json    {name: [hexadecimal bytes, ...]}

Prints a list of {"name", "place", "mode", "owner"} as JSON: files with their permissions, also inside of gzip; command
lines and environments of processes; the journal. The needles come in by a pipe, since arguments would be found. Files
that have not changed since SINCE (seconds of the epoch), when the host was made, are its image's.
"""

import gzip
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

NOT_FILES = ("/proc", "/sys", "/dev/pts", "/dev/mqueue", "/run/host")


def main() -> None:
    needles = {name: [bytes.fromhex(text) for text in texts] for name, texts in json.load(sys.stdin).items()}
    found = [
        {"name": name, **where}
        for where, content in contents(float(sys.argv[1]))
        for name in names_in(content, needles)
    ]
    print(json.dumps(found))


def names_in(content: bytes, needles: dict[str, list[bytes]]) -> list[str]:
    return [name for name, texts in needles.items() if any(text in content for text in texts)]


def contents(since: float) -> Iterator[tuple[dict[str, str], bytes]]:
    for path in files():
        state = path.lstat()
        if state.st_ctime < since:
            continue
        where = {"place": str(path), "mode": f"{state.st_mode & 0o7777:04o}", "owner": owner(state.st_uid)}
        content = path.read_bytes()
        yield where, content
        if content[:2] == b"\x1f\x8b":
            yield where, unpacked(content)
    for process in Path("/proc").glob("[0-9]*"):
        for part in ("cmdline", "environ"):
            try:
                yield {"place": f"{part} of a process", "mode": "", "owner": ""}, (process / part).read_bytes()
            except OSError:
                continue  # it has ended
    journal = subprocess.run(["journalctl", "--all", "--output=export"], capture_output=True, check=True).stdout
    yield {"place": "journal", "mode": "", "owner": ""}, journal


def files() -> Iterator[Path]:
    for folder, folders, names in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in NOT_FILES]
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path


def owner(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def unpacked(content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError):
        return b""  # only looks like it


if __name__ == "__main__":
    main()
