"""Receipts: a number without gaps for everything that was paid, and the PDF."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.runtime import current
from app.payments.errors import ReceiptNotFound
from app.payments.models import BilledLine, Invoice, Payment, Price, Receipt, ReceiptSeries
from app.payments.policy import as_family
from app.payments.schemas.receipts import ReceiptRead
from app.payments.services.families import require_payer
from app.payments.services.receipt_pdf import PrintedLine, PrintedReceipt, render

PREFIX: Final = "LV"


async def give_number(
    session: AsyncSession,
    family_id: UUID,
    paid_at: datetime,
    *,
    invoice_id: UUID | None = None,
    payment_id: UUID | None = None,
) -> bool:
    """Give a paid invoice, or a payment without one, the next number of its year; False if it has one.

    The series is locked until the transaction ends, so that a number is lost with nothing but the receipt itself. The
    family must be locked: then nobody else numbers the same subject.
    """
    subject = Receipt.invoice_id == invoice_id if invoice_id else Receipt.payment_id == payment_id
    if await session.scalar(select(exists().where(subject))):
        return False
    series = f"{PREFIX}-{paid_at:%Y}"
    following = upsert(ReceiptSeries).values(code=series, last=1)
    following = following.on_conflict_do_update(index_elements=["code"], set_={"last": ReceiptSeries.last + 1})
    number = (await session.scalars(following.returning(ReceiptSeries.last))).one()
    values = {"series": series, "number": number, "paid_at": paid_at, "family_id": family_id}
    session.add(Receipt(id=new_id(), invoice_id=invoice_id, payment_id=payment_id, **values))
    await session.flush()
    return True


async def list_receipts(
    session: AsyncSession, principal: Principal, *, limit: int, after: UUID | None
) -> tuple[list[ReceiptRead], UUID | None]:
    """What the principal paid, newest first, and where the next page begins. Raises `NotThePayer`."""
    family_id = await require_payer(session, principal)
    columns = (Receipt, Invoice.paid_cents, Invoice.currency, Payment.received_cents, Payment.currency.label("cash"))
    statement = (
        select(*columns)
        .outerjoin(Invoice, Invoice.id == Receipt.invoice_id)
        .outerjoin(Payment, Payment.id == Receipt.payment_id)
        .where(Receipt.family_id == family_id)
        .order_by(Receipt.id.desc())
        .limit(limit + 1)
    )
    if after:
        statement = statement.where(Receipt.id < after)
    async with as_family(session, family_id):
        rows = (await session.execute(statement)).all()
    page = [
        ReceiptRead(
            id=row.Receipt.id,
            number=number_of(row.Receipt),
            paid_at=row.Receipt.paid_at,
            paid_cents=row.paid_cents if row.Receipt.invoice_id else row.received_cents,
            currency=row.currency or row.cash,
            invoice_id=row.Receipt.invoice_id,
            payment_id=row.Receipt.payment_id,
        )
        for row in rows[:limit]
    ]
    return page, page[-1].id if len(rows) > limit else None


def number_of(receipt: Receipt) -> str:
    """The number as it is printed."""
    return f"{receipt.series}-{receipt.number:06}"


async def print_receipt(session: AsyncSession, principal: Principal, receipt_id: UUID) -> tuple[str, bytes]:
    """A receipt's number and its PDF. Raises `NotThePayer`, `ReceiptNotFound`."""
    family_id = await require_payer(session, principal)
    person = await auth.profile(session, principal.user_id)
    async with as_family(session, family_id):
        receipt = await session.get(Receipt, receipt_id)
        if receipt is None or receipt.family_id != family_id:
            raise ReceiptNotFound
        printed = await _printed(session, receipt, [person.name, person.email])
    return printed.number, await asyncio.to_thread(render, printed)


async def _printed(session: AsyncSession, receipt: Receipt, buyer: Sequence[str]) -> PrintedReceipt:
    subject = Payment.invoice_id == receipt.invoice_id if receipt.invoice_id else Payment.id == receipt.payment_id
    payments = (await session.scalars(select(Payment).where(subject))).all()
    common: dict[str, Any] = {
        "number": number_of(receipt),
        "paid_at": receipt.paid_at,
        "seller": [line.strip() for line in current().settings.seller.split("|")],
        "buyer": buyer,
        "refunded_cents": sum(payment.refunded_cents for payment in payments),
    }
    if receipt.invoice_id is None:
        payment = payments[0]
        price = await session.get(Price, payment.credits_price_id)
        text = f"{price.credits} AI credits" if price else "AI credits"
        line = PrintedLine(text, payment.received_cents, None)
        nothing = {"discount_cents": 0, "tax_cents": 0, "credit_cents": 0}
        sums: dict[str, Any] = {"currency": payment.currency, "paid_cents": payment.received_cents, **nothing}
        return PrintedReceipt(lines=[line], **common, **sums)
    invoice = await session.get_one(Invoice, receipt.invoice_id)
    rows = select(BilledLine).where(BilledLine.invoice_id == invoice.id).order_by(BilledLine.position)
    return PrintedReceipt(
        lines=[
            PrintedLine(row.description, row.amount_cents, (row.period_start, row.period_end))
            for row in await session.scalars(rows)
        ],
        currency=invoice.currency,
        discount_cents=invoice.discount_cents,
        tax_cents=invoice.tax_cents,
        credit_cents=invoice.total_cents - invoice.paid_cents,
        paid_cents=invoice.paid_cents,
        **common,
    )
