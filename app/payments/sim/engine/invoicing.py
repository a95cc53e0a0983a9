"""The life of an invoice: draft, open, paid, void or uncollectible."""

from collections.abc import Callable
from typing import Final, Literal

from app.payments.sim.core.books import Books
from app.payments.sim.core.calendar import DAY
from app.payments.sim.core.errors import Declined, Doc, Refused
from app.payments.sim.core.ids import random_text
from app.payments.sim.engine.agenda import due
from app.payments.sim.engine.charging import LEAST, cancel_intent, confirm, new_intent
from app.payments.sim.engine.discounts import active
from app.payments.sim.engine.invoice_shape import blank_invoice, parent_of
from app.payments.sim.engine.lines import tally

RETRIED: Final = ("subscription_cycle", "subscription_update")
"""Reasons of invoices that are tried again; one that begins a subscription waits for the person."""
Moment = Literal["paid", "failed", "given_up"]
Hook = Callable[[Books, Doc], None]
HOOKS: Final[dict[Moment, list[Hook]]] = {"paid": [], "failed": [], "given_up": []}


def when(moment: Moment) -> Callable[[Hook], Hook]:
    """Register what follows from an invoice that is paid, not paid, or not paid after all tries."""

    def register(hook: Hook) -> Hook:
        HOOKS[moment].append(hook)
        return hook

    return register


def draft(
    books: Books,
    customer: Doc,
    lines: list[Doc],
    *,
    currency: str,
    reason: str,
    period: tuple[int, int],
    subscription: Doc | None = None,
    discounts: list[str] | None = None,
    tax_rates: list[Doc] | None = None,
    proration_date: int | None = None,
) -> Doc:
    """A draft with its lines added up."""
    invoice = books.new("invoice", **blank_invoice(customer, currency, reason, period))
    invoice["parent"] = parent_of(subscription, proration_date)
    invoice["_"] = {"subscription": subscription and subscription["id"], "intent": None, "token": random_text()}
    if subscription is not None:
        invoice["default_payment_method"] = subscription["default_payment_method"]
    invoice["default_tax_rates"] = tax_rates or []
    for line in lines:
        line["invoice"] = invoice["id"]
    url = f"/v1/invoices/{invoice['id']}/lines"
    invoice["lines"] = {"object": "list", "data": lines, "has_more": False, "total_count": len(lines), "url": url}
    tally(invoice, active(books, discounts or []), invoice["default_tax_rates"])
    starting = customer["balance"]
    amount_due, ending = settle_balance(invoice["total"], starting, currency)
    invoice |= {"starting_balance": starting, "ending_balance": ending}
    invoice |= {"amount_due": amount_due, "amount_remaining": amount_due}
    books.emit("invoice.created", invoice)
    return invoice


def settle_balance(total: int, balance: int, currency: str) -> tuple[int, int]:
    """What is due after the customer's balance (credit is negative), and what the balance is then.

    A sum below the smallest charge is put onto the balance.
    """
    whole = total + balance
    if whole < LEAST.get(currency, 1):
        return 0, whole
    return whole, 0


def finalize(books: Books, invoice: Doc) -> None:
    """Number an invoice and open it; one with nothing to pay is paid. Raises `Refused`."""
    if invoice["status"] != "draft":
        raise Refused("This invoice is already finalized, you can't re-finalize it.", code="invoice_not_editable")
    customer = books.get("customer", invoice["customer"])
    amount_due, ending = settle_balance(invoice["total"], customer["balance"], invoice["currency"])
    invoice |= {"starting_balance": customer["balance"], "ending_balance": ending}
    invoice |= {"amount_due": amount_due, "amount_remaining": amount_due, "auto_advance": True}
    _change_balance(books, customer, ending, invoice)
    invoice["number"] = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
    customer["next_invoice_sequence"] += 1
    books.keep(customer)
    url = f"{books.setup.public_url}/invoice/{invoice['_']['token']}"
    invoice |= {"status": "open", "hosted_invoice_url": url, "effective_at": books.now}
    invoice["automatically_finalizes_at"] = None
    invoice["status_transitions"]["finalized_at"] = books.now
    books.plan("invoice.finalize", invoice["id"], None)
    if amount_due:
        _prepare_payment(books, invoice)
    books.updated("invoice.finalized", invoice)
    if not amount_due:
        mark_paid(books, invoice)


def collect(
    books: Books, invoice: Doc, *, method: str | None = None, off_session: bool = False, is_proven: bool = False
) -> Declined | None:
    """Try to take the money for an open invoice; returns why it failed."""
    intent = books.get("payment_intent", invoice["_"]["intent"])
    chosen = method or paying_method(books, invoice)
    invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1}
    if chosen is None:
        error = Declined("This customer has no default payment method.", code="invoice_payment_intent_requires_action")
        error.code = "missing_payment_method"
        _failed(books, invoice)
        return error
    intent["payment_method"] = chosen
    error_or_none = confirm(books, intent, off_session=off_session, is_invoice=True, is_proven=is_proven)
    follow_intent(books, intent)
    return error_or_none


def follow_intent(books: Books, intent: Doc) -> None:
    """Let the invoice of a payment follow what has happened to it."""
    invoice = books.peek("invoice", intent["_"].get("invoice"))
    if invoice is None or invoice["status"] != "open":
        return
    if intent["status"] == "succeeded":
        mark_paid(books, invoice)
    elif intent["status"] == "requires_action":
        books.keep(invoice)
        books.emit("invoice.payment_action_required", invoice)
        _failed(books, invoice)
    elif intent["status"] == "requires_payment_method":
        _failed(books, invoice)


def mark_paid(books: Books, invoice: Doc, *, out_of_band: bool = False) -> None:
    """Everything is paid."""
    paid = 0 if out_of_band else invoice["amount_due"]
    invoice |= {"status": "paid", "amount_paid": paid, "amount_remaining": 0, "next_payment_attempt": None}
    invoice |= {"attempted": True, "auto_advance": False}
    invoice["status_transitions"]["paid_at"] = books.now
    books.plan("invoice.retry", invoice["id"], None)
    for payment in books.find("invoice_payment", parent=invoice["id"]):
        payment |= {"status": "paid", "amount_paid": paid}
        payment["status_transitions"]["paid_at"] = books.now
        books.updated("invoice_payment.paid", payment)
    books.updated("invoice.paid", invoice)
    books.emit("invoice.payment_succeeded", invoice)
    for hook in HOOKS["paid"]:
        hook(books, invoice)


def void(books: Books, invoice: Doc) -> None:
    """Take an open invoice back. Raises `Refused`."""
    if invoice["status"] not in ("open", "uncollectible"):
        raise Refused("You can only void open or uncollectible invoices.", code="invoice_not_editable")
    _close(books, invoice, "void", "voided_at")
    used = invoice["ending_balance"] - invoice["starting_balance"]
    customer = books.get("customer", invoice["customer"])
    _change_balance(books, customer, customer["balance"] - used, invoice, reverses=True)
    books.updated("invoice.voided", invoice)


def write_off(books: Books, invoice: Doc) -> None:
    """Give an open invoice up. Raises `Refused`."""
    if invoice["status"] != "open":
        raise Refused("Only open invoices can be marked uncollectible.", code="invoice_not_editable")
    _close(books, invoice, "uncollectible", "marked_uncollectible_at")
    books.updated("invoice.marked_uncollectible", invoice)


def paying_method(books: Books, invoice: Doc) -> str | None:
    """The card that pays, by the order of the API: the invoice's, the subscription's, the customer's."""
    subscription = books.peek("subscription", invoice["_"]["subscription"]) or {}
    customer = books.get("customer", invoice["customer"])
    default: str | None = customer["invoice_settings"]["default_payment_method"]
    return subscription.get("default_payment_method") or invoice["default_payment_method"] or default


@due("invoice.finalize")
def finalize_draft(books: Books, identifier: str) -> None:
    """A draft has waited long enough."""
    invoice = books.get("invoice", identifier)
    if invoice["status"] == "draft":
        finalize(books, invoice)
        if invoice["status"] == "open":
            collect(books, invoice, off_session=True)


@due("invoice.retry")
def retry(books: Books, identifier: str) -> None:
    """Try again to collect what could not be collected."""
    invoice = books.get("invoice", identifier)
    if invoice["status"] == "open":
        collect(books, invoice, off_session=True)


def _failed(books: Books, invoice: Doc) -> None:
    days = books.setup.retry_days
    tries = invoice["attempt_count"]
    is_retried = invoice["billing_reason"] in RETRIED
    next_try = books.now + days[tries - 1] * DAY if is_retried and 0 < tries <= len(days) else None
    invoice["next_payment_attempt"] = next_try
    books.plan("invoice.retry", invoice["id"], next_try)
    books.keep(invoice)
    books.emit("invoice.payment_failed", invoice)
    for hook in HOOKS["failed"]:
        hook(books, invoice)
    if is_retried and next_try is None:
        for hook in HOOKS["given_up"]:
            hook(books, invoice)


def _prepare_payment(books: Books, invoice: Doc) -> None:
    intent = new_intent(
        books,
        invoice["amount_due"],
        invoice["currency"],
        invoice["customer"],
        description="Subscription update"
        if invoice["billing_reason"] == "subscription_update"
        else "Payment for Invoice",
        setup_future_usage="off_session" if invoice["_"]["subscription"] else None,
        _={"invoice": invoice["id"]},
    )
    method = paying_method(books, invoice)
    if method is not None:
        intent |= {"payment_method": method, "status": "requires_confirmation"}
    invoice["_"]["intent"] = intent["id"]
    books.new(
        "invoice_payment",
        amount_paid=None,
        amount_requested=invoice["amount_due"],
        currency=invoice["currency"],
        invoice=invoice["id"],
        is_default=True,
        payment={"type": "payment_intent", "payment_intent": intent["id"]},
        status="open",
        status_transitions={"canceled_at": None, "paid_at": None},
        customer=None,
    )


def _close(books: Books, invoice: Doc, status: str, moment: str) -> None:
    invoice |= {"status": status, "next_payment_attempt": None, "auto_advance": False}
    invoice["status_transitions"][moment] = books.now
    books.plan("invoice.retry", invoice["id"], None)
    intent = books.peek("payment_intent", invoice["_"]["intent"])
    if intent is not None and intent["status"] not in ("succeeded", "canceled"):
        cancel_intent(books, intent, "void_invoice" if status == "void" else None)


def _change_balance(books: Books, customer: Doc, ending: int, invoice: Doc, *, reverses: bool = False) -> None:
    change = ending - customer["balance"]
    if not change:
        return
    customer["balance"] = ending
    kind = (
        "applied_to_invoice" if change > 0 and not reverses else "unapplied_from_invoice" if reverses else "adjustment"
    )
    books.new(
        "customer_balance_transaction",
        amount=change,
        checkout_session=None,
        credit_note=None,
        currency=invoice["currency"],
        customer=customer["id"],
        description=None,
        ending_balance=ending,
        invoice=invoice["id"],
        metadata={},
        type=kind,
    )
    books.updated("customer.updated", customer)
