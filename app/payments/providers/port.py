"""What LifeVault asks of a payment provider, in its own words.

Amounts are minor units (`_cents`) of `currency`, a lower-case ISO 4217 code; times are aware UTC. Every command takes
an `Operation`: its key makes a repetition harmless, its id is written into the provider's metadata (`lv_op`), where it
is found again after the provider has forgotten the key.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from app.payments.providers.shapes import (
    BalanceTransaction,
    Card,
    CheckoutMode,
    CheckoutRequest,
    CheckoutState,
    DisputeState,
    EventHint,
    Interval,
    InvoiceLine,
    InvoiceState,
    Line,
    LookUp,
    Operation,
    PaymentState,
    Preview,
    PriceSpec,
    Proration,
    RefundState,
    SubscriptionItem,
    SubscriptionState,
)

__all__ = [
    "BalanceTransaction",
    "Card",
    "CheckoutMode",
    "CheckoutRequest",
    "CheckoutState",
    "Declined",
    "DisputeState",
    "EventHint",
    "Interval",
    "InvalidSignature",
    "InvoiceLine",
    "InvoiceState",
    "Line",
    "LookUp",
    "Missing",
    "NotReached",
    "Operation",
    "OutcomeUnknown",
    "PaymentState",
    "Preview",
    "PriceSpec",
    "Proration",
    "Provider",
    "ProviderError",
    "RefundState",
    "Refused",
    "SubscriptionItem",
    "SubscriptionState",
]


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


class Provider(Protocol):
    """A payment provider. Every method may raise `NotReached`; commands also `OutcomeUnknown`, `Refused`, `Missing`."""

    name: str
    """`sim` or `stripe`."""
    livemode: bool
    """Whether real money moves; what belongs to the other mode is refused."""

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

    async def end_trial(self, operation: Operation, subscription_id: str) -> SubscriptionState:
        """End a trial now: the first period begins and is paid for. No trial is no error."""

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
