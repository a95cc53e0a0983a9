"""Fetched invoices, payments and movements become our rows, entries of the ledger, receipts and credits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id
from app.core.crypto import lookup_digest
from app.db.outbox import emit
from app.db.runtime import current
from app.payments.models import BilledLine, BillingSubscription, Invoice, Payment
from app.payments.providers.port import BalanceTransaction, InvoiceState, PaymentState
from app.payments.services import credits, ledger, postings
from app.payments.services.receipts import give_number

CARD: Final = "payments.card"
LINE_FIELDS: Final = (
    "description",
    "lookup_key",
    "quantity",
    "amount_cents",
    "discount_cents",
    "tax_cents",
    "is_proration",
    "period_start",
    "period_end",
)


@dataclass(frozen=True, slots=True)
class Money:
    """What was fetched together: an invoice, if there is one, its payments, and the movements of each."""

    invoice: InvoiceState | None
    payments: Sequence[PaymentState]
    movements: Mapping[str, Sequence[BalanceTransaction]]


async def apply_money(session: AsyncSession, provider: str, family_id: UUID, money: Money, seen_at: datetime) -> None:
    """Write what was fetched. The ledger's entries are complete by their own keys, however old the look was.

    Emits `payments.invoice_paid`, `payments.payment_failed`.
    """
    invoice_id = None
    if money.invoice is not None:
        invoice_id = await _apply_invoice(session, provider, family_id, money.invoice, seen_at)
        if money.invoice.status == "paid":
            await _earn(session, family_id, invoice_id, money.invoice, money.payments)
    for payment in money.payments:
        row_id = await _apply_payment(session, provider, family_id, payment, invoice_id, seen_at)
        await post_movements(session, provider, family_id, row_id, payment, money.movements[payment.id], money.invoice)


async def _apply_invoice(
    session: AsyncSession, provider: str, family_id: UUID, state: InvoiceState, seen_at: datetime
) -> UUID:
    subscription = select(BillingSubscription.id).where(
        BillingSubscription.provider == provider, BillingSubscription.provider_id == state.subscription_id
    )
    values = {
        "subscription_id": await session.scalar(subscription),
        "provider_number": state.number,
        "status": state.status,
        "reason": state.reason,
        "currency": state.currency,
        "subtotal_cents": state.subtotal_cents,
        "discount_cents": state.discount_cents,
        "tax_cents": state.tax_cents,
        "total_cents": state.total_cents,
        "due_cents": state.due_cents,
        "paid_cents": state.paid_cents,
        "issued_at": state.finalized_at or state.created_at,
        "paid_at": state.paid_at,
        "provider_seen_at": seen_at,
    }
    invoice_id = await write(session, Invoice, family_id, provider, state.id, values)
    if await session.scalar(select(Invoice.provider_seen_at).where(Invoice.id == invoice_id)) == seen_at:
        await _write_lines(session, family_id, invoice_id, state)
    return invoice_id


async def _write_lines(session: AsyncSession, family_id: UUID, invoice_id: UUID, state: InvoiceState) -> None:
    """The lines as they stand; those of a draft may still change."""
    await session.execute(delete(BilledLine).where(BilledLine.invoice_id == invoice_id))
    rows = [
        {
            "id": new_id(),
            "family_id": family_id,
            "invoice_id": invoice_id,
            "provider_id": line.id,
            "position": position,
            **{name: getattr(line, name) for name in LINE_FIELDS},
        }
        for position, line in enumerate(state.lines)
    ]
    if rows:
        await session.execute(insert(BilledLine), rows)


async def write(
    session: AsyncSession, model: Any, family_id: UUID, provider: str, provider_id: str, values: dict[str, Any]
) -> UUID:
    """Insert or update what stands for a provider's object, unless a newer look at it was written; its id."""
    keys = {"family_id": family_id, "provider": provider, "provider_id": provider_id}
    put = upsert(model).values(id=new_id(), **keys, **values)
    put = put.on_conflict_do_update(
        index_elements=["provider", "provider_id"],
        set_=values,
        where=model.provider_seen_at <= put.excluded.provider_seen_at,
    )
    row_id: UUID | None = await session.scalar(put.returning(model.id))
    if row_id is None:
        mine = select(model.id).where(model.provider == provider, model.provider_id == provider_id)
        row_id = (await session.execute(mine)).scalar_one()
    return row_id


async def _earn(
    session: AsyncSession, family_id: UUID, invoice_id: UUID, invoice: InvoiceState, payments: Sequence[PaymentState]
) -> None:
    """A paid invoice: its entry in the ledger and its receipt, once."""
    paid_at = invoice.paid_at or invoice.created_at
    posted = await ledger.post(
        session,
        kind="invoice.paid",
        reference=invoice.id,
        legs=postings.of_paid_invoice(invoice, payments),
        family_id=family_id,
        occurred_at=paid_at,
    )
    numbered = await give_number(session, family_id, paid_at, invoice_id=invoice_id)
    if posted or numbered:
        await emit(session, "payments.invoice_paid", family_id=family_id, invoice_id=invoice_id)


async def _apply_payment(
    session: AsyncSession,
    provider: str,
    family_id: UUID,
    state: PaymentState,
    invoice_id: UUID | None,
    seen_at: datetime,
) -> UUID:
    before = await session.scalar(
        select(Payment.failure_code).where(Payment.provider == provider, Payment.provider_id == state.id)
    )
    values: dict[str, Any] = {
        "charge_id": state.charge_id,
        "status": state.status,
        "currency": state.currency,
        "amount_cents": state.amount_cents,
        "received_cents": state.received_cents,
        "refunded_cents": state.refunded_cents,
        "is_disputed": state.is_disputed,
        "failure_code": state.failure_code,
        "card_country": state.card.country if state.card else None,
        "card_digest": card_digest(state.card.fingerprint) if state.card else None,
        "paid_at": state.created_at if state.received_cents else None,
        "provider_seen_at": seen_at,
    }
    if invoice_id is not None:
        values["invoice_id"] = invoice_id
    row_id = await write(session, Payment, family_id, provider, state.id, values)
    if state.failure_code and state.failure_code != before:
        await emit(session, "payments.payment_failed", family_id=family_id, payment_id=row_id)
    return row_id


def card_digest(fingerprint: str) -> bytes:
    """A card as it is kept: the same card gives the same digest, and nobody without the key learns which it is."""
    return lookup_digest(current().settings.lookup_key_bytes, CARD, fingerprint)


async def post_movements(
    session: AsyncSession,
    provider: str,
    family_id: UUID,
    payment_id: UUID,
    payment: PaymentState,
    movements: Sequence[BalanceTransaction],
    invoice: InvoiceState | None,
) -> None:
    """Post every movement of our balance that belongs to a payment; take back credits whose money went back."""
    total = invoice.total_cents if invoice else payment.received_cents
    sale = postings.Sale(total, invoice.tax_cents if invoice else 0, is_credits=invoice is None)
    for entry, legs in postings.of_payment(provider, movements, payment, sale):
        await ledger.post(
            session,
            kind=f"provider.{entry.type}",
            reference=entry.id,
            legs=legs,
            family_id=family_id,
            occurred_at=entry.created_at,
        )
    back = postings.given_back(movements)
    if payment.received_cents:
        await credits.take_back(session, family_id, payment_id, back, payment.received_cents, len(movements))


async def link_credits(session: AsyncSession, payment_id: UUID, price_id: UUID) -> None:
    """Remember what a payment without an invoice bought."""
    await session.execute(update(Payment).where(Payment.id == payment_id).values(credits_price_id=price_id))
