"""The beginning of a subscription."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from app.payments.sim.core.books import Books
from app.payments.sim.core.calendar import HOUR
from app.payments.sim.core.errors import Declined, Doc
from app.payments.sim.engine.cycling import draft_for, plan_course, take_pending
from app.payments.sim.engine.discounts import Grant, redeem
from app.payments.sim.engine.invoicing import collect, finalize
from app.payments.sim.engine.items import (
    check_items,
    end_of_period,
    new_item,
    period_lines,
    product_names,
    set_items,
    set_period,
)

INCOMPLETE_HOURS: Final = 23
"""How long a first invoice may wait for its payment (docs.stripe.com/billing/subscriptions/overview)."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to subscribe to: prices with quantities, and on which conditions."""

    customer: Doc
    items: Sequence[tuple[Doc, int, dict[str, str]]]
    metadata: dict[str, str] = field(default_factory=dict)
    trial_end: int | None = None
    grants: Sequence[Grant] = ()
    tax_rates: Sequence[Doc] = ()
    method: str | None = None
    behaviour: str = "allow_incomplete"
    missing_method: str = "create_invoice"
    cancel_at: int | None = None
    cancels_at_period_end: bool = False
    description: str | None = None
    checkout: str | None = None
    is_proven: bool = False
    off_session: bool = False
    saves_method: bool = False


def subscribe(books: Books, wish: Wish) -> tuple[Doc, Declined | None]:
    """Begin a subscription and try to collect its first invoice; returns why that failed, if it did."""
    subscription = _blank(books, wish)
    items = [new_item(books, subscription["id"], price, count, meta) for price, count, meta in wish.items]
    check_items(items)
    set_items(subscription, items)
    _start_periods(books, subscription, wish.trial_end)
    subscription["discounts"] = [
        redeem(books, grant, wish.customer["id"], subscription=subscription["id"], checkout=wish.checkout)["id"]
        for grant in wish.grants
    ]
    if wish.cancels_at_period_end:
        subscription |= {"cancel_at": items[0]["current_period_end"], "canceled_at": books.now}
    books.keep(subscription)
    if wish.customer["currency"] is None:
        wish.customer["currency"] = subscription["currency"]
        books.keep(wish.customer)
    invoice = first_invoice(books, subscription)
    return subscription, _open(books, subscription, invoice, wish)


def first_invoice(books: Books, subscription: Doc) -> Doc:
    """The draft that begins a subscription; free while it is tried."""
    is_trial = subscription["trial_end"] is not None and subscription["trial_end"] > books.now
    names = product_names(books, subscription)
    lines = [*take_pending(books, subscription), *period_lines(subscription, names, is_trial=is_trial)]
    invoice = draft_for(books, subscription, lines, "subscription_create", (books.now, books.now))
    subscription["latest_invoice"] = invoice["id"]
    return invoice


def _open(books: Books, subscription: Doc, invoice: Doc, wish: Wish) -> Declined | None:
    is_trial = subscription["trial_end"] is not None and subscription["trial_end"] > books.now
    subscription["status"] = "trialing" if is_trial else "incomplete"
    books.emit("customer.subscription.created", subscription)
    if not is_trial:
        books.plan("subscription.expire", subscription["id"], books.now + INCOMPLETE_HOURS * HOUR)
    finalize(books, invoice)
    error = None
    if invoice["status"] == "open" and wish.behaviour != "default_incomplete":
        error = collect(books, invoice, is_proven=wish.is_proven, off_session=wish.off_session)
    plan_course(books, subscription)
    return error


def _start_periods(books: Books, subscription: Doc, trial_end: int | None) -> None:
    if trial_end is not None and trial_end > books.now:
        subscription |= {"trial_start": books.now, "trial_end": trial_end, "billing_cycle_anchor": trial_end}
        set_period(subscription, books.now, trial_end)
        return
    set_period(subscription, books.now, end_of_period(subscription, books.now))


def _blank(books: Books, wish: Wish) -> Doc:
    nothing = (
        "application application_fee_percent billing_cycle_anchor_config billing_thresholds canceled_at "
        "customer_account days_until_due default_source ended_at latest_invoice "
        "next_pending_invoice_item_invoice on_behalf_of pause_collection pending_invoice_item_interval "
        "pending_setup_intent pending_update schedule test_clock transfer_data trial_end trial_start"
    )
    return books.new(
        "subscription",
        **dict.fromkeys(nothing.split()),
        automatic_tax={"disabled_reason": None, "enabled": False, "liability": None},
        billing_cycle_anchor=books.now,
        billing_mode={"type": "classic", "flexible": None},
        billing_schedules=[],
        cancel_at=wish.cancel_at,
        cancel_at_period_end=wish.cancels_at_period_end,
        cancellation_details={"comment": None, "feedback": None, "feedback_option": None, "reason": None},
        collection_method="charge_automatically",
        currency=wish.items[0][0]["currency"] if wish.items else "usd",
        customer=wish.customer["id"],
        default_payment_method=wish.method,
        default_tax_rates=list(wish.tax_rates),
        description=wish.description,
        discounts=[],
        invoice_settings={"account_tax_ids": None, "issuer": {"type": "self"}},
        metadata=wish.metadata,
        payment_settings={
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "on_subscription" if wish.saves_method else "off",
        },
        start_date=books.now,
        status="incomplete",
        trial_settings={"end_behavior": {"missing_payment_method": wish.missing_method}},
        _={"billed": {}},
    )
