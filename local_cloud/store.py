"""State: JSON documents in one SQLite file.

The server handles one call at a time (one event loop, no await inside a transaction), so a call sees a consistent
state and two calls never interleave. Every call commits before its answer is sent. WAL with synchronous=NORMAL: what
was answered survives a kill -9 of the process; a power cut of the machine may lose the last calls.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Doc = dict[str, Any]  # one resource as its API knows it; the APIs' JSON is the schema

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, project TEXT NOT NULL, name TEXT, doc TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS by_name ON objects (kind, project, name);
CREATE TABLE IF NOT EXISTS running (action INTEGER PRIMARY KEY, due REAL NOT NULL);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


WAITS = 1e12  # `due` of an action that ends when a host has done something, not at a time

BEGINS = "begins:"  # before the name of a counter: where it begins


class NameTakenError(Exception):
    """Another object of this kind in this project has the name."""


class Store:
    def __init__(self, folder: Path) -> None:
        self._db = sqlite3.connect(folder / "cloud.sqlite", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def insert(self, kind: str, project: str, name: str | None, doc: Doc) -> Doc:
        """Store a new document and give it its id; raises NameTakenError."""
        try:
            row = self._db.execute(
                "INSERT INTO objects (kind, project, name, doc) VALUES (?, ?, ?, ?)", (kind, project, name, "{}")
            )
        except sqlite3.IntegrityError as error:
            raise NameTakenError(name) from error
        created = {"id": row.lastrowid, **doc}
        self.put(kind, project, created, name)
        return created

    def put(self, kind: str, project: str, doc: Doc, name: str | None = None) -> None:
        """Write a document back; `name` renames it. Raises NameTakenError."""
        try:
            self._db.execute(
                "UPDATE objects SET doc = ?, name = COALESCE(?, name) WHERE kind = ? AND project = ? AND id = ?",
                (json.dumps(doc), name, kind, project, doc["id"]),
            )
        except sqlite3.IntegrityError as error:
            raise NameTakenError(name) from error

    def get(self, kind: str, project: str, key: int) -> Doc | None:
        return self._one("kind = ? AND project = ? AND id = ?", (kind, project, key))

    def named(self, kind: str, project: str, name: str) -> Doc | None:
        return self._one("kind = ? AND project = ? AND name = ?", (kind, project, name))

    def all(self, kind: str, project: str) -> list[Doc]:
        rows = self._db.execute("SELECT doc FROM objects WHERE kind = ? AND project = ? ORDER BY id", (kind, project))
        return [json.loads(doc) for (doc,) in rows]

    def some(self, kind: str, project: str, keys: list[int]) -> list[Doc]:
        found = (self.get(kind, project, key) for key in keys)
        return [doc for doc in found if doc is not None]

    def delete(self, kind: str, project: str, key: int) -> None:
        self._db.execute("DELETE FROM objects WHERE kind = ? AND project = ? AND id = ?", (kind, project, key))

    def count(self, kind: str, project: str) -> int:
        query = "SELECT COUNT(*) FROM objects WHERE kind = ? AND project = ?"
        return int(self._db.execute(query, (kind, project)).fetchone()[0])

    def counts(self) -> dict[str, dict[str, int]]:
        """How many objects of each kind each project holds."""
        result: dict[str, dict[str, int]] = {}
        for project, kind, number in self._db.execute("SELECT project, kind, COUNT(*) FROM objects GROUP BY 1, 2"):
            result.setdefault(project, {})[kind] = number
        return result

    def run(self, action: int, due: float) -> None:
        """Note that an action is running until `due` (seconds since the epoch)."""
        self._db.execute("INSERT INTO running VALUES (?, ?)", (action, due))

    def end(self, action: int, now: float, error: Doc | None) -> None:
        """End an action that waits for the hosts; its effect comes with the next call or `settle`."""
        row = self._db.execute(
            "SELECT project, doc FROM objects WHERE kind = 'action' AND id = ?", (action,)
        ).fetchone()
        if row is not None:
            self.put("action", row[0], {**json.loads(row[1]), "_due": now, "_fails": error})
            self._db.execute("UPDATE running SET due = ? WHERE action = ?", (now, action))

    def release(self) -> None:
        """End, well, all actions that wait for hosts: none are there."""
        now = time.time()
        waiting = self._db.execute("SELECT action FROM running WHERE due >= ?", (WAITS,)).fetchall()
        with self.transaction():
            for (action,) in waiting:
                self.end(action, now, None)

    def ended(self, now: float) -> list[tuple[str, Doc]]:
        """Take the actions whose time has come, with their projects, in the order in which they end."""
        rows = self._db.execute(
            "SELECT o.project, o.doc FROM running r JOIN objects o ON o.id = r.action WHERE r.due <= ? "
            "ORDER BY r.due, r.action",
            (now,),
        ).fetchall()
        if rows:
            self._db.execute("DELETE FROM running WHERE due <= ?", (now,))
        return [(project, json.loads(doc)) for project, doc in rows]

    def running(self, project: str) -> list[Doc]:
        """The actions of a project that have not ended."""
        query = "SELECT o.doc FROM running r JOIN objects o ON o.id = r.action WHERE o.project = ?"
        return [json.loads(doc) for (doc,) in self._db.execute(query, (project,))]

    def next(self, counter: str) -> int:
        """1, 2, 3, ...: never the same number twice until a reset."""
        query = "INSERT INTO counters VALUES (?, 1) ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value"
        return int(self._db.execute(query, (counter,)).fetchone()[0])

    def begin_counter(self, counter: str, first: int) -> None:
        """Let `next` begin with `first`, now if it has not begun, and after a reset."""
        for name in (counter, BEGINS + counter):
            self._db.execute("INSERT OR IGNORE INTO counters VALUES (?, ?)", (name, first - 1))

    def clear(self) -> None:
        """Ids go on: nobody takes a new object for an old one."""
        for table in ("objects", "running"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - two fixed names
        self._db.execute("DELETE FROM counters WHERE name NOT GLOB ?", (BEGINS + "*",))
        self._db.execute("INSERT INTO counters SELECT substr(name, ?), value FROM counters", (len(BEGINS) + 1,))

    def close(self) -> None:
        self._db.close()

    def _one(self, where: str, values: tuple[str | int, ...]) -> Doc | None:
        row = self._db.execute(f"SELECT doc FROM objects WHERE {where}", values).fetchone()  # noqa: S608 - fixed text
        return None if row is None else dict(json.loads(row[0]))
