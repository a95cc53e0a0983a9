"""What LifeVault asks of a payment provider, in its own words.

Amounts are minor units (`_cents`) of `currency`, a lower-case ISO 4217 code; times are aware UTC. Every command takes
an `Operation`: its key makes a repetition harmless, its id is written into the provider's metadata (`lv_op`), where it
is found again after the provider has forgotten the key.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

Interval = Literal["month", "year", "once"]
CheckoutMode = Literal["subscription", "payment", "setup"]
Proration = Literal["invoice_now", "none"]
LookUp = Literal["customer", "checkout", "subscription", "refund"]


class ProviderError(Exception):
    """The provider did not do it; `code` is its stable reason, never its free text."""

    def __init__(self, code: str, detail: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


class Declined(ProviderError):
    """The card was declined; `code` is the decline code."""


class Refused(ProviderError):
    """The request was not valid, or not possible in the state of the object."""


class Missing(ProviderError):
    """The provider knows no such object."""


class NotReached(ProviderError):
    """Nothing was done: not connected, over a rate limit, or the provider said that it is down. May be tried again."""


class OutcomeUnknown(ProviderError):
    """The request was sent and no answer came: it may have been done. Ask again with the same key."""


class InvalidSignature(Exception):
    """A webhook that is forged, stale, from the future, too large or malformed."""


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


class Provider(Protocol):
    """A payment provider. Every method may raise `NotReached`; commands also `OutcomeUnknown`, `Refused`, `Missing`."""

    name: str
    """`sim` or `stripe`."""

    async def now(self) -> datetime:
        """The provider's time: real, or the simulator's moved clock."""

    def read_webhook(self, payload: bytes, signature: str, now: datetime) -> EventHint:
        """Verify a webhook against every live secret, within ±300 s. Raises `InvalidSignature`."""

    # catalogue
    async def ensure_price(self, spec: PriceSpec) -> str:
        """The provider's id of a price, made if it is missing; one with that key and another amount is `Refused`."""

    async def ensure_coupon(
        self, coupon_id: str, *, percent: int | None, amount_cents: int | None, currency: str | None, months: int | None
    ) -> str:
        """A coupon by our id; `months` None is once, 0 for ever."""

    # customers
    async def create_customer(self, operation: Operation, *, family_id: UUID, email: str, name: str) -> str:
        """A customer; returns its id."""

    async def update_customer(self, operation: Operation, customer_id: str, *, email: str, name: str) -> None:
        """Change address and name."""

    async def delete_customer(self, operation: Operation, customer_id: str) -> None:
        """Forget a customer; ends what it subscribes to."""

    # checkout and portal
    async def create_checkout(self, operation: Operation, request: CheckoutRequest) -> CheckoutState:
        """A hosted page where the person pays."""

    async def fetch_checkout(self, checkout_id: str) -> CheckoutState:
        """A checkout as it stands."""

    async def expire_checkout(self, operation: Operation, checkout_id: str) -> CheckoutState:
        """Close an open checkout; `Refused` if it is complete."""

    async def create_portal(self, operation: Operation, customer_id: str, return_url: str) -> str:
        """A link to the provider's own portal."""

    # subscriptions
    async def fetch_subscription(self, subscription_id: str) -> SubscriptionState:
        """A subscription as it stands."""

    def list_subscriptions(self, customer_id: str | None = None) -> AsyncIterator[SubscriptionState]:
        """All subscriptions, ended ones too."""

    async def preview_change(self, subscription_id: str, lines: Sequence[Line], at: datetime) -> Preview:
        """What `change_subscription` would invoice now."""

    async def change_subscription(
        self, operation: Operation, subscription_id: str, lines: Sequence[Line], at: datetime
    ) -> SubscriptionState:
        """Change to these prices now and invoice the proration as of `at`; `Declined` leaves everything as it was."""

    async def schedule_change(
        self, operation: Operation, subscription_id: str, lines: Sequence[Line]
    ) -> SubscriptionState:
        """Change to these prices at the end of the period, without proration; replaces an earlier plan."""

    async def unschedule_change(self, operation: Operation, subscription_id: str) -> SubscriptionState:
        """Drop what was planned."""

    async def cancel_subscription(
        self, operation: Operation, subscription_id: str, *, at_period_end: bool
    ) -> SubscriptionState:
        """Cancel now or at the end of the period."""

    async def resume_subscription(self, operation: Operation, subscription_id: str) -> SubscriptionState:
        """Take back a cancellation at period end, or end a pause."""

    async def pause_subscription(self, operation: Operation, subscription_id: str) -> SubscriptionState:
        """Pause collection: invoices are voided until it is resumed."""

    async def apply_coupon(self, operation: Operation, subscription_id: str, coupon_id: str) -> SubscriptionState:
        """Put a coupon onto a subscription; it counts from the next invoice."""

    # payment methods
    async def list_cards(self, customer_id: str) -> Sequence[Card]:
        """The saved cards."""

    async def set_default_card(self, operation: Operation, customer_id: str, card_id: str) -> None:
        """Pay with this card from now on."""

    async def remove_card(self, operation: Operation, card_id: str) -> None:
        """Forget a card."""

    # invoices, payments, refunds, disputes
    async def fetch_invoice(self, invoice_id: str) -> InvoiceState:
        """An invoice as it stands."""

    def list_invoices(
        self, customer_id: str | None = None, since: datetime | None = None
    ) -> AsyncIterator[InvoiceState]:
        """Invoices, newest first."""

    async def pay_invoice(self, operation: Operation, invoice_id: str) -> InvoiceState:
        """Try to collect an open invoice now. Raises `Declined`."""

    async def fetch_payment(self, payment_id: str) -> PaymentState:
        """A payment as it stands."""

    async def create_refund(
        self, operation: Operation, payment_id: str, *, amount_cents: int, reason: str | None
    ) -> RefundState:
        """Give money back; more than what is left is `Refused`."""

    async def fetch_refund(self, refund_id: str) -> RefundState:
        """A refund as it stands."""

    async def fetch_dispute(self, dispute_id: str) -> DisputeState:
        """A dispute as it stands."""

    def list_disputes(self, since: datetime | None = None) -> AsyncIterator[DisputeState]:
        """Disputes, newest first."""

    async def answer_dispute(
        self, operation: Operation, dispute_id: str, evidence: Mapping[str, str], *, submit: bool
    ) -> DisputeState:
        """Send evidence."""

    # books
    def list_events(self, since: datetime) -> AsyncIterator[EventHint]:
        """Events since then, newest first; the provider keeps 30 days."""

    def list_balance_transactions(
        self, since: datetime | None = None, payment_id: str | None = None
    ) -> AsyncIterator[BalanceTransaction]:
        """Movements of our balance, newest first."""

    async def find(self, kind: LookUp, operation: Operation, customer_id: str | None) -> str | None:
        """The id of what an operation made, by its metadata, for keys that the provider has forgotten."""

    async def close(self) -> None:
        """Close connections."""
