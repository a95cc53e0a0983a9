"""A fetched subscription becomes our row."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id
from app.db.outbox import emit
from app.db.runtime import current
from app.payments.errors import UnknownPrice
from app.payments.models import BillingSubscription, Price
from app.payments.providers.port import SubscriptionState

STATES: Final = {
    "incomplete": "pending",
    "incomplete_expired": "ended",
    "trialing": "trialing",
    "active": "active",
    "past_due": "grace",
    "unpaid": "suspended",
    "paused": "suspended",
    "canceled": "ended",
}


async def apply_subscription(
    session: AsyncSession, provider: str, family_id: UUID, state: SubscriptionState, seen_at: datetime
) -> None:
    """Write a subscription as it stands, unless a newer look at it was written, or it has ended already.

    Raises `UnknownPrice`. Emits `payments.subscription_changed`.
    """
    values = await _values(session, state) | {"provider_seen_at": seen_at}
    keys = {"family_id": family_id, "provider": provider, "provider_id": state.id}
    first = upsert(BillingSubscription).values(id=new_id(), **keys, **values).on_conflict_do_nothing()
    made = await session.scalar(first.returning(BillingSubscription.id))
    if made is not None:
        await _tell(session, family_id, made, None, values["state"])
        return
    mine = BillingSubscription.provider == provider, BillingSubscription.provider_id == state.id
    known = (await session.execute(select(BillingSubscription).where(*mine).with_for_update())).scalar_one()
    if known.provider_seen_at > seen_at or known.state == "ended":
        return
    before = known.state
    await session.execute(update(BillingSubscription).where(*mine).values(**values))
    await _tell(session, family_id, known.id, before, values["state"])


async def _values(session: AsyncSession, state: SubscriptionState) -> dict[str, Any]:
    price, seats = await _read_lines(session, [(each.lookup_key or "", each.quantity) for each in state.items])
    item = next(each for each in state.items if each.lookup_key == price.lookup_key)
    ours = STATES[state.status]
    return {
        "plan_version_id": price.plan_version_id,
        "state": ours,
        "provider_status": state.status,
        "interval": price.interval,
        "seats": seats,
        "period_start": item.period_start,
        "period_end": item.period_end,
        "trial_end": state.trial_end,
        "cancel_at_period_end": state.cancel_at_period_end,
        "is_paused": state.is_paused,
        "grace_until": grace_until(item.period_start) if ours == "grace" else None,
        "started_at": state.created_at,
        "ended_at": state.ended_at,
        **await _planned(session, state),
    }


def grace_until(unpaid_since: datetime) -> datetime:
    """How long everything stays open after a renewal that could not be paid."""
    return unpaid_since + timedelta(days=current().settings.payment_grace_days)


async def _planned(session: AsyncSession, state: SubscriptionState) -> dict[str, Any]:
    names = ("planned_plan_version_id", "planned_interval", "planned_seats")
    if not state.scheduled_lines:
        return dict.fromkeys(names)
    price, seats = await _read_lines(session, state.scheduled_lines)
    return dict(zip(names, (price.plan_version_id, price.interval, seats), strict=True))


async def _read_lines(session: AsyncSession, lines: Sequence[tuple[str, int]]) -> tuple[Price, int]:
    """The price of the plan, and the seats bought besides. Raises `UnknownPrice`."""
    found = await session.scalars(select(Price).where(Price.lookup_key.in_([key for key, _ in lines])))
    prices = {price.lookup_key: price for price in found}
    plans = [price for price in prices.values() if price.kind == "plan"]
    if len(prices) != len(lines) or len(plans) != 1:
        raise UnknownPrice
    return plans[0], sum(quantity for key, quantity in lines if prices[key].kind == "seat")


async def _tell(session: AsyncSession, family_id: UUID, subscription_id: UUID, before: str | None, after: str) -> None:
    if before != after:
        ids = {"family_id": family_id, "subscription_id": subscription_id}
        await emit(session, "payments.subscription_changed", **ids, before=before or "none", after=after)
