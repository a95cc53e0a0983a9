"""Changes of a running subscription: other prices and quantities, with or without proration."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.payments.sim.core.books import Books
from app.payments.sim.core.calendar import HOUR
from app.payments.sim.core.errors import Declined, Doc
from app.payments.sim.engine.agenda import due
from app.payments.sim.engine.cycling import draft_for, plan_course, take_pending
from app.payments.sim.engine.invoicing import collect, finalize, void, when
from app.payments.sim.engine.items import (
    check_items,
    end_of_period,
    items_of,
    period_lines,
    period_of,
    product_names,
    rhythm,
    set_items,
    set_period,
)
from app.payments.sim.engine.prorating import names_of, prorate

PENDING_HOURS: Final = 23
"""How long a change that waits for its payment is kept (docs.stripe.com/billing/subscriptions/pending-updates)."""


@dataclass(frozen=True, slots=True)
class Change:
    """The items to be, and how the difference is settled."""

    items: Sequence[Doc]
    proration: str = "create_prorations"
    at: int | None = None
    restarts: bool = False


def change_items(books: Books, subscription: Doc, change: Change) -> Doc | None:
    """Change the items; the draft of what is to be paid now, or None if nothing is.

    A change of rhythm starts a new period now and invoices it.
    """
    before = copy.deepcopy(items_of(subscription))
    check_items(change.items)
    set_items(subscription, list(change.items))
    new_rhythm = rhythm(items_of(subscription)[0]["price"]) != rhythm(before[0]["price"])
    start, end = period_of({"items": {"data": before}})
    set_period(subscription, start, end)
    if subscription["status"] == "trialing" or subscription["status"] in ("incomplete", "paused"):
        return None
    at = books.now if change.at is None else change.at
    restarts = new_rhythm or change.restarts
    if change.proration != "none":
        names = names_of(books, subscription, before)
        prorate(books, subscription, before, at, only_credit=restarts, names=names)
    if restarts:
        return _restart(books, subscription, (start, end), at)
    if change.proration != "always_invoice":
        return None
    lines = take_pending(books, subscription)
    period = (start, books.now)
    return draft_for(books, subscription, lines, "subscription_update", period, proration_date=at) if lines else None


def settle_change(
    books: Books, subscription: Doc, invoice: Doc | None, *, off_session: bool = False
) -> Declined | None:
    """Finalize and collect the draft of a change; returns why that failed."""
    if invoice is None:
        return None
    subscription["latest_invoice"] = invoice["id"]
    books.keep(subscription)
    finalize(books, invoice)
    return collect(books, invoice, off_session=off_session) if invoice["status"] == "open" else None


def attempt_change(books: Books, subscription: Doc, apply: Callable[[], Doc | None]) -> Declined | None:
    """Make a change only when it is paid (`pending_if_incomplete`): until then it waits in `pending_update`."""
    before = copy.deepcopy({name: value for name, value in subscription.items() if name != "_"})
    hidden = copy.deepcopy(subscription["_"])
    invoice = apply()
    if invoice is None:
        return None
    after = copy.deepcopy(items_of(subscription))
    anchor = subscription["billing_cycle_anchor"]
    after_hidden = copy.deepcopy(subscription["_"])
    subscription.update(before)
    subscription["_"] = hidden
    subscription["latest_invoice"] = invoice["id"]
    subscription["pending_update"] = {
        "billing_cycle_anchor": anchor if anchor != before["billing_cycle_anchor"] else None,
        "cancel_at_period_end": None,
        "discounts": None,
        "expires_at": books.now + PENDING_HOURS * HOUR,
        "metadata": None,
        "subscription_items": after,
        "trial_end": None,
        "trial_from_plan": None,
    }
    subscription["_"]["pending"] = after_hidden
    books.keep(subscription)
    plan_course(books, subscription)
    books.plan("subscription.forget", subscription["id"], subscription["pending_update"]["expires_at"])
    finalize(books, invoice)
    return collect(books, invoice) if invoice["status"] == "open" else None


@when("paid")
def apply_pending(books: Books, invoice: Doc) -> None:
    """A change that has waited for this payment."""
    subscription = books.peek("subscription", invoice["_"]["subscription"])
    pending = (subscription or {}).get("pending_update")
    if subscription is None or not pending or subscription["latest_invoice"] != invoice["id"]:
        return
    set_items(subscription, pending["subscription_items"])
    if pending["billing_cycle_anchor"] is not None:
        subscription["billing_cycle_anchor"] = pending["billing_cycle_anchor"]
    subscription["_"] = subscription["_"].pop("pending")
    subscription["pending_update"] = None
    plan_course(books, subscription)
    books.plan("subscription.forget", subscription["id"], None)
    books.updated("customer.subscription.updated", subscription)
    books.emit("customer.subscription.pending_update_applied", subscription)


@due("subscription.forget")
def forget_pending(books: Books, identifier: str) -> None:
    """Nobody has paid for a change: it is dropped."""
    subscription = books.get("subscription", identifier)
    if subscription["pending_update"] is None:
        return
    subscription["pending_update"] = None
    subscription["_"].pop("pending", None)
    invoice = books.get("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open":
        void(books, invoice)
    books.updated("customer.subscription.updated", subscription)
    books.emit("customer.subscription.pending_update_expired", subscription)


def _restart(books: Books, subscription: Doc, period: tuple[int, int], at: int) -> Doc:
    """A new period from now on, paid at once, less what is unused of the old one."""
    subscription["billing_cycle_anchor"] = books.now
    set_period(subscription, books.now, end_of_period(subscription, books.now))
    plan_course(books, subscription)
    lines = [*take_pending(books, subscription), *period_lines(subscription, product_names(books, subscription))]
    return draft_for(books, subscription, lines, "subscription_update", (period[0], books.now), proration_date=at)
