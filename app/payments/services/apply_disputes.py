"""Fetched refunds and disputes become our rows; the movements of money were posted with their payment."""

from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.outbox import emit
from app.payments.models import Dispute, Family, Payment, Refund
from app.payments.providers.port import DisputeState, RefundState
from app.payments.services import ledger, postings
from app.payments.services.apply_money import write

CLOSED: Final = ("won", "lost", "warning_closed", "prevented")


async def apply_refund(session: AsyncSession, provider: str, state: RefundState, seen_at: datetime) -> None:
    """Write a refund, if its payment is ours. Emits `payments.refunded`."""
    payment = await _payment(session, provider, state.payment_id)
    if payment is None:
        return
    values = {
        "payment_id": payment.id,
        "status": state.status,
        "currency": state.currency,
        "amount_cents": state.amount_cents,
        "reason": state.reason,
        "provider_seen_at": seen_at,
    }
    known = select(Refund.status).where(Refund.provider == provider, Refund.provider_id == state.id)
    before = await session.scalar(known)
    refund_id = await write(session, Refund, payment.family_id, provider, state.id, values)
    if before != "succeeded" and state.status == "succeeded":
        await emit(session, "payments.refunded", family_id=payment.family_id, refund_id=refund_id)


async def apply_dispute(session: AsyncSession, provider: str, state: DisputeState, seen_at: datetime) -> None:
    """Write a dispute, if its payment is ours; a lost one is a loss. Emits `payments.dispute_changed`."""
    payment = await _payment(session, provider, state.payment_id or "")
    if payment is None:
        return
    values = {
        "payment_id": payment.id,
        "status": state.status,
        "reason": state.reason,
        "currency": state.currency,
        "amount_cents": state.amount_cents,
        "evidence_due_at": state.evidence_due_at,
        "closed_at": seen_at if state.status in CLOSED else None,
        "provider_seen_at": seen_at,
    }
    known = select(Dispute.status).where(Dispute.provider == provider, Dispute.provider_id == state.id)
    before = await session.scalar(known)
    dispute_id = await write(session, Dispute, payment.family_id, provider, state.id, values)
    if state.status == "lost":
        await ledger.post(
            session,
            kind="dispute.lost",
            reference=state.id,
            legs=postings.of_lost_dispute(state.payment_id or "", state.currency, state.amount_cents),
            family_id=payment.family_id,
            occurred_at=seen_at,
        )
    if before != state.status:
        ids = {"family_id": payment.family_id, "dispute_id": dispute_id}
        await emit(session, "payments.dispute_changed", **ids, status=state.status)


async def _payment(session: AsyncSession, provider: str, payment_id: str) -> Payment | None:
    mine = Payment.provider == provider, Payment.provider_id == payment_id
    payment = select(Payment).join(Family, Family.id == Payment.family_id).where(*mine)
    return (await session.scalars(payment.with_for_update(of=Family, key_share=True))).one_or_none()
