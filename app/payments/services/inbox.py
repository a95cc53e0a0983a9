"""Events of providers: stored before they are answered, handled in any order, each as often as it takes.

A handled event is one whose object was fetched after the event had come. Events about one object are handled by one
fetch. One that fails waits aside and delays no other; after `MOST_ATTEMPTS` it is dead until somebody replays it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, case, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id, utc_now
from app.core.logging import get_log, where
from app.db.session import session_scope
from app.db.statements import Statement
from app.jobs.service import create_job, is_queued
from app.payments.errors import InboxEventNotFound
from app.payments.models.inbox import InboxEvent
from app.payments.providers.port import EventHint, Provider
from app.payments.services.sync import sync_object

DRAIN_JOB: Final = "payments.drain_inbox"
PAUSES: Final = tuple(timedelta(seconds=each) for each in (5, 30, 120, 600, 1_800, 3_600, 10_800, 21_600))
MOST_ATTEMPTS: Final = len(PAUSES)
LEASE: Final = timedelta(seconds=90)
ROWS_AT_ONCE: Final = 200
OBJECTS_AT_ONCE: Final = 8

log = get_log(__name__)
_KEPT = (
    upsert(InboxEvent)
    .values({name: bindparam(name) for name in ("id", "provider", "account", "event_id", "type", "object_id")})
    .values(happened_at=bindparam("happened_at"))
    .on_conflict_do_nothing()
    .returning(InboxEvent.id)
    .cte("kept")
)
_KEEP = Statement(select(_KEPT.c.id, is_queued(DRAIN_JOB).label("has_job")))


@dataclass(frozen=True, slots=True)
class Claimed:
    """An event that this process handles now."""

    id: UUID
    type: str
    object_id: str
    attempts: int


async def receive(provider: Provider, payload: bytes, signature: str) -> bool:
    """Store a webhook for good; whether it is a new one. Raises `InvalidSignature`, and stores nothing then."""
    hint = provider.read_webhook(payload, signature, utc_now())
    async with session_scope() as session:
        return await keep(session, provider.name, hint)


async def keep(session: AsyncSession, provider: str, hint: EventHint) -> bool:
    """Insert an event unless it is known, and see that a job will handle it."""
    values = {"event_id": hint.id, "type": hint.type, "object_id": hint.object_id, "happened_at": hint.created_at}
    row = await _KEEP.first(session, id=new_id(), provider=provider, account=hint.account, **values)
    if row is None:
        return False
    if not row["has_job"]:
        await create_job(session, DRAIN_JOB)
    return True


async def drain(provider: Provider, *, limit: int = ROWS_AT_ONCE) -> int:
    """Handle the events that are due; returns how many were claimed."""
    async with session_scope() as session:
        claimed = await _claim(session, provider.name, limit)
    by_object: dict[tuple[str, str], list[Claimed]] = defaultdict(list)
    for event in claimed:
        by_object[kind_of(event.type), event.object_id].append(event)
    gate = asyncio.Semaphore(OBJECTS_AT_ONCE)

    async def one(kind: str, object_id: str, events: Sequence[Claimed]) -> None:
        async with gate:
            await _handle(provider, kind, object_id, events)

    await asyncio.gather(*(one(*key, events) for key, events in by_object.items()))
    return len(claimed)


async def _claim(session: AsyncSession, provider: str, limit: int) -> list[Claimed]:
    unhandled = InboxEvent.handled_at.is_(None), InboxEvent.dead_at.is_(None)
    due = (
        select(InboxEvent.id)
        .where(*unhandled, InboxEvent.provider == provider, InboxEvent.next_try_at <= func.now())
        .order_by(InboxEvent.next_try_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claim = (
        update(InboxEvent)
        .where(InboxEvent.id.in_(due.scalar_subquery()))
        .values(attempts=InboxEvent.attempts + 1, next_try_at=func.now() + LEASE)
        .returning(InboxEvent.id, InboxEvent.type, InboxEvent.object_id, InboxEvent.attempts)
    )
    return [Claimed(*row) for row in (await session.execute(claim)).all()]


def kind_of(event_type: str) -> str:
    """What an event is about: `customer.subscription.updated` is about a subscription, `invoice.paid` an invoice."""
    return event_type.rpartition(".")[0]


async def _handle(provider: Provider, kind: str, object_id: str, events: Sequence[Claimed]) -> None:
    ids = [event.id for event in events]
    try:
        await sync_object(provider, kind, object_id)
    except Exception as error:  # one event that can't be handled must not hold up the others
        code = type(error).__name__
        log.warning("payment event not handled", event_ids=[str(each) for each in ids], error=code, where=where(error))
        async with session_scope() as session:
            await _put_aside(session, ids, code)
        return
    async with session_scope() as session:
        await session.execute(
            update(InboxEvent).where(InboxEvent.id.in_(ids)).values(handled_at=func.now(), last_error=None)
        )


async def _put_aside(session: AsyncSession, ids: Sequence[UUID], code: str) -> None:
    pause = case({number: literal(each) for number, each in enumerate(PAUSES, 1)}, value=InboxEvent.attempts)
    used_up = InboxEvent.attempts >= MOST_ATTEMPTS
    values: dict[str, Any] = {
        "last_error": code,
        "next_try_at": func.now() + func.coalesce(pause, PAUSES[-1]),
        "dead_at": case((used_up, func.now())),
    }
    dead = (
        update(InboxEvent).where(InboxEvent.id.in_(ids)).values(**values).returning(InboxEvent.id, InboxEvent.dead_at)
    )
    for row in await session.execute(dead):
        if row.dead_at:
            log.error("payment event given up", event_id=str(row.id), error=code)


async def replay(session: AsyncSession, event_id: UUID) -> None:
    """Let an event be handled again, as if it had just come. Raises `InboxEventNotFound`."""
    again = {"attempts": 0, "next_try_at": func.now(), "handled_at": None, "dead_at": None}
    changed = update(InboxEvent).where(InboxEvent.id == event_id).values(**again).returning(InboxEvent.id)
    if await session.scalar(changed) is None:
        raise InboxEventNotFound
    await create_job(session, DRAIN_JOB)


async def list_waiting(session: AsyncSession, *, dead: bool, limit: int = 100) -> Sequence[InboxEvent]:
    """Events that are not handled: dead ones, or those that are still tried; oldest first."""
    state = InboxEvent.dead_at.is_not(None) if dead else InboxEvent.handled_at.is_(None) & InboxEvent.dead_at.is_(None)
    return (await session.scalars(select(InboxEvent).where(state).order_by(InboxEvent.id).limit(limit))).all()


async def due(session: AsyncSession) -> bool:
    """Whether an event is waiting to be handled now."""
    unhandled = InboxEvent.handled_at.is_(None), InboxEvent.dead_at.is_(None), InboxEvent.next_try_at <= func.now()
    return bool(await session.scalar(select(select(InboxEvent.id).where(*unhandled).exists())))


async def forget_old(session: AsyncSession, days: int) -> int:
    """Delete what was handled long ago; providers keep their events for 30 days. Returns how many."""
    old = InboxEvent.handled_at < func.now() - timedelta(days=days)
    gone = delete(InboxEvent).where(old).returning(InboxEvent.id)
    return len((await session.scalars(gone)).all())
