"""What has changed and changes, told to one person for as long as they may know it.

Everything is read from the feed of changes, for the person and anew each time: nothing is lost in a crash, and who is
no member any more, or signed out, is told nothing from that moment.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.api.pages import cursor_of
from app.api.problems import OUTAGES, outage_of
from app.auth import service as auth
from app.auth.errors import SessionEnded
from app.auth.principal import Principal
from app.core.draining import when_draining
from app.db.runtime import current
from app.db.session import new_session
from app.db.statements import Row
from app.events.hub import Waiter, hub
from app.vault import service as vaults

SCOPE: Final = "vault:read"
KINDS: Final = {SCOPE: (*vaults.KEPT, "job", "notification"), "agents:run": ("run",)}
"""By the scopes that they need."""
PAGE: Final = 200
MOST_SEEN: Final = 10_000  # while a transaction goes on for long, what comes after so many is told bit by bit
GATHERING_SECONDS: Final = 0.05
AGAIN_SECONDS: Final = 2.0

Kind = Literal["ready", "changes", "reset", "alive"]


@dataclass(frozen=True, slots=True)
class Told:
    """A message. Who goes on from its `cursor` misses nothing."""

    kind: Kind
    cursor: str
    changes: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who wants to be told of what: after the cursor `since`, or from now on; of these vaults, or of everything.

    It ends when the token does that they came with, `until` by `time.monotonic`; and if they don't want to `wait`,
    when everything is told that is there.
    """

    principal: Principal
    since: UUID | None = None
    vault_ids: Sequence[UUID] | None = None
    until: float | None = None
    wait: bool = True

    @property
    def wanted(self) -> vaults.Wanted:
        """Of the kinds that the scopes allow."""
        kinds = [kind for scope, kinds in KINDS.items() if scope in self.principal.scopes for kind in kinds]
        return vaults.Wanted(kinds, self.vault_ids)


async def follow(subscription: Subscription) -> AsyncGenerator[Told, None]:
    """Messages, `ready` first; `alive` when it has been quiet for a while. They end before the process does.

    Raises `Unauthorized` when it has to end, `VaultNotFound`, `TooManyStreams`, `Unavailable`.
    """
    with hub().waiting(subscription.principal.user_id) as waiter:
        reader = Reader(subscription, waiter)
        with when_draining(reader.stop):
            yield await reader.begin()
            while not reader.has_stopped:
                async for told in reader.news():
                    yield told
                if not subscription.wait:
                    return
                await reader.pause()


class Reader:
    """Reads the feed for a subscription.

    Changes whose order is not yet certain are shown and read again until it is (see `app.vault.service.changes`);
    `_seen` are those that were told already.
    """

    def __init__(self, subscription: Subscription, waiter: Waiter) -> None:
        self._subscription = subscription
        self._waiter = waiter
        self._wanted = subscription.wanted
        self._cursor = subscription.since
        self._seen = set[tuple[int, int]]()
        self._told_at = time.monotonic()
        self._away_since: float | None = None
        self.has_stopped = False

    def stop(self) -> None:
        """End soon: the process does."""
        self.has_stopped = True
        self._waiter.woken.set()

    async def begin(self) -> Told:
        """Find out where to begin. Raises as `follow`."""
        try:
            async with new_session() as session:
                await self._enter(session)
                if self._cursor is None:
                    self._cursor = await vaults.present_cursor(session)
        except OUTAGES as error:
            raise outage_of(error) from None
        return Told("ready", cursor_of(self._cursor))

    async def _enter(self, session: AsyncSession) -> None:
        """Begin a transaction for whom it may concern, and be woken from now on by what they may see."""
        principal = self._subscription.principal
        if self._subscription.until is not None and time.monotonic() >= self._subscription.until:
            raise SessionEnded
        await auth.enter_again(session, principal)
        vault_ids = self._wanted.vault_ids
        if vault_ids is None:
            vault_ids = await vaults.my_vault_ids(session, principal)
        hub().watch(self._waiter, principal.user_id, vault_ids)

    async def news(self) -> AsyncGenerator[Told, None]:
        """What there is to tell now. Raises as `follow`."""
        more = True
        while more:
            self._waiter.woken.clear()
            try:
                page = await self._read()
            except OUTAGES as error:
                await self._bear(error)
                return
            self._away_since = None
            fresh = self._fresh(page)
            more = page.is_cut and not page.reset and len(self._seen) < MOST_SEEN
            if page.reset:
                self._cursor = page.present
                yield self._told("reset")
            elif fresh:
                yield self._told("changes", [_shown(row) for row in fresh])
        if time.monotonic() >= self._told_at + current().settings.event_heartbeat_seconds:
            yield self._told("alive")

    async def _read(self) -> vaults.ChangesPage:
        limit = PAGE + len(self._seen)
        async with new_session() as session:
            await self._enter(session)
            page = await vaults.read_changes(session, self._subscription.principal, self._cursor, limit, self._wanted)
            await session.commit()
        return page

    def _fresh(self, page: vaults.ChangesPage) -> list[Row]:
        """The rows of a page that were not told; the cursor moves on."""
        fresh = [row for row in page.rows if (row["xid"], row["number"]) not in self._seen]
        self._cursor, settled = page.until, (page.position.xid, page.position.number)
        self._seen.update((row["xid"], row["number"]) for row in fresh)
        self._seen = {each for each in self._seen if each > settled}
        return fresh

    def _told(self, kind: Kind, changes: list[dict[str, Any]] | None = None) -> Told:
        assert self._cursor is not None  # noqa: S101
        self._told_at = time.monotonic()
        return Told(kind, cursor_of(self._cursor), changes or [])

    async def _bear(self, error: Exception) -> None:
        """Let a database that is away for a moment disturb nobody. Raises `Unavailable` if that takes too long."""
        outage = outage_of(error)
        now = time.monotonic()
        self._away_since = self._away_since or now
        if outage is error or now > self._away_since + current().settings.event_heartbeat_seconds:
            raise outage from None
        await asyncio.sleep(AGAIN_SECONDS)
        self._waiter.woken.set()

    async def pause(self) -> None:
        """Wait for a change, for the next sign of life, or for the end; then for what may follow closely."""
        now = time.monotonic()
        ends = [self._told_at + current().settings.event_heartbeat_seconds]
        if self._subscription.until is not None:
            ends.append(self._subscription.until)
        await self._waiter.wait(max(0.0, min(ends) - now))
        await asyncio.sleep(GATHERING_SECONDS)


def _shown(row: Row) -> dict[str, Any]:
    """A change as it is told: what it is, which and of whom, and nothing that anybody wrote."""
    is_job = row["kind"] == "job"
    return {
        "kind": row["kind"],
        "change": row["change"],
        "vault_id": None if row["user_id"] else str(row["vault_id"]),
        "subject_id": str(row["subject_id"]),
        "revision": None if is_job else row["revision"],
        "percent": row["revision"] if is_job else None,
        "at": row["at"],
    }
