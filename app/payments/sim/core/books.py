"""One transaction on the books: every object is loaded once, changed in place and written at the end."""

import sqlite3
from typing import Any, Final

import orjson

from app.payments.sim.core.errors import Doc, Missing
from app.payments.sim.core.events import Recorder
from app.payments.sim.core.ids import new_id
from app.payments.sim.core.setup import Setup

PARENTS: Final = {
    "charge": "payment_intent",
    "refund": "charge",
    "dispute": "charge",
    "balance_transaction": "source",
    "invoice": "_subscription",
    "invoice_payment": "invoice",
    "invoiceitem": "invoice",
    "subscription_schedule": "subscription",
    "price": "product",
    "event": "type",
    "promotion_code": "code",
    "customer": "email",
}
"""What a kind is looked up by, besides its customer; a leading underscore is a hidden field."""
RANKS: Final = {"schedule.step": 0, "subscription.end": 1, "subscription.cycle": 2}
"""What goes first among things that fall due in the same second."""


class Books:
    """Documents as the wire has them. Fields under the key `_` are ours and never shown."""

    def __init__(self, db: sqlite3.Connection, now: int, setup: Setup, request_id: str, key: str | None) -> None:
        self.db = db
        self.now = now
        self.setup = setup
        self.recorder = Recorder(self, request_id, key)
        self._things: dict[tuple[str, str], Doc] = {}
        self._changed: dict[tuple[str, str], Doc] = {}

    def new(self, kind: str, **fields: Any) -> Doc:
        """A new object with what all of them have."""
        return self.add({"id": new_id(kind), "object": kind, "created": self.now, "livemode": False, **fields})

    def add(self, doc: Doc) -> Doc:
        """Put a new object onto the books."""
        place = (doc["object"], doc["id"])
        self._things[place] = self._changed[place] = doc
        return doc

    def keep(self, doc: Doc) -> Doc:
        """Write an object that was changed."""
        self._changed[(doc["object"], doc["id"])] = doc
        return doc

    def peek(self, kind: str, identifier: str | None) -> Doc | None:
        """An object, deleted ones too; None if there is none."""
        if identifier is None:
            return None
        place = (kind, identifier)
        if place not in self._things:
            row = self.db.execute("SELECT body FROM things WHERE kind = ? AND id = ?", place).fetchone()
            if row is None:
                return None
            self._things[place] = self._loaded(row[0])
        return self._things[place]

    def get(self, kind: str, identifier: str, param: str | None = None) -> Doc:
        """An object that must be there. Raises `Missing`."""
        doc = self.peek(kind, identifier)
        if doc is None or doc.get("deleted"):
            raise Missing(f"No such {kind.replace('_', ' ')}: '{identifier[:100]}'", param=param or "id")
        return doc

    def find(
        self,
        kind: str,
        *,
        customer: str | None = None,
        parent: str | None = None,
        limit: int = 10_000,
        where: str = "1",
        values: tuple[Any, ...] = (),
        oldest_first: bool = False,
    ) -> list[Doc]:
        """Objects, newest first. `where` is SQL of ours over `body`, `created` and `seq`; its values are bound."""
        self.flush()
        clauses, bound = ["kind = ?", "NOT deleted"], [kind]
        for column, value in (("customer", customer), ("parent", parent)):
            if value is not None:
                clauses.append(f"{column} = ?")
                bound.append(value)
        order = "ASC" if oldest_first else "DESC"
        query = f"SELECT id, body FROM things WHERE {' AND '.join(clauses)} AND {where} ORDER BY seq {order} LIMIT ?"  # noqa: S608
        rows = self.db.execute(query, (*bound, *values, limit)).fetchall()
        return [self._known(kind, identifier, body) for identifier, body in rows]

    def seq_of(self, kind: str, identifier: str) -> int | None:
        """Where an object stands in the order of making; None if there is none."""
        self.flush()
        row = self.db.execute("SELECT seq FROM things WHERE kind = ? AND id = ?", (kind, identifier)).fetchone()
        return None if row is None else int(row[0])

    def plan(self, what: str, identifier: str, at: int | None) -> None:
        """Let something fall due, instead of an earlier plan of the same; None takes it back."""
        self.db.execute("DELETE FROM agenda WHERE what = ? AND id = ?", (what, identifier))
        if at is not None:
            values = (at, RANKS.get(what, 9), what, identifier)
            self.db.execute("INSERT INTO agenda (at, rank, what, id) VALUES (?, ?, ?, ?)", values)

    def emit(self, event: str, doc: Doc) -> None:
        """Record that something has happened to an object."""
        self.recorder.record(event, doc)

    def updated(self, event: str, doc: Doc) -> None:
        """Write a changed object and record it with what was there before; nothing if nothing shows."""
        self.keep(doc)
        self.recorder.record_change(event, doc)

    def discard(self) -> None:
        """Undo everything since the transaction began, and begin anew."""
        self._things.clear()
        self._changed.clear()
        self.db.execute("ROLLBACK")
        self.db.execute("BEGIN IMMEDIATE")

    def flush(self) -> None:
        """Write what was changed."""
        for (kind, identifier), doc in self._changed.items():
            row = (
                kind,
                identifier,
                _reference(doc.get("customer")),
                _reference(_field(doc, PARENTS.get(kind))),
                doc.get("created", self.now),
                bool(doc.get("deleted")),
                orjson.dumps(doc).decode(),
            )
            self.db.execute(
                "INSERT INTO things (kind, id, customer, parent, created, deleted, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET customer = excluded.customer, parent = excluded.parent,"
                " deleted = excluded.deleted, body = excluded.body",
                row,
            )
        self._changed.clear()

    def _known(self, kind: str, identifier: str, body: str) -> Doc:
        place = (kind, identifier)
        if place not in self._things:
            self._things[place] = self._loaded(body)
        return self._things[place]

    def _loaded(self, body: str) -> Doc:
        doc: Doc = orjson.loads(body)
        self.recorder.remember(doc, body)
        return doc


def _field(doc: Doc, name: str | None) -> Any:
    if name is None:
        return None
    return doc.get("_", {}).get(name[1:]) if name.startswith("_") else doc.get(name)


def _reference(value: Any) -> str | None:
    return value if isinstance(value, str) else None
