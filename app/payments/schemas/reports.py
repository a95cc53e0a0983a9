"""Shapes of the reports for operators; amounts are minor units."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from app.core.schemas import Page, ResponseModel


class AccountBalance(ResponseModel):
    """What one account has: debit positive, credit negative."""

    account: str = Field(examples=["cash"])
    currency: str = Field(examples=["eur"])
    cents: int


class TrialBalance(ResponseModel):
    """Every account of the ledger; the sum of each currency is 0, always."""

    as_of: datetime
    accounts: list[AccountBalance]
    sums: dict[str, int]


class RecurringRevenue(ResponseModel):
    """What the plans that are paid for bring in a month, by currency, after discounts; a year's price is a twelfth."""

    as_of: datetime
    monthly_cents: dict[str, int]
    yearly_cents: dict[str, int]
    subscriptions: dict[str, int] = Field(description="How many, by plan.")


class Churn(ResponseModel):
    """Of the subscriptions that were running at the start, those that had ended at the end."""

    start: datetime
    end: datetime
    running_at_start: int
    ended: int
    begun: int
    percent: str | None = Field(description="Two decimals; null if none was running.", examples=["2.50"])


class DeferredDay(ResponseModel):
    """What is paid for and not yet delivered at the end of a day: by the invoices, and by the ledger."""

    day: date
    currency: str
    deferred_cents: int
    ledger_cents: int


class Deferred(ResponseModel):
    """Deferred revenue by the day; both figures are the same once the days are posted."""

    days: list[DeferredDay]


class LegRead(ResponseModel):
    """One side of an entry."""

    account: str
    subject: str
    currency: str
    amount_cents: int


class EntryRead(ResponseModel):
    """One entry of the ledger with its legs."""

    id: UUID
    kind: str
    reference: str
    family_id: UUID | None
    occurred_at: datetime
    corrects: UUID | None
    created_at: datetime
    legs: list[LegRead]


class LedgerPage(Page):
    """Entries, in the order in which they were posted."""

    items: list[EntryRead]
