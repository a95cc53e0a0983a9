"""The months that a plan's credits are counted by: from the start of what was paid, or those of the calendar."""

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.payments.models.billing import BilledLine, Invoice, Payment
from app.payments.services.access import Access
from app.payments.services.clock import NOW


@dataclass(frozen=True, slots=True)
class Month:
    """One month of credits; `reference` begins the names of what is granted for it."""

    reference: str
    credits: int
    ends_at: datetime


def month_of(access: Access, family_id: UUID, now: datetime) -> Month:
    """The month that a family is in: of its subscription's period, also of a yearly one, else of the calendar."""
    credits = access.limits.get("credits_monthly") or 0
    if access.subscription_id and access.credits_from:
        number = months_between(access.credits_from, now)
        start = add_months(access.credits_from, number)
        reference = f"{access.subscription_id}:{start:%Y-%m-%d}:"
        return Month(reference, credits, add_months(access.credits_from, number + 1))
    start = datetime(now.year, now.month, 1, tzinfo=UTC)
    return Month(f"{family_id}:{start:%Y-%m}:", credits, add_months(start, 1))


def add_months(start: datetime, number: int) -> datetime:
    """The same day and time some months later, or the last day of a month that is too short."""
    years, month = divmod(start.month - 1 + number, 12)
    year = start.year + years
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return start.replace(year=year, month=month + 1, day=day)


def months_between(start: datetime, now: datetime) -> int:
    """How many whole months have passed; 0 before the start."""
    number = (now.year - start.year) * 12 + now.month - start.month
    return max(0, number if add_months(start, max(0, number)) <= now else number - 1)


async def payment_of(session: AsyncSession, access: Access) -> UUID | None:
    """The payment that paid for the present time of a subscription: its credits go when its money goes back."""
    if access.subscription_id is None:
        return None
    covers = select(BilledLine.id).where(
        BilledLine.invoice_id == Invoice.id, BilledLine.period_start <= NOW, BilledLine.period_end > NOW
    )
    paid = (
        select(Payment.id)
        .join(Invoice, Invoice.id == Payment.invoice_id)
        .where(Invoice.subscription_id == access.subscription_id, Payment.received_cents > 0, covers.exists())
        .order_by(Payment.paid_at.desc())
        .limit(1)
    )
    found: UUID | None = await session.scalar(paid)
    return found
