"""Tries of messages: claimed under a lease, sent outside any transaction, tried ten times within 76 hours."""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id, utc_now
from app.core.outside import AddressRefused, NotReached, post
from app.db.outbox import emit
from app.db.runtime import current
from app.db.session import session_scope
from app.notifications.webhooks.endpoints import Content, disable, opened
from app.notifications.webhooks.messages import QUEUED
from app.notifications.webhooks.models import WebhookAttempt, WebhookEndpoint, WebhookMessage
from app.notifications.webhooks.signing import signed_headers

PAUSES: Final = tuple(
    timedelta(**each)
    for each in (
        {"seconds": 5},
        {"minutes": 5},
        {"minutes": 30},
        {"hours": 2},
        {"hours": 5},
        {"hours": 10},
        {"hours": 14},
        {"hours": 20},
        {"hours": 24},
    )
)
MOST_TRIES: Final = len(PAUSES) + 1
LEASE: Final = timedelta(minutes=2)
SENT: Final = range(200, 300)
GONE: Final = 410
AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class _Taken:
    id: UUID
    user_id: UUID
    endpoint_id: UUID
    event: str
    payload: dict[str, Any]
    tries: int
    created_at: str
    to: Content


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int | None
    error: str | None
    milliseconds: int


async def send_message(message_id: UUID) -> None:
    """Try a message that is due, unless somebody else does. A program that answers 410 is told nothing any more."""
    async with session_scope() as session:
        taken = await _take(session, message_id)
    if taken is not None:
        await _settle(taken, await _send(taken))


async def _take(session: AsyncSession, message_id: UUID) -> _Taken | None:
    """Count a try; it is due again after the lease, should this one not come to an end."""
    due = WebhookMessage.id == message_id, WebhookMessage.state == "pending", WebhookMessage.due_at <= func.now()
    values = {"attempts": WebhookMessage.attempts + 1, "due_at": func.now() + LEASE}
    row = await session.scalar(update(WebhookMessage).where(*due).values(**values).returning(WebhookMessage))
    if row is None:
        return None
    endpoint = await session.get(WebhookEndpoint, row.endpoint_id)
    if endpoint is None or endpoint.state != "active":
        given_up = update(WebhookMessage).where(WebhookMessage.id == message_id)
        await session.execute(given_up.values(state="failed"))
        return None
    ring = await current().keys.ring(session, row.user_id, endpoint.body)
    created_at = row.created_at.isoformat().replace("+00:00", "Z")
    ids = row.id, row.user_id, row.endpoint_id
    return _Taken(*ids, row.event, row.payload, row.attempts, created_at, opened(ring, endpoint))


async def _send(taken: _Taken) -> _Answer:
    settings, now = current().settings, utc_now()
    body = orjson.dumps({"type": taken.event, "timestamp": taken.created_at, "data": taken.payload})
    headers = {
        **signed_headers(f"msg_{taken.id.hex}", now, body, taken.to.secrets(now)),
        "Content-Type": "application/json",
        "User-Agent": "LifeVault-Webhooks/1",
    }
    started = time.monotonic()
    status, error = None, None
    try:
        private = settings.webhook_private_addresses
        answer = await post(taken.to.url, body, headers, seconds=settings.webhook_timeout_seconds, private=private)
        status = answer.status_code
    except AddressRefused:
        error = "address-refused"
    except NotReached as reason:
        error = "timeout" if isinstance(reason.__cause__, TimeoutError) else "not-reached"
    return _Answer(status, error, round((time.monotonic() - started) * 1_000))


async def _settle(taken: _Taken, answer: _Answer) -> None:
    """Write down what came of a try. The tries of a message that is held by another try by now are not counted."""
    async with session_scope() as session:
        tried = {"id": new_id(), "user_id": taken.user_id, "message_id": taken.id}
        result = {"status": answer.status, "error": answer.error, "milliseconds": answer.milliseconds}
        await session.execute(insert(WebhookAttempt).values(**tried, **result))
        held = WebhookMessage.id == taken.id, WebhookMessage.attempts == taken.tries, WebhookMessage.state == "pending"
        await session.execute(update(WebhookMessage).where(*held).values(**_outcome(taken, answer)))
        if answer.status == GONE:
            await disable(session, taken.endpoint_id, "gone")
        elif answer.status not in SENT and taken.tries >= MOST_TRIES:
            await disable(session, taken.endpoint_id, "failing")


def _outcome(taken: _Taken, answer: _Answer) -> dict[str, Any]:
    if answer.status in SENT:
        return {"state": "delivered"}
    if answer.status == GONE or taken.tries >= MOST_TRIES:
        return {"state": "failed"}
    return {"due_at": func.now() + PAUSES[taken.tries - 1]}


async def queue_due(session: AsyncSession) -> int:
    """Emit `notifications.webhook_queued` for messages that are to be tried again; returns how many."""
    due = WebhookMessage.state == "pending", WebhookMessage.due_at <= func.now(), WebhookMessage.attempts > 0
    statement = select(WebhookMessage.id).where(*due).order_by(WebhookMessage.due_at).limit(AT_ONCE)
    ids = list(await session.scalars(statement))
    for message_id in ids:
        await emit(session, QUEUED, message_id=message_id)
    return len(ids)
