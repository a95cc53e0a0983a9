"""The course of a subscription: trial, renewals, the end."""

from typing import Final

from app.payments.sim.core.books import Books
from app.payments.sim.core.calendar import DAY
from app.payments.sim.core.errors import Doc
from app.payments.sim.engine.agenda import due
from app.payments.sim.engine.discounts import active, drop
from app.payments.sim.engine.invoicing import collect, draft, finalize, paying_method, void, when, write_off
from app.payments.sim.engine.items import (
    end_of_period,
    period_lines,
    period_of,
    product_names,
    remember_billed,
    set_period,
)
from app.payments.sim.engine.lines import line_of_pending

WARNING_DAYS: Final = 3
"""How long before its end a trial is told of (docs.stripe.com/billing/subscriptions/trials)."""
ENDED: Final = ("canceled", "incomplete_expired")


def plan_course(books: Books, subscription: Doc) -> None:
    """Note on the agenda what happens next to a subscription."""
    identifier = subscription["id"]
    runs = subscription["status"] not in (*ENDED, "incomplete", "paused")
    _, end = period_of(subscription)
    warning = None
    if subscription["status"] == "trialing":
        warning = max(books.now, subscription["trial_end"] - WARNING_DAYS * DAY)
        warning = None if subscription["_"].get("warned_of") == subscription["trial_end"] else warning
    books.plan("subscription.warn", identifier, warning)
    books.plan("subscription.cycle", identifier, end if runs else None)
    books.plan("subscription.end", identifier, subscription["cancel_at"] if runs else None)
    pause = subscription["pause_collection"] or {}
    books.plan("subscription.unpause", identifier, pause.get("resumes_at") if runs else None)


@due("subscription.warn")
def warn(books: Books, identifier: str) -> None:
    """A trial is about to end."""
    subscription = books.get("subscription", identifier)
    subscription["_"]["warned_of"] = subscription["trial_end"]
    books.keep(subscription)
    books.emit("customer.subscription.trial_will_end", subscription)


@due("subscription.unpause")
def unpause(books: Books, identifier: str) -> None:
    """A pause with a known end is over."""
    subscription = books.get("subscription", identifier)
    subscription["pause_collection"] = None
    books.updated("customer.subscription.updated", subscription)


@due("subscription.end")
def end_as_asked(books: Books, identifier: str) -> None:
    """The end that was asked for."""
    subscription = books.get("subscription", identifier)
    if subscription["status"] not in ENDED:
        end(books, subscription, "cancellation_requested")


@due("subscription.cycle")
def renew(books: Books, identifier: str) -> None:
    """A period is over and the next one begins; at the end of a trial the first that is paid."""
    subscription = books.get("subscription", identifier)
    was_trial = subscription["status"] == "trialing"
    begin, boundary = period_of(subscription)
    if was_trial and _has_no_card(books, subscription) and _end_without_card(books, subscription):
        return
    set_period(subscription, boundary, end_of_period(subscription, boundary))
    if was_trial:
        subscription["status"] = "active"
    _drop_expired(books, subscription)
    invoice = cycle_invoice(books, subscription, (begin, boundary))
    subscription["latest_invoice"] = invoice["id"]
    plan_course(books, subscription)
    books.updated("customer.subscription.updated", subscription)
    _settle(books, subscription, invoice)


def cycle_invoice(books: Books, subscription: Doc, past: tuple[int, int]) -> Doc:
    """A draft for the current period with everything that is pending since the past one began."""
    lines = [*take_pending(books, subscription), *period_lines(subscription, product_names(books, subscription))]
    return draft_for(books, subscription, lines, "subscription_cycle", past)


def draft_for(
    books: Books,
    subscription: Doc,
    lines: list[Doc],
    reason: str,
    period: tuple[int, int],
    *,
    proration_date: int | None = None,
) -> Doc:
    """A draft with the discounts and taxes of a subscription; a coupon for one invoice is used up by it."""
    customer = books.get("customer", subscription["customer"])
    customer_discount = [customer["discount"]["id"]] if customer["discount"] else []
    invoice = draft(
        books,
        customer,
        lines,
        currency=subscription["currency"],
        reason=reason,
        period=period,
        subscription=subscription,
        discounts=subscription["discounts"] or customer_discount,
        tax_rates=subscription["default_tax_rates"],
        proration_date=proration_date,
    )
    _bind_pending(books, invoice)
    used = set(invoice["discounts"])
    fresh = [line for line in lines if not _is_proration(line)]
    remember_billed(subscription, fresh)
    once = [each["id"] for each, coupon in active(books, subscription["discounts"]) if coupon["duration"] == "once"]
    if fresh:
        drop(books, subscription, [identifier for identifier in once if identifier in used])
    return invoice


def take_pending(books: Books, subscription: Doc) -> list[Doc]:
    """Lines of everything that waits for the next invoice."""
    waiting = books.find(
        "invoiceitem",
        customer=subscription["customer"],
        where="json_extract(body, '$.invoice') IS NULL"
        " AND coalesce(json_extract(body, '$._.subscription'), ?) = ? AND json_extract(body, '$.currency') = ?",
        values=(subscription["id"], subscription["id"], subscription["currency"]),
        oldest_first=True,
    )
    return [line_of_pending(books, pending) for pending in waiting]


def end(books: Books, subscription: Doc, reason: str) -> None:
    """End a subscription now."""
    subscription |= {"status": "canceled", "ended_at": books.now}
    subscription["canceled_at"] = subscription["canceled_at"] or books.now
    subscription["cancellation_details"]["reason"] = reason
    plan_course(books, subscription)
    books.plan("subscription.expire", subscription["id"], None)
    for invoice in books.find("invoice", parent=subscription["id"], where="json_extract(body, '$.status') = 'open'"):
        invoice |= {"auto_advance": False, "next_payment_attempt": None}
        books.plan("invoice.retry", invoice["id"], None)
        books.updated("invoice.updated", invoice)
    books.updated("customer.subscription.deleted", subscription)
    schedule = books.peek("subscription_schedule", subscription["schedule"])
    if schedule is not None and schedule["status"] in ("active", "not_started"):
        schedule |= {"status": "canceled", "canceled_at": books.now, "current_phase": None}
        books.plan("schedule.step", schedule["id"], None)
        books.updated("subscription_schedule.canceled", schedule)


@due("subscription.expire")
def expire(books: Books, identifier: str) -> None:
    """Nobody has paid the first invoice."""
    subscription = books.get("subscription", identifier)
    if subscription["status"] != "incomplete":
        return
    subscription |= {"status": "incomplete_expired", "ended_at": books.now}
    invoice = books.get("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open":
        void(books, invoice)
    books.updated("customer.subscription.updated", subscription)


@when("paid")
def activate(books: Books, invoice: Doc) -> None:
    """A paid invoice opens the subscription, if it is the newest one."""
    subscription = books.peek("subscription", invoice["_"]["subscription"])
    if subscription is None or subscription["latest_invoice"] not in (None, invoice["id"]):
        return
    if subscription["status"] in ("incomplete", "past_due", "unpaid"):
        trial_end = subscription["trial_end"]
        subscription["status"] = "trialing" if trial_end and trial_end > books.now else "active"
        books.plan("subscription.expire", subscription["id"], None)
        plan_course(books, subscription)
        books.updated("customer.subscription.updated", subscription)


@when("failed")
def fall_behind(books: Books, invoice: Doc) -> None:
    """A renewal that is not paid."""
    subscription = books.peek("subscription", invoice["_"]["subscription"])
    if subscription is not None and subscription["status"] == "active" and not subscription.get("pending_update"):
        subscription["status"] = "past_due"
        books.updated("customer.subscription.updated", subscription)


@when("given_up")
def end_retries(books: Books, invoice: Doc) -> None:
    """All tries have failed: what was set up happens."""
    subscription = books.peek("subscription", invoice["_"]["subscription"])
    ending = books.setup.after_retries
    if subscription is None or subscription["status"] != "past_due" or ending == "past_due":
        return
    if ending == "canceled":
        end(books, subscription, "payment_failed")
        return
    subscription["status"] = "unpaid"
    books.updated("customer.subscription.updated", subscription)


def _settle(books: Books, subscription: Doc, invoice: Doc) -> None:
    pause = subscription["pause_collection"]
    if subscription["status"] == "unpaid" or (pause and pause["behavior"] == "keep_as_draft"):
        return
    if books.setup.draft_seconds and not pause:
        invoice["automatically_finalizes_at"] = books.now + books.setup.draft_seconds
        invoice["auto_advance"] = True
        books.plan("invoice.finalize", invoice["id"], invoice["automatically_finalizes_at"])
        books.keep(invoice)
        return
    finalize(books, invoice)
    if invoice["status"] != "open":
        return
    if pause:
        (void if pause["behavior"] == "void" else write_off)(books, invoice)
        return
    collect(books, invoice, off_session=True)


def _drop_expired(books: Books, subscription: Doc) -> None:
    running = {discount["id"] for discount, _ in active(books, subscription["discounts"])}
    drop(books, subscription, [each for each in subscription["discounts"] if each not in running])


def _bind_pending(books: Books, invoice: Doc) -> None:
    for line in invoice["lines"]["data"]:
        kind = (line["parent"] or {}).get("type")
        identifier = line["parent"][kind]["invoice_item"] if kind else None
        pending = books.peek("invoiceitem", identifier)
        if pending is not None:
            pending["invoice"] = invoice["id"]
            books.keep(pending)


def _has_no_card(books: Books, subscription: Doc) -> bool:
    invoice = {"default_payment_method": None, "customer": subscription["customer"]}
    return paying_method(books, invoice | {"_": {"subscription": subscription["id"]}}) is None


def _end_without_card(books: Books, subscription: Doc) -> bool:
    """What was asked for when a trial ends without a card; False if the renewal is to be tried."""
    behaviour = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if behaviour == "cancel":
        end(books, subscription, "payment_failed")
    elif behaviour == "pause":
        subscription["status"] = "paused"
        plan_course(books, subscription)
        books.updated("customer.subscription.updated", subscription)
        books.emit("customer.subscription.paused", subscription)
    return behaviour in ("cancel", "pause")


def _is_proration(line: Doc) -> bool:
    details = (line["parent"] or {}).get("subscription_item_details")
    return bool(details and details["proration"]) or details is None
