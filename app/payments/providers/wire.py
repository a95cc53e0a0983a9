"""Stripe's objects of sales, as `API_VERSION` has them, become those of the port; see `wire_money` for the others."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from app.payments.providers.fields import Fields
from app.payments.providers.port import Card, CheckoutState, EventHint, Interval, SubscriptionItem, SubscriptionState

API_VERSION: Final = "2026-10-28.endive"
"""The version that these functions are written for and that every call asks for; stripe 16.1 has the same."""
OPERATION: Final = "lv_op"
"""The name of an operation's id in metadata."""
LookupKey = Callable[[str], str | None]
"""The lookup key of a price by its id."""


def checkout(raw: Fields) -> CheckoutState:
    """A checkout session. `paid` means that nothing is owed: a free trial counts."""
    return CheckoutState(
        id=raw.text("id"),
        mode=raw.one_of("mode", "subscription", "payment", "setup"),
        status=raw.one_of("status", "open", "complete", "expired"),
        paid=raw.one_of("payment_status", "paid", "unpaid", "no_payment_required") != "unpaid",
        url=raw.maybe_text("url"),
        customer_id=raw.ref("customer"),
        subscription_id=raw.maybe_ref("subscription"),
        payment_id=raw.maybe_ref("payment_intent"),
        amount_cents=raw.maybe_whole("amount_total") or 0,
        currency=raw.maybe_text("currency") or "",
        expires_at=raw.time("expires_at"),
        metadata=raw.texts("metadata"),
    )


def subscription(raw: Fields, scheduled_lines: Sequence[tuple[str, int]]) -> SubscriptionState:
    """A subscription whose discounts are expanded, and what is planned for it."""
    return SubscriptionState(
        id=raw.text("id"),
        customer_id=raw.ref("customer"),
        status=raw.text("status"),
        items=tuple(subscription_item(each) for each in raw.sub("items").rows("data")),
        trial_end=raw.maybe_time("trial_end"),
        cancel_at_period_end=raw.flag("cancel_at_period_end"),
        cancel_at=raw.maybe_time("cancel_at"),
        ended_at=raw.maybe_time("ended_at"),
        is_paused=raw.has("pause_collection") or raw.text("status") == "paused",
        latest_invoice_id=raw.maybe_ref("latest_invoice"),
        schedule_id=raw.maybe_ref("schedule"),
        scheduled_lines=tuple(scheduled_lines),
        discount_coupon_ids=tuple(each.sub("source").ref("coupon") for each in raw.maybe_rows("discounts")),
        created_at=raw.time("created"),
        metadata=raw.texts("metadata"),
    )


def subscription_item(raw: Fields) -> SubscriptionItem:
    """One price of a subscription, with its period."""
    price = raw.sub("price")
    return SubscriptionItem(
        id=raw.text("id"),
        price_id=price.text("id"),
        lookup_key=price.maybe_text("lookup_key"),
        quantity=raw.whole("quantity"),
        period_start=raw.time("current_period_start"),
        period_end=raw.time("current_period_end"),
    )


def next_phase(schedule: Fields) -> Fields | None:
    """The phase that follows the current one, if a schedule is at work and has one."""
    current = schedule.maybe_sub("current_phase")
    if schedule.text("status") != "active" or current is None:
        return None
    later = [each for each in schedule.rows("phases") if each.whole("start_date") >= current.whole("end_date")]
    return min(later, key=lambda each: each.whole("start_date"), default=None)


def phase_lines(phase: Fields, lookup_key: LookupKey) -> list[tuple[str, int]]:
    """Lookup keys and quantities of a phase; a price that has no lookup key goes by its id."""
    items = [(each.ref("price"), each.whole("quantity")) for each in phase.rows("items")]
    return [(lookup_key(price_id) or price_id, quantity) for price_id, quantity in items]


def interval(price: Fields) -> Interval:
    """How often a price is due."""
    recurring = price.maybe_sub("recurring")
    if recurring is None:
        return "once"
    period: Interval = recurring.one_of("interval", "month", "year")
    return period


def card(card_id: str, raw: Fields, *, is_default: bool = False) -> Card:
    """The `card` of a payment method or of a charge."""
    return Card(
        id=card_id,
        brand=raw.text("brand"),
        last4=raw.text("last4"),
        expires_month=raw.whole("exp_month"),
        expires_year=raw.whole("exp_year"),
        country=raw.maybe_text("country"),
        fingerprint=raw.text("fingerprint"),
        is_default=is_default,
    )


def event(raw: Fields) -> EventHint:
    """An event. Objects that have no id, such as the balance, give an empty one."""
    return EventHint(
        id=raw.text("id"),
        type=raw.text("type"),
        object_id=raw.sub("data").sub("object").maybe_text("id") or "",
        account=raw.maybe_text("account") or "",
        created_at=raw.time("created"),
    )


def is_made_by(raw: Fields, operation_id: Mapping[str, str]) -> bool:
    """Whether an object's metadata name this operation."""
    return operation_id.items() <= raw.texts("metadata").items()
