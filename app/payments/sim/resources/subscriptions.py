"""Subscriptions: begin, change, pause, cancel."""

import copy
from typing import Any

from app.payments.sim.core.books import Books
from app.payments.sim.core.calls import Call, listing, page_inside, route
from app.payments.sim.core.errors import Declined, Doc, Refused
from app.payments.sim.core.wire import Params, merged
from app.payments.sim.engine.changing import attempt_change, change_items, settle_change
from app.payments.sim.engine.cycling import ENDED, draft_for, end, plan_course, take_pending
from app.payments.sim.engine.discounts import drop, read_grants, redeem
from app.payments.sim.engine.invoicing import finalize
from app.payments.sim.engine.items import (
    end_of_period,
    items_of,
    period_lines,
    period_of,
    product_names,
    set_period,
)
from app.payments.sim.engine.prorating import names_of, prorate
from app.payments.sim.engine.subscribing import subscribe
from app.payments.sim.engine.taxes import read_tax_rates
from app.payments.sim.resources.subscription_params import (
    BEHAVIOURS,
    MEANINGLESS,
    note_details,
    read_change,
    read_method,
    read_missing,
    read_pause,
    read_trial,
    read_wish,
)


@route("POST", "/v1/subscriptions")
def create(call: Call) -> Doc:
    """Begin a subscription."""
    params, books = call.params, call.books
    wish = read_wish(books, params, books.get("customer", params.need("customer"), "customer"))
    subscription, error = subscribe(books, wish)
    if wish.behaviour == "error_if_incomplete":
        error = error or _unconfirmed(books, subscription)
    if error is not None and wish.behaviour == "error_if_incomplete":
        error.keeps = False
        raise error
    return subscription


@route("GET", "/v1/subscriptions/{id}")
def retrieve(call: Call, identifier: str) -> Doc:
    """A subscription."""
    return call.books.get("subscription", identifier)


@route("GET", "/v1/subscriptions")
def list_all(call: Call) -> Doc:
    """Subscriptions, newest first; without a status those that have not ended."""
    params = call.params
    status = params.text("status")
    running = ["active", "incomplete", "past_due", "paused", "trialing", "unpaid"]
    wanted: dict[str | None, Any] = {"all": None, "ended": list(ENDED), None: running}
    params.accept("collection_method", "current_period_end", "current_period_start", "price", "test_clock")
    return listing(call, "subscription", customer=params.text("customer"), where={"status": wanted.get(status, status)})


@route("GET", "/v1/subscription_items")
def list_items(call: Call) -> Doc:
    """The items of a subscription."""
    return page_inside(call, items_of(call.books.get("subscription", call.params.need("subscription"))))


@route("POST", "/v1/subscriptions/{id}")
def update(call: Call, identifier: str) -> Doc:
    """Change a subscription."""
    books = call.books
    subscription = books.get("subscription", identifier)
    if subscription["status"] in ENDED:
        raise Refused("A canceled subscription can only update its cancellation_details and metadata.", param="id")
    before = subscription["latest_invoice"]
    behaviour, error = apply_update(books, subscription, call.params)
    if error is None and subscription["latest_invoice"] != before:
        error = _unconfirmed(books, subscription)
    if error is not None and behaviour == "error_if_incomplete":
        error.keeps = False
        raise error
    return subscription


def _unconfirmed(books: Books, subscription: Doc) -> Declined | None:
    """A payment that waits for 3-D Secure is none yet."""
    if books.get("invoice", subscription["latest_invoice"])["status"] != "open":
        return None
    message = "Payment for this subscription requires additional user action before it can be completed successfully."
    return Declined(message, code="subscription_payment_intent_requires_action")


def apply_update(books: Books, subscription: Doc, params: Params) -> tuple[str, Declined | None]:
    """Everything that an update may say; returns how an unpaid change is to be dealt with, and why it is unpaid."""
    params.accept(*MEANINGLESS)
    _update_plain(books, subscription, params)
    _update_end(books, subscription, params)
    behaviour = params.choice("payment_behavior", BEHAVIOURS, "allow_incomplete") or ""
    trial_invoice = _update_trial(books, subscription, params)
    error = _change(books, subscription, params, behaviour)
    if trial_invoice is not None:
        error = settle_change(books, subscription, trial_invoice)
    plan_course(books, subscription)
    books.updated("customer.subscription.updated", subscription)
    return behaviour, error


@route("DELETE", "/v1/subscriptions/{id}")
def cancel(call: Call, identifier: str) -> Doc:
    """End a subscription now; with `prorate` what is unused comes back, with `invoice_now` at once."""
    books, params = call.books, call.params
    subscription = books.get("subscription", identifier)
    if subscription["status"] in ENDED:
        raise Refused("No such subscription: it has ended.", code="resource_missing", param="id")
    note_details(subscription, params)
    gives_back, invoices = params.flag("prorate"), params.flag("invoice_now")
    if gives_back and subscription["status"] in ("active", "past_due"):
        before = copy.deepcopy(items_of(subscription))
        names = names_of(books, subscription, before)
        prorate(books, subscription, before, books.now, only_credit=True, names=names)
    if invoices and (lines := take_pending(books, subscription)):
        period = (period_of(subscription)[0], books.now)
        settle_change(books, subscription, draft_for(books, subscription, lines, "manual", period))
    end(books, subscription, "cancellation_requested")
    return subscription


@route("POST", "/v1/subscriptions/{id}/resume")
def resume(call: Call, identifier: str) -> Doc:
    """Go on with a subscription whose trial ended without a card."""
    books = call.books
    subscription = books.get("subscription", identifier)
    if subscription["status"] != "paused":
        raise Refused("Only paused subscriptions can be resumed.", code="subscription_not_paused")
    call.params.accept("billing_cycle_anchor", "proration_behavior", "proration_date", "payment_behavior")
    subscription |= {"billing_cycle_anchor": books.now, "status": "active"}
    invoice = _restart(books, subscription)
    settle_change(books, subscription, invoice)
    plan_course(books, subscription)
    books.updated("customer.subscription.updated", subscription)
    books.emit("customer.subscription.resumed", subscription)
    return subscription


@route("DELETE", "/v1/subscriptions/{id}/discount")
def delete_discount(call: Call, identifier: str) -> Doc:
    """Take all discounts off a subscription."""
    subscription = call.books.get("subscription", identifier)
    gone = list(subscription["discounts"])
    drop(call.books, subscription, gone)
    call.books.updated("customer.subscription.updated", subscription)
    return {"id": gone[-1] if gone else None, "object": "discount", "deleted": True}


def _update_plain(books: Books, subscription: Doc, params: Params) -> None:
    subscription["metadata"] = merged(subscription["metadata"], params)
    if params.has("description"):
        subscription["description"] = params.text("description")
    if params.has("default_payment_method"):
        subscription["default_payment_method"] = read_method(books, params, subscription["customer"])
    if params.has("default_tax_rates"):
        subscription["default_tax_rates"] = read_tax_rates(books, params, "default_tax_rates")
    payment = params.group("payment_settings")
    payment.accept("payment_method_options", "payment_method_types", "save_default_payment_method")
    missing = read_missing(params)
    if missing is not None:
        subscription["trial_settings"]["end_behavior"]["missing_payment_method"] = missing
    if params.has("discounts"):
        _update_discounts(books, subscription, params)
    if params.has("pause_collection"):
        subscription["pause_collection"] = read_pause(params)


def _update_discounts(books: Books, subscription: Doc, params: Params) -> None:
    kept: list[str] = []
    grants = read_grants(books, params, subscription["customer"], (subscription["discounts"], kept))
    drop(books, subscription, [each for each in subscription["discounts"] if each not in kept])
    given = [redeem(books, grant, subscription["customer"], subscription=subscription["id"])["id"] for grant in grants]
    subscription["discounts"] += given


def _update_end(books: Books, subscription: Doc, params: Params) -> None:
    note_details(subscription, params)
    if not params.has("cancel_at_period_end") and not params.has("cancel_at"):
        return
    if subscription["schedule"] is not None:
        raise Refused(
            "The subscription is managed by a subscription schedule; its cancellation can't be updated directly.",
            param="cancel_at_period_end",
        )
    at_end = params.flag("cancel_at_period_end")
    explicit = params.integer("cancel_at", minimum=books.now + 1)
    subscription["cancel_at_period_end"] = at_end
    subscription["cancel_at"] = period_of(subscription)[1] if at_end else explicit
    is_ending = subscription["cancel_at"] is not None
    subscription["canceled_at"] = (subscription["canceled_at"] or books.now) if is_ending else None
    subscription["cancellation_details"]["reason"] = "cancellation_requested" if is_ending else None


def _update_trial(books: Books, subscription: Doc, params: Params) -> Doc | None:
    """A trial that is made longer, or ends now; then the first period is invoiced."""
    if not params.has("trial_end"):
        params.accept("trial_from_plan", "trial_period_days")
        return None
    finish = read_trial(books, params)
    was_trial = subscription["status"] == "trialing"
    subscription["trial_end"] = books.now if finish is None else finish
    if finish is not None and finish > books.now:
        subscription["trial_start"] = subscription["trial_start"] or books.now
        subscription |= {"status": "trialing", "billing_cycle_anchor": finish}
        set_period(subscription, period_of(subscription)[0], finish)
        return None
    if not was_trial:
        return None
    subscription |= {"status": "active", "billing_cycle_anchor": books.now}
    return _restart(books, subscription)


def _restart(books: Books, subscription: Doc) -> Doc:
    begin = period_of(subscription)[0]
    set_period(subscription, books.now, end_of_period(subscription, books.now))
    lines = [*take_pending(books, subscription), *period_lines(subscription, product_names(books, subscription))]
    return draft_for(books, subscription, lines, "subscription_update", (begin, books.now))


def _change(books: Books, subscription: Doc, params: Params, behaviour: str) -> Declined | None:
    change = read_change(books, subscription, params)
    if change is None:
        return None
    if subscription["pending_update"] is not None:
        raise Refused(
            "This subscription has a pending update; pay or void its invoice first.", code="pending_update_exists"
        )
    if behaviour == "pending_if_incomplete":
        return attempt_change(books, subscription, lambda: change_items(books, subscription, change))
    invoice = change_items(books, subscription, change)
    _follow_phase(books, subscription)
    if behaviour == "default_incomplete" and invoice is not None:
        subscription["latest_invoice"] = invoice["id"]
        finalize(books, invoice)
        return None
    return settle_change(books, subscription, invoice, off_session=False)


def _follow_phase(books: Books, subscription: Doc) -> None:
    """A change beside a schedule counts for the phase that runs."""
    schedule = books.peek("subscription_schedule", subscription["schedule"])
    for phase in (schedule or {}).get("phases", []):
        if phase["start_date"] <= books.now < phase["end_date"] and schedule is not None:
            wanted = {item["price"]["id"]: item["quantity"] for item in items_of(subscription)}
            template = phase["items"][0]
            phase["items"] = [{**template, "price": key, "plan": key, "quantity": wanted[key]} for key in wanted]
            books.keep(schedule)
