"""The simulator's own books: documents in SQLite, one transaction for each call.

With a write-ahead log and `synchronous=NORMAL` a transaction that has been committed survives the death of the process
at any moment; a power cut may take the last ones, never the file.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from app.payments.sim.core.books import Books
from app.payments.sim.core.setup import Setup

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS things (
  seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, customer TEXT, parent TEXT,
  created INTEGER NOT NULL, deleted INTEGER NOT NULL, body TEXT NOT NULL, UNIQUE (kind, id));
CREATE INDEX IF NOT EXISTS things_by_kind ON things (kind, seq);
CREATE INDEX IF NOT EXISTS things_by_customer ON things (kind, customer, seq) WHERE customer IS NOT NULL;
CREATE INDEX IF NOT EXISTS things_by_parent ON things (kind, parent, seq) WHERE parent IS NOT NULL;
CREATE TABLE IF NOT EXISTS agenda (
  seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, rank INTEGER NOT NULL, what TEXT NOT NULL, id TEXT NOT NULL,
  UNIQUE (what, id));
CREATE INDEX IF NOT EXISTS agenda_by_time ON agenda (at, rank, seq);
CREATE TABLE IF NOT EXISTS replies (
  key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
  seq INTEGER PRIMARY KEY, event TEXT NOT NULL, type TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
  next_at REAL NOT NULL, answer TEXT);
CREATE INDEX IF NOT EXISTS deliveries_by_time ON deliveries (next_at, seq) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS deliveries_by_event ON deliveries (event);
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
TABLES: Final = ("things", "agenda", "replies", "deliveries", "notes")


class Store:
    """The file (or memory, for None) that everything is kept in; used by one thread."""

    def __init__(self, path: Path | None, setup: Setup) -> None:
        self.db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.executescript(SCHEMA)
        self._given = setup
        self.setup = setup
        self._read_setup()

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()

    def now(self) -> int:
        """The simulated time: the real one, moved."""
        return int(time.time()) + self.offset

    @property
    def offset(self) -> int:
        """How far the clock has been moved, in seconds."""
        value = self.note("offset")
        return int(value) if isinstance(value, int) else 0

    def note(self, name: str) -> Any:
        """A small value that is kept; None if it was never set."""
        row = self.db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return None if row is None else orjson.loads(row[0])

    def set_note(self, name: str, value: Any) -> None:
        """Keep a small value."""
        text = orjson.dumps(value).decode()
        self.db.execute(
            "INSERT INTO notes VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (name, text)
        )

    def change_setup(self, values: dict[str, Any]) -> None:
        """Change rules, faults or where webhooks go; kept over a restart. Raises `ValueError`."""
        changed = {**(self.note("setup") or {}), **values}
        self._given.changed(changed)
        self.set_note("setup", changed)
        self._read_setup()

    def forget_setup(self, *names: str) -> None:
        """Take back changes."""
        self.set_note("setup", {name: value for name, value in (self.note("setup") or {}).items() if name not in names})
        self._read_setup()

    @contextmanager
    def transaction(self, *, at: int | None = None, request_id: str = "", key: str | None = None) -> Iterator[Books]:
        """One call, all or nothing; an error that `keeps` what was written is committed by the caller of `commit`."""
        self.db.execute("BEGIN IMMEDIATE")
        books = Books(self.db, self.now() if at is None else at, self.setup, request_id, key)
        try:
            yield books
            books.flush()
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise

    def reset(self) -> None:
        """Empty everything, the moved clock too."""
        with self.transaction():
            for table in TABLES:
                self.db.execute(f"DELETE FROM {table}")  # noqa: S608  names of our own
        self._read_setup()

    def _read_setup(self) -> None:
        self.setup = self._given.changed(self.note("setup") or {})
