"""Browsers that get push messages. Whoever has its endpoint may send to a browser: it is sealed like its keys."""

from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.crypto import lookup_digest
from app.db.acting import acting_for
from app.db.keys import KeyRing
from app.db.runtime import current
from app.db.session import SYSTEM
from app.notifications.errors import InvalidPushSubscription, PushSubscriptionNotFound, TooManyPushSubscriptions
from app.notifications.models import PushSubscription
from app.notifications.push.encryption import browser_point
from app.notifications.push.vapid import from_unpadded, signing_key
from app.notifications.schemas import PushSubscriptionCreate, PushSubscriptionRead

TABLE: Final = "notifications_push_subscriptions"


async def create_subscription(
    session: AsyncSession, principal: Principal, data: PushSubscriptionCreate
) -> PushSubscriptionRead:
    """Let a browser get what the principal is told; one that had another person's messages gets only these from now.

    Raises `InvalidPushSubscription`, `TooManyPushSubscriptions`, `PushUnavailable`.
    """
    signing_key()
    _require_usable(data)
    settings = current().settings
    digest = lookup_digest(settings.lookup_key_bytes, f"{TABLE}.endpoint", data.endpoint)
    async with acting_for(session, SYSTEM):  # who was signed in before in the same browser may be somebody else
        await session.execute(delete(PushSubscription).where(PushSubscription.endpoint_digest == digest))
    held = select(func.count()).select_from(PushSubscription).where(PushSubscription.user_id == principal.user_id)
    if (await session.scalar(held) or 0) >= settings.push_subscriptions_per_user:
        raise TooManyPushSubscriptions
    row_id = new_id()
    ring = await current().keys.ring(session, principal.user_id)
    content = {"endpoint": data.endpoint, "p256dh": data.keys.p256dh, "auth": data.keys.auth, "name": data.name}
    body = ring.seal(TABLE, row_id, "body", orjson.dumps(content))
    values = {"id": row_id, "user_id": principal.user_id, "endpoint_digest": digest, "body": body}
    made = insert(PushSubscription).values(values).returning(PushSubscription)
    row = await session.scalar(made)
    assert row is not None  # noqa: S101
    return _read(ring, row)


def _require_usable(data: PushSubscriptionCreate) -> None:
    try:
        browser_point(from_unpadded(data.keys.p256dh))
    except ValueError:
        raise InvalidPushSubscription("p256dh is no point on the curve P-256") from None
    if not (data.endpoint.startswith("https://") or current().settings.push_private_addresses):
        raise InvalidPushSubscription("The endpoint must be https")


async def list_subscriptions(session: AsyncSession, principal: Principal) -> list[PushSubscriptionRead]:
    """The principal's browsers, oldest first."""
    statement = select(PushSubscription).where(PushSubscription.user_id == principal.user_id)
    rows = (await session.scalars(statement.order_by(PushSubscription.id))).all()
    ring = await current().keys.ring(session, principal.user_id, *(row.body for row in rows))
    return [_read(ring, row) for row in rows]


def _read(ring: KeyRing, row: PushSubscription) -> PushSubscriptionRead:
    name = orjson.loads(ring.open(TABLE, row.id, "body", row.body))["name"]
    return PushSubscriptionRead(id=row.id, name=name, last_used_at=row.last_used_at, created_at=row.created_at)


async def delete_subscription(session: AsyncSession, principal: Principal, subscription_id: UUID) -> None:
    """Send nothing to a browser any more. Raises `PushSubscriptionNotFound`."""
    mine = PushSubscription.id == subscription_id, PushSubscription.user_id == principal.user_id
    if await session.scalar(delete(PushSubscription).where(*mine).returning(PushSubscription.id)) is None:
        raise PushSubscriptionNotFound
