"""What the provider has and what we have, side by side, a hundred at a time."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import session_scope
from app.payments.models import BillingCustomer, BillingSubscription, Checkout, Dispute, Invoice
from app.payments.models.ledger import LedgerLeg, LedgerTransaction
from app.payments.providers.port import DisputeState, InvoiceState, Missing, Provider, SubscriptionState
from app.payments.services.ledger import CASH, CLEARING

BATCH: Final = 100
QUIET_AFTER: Final = timedelta(hours=24)
MOVEMENT: Final = "movement"
OWN_SUMS: Final = "own-sum"
MISSING: Final = "exists"

Fields = Mapping[str, Any]
Load = Callable[[AsyncSession, str, Sequence[str]], Awaitable[Mapping[str, Fields]]]


@dataclass(frozen=True, slots=True)
class Found:
    """One field that is not the same; `field` is `exists` when one side has nothing."""

    kind: str
    reference: str
    field: str
    ours: str | None
    theirs: str | None

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same difference in another run."""
        return self.kind, self.reference, self.field


@dataclass(frozen=True, slots=True)
class Theirs:
    """One object of the provider, as far as it is compared."""

    reference: str
    fields: Fields
    source: Any = None


def differences(kind: str, theirs: Theirs, ours: Fields | None) -> list[Found]:
    """What differs, field by field."""
    if ours is None:
        return [Found(kind, theirs.reference, MISSING, None, "yes")]
    return [
        Found(kind, theirs.reference, name, str(ours[name]), str(value))
        for name, value in theirs.fields.items()
        if ours[name] != value
    ]


async def batches(objects: AsyncIterator[Theirs]) -> AsyncIterator[list[Theirs]]:
    """Groups of at most `BATCH`."""
    group: list[Theirs] = []
    async for each in objects:
        group.append(each)
        if len(group) == BATCH:
            yield group
            group = []
    if group:
        yield group


async def movements(provider: Provider, since: datetime) -> AsyncIterator[Theirs]:
    """Movements of our balance: what each did to our cash."""
    async for entry in provider.list_balance_transactions(since=since):
        yield Theirs(entry.id, {"currency": entry.currency, "cash": entry.amount_cents - entry.fee_cents}, entry)


async def our_movements(session: AsyncSession, provider: str, references: Sequence[str]) -> dict[str, Fields]:
    """What the ledger says of these movements."""
    cash = (
        select(LedgerTransaction.reference, LedgerLeg.currency, func.sum(LedgerLeg.amount_cents).label("cash"))
        .join(LedgerLeg, LedgerLeg.transaction_id == LedgerTransaction.id)
        .where(LedgerTransaction.reference.in_(references), LedgerTransaction.kind.like("provider.%"))
        .where(LedgerLeg.account == CASH, LedgerLeg.subject == provider)
        .group_by(LedgerTransaction.reference, LedgerLeg.currency)
    )
    return {row.reference: {"currency": row.currency, "cash": int(row.cash)} for row in await session.execute(cash)}


async def movements_only_ours(provider: str, since: datetime, seen: set[str]) -> list[Found]:
    """Movements in our ledger since then that the provider does not have."""
    mine = (
        select(LedgerTransaction.reference)
        .join(LedgerLeg, LedgerLeg.transaction_id == LedgerTransaction.id)
        .where(LedgerTransaction.kind.like("provider.%"), LedgerTransaction.occurred_at >= since)
        .where(LedgerLeg.account == CASH, LedgerLeg.subject == provider)
    )
    async with session_scope() as session:
        references = set(await session.scalars(mine))
    return [Found(MOVEMENT, each, MISSING, "yes", None) for each in sorted(references - seen)]


async def invoices(provider: Provider, since: datetime) -> AsyncIterator[Theirs]:
    """Invoices of our customers."""
    async for state in provider.list_invoices(since=since):
        if await is_ours(provider.name, state.customer_id):
            yield Theirs(state.id, invoice_fields(state))


def invoice_fields(state: InvoiceState) -> Fields:
    """What an invoice is compared by."""
    return {"status": state.status, "total_cents": state.total_cents, "paid_cents": state.paid_cents}


async def subscriptions(provider: Provider) -> AsyncIterator[Theirs]:
    """Every subscription of our customers."""
    async for state in provider.list_subscriptions():
        if await is_ours(provider.name, state.customer_id):
            yield Theirs(state.id, subscription_fields(state))


def subscription_fields(state: SubscriptionState) -> Fields:
    """What a subscription is compared by."""
    return {
        "provider_status": state.status,
        "period_end": max(item.period_end for item in state.items),
        "cancel_at_period_end": state.cancel_at_period_end,
    }


async def disputes(provider: Provider, since: datetime) -> AsyncIterator[Theirs]:
    """Disputes about payments that are ours."""
    async for state in provider.list_disputes(since=since):
        if state.payment_id:
            yield Theirs(state.id, dispute_fields(state))


def dispute_fields(state: DisputeState) -> Fields:
    """What a dispute is compared by."""
    return {"status": state.status, "amount_cents": state.amount_cents}


async def checkouts(provider: Provider, ended_before: datetime | None) -> AsyncIterator[Theirs]:
    """Checkouts that are open here: all, or those that must have ended. Events of old ones can't be asked for."""
    waiting = select(Checkout.provider_id).where(Checkout.provider == provider.name, Checkout.state == "open")
    if ended_before is not None:
        waiting = waiting.where(Checkout.expires_at < ended_before)
    async with session_scope() as session:
        open_here = [each for each in await session.scalars(waiting) if each]
    for checkout_id in open_here:
        with suppress(Missing):
            state = await provider.fetch_checkout(checkout_id)
            yield Theirs(checkout_id, {"state": state.status})


def loader(model: Any, *names: str) -> Load:
    """How our rows of a kind are read, by the provider's ids."""
    columns = [getattr(model, name) for name in names]

    async def load(session: AsyncSession, provider: str, references: Sequence[str]) -> dict[str, Fields]:
        mine = select(model.provider_id, *columns).where(model.provider == provider, model.provider_id.in_(references))
        return {row.provider_id: row._asdict() for row in await session.execute(mine)}

    return load


our_invoices = loader(Invoice, "status", "total_cents", "paid_cents")
our_subscriptions = loader(BillingSubscription, "provider_status", "period_end", "cancel_at_period_end")
our_checkouts = loader(Checkout, "state")
our_disputes = loader(Dispute, "status", "amount_cents")


async def is_ours(provider: str, customer_id: str) -> bool:
    """Whether a customer is a family of ours: one account at a provider may serve other products too."""
    mine = select(BillingCustomer.id).where(
        BillingCustomer.provider == provider, BillingCustomer.provider_id == customer_id
    )
    async with session_scope() as session:
        return await session.scalar(mine) is not None


async def own_sums(session: AsyncSession, now: datetime) -> list[Found]:
    """What must hold among our own rows: the trial balance, and nothing left on the way between two accounts."""
    total = select(LedgerLeg.currency, func.sum(LedgerLeg.amount_cents).label("cents")).group_by(LedgerLeg.currency)
    found = [
        Found(OWN_SUMS, "trial-balance", row.currency, str(row.cents), "0")
        for row in await session.execute(total.having(func.sum(LedgerLeg.amount_cents) != 0))
    ]
    on_the_way = (
        select(LedgerLeg.subject, LedgerLeg.currency, func.sum(LedgerLeg.amount_cents).label("cents"))
        .join(LedgerTransaction, LedgerTransaction.id == LedgerLeg.transaction_id)
        .where(LedgerLeg.account == CLEARING)
        .group_by(LedgerLeg.subject, LedgerLeg.currency)
        .having(func.sum(LedgerLeg.amount_cents) != 0)
        .having(func.max(LedgerTransaction.occurred_at) < now - QUIET_AFTER)
    )
    return found + [
        Found(OWN_SUMS, f"clearing:{row.subject}", row.currency, str(row.cents), "0")
        for row in await session.execute(on_the_way)
    ]
