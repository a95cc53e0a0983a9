"""Push messages: queued in the transaction that causes them, sent at least once, forgotten as soon as they are sent."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id, utc_now
from app.core.logging import get_log
from app.core.outside import AddressRefused, NotReached, post
from app.db.outbox import emit
from app.db.runtime import current
from app.db.session import session_scope
from app.notifications.errors import PushUnavailable
from app.notifications.models import Push, PushSubscription
from app.notifications.push import subscriptions
from app.notifications.push.encryption import MOST_BYTES, encrypt
from app.notifications.push.vapid import authorization, from_unpadded

TABLE: Final = "notifications_pushes"
FIRST_PAUSE: Final = timedelta(minutes=1)
MOST_ATTEMPTS: Final = 10  # with a pause that doubles each time: for more than eight hours
LONGEST_PAUSE: Final = timedelta(hours=6)
MISSED_AFTER: Final = timedelta(seconds=90)
LIFE: Final = timedelta(days=3)  # how long a push service keeps it for a browser that is not there
SENT: Final = range(200, 300)
GONE: Final = (404, 410)  # RFC 8030 §7.3: the subscription has ended
LATER: Final = (429, *range(500, 600))
TEXT_LENGTH: Final = 600

log = get_log(__name__)


async def queue_push(session: AsyncSession, user_id: UUID, payload: dict[str, Any]) -> int:
    """Send something to each browser of a person after the commit; returns how many they have.

    The transaction is the system's or theirs. Emits `notifications.push_queued`.
    """
    statement = select(PushSubscription.id).where(PushSubscription.user_id == user_id)
    ids = (await session.scalars(statement)).all()
    ring = await current().keys.ring(session, user_id)
    text = orjson.dumps(_shortened(payload))
    for subscription_id in ids:
        push_id = new_id()
        values = {"id": push_id, "user_id": user_id, "subscription_id": subscription_id}
        await session.execute(insert(Push).values(**values, body=ring.seal(TABLE, push_id, "body", text)))
        await emit(session, "notifications.push_queued", push_id=push_id)
    return len(ids)


def _shortened(payload: dict[str, Any]) -> dict[str, Any]:
    """What fits: a text of some hundred letters has four bytes each at most, in JSON six."""
    short = {name: value[:TEXT_LENGTH] if isinstance(value, str) else value for name, value in payload.items()}
    if len(orjson.dumps(short)) > MOST_BYTES:
        short = {name: value[:200] for name, value in short.items() if isinstance(value, str)}
    return short


@dataclass(frozen=True, slots=True)
class _Taken:
    subscription_id: UUID
    text: bytes
    endpoint: str
    browser_key: bytes
    auth_secret: bytes
    attempts: int


async def send_push(push_id: UUID) -> None:
    """Send a push message that is due, unless somebody else has taken it."""
    async with session_scope() as session:
        taken = await _take(session, push_id)
    if taken is None:
        return
    try:
        status, pause = await _post(taken, push_id)
    except (AddressRefused, PushUnavailable, ValueError) as error:
        log.warning("push given up", push_id=str(push_id), error=type(error).__name__)
        status, pause = 400, timedelta()
    except NotReached as error:
        log.warning("push delayed", push_id=str(push_id), error=type(error.__cause__).__name__)
        status, pause = 503, timedelta()
    await _settle(push_id, taken, status, pause)


async def _take(session: AsyncSession, push_id: UUID) -> _Taken | None:
    """Count an attempt; it is due again after a pause, should this one not come to an end."""
    pause = FIRST_PAUSE * func.power(2, Push.attempts)
    taken = (
        update(Push)
        .where(Push.id == push_id, Push.due_at <= func.now())
        .values(attempts=Push.attempts + 1, due_at=func.now() + pause)
        .returning(Push.user_id, Push.subscription_id, Push.body, Push.attempts)
    )
    row = (await session.execute(taken)).one_or_none()
    if row is None:
        return None
    to = await session.scalar(select(PushSubscription.body).where(PushSubscription.id == row.subscription_id))
    if to is None:
        return None
    ring = await current().keys.ring(session, row.user_id, row.body, to)
    browser = orjson.loads(ring.open(subscriptions.TABLE, row.subscription_id, "body", to))
    text = ring.open(TABLE, push_id, "body", row.body)
    keys = from_unpadded(browser["p256dh"]), from_unpadded(browser["auth"])
    return _Taken(row.subscription_id, text, browser["endpoint"], *keys, row.attempts)


async def _post(taken: _Taken, push_id: UUID) -> tuple[int, timedelta]:
    """The status of the answer, and how long the service wants to be left alone.

    Raises `AddressRefused`, `NotReached`, `PushUnavailable`, `ValueError`.
    """
    settings = current().settings
    headers = {
        "Authorization": authorization(taken.endpoint, utc_now(), settings.mail_from),
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "TTL": str(int(LIFE.total_seconds())),
        "Topic": push_id.hex,  # a repetition takes the place of the first, should that wait still (RFC 8030 §5.4)
        "Urgency": "normal",
    }
    content = encrypt(taken.text, taken.browser_key, taken.auth_secret)
    seconds, private = settings.push_timeout_seconds, settings.push_private_addresses
    response = await post(taken.endpoint, content, headers, seconds=seconds, private=private)
    wait = response.headers.get("retry-after", "")
    return response.status_code, timedelta(seconds=int(wait[:9]) if wait.isdecimal() else 0)


async def _settle(push_id: UUID, taken: _Taken, status: int, pause: timedelta) -> None:
    """Forget what is sent or of no use, and a browser that is gone; leave the rest to be tried again."""
    async with session_scope() as session:
        if status in GONE:
            await session.execute(delete(PushSubscription).where(PushSubscription.id == taken.subscription_id))
            log.info("push subscription ended", subscription_id=str(taken.subscription_id))
        elif status in LATER and taken.attempts < MOST_ATTEMPTS:
            later = func.greatest(Push.due_at, func.now() + min(pause, LONGEST_PAUSE))
            await session.execute(update(Push).where(Push.id == push_id).values(due_at=later))
        else:
            await session.execute(delete(Push).where(Push.id == push_id))
            if status in SENT:
                used = update(PushSubscription).where(PushSubscription.id == taken.subscription_id)
                await session.execute(used.values(last_used_at=func.now()))
            else:
                log.warning("push given up", push_id=str(push_id), status=status)


async def queue_due(session: AsyncSession, limit: int = 200) -> int:
    """Emit `notifications.push_queued` again for messages that are to be tried again; returns how many."""
    due = select(Push.id).where(Push.due_at < func.now(), Push.created_at < func.now() - MISSED_AFTER)
    ids = list(await session.scalars(due.order_by(Push.due_at).limit(limit)))
    for push_id in ids:
        await emit(session, "notifications.push_queued", push_id=push_id)
    return len(ids)
