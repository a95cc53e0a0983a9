"""Messages: written with the event that causes them, listed, sent again on request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.outbox import emit
from app.notifications.webhooks.endpoints import require_webhook
from app.notifications.webhooks.errors import WebhookMessageNotFound
from app.notifications.webhooks.events import TEST
from app.notifications.webhooks.models import WebhookAttempt, WebhookEndpoint, WebhookMessage
from app.notifications.webhooks.schemas import WebhookAttemptRead, WebhookMessageRead

QUEUED: Final = "notifications.webhook_queued"


@dataclass(frozen=True, slots=True)
class Told:
    """An event and the people whose programs are told of it."""

    event_id: UUID
    event: str
    payload: Mapping[str, Any]
    user_ids: frozenset[UUID]


async def wanted(session: AsyncSession, events: Sequence[str]) -> bool:
    """Whether any program wants to be told of one of these events. For the system."""
    listening = WebhookEndpoint.state == "active", WebhookEndpoint.events.overlap(list(set(events)))
    return bool(await session.scalar(select(select(WebhookEndpoint.id).where(*listening).exists())))


async def write_messages(session: AsyncSession, told: Sequence[Told]) -> int:
    """A message for each program that wants an event, once; returns how many. For the system.

    Emits `notifications.webhook_queued`.
    """
    people = frozenset[UUID]().union(*(each.user_ids for each in told))
    active = WebhookEndpoint.state == "active", WebhookEndpoint.user_id.in_(people)
    endpoints = (await session.scalars(select(WebhookEndpoint).where(*active))).all()
    count = 0
    for each in told:
        for endpoint in endpoints:
            if each.event in endpoint.events and endpoint.user_id in each.user_ids:
                count += await _write(session, endpoint.id, endpoint.user_id, each)
    return count


async def _write(session: AsyncSession, endpoint_id: UUID, user_id: UUID, told: Told) -> bool:
    values = {"id": new_id(), "user_id": user_id, "endpoint_id": endpoint_id, "event_id": told.event_id}
    row = upsert(WebhookMessage).values(**values, event=told.event, payload=dict(told.payload))
    message_id = await session.scalar(row.on_conflict_do_nothing().returning(WebhookMessage.id))
    if message_id is not None:
        await emit(session, QUEUED, message_id=message_id)
    return message_id is not None


async def send_test(session: AsyncSession, principal: Principal, webhook_id: UUID) -> WebhookMessageRead:
    """Queue a message that says nothing, to see whether it arrives. Raises `WebhookNotFound`."""
    await require_webhook(session, principal, webhook_id)
    told = Told(new_id(), TEST, {"webhook_id": str(webhook_id)}, frozenset())
    await _write(session, webhook_id, principal.user_id, told)
    mine = select(WebhookMessage).where(WebhookMessage.event_id == told.event_id)
    return _read((await session.scalars(mine)).one())


async def list_messages(
    session: AsyncSession, principal: Principal, webhook_id: UUID, *, limit: int, before: UUID | None
) -> tuple[list[WebhookMessageRead], UUID | None]:
    """What an endpoint was told, newest first; the id that the next page begins after. Raises `WebhookNotFound`."""
    await require_webhook(session, principal, webhook_id)
    statement = select(WebhookMessage).where(WebhookMessage.endpoint_id == webhook_id)
    if before:
        statement = statement.where(WebhookMessage.id < before)
    rows = (await session.scalars(statement.order_by(WebhookMessage.id.desc()).limit(limit + 1))).all()
    return [_read(row) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None


async def list_attempts(
    session: AsyncSession, principal: Principal, webhook_id: UUID, message_id: UUID
) -> list[WebhookAttemptRead]:
    """Every try of a message, oldest first. Raises `WebhookMessageNotFound`."""
    await _require_message(session, principal, webhook_id, message_id)
    tries = select(WebhookAttempt).where(WebhookAttempt.message_id == message_id).order_by(WebhookAttempt.id)
    return [WebhookAttemptRead.model_validate(row) for row in await session.scalars(tries)]


async def replay(session: AsyncSession, principal: Principal, webhook_id: UUID, message_id: UUID) -> WebhookMessageRead:
    """Send a message again under its id, from the first try on. Raises `WebhookMessageNotFound`."""
    await _require_message(session, principal, webhook_id, message_id)
    again = update(WebhookMessage).where(WebhookMessage.id == message_id)
    await session.execute(again.values(state="pending", attempts=0, due_at=func.now()))
    await emit(session, QUEUED, message_id=message_id)
    return _read((await session.scalars(select(WebhookMessage).where(WebhookMessage.id == message_id))).one())


async def forget_old(session: AsyncSession, days: int) -> int:
    """Delete messages that came to an end long ago; returns how many. For the system."""
    old = WebhookMessage.state != "pending", WebhookMessage.created_at < func.now() - func.make_interval(0, 0, 0, days)
    return len((await session.scalars(delete(WebhookMessage).where(*old).returning(WebhookMessage.id))).all())


async def _require_message(session: AsyncSession, principal: Principal, webhook_id: UUID, message_id: UUID) -> None:
    mine = (
        WebhookMessage.id == message_id,
        WebhookMessage.endpoint_id == webhook_id,
        WebhookMessage.user_id == principal.user_id,
    )
    if await session.scalar(select(WebhookMessage.id).where(*mine)) is None:
        raise WebhookMessageNotFound


def _read(row: WebhookMessage) -> WebhookMessageRead:
    names = ("id", "event", "payload", "state", "attempts", "created_at")
    due_at = row.due_at if row.state == "pending" else None
    return WebhookMessageRead.model_validate({**{name: getattr(row, name) for name in names}, "due_at": due_at})
