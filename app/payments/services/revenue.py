"""Revenue by the day: what was paid for a time is earned as the time passes, to the cent.

Of each line of a paid invoice, what is earned by the end of a day is the share of its time that has passed, rounded
towards zero on the running sum, so that the days sum up to the line. A day is one of UTC. What lies before the payment
is earned on the day of the payment.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.payments.models.billing import BilledLine, Dispute, Invoice, Payment
from app.payments.models.credits import CreditLot
from app.payments.models.ledger import LedgerLeg, LedgerTransaction, Recognition
from app.payments.services.clock import payments_now
from app.payments.services.ledger import CREDIT_LIABILITY, DEFERRED, REVENUE, Fact, Leg, post_all

DAY: Final = timedelta(days=1)
LAST_MOMENT: Final = timedelta(microseconds=1)
SUBSCRIPTIONS: Final = "subscriptions"
CREDITS: Final = "credits"
INVOICES_AT_ONCE: Final = 100
FACTS_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Earning:
    """One line of a paid invoice: what it brings, net of discount and tax, and over which time."""

    net_cents: int
    start: datetime
    end: datetime

    def by(self, at: datetime) -> int:
        """What is earned until then."""
        if at >= self.end:
            return self.net_cents
        if at <= self.start:
            return 0
        passed, whole = int((at - self.start).total_seconds()), int((self.end - self.start).total_seconds())
        earned = abs(self.net_cents) * passed // whole
        return earned if self.net_cents > 0 else -earned


def end_of(day: date) -> datetime:
    """The end of a day."""
    return datetime.combine(day, time(), UTC) + DAY


def nets() -> Select[Any]:
    """Each line of each paid invoice: `net`, `period_start`, `period_end`, `paid_at`, and whose it is.

    What the lines do not sum up to (taxes within prices, a rounding) is on the last one.
    """
    paid_at = func.coalesce(Invoice.paid_at, Invoice.issued_at)
    base = BilledLine.amount_cents - BilledLine.discount_cents
    in_lines = func.sum(base).over(partition_by=BilledLine.invoice_id)
    last = func.max(BilledLine.position).over(partition_by=BilledLine.invoice_id)
    rest = Invoice.total_cents - Invoice.tax_cents - in_lines
    columns: Sequence[ColumnElement[Any]] = (
        Invoice.id.label("invoice_id"),
        Invoice.family_id.label("family_id"),
        Invoice.provider_id.label("provider_id"),
        Invoice.currency.label("currency"),
        paid_at.label("paid_at"),
        BilledLine.position.label("position"),
        BilledLine.period_start.label("period_start"),
        BilledLine.period_end.label("period_end"),
        (base + case((BilledLine.position == last, rest), else_=0)).label("net"),
    )
    return select(*columns).join(Invoice, Invoice.id == BilledLine.invoice_id).where(Invoice.status == "paid")


def earned_by(line: Any, at: ColumnElement[datetime]) -> ColumnElement[int]:
    """`Earning.by` as the database computes it, for rows of `nets`."""
    seconds = func.trunc(func.extract("epoch", at - line.period_start))
    whole = func.trunc(func.extract("epoch", line.period_end - line.period_start))
    share = func.sign(line.net) * func.div(func.abs(line.net) * seconds, func.greatest(whole, 1))
    return case((at >= line.period_end, line.net), (at <= line.period_start, 0), else_=share)


async def recognise(session: AsyncSession) -> int:
    """Post what was earned on each day that is over and not posted yet, of some invoices; returns how many invoices.

    Days that were missed are caught up with. For the system; harmless when repeated or run in parallel.
    """
    through = (await payments_now(session)).astimezone(UTC).date() - DAY
    rows = (await session.execute(_open_lines(through))).all()
    facts: list[Fact] = []
    done: list[dict[str, Any]] = []
    for invoice_id, lines in ((key, list(group)) for key, group in groupby(rows, key=lambda row: row.invoice_id)):
        facts += _facts(lines, through)
        last = max(line.period_end for line in lines)
        done.append({"invoice_id": invoice_id, "through_on": through, "is_done": last <= end_of(through)})
    for begin in range(0, len(facts), FACTS_AT_ONCE):
        await post_all(session, facts[begin:][:FACTS_AT_ONCE])
    if done:
        put = upsert(Recognition).values(done)
        changed = {"through_on": put.excluded.through_on, "is_done": put.excluded.is_done}
        await session.execute(put.on_conflict_do_update(index_elements=["invoice_id"], set_=changed))
    return len(done)


def _open_lines(through: date) -> Select[Any]:
    """Lines of the next invoices that are not recognised up to a day, with the subject of their deferred revenue."""
    open_ = (
        select(Invoice.id)
        .outerjoin(Recognition, Recognition.invoice_id == Invoice.id)
        .where(Invoice.status == "paid", func.coalesce(Invoice.paid_at, Invoice.issued_at) < end_of(through))
        .where(or_(Recognition.invoice_id.is_(None), and_(~Recognition.is_done, Recognition.through_on < through)))
        .where(_deferred(LedgerTransaction.reference == Invoice.provider_id).exists())
        .order_by(Invoice.id)
        .limit(INVOICES_AT_ONCE)
    )
    line = nets().where(Invoice.id.in_(open_.scalar_subquery())).subquery()
    subject = _deferred(LedgerTransaction.reference == line.c.provider_id).scalar_subquery()
    through_on = select(Recognition.through_on).where(Recognition.invoice_id == line.c.invoice_id).scalar_subquery()
    return select(line, subject.label("subject"), through_on.label("through_on")).order_by(
        line.c.invoice_id, line.c.position
    )


def _deferred(mine: ColumnElement[bool]) -> Select[Any]:
    return (
        select(LedgerLeg.subject)
        .join(LedgerTransaction, LedgerTransaction.id == LedgerLeg.transaction_id)
        .where(LedgerTransaction.kind == "invoice.paid", mine, LedgerLeg.account == DEFERRED)
        .limit(1)
    )


def _facts(lines: Sequence[Any], through: date) -> Iterator[Fact]:
    """One entry for each day on which an invoice earned something."""
    first = lines[0]
    earnings = [Earning(int(line.net), line.period_start, line.period_end) for line in lines]
    day = first.through_on + DAY if first.through_on else first.paid_at.astimezone(UTC).date()
    before = sum(each.by(end_of(first.through_on)) for each in earnings) if first.through_on else 0
    last = min(through, max(day, max(each.end for each in earnings).astimezone(UTC).date()))
    while day <= last:
        earned = sum(each.by(end_of(day)) for each in earnings)
        legs = [
            Leg(DEFERRED, first.subject, first.currency, earned - before),
            Leg(REVENUE, SUBSCRIPTIONS, first.currency, before - earned),
        ]
        reference = f"{first.provider_id}:{day.isoformat()}"
        yield Fact("revenue.earned", reference, legs, first.family_id, end_of(day) - LAST_MOMENT)
        before, day = earned, day + DAY


async def recognise_credits(session: AsyncSession) -> int:
    """Post what was earned of bought credits: what is owed for them is the share of the price that is still usable.

    Credits that were used, or ended, are earned; one entry for each payment and day, with the difference. While a
    payment is disputed it rests. For the system; returns how many payments.
    """
    now = await payments_now(session)
    owed = -func.div(2 * Payment.received_cents * CreditLot.remaining + CreditLot.granted, 2 * CreditLot.granted)
    in_books = func.coalesce(
        select(func.sum(LedgerLeg.amount_cents))
        .where(LedgerLeg.account == CREDIT_LIABILITY, LedgerLeg.subject == Payment.provider_id)
        .scalar_subquery(),
        0,
    )
    bought = select(LedgerTransaction.id).where(
        LedgerTransaction.kind == "credits.bought", LedgerTransaction.reference == Payment.provider_id
    )
    disputed = select(Dispute.id).where(Dispute.payment_id == Payment.id, Dispute.closed_at.is_(None))
    statement = (
        select(Payment.provider_id, Payment.family_id, Payment.currency, (owed - in_books).label("more"))
        .join(CreditLot, CreditLot.payment_id == Payment.id)
        .where(CreditLot.source_kind == "payment", bought.exists(), ~disputed.exists(), owed != in_books)
        .limit(FACTS_AT_ONCE)
    )
    facts = [
        _of_credits(row.provider_id, row.family_id, row.currency, int(row.more), now)
        for row in await session.execute(statement)
    ]
    return await post_all(session, facts)


def _of_credits(payment: str, family_id: UUID, currency: str, more: int, now: datetime) -> Fact:
    legs = [Leg(CREDIT_LIABILITY, payment, currency, more), Leg(REVENUE, CREDITS, currency, -more)]
    return Fact("credits.earned", f"{payment}:{now.astimezone(UTC).date().isoformat()}", legs, family_id, now)
