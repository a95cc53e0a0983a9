"""A fetched checkout: what it bought is granted, what it reserved is given back if it came to nothing."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.outbox import emit
from app.payments.errors import WrongAmount
from app.payments.models import Checkout, Payment, Price
from app.payments.providers.port import CheckoutState
from app.payments.services import coupons, credits, ledger, postings
from app.payments.services.apply_money import link_credits
from app.payments.services.receipts import give_number

CREDITS_LAST: Final = timedelta(days=365)
BOUGHT: Final = 10
"""Priority of bought credits: those of the plan, which end sooner, are used first."""


async def apply_checkout(
    session: AsyncSession, provider: str, family_id: UUID, state: CheckoutState, seen_at: datetime
) -> None:
    """Write a checkout as it stands. Raises `WrongAmount`. Emits `payments.checkout_completed`."""
    mine = Checkout.provider == provider, Checkout.provider_id == state.id, Checkout.family_id == family_id
    checkout = (await session.scalars(select(Checkout).where(*mine).with_for_update())).one_or_none()
    if checkout is None:
        return
    if state.status == "complete" and checkout.purpose == "credits" and state.paid and state.payment_id:
        await _grant_credits(session, provider, checkout, state)
    if checkout.state != "open":
        return
    values = {"state": state.status, "expires_at": state.expires_at, "provider_seen_at": seen_at}
    await session.execute(update(Checkout).where(*mine).values(**values))
    if state.status == "expired" and checkout.coupon_id:
        await coupons.release(session, checkout.coupon_id, family_id)
    if state.status == "complete":
        await emit(session, "payments.checkout_completed", family_id=family_id, checkout_id=checkout.id)


async def _grant_credits(session: AsyncSession, provider: str, checkout: Checkout, state: CheckoutState) -> None:
    """Credits for a paid checkout, once for its payment, if what was received is what was asked for."""
    mine = Payment.provider == provider, Payment.provider_id == state.payment_id
    payment = (await session.scalars(select(Payment).where(*mine))).one()
    price = (await session.scalars(select(Price).where(Price.id == checkout.price_id))).one()
    if payment.received_cents != state.amount_cents or payment.currency != price.currency or price.credits is None:
        raise WrongAmount
    await link_credits(session, payment.id, price.id)
    bought = postings.of_bought_credits(payment.provider_id, payment.currency, payment.received_cents)
    paid_at = payment.paid_at or payment.created_at
    await ledger.post(
        session,
        kind="credits.bought",
        reference=payment.provider_id,
        legs=bought,
        family_id=checkout.family_id,
        occurred_at=paid_at,
    )
    await credits.grant(
        session,
        checkout.family_id,
        source_kind="payment",
        source_reference=str(payment.id),
        credits=price.credits,
        expires_at=paid_at + CREDITS_LAST,
        priority=BOUGHT,
        payment_id=payment.id,
    )
    await give_number(session, checkout.family_id, paid_at, payment_id=payment.id)
