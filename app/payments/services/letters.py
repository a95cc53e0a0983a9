"""What the payer is told by mail about money: short, with no card data in it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.notifications import service as notifications
from app.payments.models import BillingSubscription, Family, Invoice, Payment, Receipt, Refund

ENDINGS = {"grace": "plan_in_grace", "suspended": "plan_ended", "ended": "plan_ended"}


def money(cents: int, currency: str) -> str:
    """An amount as people write it: `9.00 EUR`."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02} {currency.upper()}"


def day(at: datetime) -> str:
    """A day as people write it: `3 March 2027`."""
    return f"{at.day} {at:%B %Y}"


async def write_receipt(session: AsyncSession, family_id: UUID, invoice_id: UUID) -> None:
    """Say that an invoice was paid; nothing is said of one that cost nothing."""
    found = select(Invoice.paid_cents, Invoice.currency, Receipt.series, Receipt.number)
    found = found.join(Receipt, Receipt.invoice_id == Invoice.id).where(Invoice.id == invoice_id)
    row = (await session.execute(found)).one_or_none()
    if row and row.paid_cents:
        number = f"{row.series}-{row.number:06}"
        await _write(session, family_id, "payment_received", amount=money(row.paid_cents, row.currency), number=number)


async def write_failure(session: AsyncSession, family_id: UUID, payment_id: UUID) -> None:
    """Say that a payment did not work."""
    row = await session.get(Payment, payment_id)
    if row and row.failure_code:
        reason = row.failure_code.replace("_", " ")
        await _write(session, family_id, "payment_failed", amount=money(row.amount_cents, row.currency), reason=reason)


async def write_refund(session: AsyncSession, family_id: UUID, refund_id: UUID) -> None:
    """Say that money goes back."""
    row = await session.get(Refund, refund_id)
    if row:
        await _write(session, family_id, "payment_refunded", amount=money(row.amount_cents, row.currency))


async def write_change(session: AsyncSession, family_id: UUID, subscription_id: UUID, after: str) -> None:
    """Say that a plan could not be renewed, or has ended."""
    row = await session.get(BillingSubscription, subscription_id)
    if row is None or after not in ENDINGS:
        return
    until = {"until": day(row.grace_until or row.period_end)} if after == "grace" else {}
    await _write(session, family_id, ENDINGS[after], **until)


async def _write(session: AsyncSession, family_id: UUID, template: str, **context: str) -> None:
    payer = await session.scalar(select(Family.owner_id).where(Family.id == family_id))
    person = await auth.find_profile(session, payer) if payer else None
    if payer and person:
        context |= {"name": person.name}
        await notifications.queue_mail(session, owner_id=payer, to=person.email, template=template, **context)
