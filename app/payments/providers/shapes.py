"""What the port speaks of: events, checkouts, subscriptions, invoices, payments, as they stand at a provider.

Amounts are minor units (`_cents`) of `currency`, a lower-case ISO 4217 code; times are aware UTC.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Interval = Literal["month", "year", "once"]
CheckoutMode = Literal["subscription", "payment", "setup"]
Proration = Literal["invoice_now", "none"]
LookUp = Literal["customer", "checkout", "subscription", "refund"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One command as it is known to both sides."""

    id: UUID

    @property
    def key(self) -> str:
        """The Idempotency-Key of the call, the same at each try."""
        return f"lv:{self.id}"


@dataclass(frozen=True, slots=True)
class EventHint:
    """A verified webhook or an entry of the events list: that something happened to an object, not what."""

    id: str
    type: str
    object_id: str
    account: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PriceSpec:
    """A price as our catalogue has it; `lookup_key` is its name at the provider."""

    lookup_key: str
    product: str
    currency: str
    amount_cents: int
    interval: Interval


@dataclass(frozen=True, slots=True)
class Line:
    """A price and how many of it."""

    price_id: str
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """A hosted checkout; `client_reference` is the family."""

    mode: CheckoutMode
    customer_id: str
    client_reference: str
    success_url: str
    cancel_url: str
    currency: str
    lines: Sequence[Line] = ()
    trial_days: int = 0
    coupon_id: str | None = None
    metadata: Mapping[str, str] = ()  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class CheckoutState:
    """A checkout as it stands. `url` is None when it is no longer open."""

    id: str
    mode: CheckoutMode
    status: Literal["open", "complete", "expired"]
    paid: bool
    url: str | None
    customer_id: str
    subscription_id: str | None
    payment_id: str | None
    amount_cents: int
    currency: str
    expires_at: datetime
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SubscriptionItem:
    """One price of a subscription."""

    id: str
    price_id: str
    lookup_key: str | None
    quantity: int
    period_start: datetime
    period_end: datetime


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """A subscription as it stands; `status` is the provider's word (Stripe's eight)."""

    id: str
    customer_id: str
    status: str
    items: Sequence[SubscriptionItem]
    trial_end: datetime | None
    cancel_at_period_end: bool
    cancel_at: datetime | None
    ended_at: datetime | None
    is_paused: bool
    latest_invoice_id: str | None
    schedule_id: str | None
    scheduled_lines: Sequence[tuple[str, int]]
    """Lookup key and quantity of what it becomes at the end of the period; empty if nothing is planned."""
    discount_coupon_ids: Sequence[str]
    created_at: datetime
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line; `amount_cents` is before discount and tax, negative for credits."""

    id: str
    description: str
    amount_cents: int
    quantity: int | None
    lookup_key: str | None
    is_proration: bool
    period_start: datetime
    period_end: datetime
    discount_cents: int
    tax_cents: int


@dataclass(frozen=True, slots=True)
class InvoiceState:
    """An invoice as it stands: draft, open, paid, void or uncollectible."""

    id: str
    number: str | None
    customer_id: str
    subscription_id: str | None
    status: str
    reason: str | None
    currency: str
    subtotal_cents: int
    discount_cents: int
    tax_cents: int
    total_cents: int
    applied_balance_cents: int
    """What the customer's credit balance paid: negative when it was used, positive when credit was put onto it."""
    due_cents: int
    paid_cents: int
    lines: Sequence[InvoiceLine]
    payment_ids: Sequence[str]
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime
    finalized_at: datetime | None
    paid_at: datetime | None
    hosted_url: str | None


@dataclass(frozen=True, slots=True)
class Card:
    """A saved card."""

    id: str
    brand: str
    last4: str
    expires_month: int
    expires_year: int
    country: str | None
    fingerprint: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class PaymentState:
    """A payment (Stripe: PaymentIntent with its newest charge) as it stands."""

    id: str
    customer_id: str | None
    status: str
    currency: str
    amount_cents: int
    received_cents: int
    charge_id: str | None
    refunded_cents: int
    is_disputed: bool
    card: Card | None
    failure_code: str | None
    invoice_id: str | None
    action_url: str | None
    """Where the person confirms a 3-D Secure challenge, while one is open."""
    created_at: datetime
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RefundState:
    """A refund as it stands: pending, requires_action, succeeded, failed or canceled."""

    id: str
    payment_id: str
    charge_id: str
    status: str
    amount_cents: int
    currency: str
    reason: str | None
    created_at: datetime
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DisputeState:
    """A dispute as it stands; `status` is the provider's word (needs_response, under_review, won, lost, …)."""

    id: str
    charge_id: str
    payment_id: str | None
    status: str
    reason: str
    amount_cents: int
    currency: str
    evidence_due_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class BalanceTransaction:
    """One movement of our balance at the provider; `net = amount - fee`. The provider's own books."""

    id: str
    type: str
    source_id: str | None
    payment_id: str | None
    """The payment that a charge, refund or dispute belongs to."""
    currency: str
    amount_cents: int
    fee_cents: int
    net_cents: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change of a subscription would cost now, to the cent, if it is done with the same `at`."""

    lines: Sequence[InvoiceLine]
    currency: str
    subtotal_cents: int
    discount_cents: int
    tax_cents: int
    total_cents: int
    due_cents: int
    at: datetime
