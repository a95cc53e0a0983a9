"""Reports of the whole installation, at any time in the past: from the ledger and from what was invoiced."""

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Date, DateTime, Numeric, Select, and_, case, cast, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import SYSTEM, session_scope
from app.payments.models.billing import BilledLine, BillingSubscription, Invoice
from app.payments.models.catalog import PlanVersion, Price
from app.payments.models.ledger import LedgerLeg, LedgerTransaction
from app.payments.schemas.reports import (
    AccountBalance,
    Churn,
    Deferred,
    DeferredDay,
    EntryRead,
    LegRead,
    RecurringRevenue,
    TrialBalance,
)
from app.payments.services import ledger
from app.payments.services.clock import payments_now
from app.payments.services.revenue import earned_by, nets

ROWS_AT_ONCE: Final = 1_000
CSV_COLUMNS: Final = "id,kind,reference,family_id,occurred_at,account,subject,currency,amount_cents\r\n"


async def trial_balance(session: AsyncSession, as_of: datetime | None) -> TrialBalance:
    """Every account, as of a time or now; the sums by currency are 0."""
    at = as_of or await payments_now(session)
    rows = (await session.execute(ledger.balances(as_of=as_of))).all()
    sums: dict[str, int] = {}
    for row in rows:
        sums[row.currency] = sums.get(row.currency, 0) + int(row.cents)
    accounts = [AccountBalance(account=row.account, currency=row.currency, cents=int(row.cents)) for row in rows]
    return TrialBalance(as_of=at, accounts=accounts, sums=sums)


async def recurring_revenue(session: AsyncSession, as_of: datetime | None) -> RecurringRevenue:
    """Monthly and yearly recurring revenue: the lines that cover the time, at the price of the catalogue.

    A proration's credit takes off the plan that was left. An unpaid renewal counts while it is in grace. A trial brings
    nothing; a subscription that ended before its period did, nothing either.
    """
    at = as_of or await payments_now(session)
    monthly = _monthly_cents().label("monthly")
    by_currency = _covering(at).with_only_columns(Invoice.currency, func.sum(monthly).label("cents"))
    rows = (await session.execute(by_currency.group_by(Invoice.currency))).all()
    cents = {row.currency: int(row.cents) for row in rows if row.cents}
    yearly = {row.currency: int(row.cents * 12) for row in rows if row.cents}
    by_plan = (
        _covering(at)
        .with_only_columns(PlanVersion.plan_code, func.count(BillingSubscription.id.distinct()).label("subscriptions"))
        .join(PlanVersion, PlanVersion.id == Price.plan_version_id)
        .where(BilledLine.amount_cents > 0, Price.kind == "plan")
        .group_by(PlanVersion.plan_code)
    )
    counts = {row.plan_code: row.subscriptions for row in await session.execute(by_plan)}
    return RecurringRevenue(as_of=at, monthly_cents=cents, yearly_cents=yearly, subscriptions=counts)


def _covering(at: datetime) -> Select[Any]:
    """Lines of subscriptions that cover a time."""
    owed = or_(Invoice.status == "paid", and_(Invoice.status == "open", BillingSubscription.state == "grace"))
    running = or_(BillingSubscription.ended_at.is_(None), BillingSubscription.ended_at > at)
    return (
        select(BilledLine.id)
        .join(Invoice, Invoice.id == BilledLine.invoice_id)
        .join(BillingSubscription, BillingSubscription.id == Invoice.subscription_id)
        .join(Price, Price.lookup_key == BilledLine.lookup_key)
        .where(owed, running, BilledLine.period_start <= at, BilledLine.period_end > at)
        .where(BilledLine.amount_cents != 0, Invoice.issued_at <= at)
    )


def _monthly_cents() -> Any:
    months = case((Price.interval == "year", 12), else_=1)
    share = 1 - cast(BilledLine.discount_cents, Numeric) / BilledLine.amount_cents
    quantity = func.coalesce(BilledLine.quantity, 1)
    return func.sign(BilledLine.amount_cents) * quantity * Price.amount_cents * share / months


async def churn(session: AsyncSession, start: datetime, end: datetime) -> Churn:
    """How many of the paid subscriptions that ran at the start had ended at the end, and how many began."""
    paid = select(Invoice.id).where(
        Invoice.subscription_id == BillingSubscription.id, Invoice.status == "paid", Invoice.total_cents > 0
    )
    at_start = and_(BillingSubscription.started_at <= start, _runs_at(start))
    counts = select(
        func.count().filter(at_start).label("running"),
        func.count().filter(at_start, BillingSubscription.ended_at <= end).label("ended"),
        func.count().filter(BillingSubscription.started_at > start, BillingSubscription.started_at <= end).label("new"),
    ).where(paid.exists())
    row = (await session.execute(counts)).one()
    basis_points = (20_000 * row.ended + row.running) // (2 * row.running) if row.running else None
    percent = None if basis_points is None else f"{basis_points // 100}.{basis_points % 100:02}"
    return Churn(start=start, end=end, running_at_start=row.running, ended=row.ended, begun=row.new, percent=percent)


def _runs_at(at: datetime) -> Any:
    return or_(BillingSubscription.ended_at.is_(None), BillingSubscription.ended_at > at)


async def deferred(session: AsyncSession, first: date, last: date) -> Deferred:
    """What is paid for and not yet delivered, at the end of each day: in closed form, and as it is in the ledger."""
    days = func.generate_series(first, last, timedelta(days=1)).table_valued("day", name="days").render_derived()
    day = cast(days.c.day, Date)
    end = cast(func.timezone("UTC", cast(days.c.day, DateTime(timezone=False))), DateTime(timezone=True)) + timedelta(
        days=1
    )
    lines = nets().subquery()
    line = lines.c
    left = case((line.paid_at < end, line.net - earned_by(line, end)), else_=0)
    closed = select(day.label("day"), line.currency, func.sum(left).label("cents"))
    closed = closed.select_from(days.join(lines, true()))
    rows = (await session.execute(closed.group_by(day, line.currency).order_by(day, line.currency))).all()
    booked = await _deferred_in_ledger(session, day, end, days)
    return Deferred(
        days=[
            DeferredDay(
                day=row.day,
                currency=row.currency,
                deferred_cents=int(row.cents),
                ledger_cents=-booked.get((row.day, row.currency), 0),
            )
            for row in rows
        ]
    )


async def _deferred_in_ledger(session: AsyncSession, day: Any, end: Any, days: Any) -> dict[tuple[date, str], int]:
    legs = (
        select(day.label("day"), LedgerLeg.currency, func.sum(LedgerLeg.amount_cents).label("cents"))
        .select_from(days.join(LedgerTransaction, LedgerTransaction.occurred_at < end))
        .join(LedgerLeg, LedgerLeg.transaction_id == LedgerTransaction.id)
        .where(LedgerLeg.account == ledger.DEFERRED)
        .group_by(day, LedgerLeg.currency)
    )
    return {(row.day, row.currency): int(row.cents) for row in await session.execute(legs)}


async def list_entries(session: AsyncSession, *, limit: int, after: UUID | None) -> tuple[list[EntryRead], UUID | None]:
    """One page of the ledger, and the id that the next one begins after."""
    entries = select(LedgerTransaction).order_by(LedgerTransaction.id).limit(limit + 1)
    found = (await session.scalars(entries.where(LedgerTransaction.id > after) if after else entries)).all()
    page = found[:limit]
    legs = select(LedgerLeg).where(LedgerLeg.transaction_id.in_([entry.id for entry in page]))
    by_entry: dict[UUID, list[LegRead]] = {}
    for leg in await session.scalars(legs.order_by(LedgerLeg.transaction_id, LedgerLeg.position)):
        by_entry.setdefault(leg.transaction_id, []).append(LegRead.model_validate(leg))
    read = [_entry(entry, by_entry.get(entry.id, [])) for entry in page]
    return read, page[-1].id if len(found) > limit else None


def _entry(entry: LedgerTransaction, legs: list[LegRead]) -> EntryRead:
    names = ("id", "kind", "reference", "family_id", "occurred_at", "corrects", "created_at")
    return EntryRead(**{name: getattr(entry, name) for name in names}, legs=legs)


async def ledger_csv() -> AsyncIterator[bytes]:
    """The whole ledger, a line for each leg, a thousand at a time: no transaction and no memory is held meanwhile."""
    yield CSV_COLUMNS.encode()
    last: UUID | None = None
    while True:
        async with session_scope(SYSTEM) as session:
            page, last = await list_entries(session, limit=ROWS_AT_ONCE, after=last)
        if page:
            yield "".join(_csv_lines(page)).encode()
        if last is None:
            return


def _csv_lines(page: Sequence[EntryRead]) -> list[str]:
    return [
        ",".join(
            _quoted(str(value))
            for value in (
                entry.id,
                entry.kind,
                entry.reference,
                entry.family_id or "",
                entry.occurred_at.isoformat(),
                leg.account,
                leg.subject,
                leg.currency,
                leg.amount_cents,
            )
        )
        + "\r\n"
        for entry in page
        for leg in entry.legs
    ]


def _quoted(text: str) -> str:
    """A field of CSV (RFC 4180); one that a spreadsheet would take for a formula is text, a number is not."""
    if text[:1] in ("=", "+", "@") or (text[:1] == "-" and not text[1:].isdecimal()):
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"' if any(each in text for each in ',"\r\n') else text
