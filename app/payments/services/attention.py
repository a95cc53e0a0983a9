"""What of the payments somebody should look at, in numbers, for operators."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.payments.models import Difference
from app.payments.models.inbox import InboxEvent
from app.payments.models.operations import ProviderOperation
from app.payments.services import operations, reports


@dataclass(frozen=True, slots=True)
class PaymentOverview:
    """Recurring revenue in minor units by currency, and what is open: all of it should be 0 most of the time.

    `differences` of reconciliation, `dead` events that were given up, `waiting` events that are still tried, and
    `unsettled` commands whose outcome is not known.
    """

    monthly_cents: dict[str, int]
    subscriptions: dict[str, int]
    differences: int
    dead: int
    waiting: int
    unsettled: int


async def payment_overview(session: AsyncSession) -> PaymentOverview:
    """How the payments stand now; for the system."""
    revenue = await reports.recurring_revenue(session, None)
    waiting = InboxEvent.handled_at.is_(None), InboxEvent.dead_at.is_(None)
    counts = (
        select(func.count()).where(Difference.closed_at.is_(None)),
        select(func.count()).where(InboxEvent.dead_at.is_not(None)),
        select(func.count()).where(*waiting),
        select(func.count()).where(ProviderOperation.state.in_(operations.UNSETTLED)),
    )
    found = (await session.execute(select(*(each.scalar_subquery() for each in counts)))).one()
    return PaymentOverview(revenue.monthly_cents, revenue.subscriptions, *found)
