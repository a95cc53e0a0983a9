"""Bring our rows to what the provider has: fetch outside any transaction, apply in one, for one family at a time.

An event, a command, a reconciliation and a repetition all end here. Nothing depends on order: an apply whose fetch
began before that of the row's last one changes nothing, and every effect has a natural key.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import session_scope
from app.payments.providers.port import BalanceTransaction, Provider
from app.payments.services import clock
from app.payments.services.apply_checkouts import apply_checkout
from app.payments.services.apply_disputes import apply_dispute, apply_refund
from app.payments.services.apply_money import Money, apply_money
from app.payments.services.apply_subscriptions import apply_subscription
from app.payments.services.customers import locked_family_of

Sync = Callable[[Provider, str], Awaitable[None]]


async def sync_object(provider: Provider, kind: str, object_id: str) -> None:
    """Fetch and apply one object by the kind that events name it by; kinds that mean nothing to us are passed over.

    Raises `ProviderError`, and whatever keeps the object from being applied.
    """
    sync = SYNCS.get(kind)
    if sync is not None:
        await sync(provider, object_id)


async def before_fetch() -> datetime:
    """The database's time: what is fetched from now on is at least as new as this."""
    async with session_scope() as session:
        return await _database_time(session)


async def _database_time(session: AsyncSession) -> datetime:
    now: datetime = (await session.scalars(select(func.clock_timestamp()))).one()
    return now


async def sync_subscription(provider: Provider, subscription_id: str) -> None:
    """A subscription, and the family's plan with it."""
    seen_at = await before_fetch()
    state = await provider.fetch_subscription(subscription_id)
    async with session_scope() as session:
        family_id = await locked_family_of(session, provider.name, state.customer_id)
        if family_id:
            await apply_subscription(session, provider.name, family_id, state, seen_at)


async def sync_invoice(provider: Provider, invoice_id: str) -> None:
    """An invoice with its subscription, its payments and the movements of our balance that belong to them."""
    seen_at = await before_fetch()
    invoice = await provider.fetch_invoice(invoice_id)
    if invoice.subscription_id:
        await sync_subscription(provider, invoice.subscription_id)
    payments = [await provider.fetch_payment(payment_id) for payment_id in invoice.payment_ids]
    movements = {payment.id: await _movements(provider, payment.id) for payment in payments}
    await _apply(provider, invoice.customer_id, Money(invoice, payments, movements), seen_at)


async def sync_payment(provider: Provider, payment_id: str) -> None:
    """A payment; with its invoice if it belongs to one."""
    seen_at = await before_fetch()
    payment = await provider.fetch_payment(payment_id)
    if payment.invoice_id:
        await sync_invoice(provider, payment.invoice_id)
    elif payment.customer_id:
        money = Money(None, [payment], {payment.id: await _movements(provider, payment.id)})
        await _apply(provider, payment.customer_id, money, seen_at)


async def _movements(provider: Provider, payment_id: str) -> Sequence[BalanceTransaction]:
    return [entry async for entry in provider.list_balance_transactions(payment_id=payment_id)]


async def _apply(provider: Provider, customer_id: str, money: Money, seen_at: datetime) -> None:
    async with session_scope() as session:
        family_id = await locked_family_of(session, provider.name, customer_id)
        if family_id:
            await apply_money(session, provider.name, family_id, money, seen_at)


async def sync_refund(provider: Provider, refund_id: str) -> None:
    """A refund, after its payment."""
    seen_at = await before_fetch()
    refund = await provider.fetch_refund(refund_id)
    await sync_payment(provider, refund.payment_id)
    async with session_scope() as session:
        await apply_refund(session, provider.name, refund, seen_at)


async def sync_dispute(provider: Provider, dispute_id: str) -> None:
    """A dispute, after its payment."""
    seen_at = await before_fetch()
    dispute = await provider.fetch_dispute(dispute_id)
    if dispute.payment_id is None:
        return
    await sync_payment(provider, dispute.payment_id)
    async with session_scope() as session:
        await apply_dispute(session, provider.name, dispute, seen_at)


async def sync_checkout(provider: Provider, checkout_id: str) -> None:
    """A checkout, after what it made."""
    seen_at = await before_fetch()
    state = await provider.fetch_checkout(checkout_id)
    if state.subscription_id:
        await sync_subscription(provider, state.subscription_id)
    if state.payment_id:
        await sync_payment(provider, state.payment_id)
    async with session_scope() as session:
        family_id = await locked_family_of(session, provider.name, state.customer_id)
        if family_id:
            await apply_checkout(session, provider.name, family_id, state, seen_at)


async def sync_clock(provider: Provider, _: str) -> None:
    """The provider's time; only the simulator's differs from ours."""
    now = await provider.now()
    async with session_scope() as session:
        await clock.follow(session, provider.name, now)


SYNCS: Final[dict[str, Sync]] = {
    "checkout.session": sync_checkout,
    "customer.subscription": sync_subscription,
    "invoice": sync_invoice,
    "payment_intent": sync_payment,
    "refund": sync_refund,
    "charge.refund": sync_refund,
    "charge.dispute": sync_dispute,
    "test_helpers.test_clock": sync_clock,
}
