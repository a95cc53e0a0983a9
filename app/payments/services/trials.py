"""Trials: one for a family, and one for a card, which is known only when the checkout is done."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id
from app.db.session import session_scope
from app.payments.models import BillingSubscription, Checkout, Trial
from app.payments.providers.port import Provider
from app.payments.services import operations
from app.payments.services.apply_money import card_digest
from app.payments.services.commands import HANDLERS, Command, Handler, Order
from app.payments.services.following import follow_subscription

END = "trial.end"


async def has_had_trial(session: AsyncSession, family_id: UUID) -> bool:
    """Whether a family has had its trial."""
    noted = select(Trial.id).where(Trial.family_id == family_id)
    mine = BillingSubscription.family_id == family_id, BillingSubscription.trial_end.is_not(None)
    seen = select(BillingSubscription.id).where(*mine).exists()
    return bool(await session.scalar(select(noted.exists() | seen)))


async def note_trial(provider: Provider, family_id: UUID, checkout_id: UUID) -> None:
    """Note the trial that a checkout began, for the family and its card; end it at once if either has had one.

    Raises `ProviderError`.
    """
    async with session_scope() as session:
        known = select(Checkout.provider_id).where(Checkout.id == checkout_id, Checkout.purpose == "plan")
        provider_id = await session.scalar(known)
    if provider_id is None:
        return
    checkout = await provider.fetch_checkout(provider_id)
    if checkout.subscription_id is None:
        return
    subscription = await provider.fetch_subscription(checkout.subscription_id)
    if subscription.status != "trialing":
        return
    cards = await provider.list_cards(checkout.customer_id)
    card = next((card for card in cards if card.is_default), cards[0] if cards else None)
    async with session_scope() as session:
        digest = card_digest(card.fingerprint) if card else None
        is_first = await _note(session, family_id, checkout_id, digest)
    if not is_first:
        await end_repeated_trial(provider, family_id, checkout.subscription_id)


async def _note(session: AsyncSession, family_id: UUID, checkout_id: UUID, digest: bytes | None) -> bool:
    """Write the trial down, under the id of the checkout that began it; whether it is the first one."""
    row = upsert(Trial).values(id=checkout_id, family_id=family_id, card_digest=digest).on_conflict_do_nothing()
    await session.execute(row)
    if await session.scalar(select(Trial.id).where(Trial.id == checkout_id)) is not None:
        return True
    short = upsert(Trial).values(id=new_id(), family_id=family_id).on_conflict_do_nothing()
    await session.execute(short)  # the family has had its trial, short as it was
    return False


async def end_repeated_trial(provider: Provider, family_id: UUID, subscription_id: str) -> None:
    """Let a trial that is not the first one end now: it is paid for from here on. Raises as `operations.execute`."""
    await operations.execute(provider, Order(family_id, END, subscription_id))


async def _end(provider: Provider, command: Command) -> str | None:
    return (await provider.end_trial(command.operation, command.subject)).id


async def _follow(provider: Provider, command: Command, _: str | None) -> None:
    await follow_subscription(provider, command.subject)


HANDLERS[END] = Handler(_end, follow=_follow, insists=True)
