"""Events, written with the change that they tell of; deliveries are queued in the same transaction."""

import random
import time
from typing import TYPE_CHECKING, Any, Final

import orjson

from app.payments.sim.core.errors import Doc
from app.payments.sim.core.ids import new_id

if TYPE_CHECKING:
    from app.payments.sim.core.books import Books

API_VERSION: Final = "2026-10-28.endive"
"""The version of the API that our shapes follow."""
OVERTAKEN_SECONDS: Final = 3.0
"""How long an event is held back at most when the order is to be shuffled."""


def public(doc: Doc) -> Doc:
    """An object without what is ours."""
    return {name: value for name, value in doc.items() if name != "_"}


class Recorder:
    """Writes events and remembers what an object looked like when it was last told of."""

    def __init__(self, books: "Books", request_id: str, key: str | None) -> None:
        self._books = books
        self._request = {"id": request_id or None, "idempotency_key": key}
        self._seen: dict[tuple[str, str], bytes] = {}
        self.is_silent = False

    def remember(self, doc: Doc, body: str) -> None:
        """An object as it was loaded."""
        self._seen[(doc["object"], doc["id"])] = body.encode()

    def record(self, event: str, doc: Doc, previous: Doc | None = None) -> None:
        """Write an event with the object as it is now."""
        if self.is_silent:
            return
        snapshot = orjson.dumps(public(doc))
        self._seen[(doc["object"], doc["id"])] = snapshot
        data: Doc = {"object": orjson.loads(snapshot)}
        if previous is not None:
            data["previous_attributes"] = previous
        body = self._books.new(
            "event",
            api_version=API_VERSION,
            type=event,
            data=data,
            pending_webhooks=int(bool(self._books.setup.webhook_url)),
            request=self._request,
        )
        self._queue(body["id"], event)

    def record_change(self, event: str, doc: Doc) -> None:
        """Write an event if something that shows has changed."""
        before = public(orjson.loads(self._seen.get((doc["object"], doc["id"]), b"{}")))
        after = orjson.loads(orjson.dumps(public(doc)))
        previous = {name: before.get(name) for name in after if before.get(name) != after[name]}
        if previous:
            self.record(event, doc, previous)

    def _queue(self, identifier: str, event: str) -> None:
        setup = self._books.setup
        if not setup.webhook_url:
            return
        (count,) = self._books.db.execute("SELECT coalesce(max(seq), 0) FROM deliveries").fetchone()
        chance = random.Random(f"{setup.seed}:{count}")  # noqa: S311  repeatable on purpose
        lost, twice, late = (chance.random() < odds for odds in (setup.loss, setup.duplicate, setup.reorder))
        delay = setup.delay_seconds + (chance.uniform(0.2, OVERTAKEN_SECONDS) if late else 0)
        due = time.time() + delay if delay else 0
        rows: list[tuple[Any, ...]] = [(identifier, event, "lost" if lost else "pending", due)]
        if twice and not lost:
            rows.append((identifier, event, "pending", due and due + 0.1))
        self._books.db.executemany(
            "INSERT INTO deliveries (event, type, state, attempts, next_at) VALUES (?, ?, ?, 0, ?)", rows
        )


def new_request_id() -> str:
    """The identifier of a call."""
    return "req_" + new_id("event").removeprefix("evt_")[:14]
