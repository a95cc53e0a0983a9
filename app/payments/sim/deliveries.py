"""Webhooks: signed, tried again until they are taken, several at a time; what was not taken survives a crash."""

import asyncio
import hashlib
import hmac
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import httpx
import orjson

from app.payments.sim.core.errors import Doc
from app.payments.sim.core.events import public
from app.payments.sim.core.store import Store

BACKOFF_SECONDS: Final = (1, 2, 5, 10, 30, 60, 120, 300)
MOST_TRIES: Final = 20
AT_ONCE: Final = 8
TIMEOUT_SECONDS: Final = 10
LONGEST_PAUSE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Due:
    """One delivery that is to be tried."""

    seq: int
    event: str
    attempts: int


class Deliveries:
    """Sends what the books have queued."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()
        self._running: dict[int, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """Look now whether there is something to send."""
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        timeout = httpx.Timeout(TIMEOUT_SECONDS)
        async with httpx.AsyncClient(timeout=timeout, trust_env=False, follow_redirects=False) as client:
            try:
                while True:
                    self._wake.clear()
                    for due in self._due():
                        task = asyncio.create_task(self._deliver(client, due))
                        self._running[due.seq] = task
                    await self._pause()
            finally:
                await self.abandon()

    async def abandon(self) -> None:
        """Give up what is being sent at this moment; it stays queued."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def flush(self, seconds: float) -> Doc:
        """Try everything that waits, without its pause, until all is taken or the time is over; returns counts."""
        until = time.monotonic() + seconds
        while self.counts()["pending"] and time.monotonic() < until:
            self._store.db.execute("UPDATE deliveries SET next_at = 0 WHERE state = 'pending'")
            self._progress.clear()
            self.wake()
            try:
                await asyncio.wait_for(self._progress.wait(), max(0.01, until - time.monotonic()))
            except TimeoutError:
                break
        return self.counts()

    def counts(self) -> Doc:
        """How many deliveries are in which state."""
        rows = self._store.db.execute("SELECT state, count(*) FROM deliveries GROUP BY state")
        return dict.fromkeys(("pending", "delivered", "lost", "failed"), 0) | dict(rows.fetchall())

    def listed(self, limit: int) -> list[Doc]:
        """The newest deliveries."""
        names = ("id", "event", "type", "state", "attempts", "next_at", "answer")
        query = "SELECT seq, event, type, state, attempts, next_at, answer FROM deliveries ORDER BY seq DESC LIMIT ?"
        return [dict(zip(names, row, strict=True)) for row in self._store.db.execute(query, (limit,))]

    def resend(self, event: str) -> None:
        """Queue an event once more, whatever became of it before."""
        (kind,) = self._store.db.execute(
            "SELECT json_extract(body, '$.type') FROM things WHERE kind = 'event' AND id = ?", (event,)
        ).fetchone()
        values = "VALUES (?, ?, 'pending', 0, 0)"
        query = f"INSERT INTO deliveries (event, type, state, attempts, next_at) {values}"
        self._store.db.execute(query, (event, kind))
        self.wake()

    def _due(self) -> list[Due]:
        free = AT_ONCE - len(self._running)
        if free <= 0:
            return []
        rows = self._store.db.execute(
            "SELECT seq, event, attempts FROM deliveries WHERE state = 'pending' AND next_at <= ?"
            " ORDER BY next_at, seq LIMIT ?",
            (time.time(), AT_ONCE + len(self._running)),
        )
        return [Due(*row) for row in rows if row[0] not in self._running][:free]

    async def _pause(self) -> None:
        (next_at,) = self._store.db.execute(
            "SELECT min(next_at) FROM deliveries WHERE state = 'pending' AND next_at > ?", (time.time(),)
        ).fetchone()
        pause = LONGEST_PAUSE_SECONDS if next_at is None else next_at - time.time()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), min(LONGEST_PAUSE_SECONDS, max(0.0, pause)))

    async def _deliver(self, client: httpx.AsyncClient, due: Due) -> None:
        try:
            answer, taken = await self._post(client, due)
            self._note(due, answer, taken=taken)
        finally:
            self._running.pop(due.seq, None)
            self._wake.set()
            self._progress.set()

    async def _post(self, client: httpx.AsyncClient, due: Due) -> tuple[str, bool]:
        setup = self._store.setup
        row = self._store.db.execute("SELECT body FROM things WHERE kind = 'event' AND id = ?", (due.event,)).fetchone()
        if row is None or not setup.webhook_url:
            return "nowhere to send it", row is None
        body = orjson.dumps(public(orjson.loads(row[0])), option=orjson.OPT_INDENT_2)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "LifeVault-Simulator/1.0",
            "Stripe-Signature": signature(setup.webhook_secret, body, int(time.time())),
        }
        try:
            response = await client.post(setup.webhook_url, content=body, headers=headers)
        except httpx.HTTPError as error:
            return type(error).__name__, False
        return str(response.status_code), response.is_success

    def _note(self, due: Due, answer: str, *, taken: bool) -> None:
        attempts = due.attempts + 1
        state = "delivered" if taken else "failed" if attempts >= MOST_TRIES else "pending"
        pause = BACKOFF_SECONDS[min(attempts, len(BACKOFF_SECONDS)) - 1]
        self._store.db.execute(
            "UPDATE deliveries SET state = ?, attempts = ?, next_at = ?, answer = ? WHERE seq = ?",
            (state, attempts, time.time() + pause, answer, due.seq),
        )


def signature(secret: str, body: bytes, at: int) -> str:
    """The `Stripe-Signature` of a body; `at` is real time, as receivers compare it with their own clock."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"
