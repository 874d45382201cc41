"""The log of calls: one JSON object per line in the state folder, also read through GET /admin/log.

Fields: n (1, 2, ...), time, method, path (without the API's base), query, status (0: cut off before an answer), project
(never the token), api, ms. Tests and benchmarks count API calls by it.
"""

import json
import time
from pathlib import Path

from .store import Doc


class CallLog:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "calls.jsonl"
        last = self.since(0)[-1:]
        self._number = int(last[0]["n"]) if last else 0
        self._file = self._path.open("a", encoding="utf-8")

    def write(self, entry: Doc) -> None:
        self._number += 1
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._file.write(json.dumps({"n": self._number, "time": stamp, **entry}) + "\n")
        self._file.flush()

    def since(self, number: int) -> list[Doc]:
        """The calls after the given number, oldest first. A line that a kill cut short is left out."""
        if not self._path.exists():
            return []
        entries = []
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry["n"] > number:
                entries.append(entry)
        return entries

    def clear(self) -> None:
        """Forget the calls; the numbers go on, so that a reader's `since` stays true."""
        self._file.truncate(0)

    def close(self) -> None:
        self._file.close()
