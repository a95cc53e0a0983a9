"""The books: facts about money, each posted once. The database refuses what does not balance and what would change."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id
from app.payments.models.ledger import LedgerLeg, LedgerTransaction

CASH: Final = "cash"
"""Our balance at a provider (subject: the provider)."""
CLEARING: Final = "clearing"
"""Received, and not yet set against what it was for (subject: the payment); 0 when all is quiet."""
FEES: Final = "fees"
DEFERRED: Final = "deferred"
"""Paid for, and not yet delivered (subject: the subscription)."""
REVENUE: Final = "revenue"
TAX_PAYABLE: Final = "tax_payable"
CREDIT_LIABILITY: Final = "credit_liability"
"""Credits that were paid for and not yet used (subject: the payment)."""
REFUNDS: Final = "refunds"
"""Revenue that went back (subject: the payment)."""
DISPUTED_FUNDS: Final = "disputed_funds"
CHARGEBACK_LOSS: Final = "chargeback_loss"
BANK_IN_TRANSIT: Final = "bank_in_transit"
CUSTOMER_BALANCE: Final = "customer_balance"
"""Credit of a customer at the provider, from prorations (subject: the customer)."""
PAID_ELSEWHERE: Final = "paid_elsewhere"
"""Marked as paid at the provider without a payment through it (subject: the invoice)."""
PROVIDER_OTHER: Final = "provider_other"
"""Movements of our balance that belong to no sale (subject: their type)."""
RECEIVABLE: Final = "receivable"
"""Owed to us by a marketplace (subject: its name)."""
MARKETPLACE_FEE: Final = "marketplace_fee"


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of a fact: debit positive, credit negative, in minor units."""

    account: str
    subject: str
    currency: str
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Fact:
    """What `post` takes, for many at once."""

    kind: str
    reference: str
    legs: Sequence[Leg]
    family_id: UUID | None
    occurred_at: datetime
    corrects: UUID | None = None


async def post(
    session: AsyncSession,
    *,
    kind: str,
    reference: str,
    legs: Sequence[Leg],
    family_id: UUID | None,
    occurred_at: datetime,
    corrects: UUID | None = None,
) -> bool:
    """Post a fact unless it was posted before; whether it was new. Nothing is posted if no leg has an amount.

    Must be called for the family or the system. A sum other than 0 is refused by the database at COMMIT.
    """
    fact = Fact(kind, reference, legs, family_id, occurred_at, corrects)
    return await post_all(session, [fact]) == 1


async def post_all(session: AsyncSession, facts: Iterable[Fact]) -> int:
    """Post each fact unless it was posted before; returns how many were new."""
    by_id = {new_id(): fact for fact in facts if any(leg.amount_cents for leg in fact.legs)}
    if not by_id:
        return 0
    rows = [
        {
            "id": transaction_id,
            "kind": fact.kind,
            "reference": fact.reference,
            "family_id": fact.family_id,
            "occurred_at": fact.occurred_at,
            "corrects": fact.corrects,
        }
        for transaction_id, fact in by_id.items()
    ]
    put = upsert(LedgerTransaction).values(rows).on_conflict_do_nothing(index_elements=["kind", "reference"])
    posted = (await session.scalars(put.returning(LedgerTransaction.id))).all()
    if posted:
        await session.execute(insert(LedgerLeg), [row for each in posted for row in _legs(each, by_id[each])])
    return len(posted)


def _legs(transaction_id: UUID, fact: Fact) -> list[dict[str, Any]]:
    return [
        {
            "transaction_id": transaction_id,
            "position": position,
            "account": leg.account,
            "subject": leg.subject,
            "currency": leg.currency,
            "amount_cents": leg.amount_cents,
        }
        for position, leg in enumerate(leg for leg in fact.legs if leg.amount_cents)
    ]


def balances(*, as_of: datetime | None = None, by: Sequence[ColumnElement[Any]] = ()) -> Select[Any]:
    """`account`, `currency` (and further columns), `cents` of all legs until a time, the accounts in order."""
    columns = (LedgerLeg.account, LedgerLeg.currency, *by)
    statement = select(*columns, func.sum(LedgerLeg.amount_cents).label("cents"))
    if as_of is not None:
        statement = statement.join(LedgerTransaction, LedgerTransaction.id == LedgerLeg.transaction_id)
        statement = statement.where(LedgerTransaction.occurred_at <= as_of)
    return statement.group_by(*columns).order_by(*columns)


async def balance(session: AsyncSession, account: str, subject: str, currency: str) -> int:
    """What one account has of one subject."""
    mine = LedgerLeg.account == account, LedgerLeg.subject == subject, LedgerLeg.currency == currency
    return int(await session.scalar(select(func.coalesce(func.sum(LedgerLeg.amount_cents), 0)).where(*mine)) or 0)
