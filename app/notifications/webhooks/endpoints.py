"""Endpoints: made, changed, given another secret, removed by their person."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import orjson
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import new_id, utc_now
from app.core.outside import is_public
from app.db.keys import KeyRing
from app.db.runtime import current
from app.notifications.webhooks.errors import TooManyWebhooks, WebhookAddressRefused, WebhookNotFound
from app.notifications.webhooks.models import WebhookEndpoint
from app.notifications.webhooks.schemas import (
    WebhookCreate,
    WebhookCreated,
    WebhookRead,
    WebhookSecret,
    WebhookUpdate,
)
from app.notifications.webhooks.signing import new_secret

TABLE: Final = "notifications_webhook_endpoints"


@dataclass(frozen=True, slots=True)
class Content:
    """What is sealed of an endpoint; `old` is the secret before, valid until a time."""

    url: str
    description: str
    secret: str
    old: str = ""
    old_until: str = ""

    def secrets(self, now: datetime) -> list[str]:
        """The secrets that sign now, the newest first."""
        overlaps = self.old and datetime.fromisoformat(self.old_until) > now
        return [self.secret, self.old] if overlaps else [self.secret]


async def create_webhook(session: AsyncSession, principal: Principal, data: WebhookCreate) -> WebhookCreated:
    """A new endpoint; its secret is shown this once. Raises `TooManyWebhooks`, `WebhookAddressRefused`."""
    _require_reachable(data.url)
    held = select(func.count()).select_from(WebhookEndpoint).where(WebhookEndpoint.user_id == principal.user_id)
    if (await session.scalar(held) or 0) >= current().settings.webhooks_per_user:
        raise TooManyWebhooks
    ring = await current().keys.ring(session, principal.user_id)
    content = Content(data.url, data.description, new_secret())
    row = WebhookEndpoint(id=(row_id := new_id()), user_id=principal.user_id, state="active", reason=None)
    row.events, row.body = sorted(set(data.events)), seal(ring, row_id, content)
    session.add(row)
    await session.flush()
    return WebhookCreated(secret=content.secret, **_read(row, content).model_dump())


async def list_webhooks(session: AsyncSession, principal: Principal) -> list[WebhookRead]:
    """The principal's endpoints, oldest first."""
    mine = select(WebhookEndpoint).where(WebhookEndpoint.user_id == principal.user_id)
    rows = (await session.scalars(mine.order_by(WebhookEndpoint.id))).all()
    ring = await current().keys.ring(session, principal.user_id, *(row.body for row in rows))
    return [_read(row, opened(ring, row)) for row in rows]


async def read_webhook(session: AsyncSession, principal: Principal, webhook_id: UUID) -> WebhookRead:
    """One endpoint. Raises `WebhookNotFound`."""
    row, content, _ = await _mine(session, principal, webhook_id)
    return _read(row, content)


async def update_webhook(
    session: AsyncSession, principal: Principal, webhook_id: UUID, data: WebhookUpdate
) -> WebhookRead:
    """Change an endpoint. Raises `WebhookNotFound`, `WebhookAddressRefused`."""
    row, content, ring = await _mine(session, principal, webhook_id)
    if data.url is not None:
        _require_reachable(data.url)
    changes = {name: value for name in ("url", "description") if (value := getattr(data, name)) is not None}
    content = replace(content, **changes)
    row.body, row.updated_at = seal(ring, row.id, content), utc_now()
    if data.events is not None:
        row.events = sorted(set(data.events))
    if data.state is not None:
        row.state, row.reason = data.state, None if data.state == "active" else "paused"
    await session.flush()
    return _read(row, content)


async def rotate_secret(session: AsyncSession, principal: Principal, webhook_id: UUID) -> WebhookSecret:
    """Another secret; the old one signs beside it for a while. Raises `WebhookNotFound`."""
    row, content, ring = await _mine(session, principal, webhook_id)
    until = utc_now() + timedelta(seconds=current().settings.webhook_overlap_seconds)
    content = replace(content, secret=new_secret(), old=content.secret, old_until=until.isoformat())
    row.body = seal(ring, row.id, content)
    await session.flush()
    return WebhookSecret(secret=content.secret, old_until=until)


async def delete_webhook(session: AsyncSession, principal: Principal, webhook_id: UUID) -> None:
    """Tell an endpoint nothing any more; its messages go with it. Raises `WebhookNotFound`."""
    mine = WebhookEndpoint.id == webhook_id, WebhookEndpoint.user_id == principal.user_id
    if await session.scalar(delete(WebhookEndpoint).where(*mine).returning(WebhookEndpoint.id)) is None:
        raise WebhookNotFound


async def disable(session: AsyncSession, webhook_id: UUID, reason: str) -> None:
    """Tell an endpoint nothing any more, because of how it answers. For the system."""
    here = update(WebhookEndpoint).where(WebhookEndpoint.id == webhook_id)
    await session.execute(here.values(state="disabled", reason=reason, updated_at=func.now()))


async def require_webhook(session: AsyncSession, principal: Principal, webhook_id: UUID) -> None:
    """See that it is the principal's. Raises `WebhookNotFound`."""
    await _mine(session, principal, webhook_id)


def seal(ring: KeyRing, row_id: UUID, content: Content) -> bytes:
    """The cell of an endpoint."""
    return ring.seal(TABLE, row_id, "body", orjson.dumps(content))


def opened(ring: KeyRing, row: Any) -> Content:
    """What is in the cell of an endpoint (`id`, `body`)."""
    return Content(**orjson.loads(ring.open(TABLE, row.id, "body", row.body)))


async def _mine(
    session: AsyncSession, principal: Principal, webhook_id: UUID
) -> tuple[WebhookEndpoint, Content, KeyRing]:
    mine = WebhookEndpoint.id == webhook_id, WebhookEndpoint.user_id == principal.user_id
    row = await session.scalar(select(WebhookEndpoint).where(*mine).with_for_update())
    if row is None:
        raise WebhookNotFound
    ring = await current().keys.ring(session, principal.user_id, row.body)
    return row, opened(ring, row), ring


def _require_reachable(url: str) -> None:
    """A first look, for a clear answer; names are looked up anew at each try, and that decides."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that hold no address of IPv6
        raise WebhookAddressRefused from None
    if current().settings.webhook_private_addresses:
        return
    host = parts.hostname or ""
    try:
        is_refused = not is_public(host)
    except ValueError:  # a name, not an address
        is_refused = host == "localhost" or host.endswith((".localhost", ".local", ".internal")) or "." not in host
    if parts.scheme != "https" or is_refused or parts.username is not None:
        raise WebhookAddressRefused


def _read(row: WebhookEndpoint, content: Content) -> WebhookRead:
    names = ("id", "events", "state", "reason", "created_at", "updated_at")
    values = {name: getattr(row, name) for name in names}
    return WebhookRead.model_validate({**values, "url": content.url, "description": content.description})
