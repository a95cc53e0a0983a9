"""Confirming a payment: 3-D Secure where the card asks for it, then a charge that succeeds or is declined."""

from typing import Any

from app.payments.sim.core.books import Books
from app.payments.sim.core.errors import Declined, Doc
from app.payments.sim.core.ids import random_text
from app.payments.sim.engine.cards import TestCard, card_of, decline
from app.payments.sim.engine.ledger import move_charge

LEAST = {"usd": 50, "eur": 50, "gbp": 30, "chf": 50, "cad": 50, "aud": 50}
"""The smallest charge by currency (docs.stripe.com/currencies#minimum-and-maximum-charge-amounts)."""


def new_intent(books: Books, amount: int, currency: str, customer: str | None, **fields: Any) -> Doc:
    """A payment that waits for a card."""
    intent = books.new(
        "payment_intent",
        amount=amount,
        amount_capturable=0,
        amount_details={"tip": {}},
        amount_received=0,
        application=None,
        application_fee_amount=None,
        automatic_payment_methods=None,
        canceled_at=None,
        cancellation_reason=None,
        capture_method="automatic",
        confirmation_method="automatic",
        currency=currency,
        customer=customer,
        customer_account=None,
        description=None,
        last_payment_error=None,
        latest_charge=None,
        metadata={},
        next_action=None,
        on_behalf_of=None,
        payment_method=None,
        payment_method_options={"card": {"request_three_d_secure": "automatic"}},
        payment_method_types=["card"],
        processing=None,
        receipt_email=None,
        review=None,
        setup_future_usage=None,
        shipping=None,
        source=None,
        statement_descriptor=None,
        statement_descriptor_suffix=None,
        status="requires_payment_method",
        transfer_data=None,
        transfer_group=None,
        _={},
    )
    intent.update(fields)
    intent["client_secret"] = f"{intent['id']}_secret_{random_text()}"
    books.emit("payment_intent.created", intent)
    return intent


def confirm(
    books: Books, intent: Doc, *, off_session: bool = False, is_invoice: bool = False, is_proven: bool = False
) -> Declined | None:
    """Try to take the money; afterwards the status tells how it went, and what is returned why it did not.

    `is_proven`: the person has passed 3-D Secure. A person who isn't there can't, so an off-session payment that asks
    for it is declined, except that of an invoice, which then waits for the person.
    """
    method = books.get("payment_method", intent["payment_method"])
    card = card_of(method)
    ordered = _ordered_decline(books, intent["customer"])
    if ordered is None and not is_proven and _asks(card, method):
        if off_session and not is_invoice:
            return _fail(books, intent, method, "authentication_required")
        _ask(books, intent)
        return None
    reason = ordered or card.decline
    if reason is not None:
        return _fail(books, intent, method, reason)
    _succeed(books, intent, method, card)
    return None


def capture(books: Books, intent: Doc, amount: int) -> None:
    """Take money that was set aside."""
    charge = books.get("charge", intent["latest_charge"])
    card = card_of(books.get("payment_method", intent["payment_method"]))
    charge |= {"captured": True, "amount_captured": amount, "amount_refunded": charge["amount"] - amount}
    charge["balance_transaction"] = move_charge(books, charge, is_instant=card.is_instant)["id"]
    books.updated("charge.captured", charge)
    intent |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0}
    books.updated("payment_intent.succeeded", intent)


def cancel_intent(books: Books, intent: Doc, reason: str | None) -> None:
    """Give a payment up."""
    intent |= {"status": "canceled", "canceled_at": books.now, "cancellation_reason": reason, "next_action": None}
    intent["amount_capturable"] = 0
    books.updated("payment_intent.canceled", intent)


def fail_authentication(books: Books, intent: Doc) -> None:
    """The person did not pass 3-D Secure."""
    error = Declined(
        "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
        code="payment_intent_authentication_failure",
    )
    intent |= {
        "status": "requires_payment_method",
        "next_action": None,
        "payment_method": None,
        "last_payment_error": error.body()["error"],
    }
    books.updated("payment_intent.payment_failed", intent)


def billing_details(method: Doc) -> Doc:
    """Who pays, as on the card."""
    details: Doc = method["billing_details"]
    return details


def _ordered_decline(books: Books, customer: str | None) -> str | None:
    """A decline that was ordered for the customer's next payment; it is used up."""
    doc = books.peek("customer", customer)
    orders: list[str] = (doc or {}).get("_", {}).get("declines", [])
    if doc is None or not orders:
        return None
    books.keep(doc)
    return orders.pop(0)


def _asks(card: TestCard, method: Doc) -> bool:
    if card.authentication == "unless_set_up":
        return not method["_"].get("is_set_up")
    return card.authentication == "always"


def _ask(books: Books, intent: Doc) -> None:
    url = f"{books.setup.public_url}/authenticate/{intent['client_secret']}"
    action = {"type": "redirect_to_url", "redirect_to_url": {"return_url": intent["_"].get("return_url"), "url": url}}
    intent |= {"status": "requires_action", "next_action": action}
    books.updated("payment_intent.requires_action", intent)


def _succeed(books: Books, intent: Doc, method: Doc, card: TestCard) -> None:
    charge = _new_charge(books, intent, method)
    is_manual = intent["capture_method"] == "manual"
    if not is_manual:
        charge |= {"captured": True, "amount_captured": charge["amount"]}
        charge["balance_transaction"] = move_charge(books, charge, is_instant=card.is_instant)["id"]
    books.emit("charge.succeeded", charge)
    intent |= {"latest_charge": charge["id"], "next_action": None, "last_payment_error": None}
    if is_manual:
        intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        books.updated("payment_intent.amount_capturable_updated", intent)
    else:
        intent |= {"status": "succeeded", "amount_received": intent["amount"]}
        books.updated("payment_intent.succeeded", intent)
    if intent["setup_future_usage"] == "off_session":
        method["_"]["is_set_up"] = True
        books.keep(method)
    if card.dispute is not None:
        books.plan("dispute.open", charge["id"], books.now)


def _fail(books: Books, intent: Doc, method: Doc, reason: str) -> Declined:
    charge = _new_charge(books, intent, method)
    error = decline(reason, charge=charge["id"])
    outcome = {"network_status": "declined_by_network", "reason": reason, "type": "issuer_declined"}
    charge |= {
        "status": "failed",
        "paid": False,
        "failure_code": error.code,
        "failure_message": error.message,
        "outcome": {**charge["outcome"], **outcome, "seller_message": "The bank returned a decline."},
    }
    books.emit("charge.failed", charge)
    details = {**error.body()["error"], "payment_method": _shown_method(method)}
    intent |= {
        "status": "requires_payment_method",
        "latest_charge": charge["id"],
        "payment_method": None,
        "next_action": None,
        "last_payment_error": details,
    }
    books.updated("payment_intent.payment_failed", intent)
    error.extra["payment_intent"] = {name: value for name, value in intent.items() if name != "_"}
    return error


def _shown_method(method: Doc) -> Doc:
    return {name: value for name, value in method.items() if name != "_"}


def _new_charge(books: Books, intent: Doc, method: Doc) -> Doc:
    card = method["card"]
    kept = ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    return books.new(
        "charge",
        amount=intent["amount"],
        amount_captured=0,
        amount_refunded=0,
        application=None,
        application_fee=None,
        application_fee_amount=None,
        balance_transaction=None,
        billing_details=method["billing_details"],
        calculated_statement_descriptor="LIFEVAULT",
        captured=False,
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        disputed=False,
        failure_balance_transaction=None,
        failure_code=None,
        failure_message=None,
        fraud_details={},
        metadata=dict(intent["metadata"]),
        on_behalf_of=None,
        outcome={
            "advice_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "risk_score": 20,
            "seller_message": "Payment complete.",
            "type": "authorized",
        },
        paid=True,
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details={"type": "card", "card": {name: card[name] for name in kept}},
        receipt_email=intent["receipt_email"],
        receipt_number=None,
        receipt_url=None,
        refunded=False,
        review=None,
        shipping=None,
        source=None,
        source_transfer=None,
        statement_descriptor=None,
        statement_descriptor_suffix=None,
        status="succeeded",
        transfer_data=None,
        transfer_group=None,
    )
