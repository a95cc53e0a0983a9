"""How webhooks go out, in numbers, for operators."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import String, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import first_id_at, utc_now
from app.notifications.webhooks.models import WebhookAttempt, WebhookEndpoint, WebhookMessage

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WebhookOverview:
    """Endpoints by state; of the messages of a day, what became of them; of its tries, which went wrong.

    `failing`: messages, of any day, that were tried and have not arrived yet. `reasons`: refused tries by status or
    error.
    """

    active: int
    disabled: int
    delivered: int
    pending: int
    failed: int
    failing: int
    reasons: dict[str, int]


async def webhook_overview(session: AsyncSession) -> WebhookOverview:
    """The last day of all endpoints; for the system."""
    since = first_id_at(utc_now() - DAY)
    endpoints = select(WebhookEndpoint.state, func.count()).group_by(WebhookEndpoint.state)
    messages = select(WebhookMessage.state, func.count()).where(WebhookMessage.id >= since)
    messages = messages.group_by(WebhookMessage.state)
    waiting = WebhookMessage.state == "pending", WebhookMessage.attempts > 0
    reason = func.coalesce(cast(WebhookAttempt.status, String), WebhookAttempt.error)
    refused = WebhookAttempt.id >= since, WebhookAttempt.status.is_(None) | (WebhookAttempt.status >= 300)
    tries = select(reason.label("reason"), func.count()).where(*refused).group_by("reason")
    places = {row[0]: row[1] for row in await session.execute(endpoints)}
    states = {row[0]: row[1] for row in await session.execute(messages)}
    return WebhookOverview(
        active=places.get("active", 0),
        disabled=places.get("disabled", 0),
        delivered=states.get("delivered", 0),
        pending=states.get("pending", 0),
        failed=states.get("failed", 0),
        failing=await session.scalar(select(func.count()).where(*waiting)) or 0,
        reasons={str(row[0] or "no answer"): row[1] for row in await session.execute(tries)},
    )
