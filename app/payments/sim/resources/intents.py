"""Payment intents: paying now, and 3-D Secure of payments and setups."""

from app.payments.sim.core.books import Books
from app.payments.sim.core.calls import Call, listing, route
from app.payments.sim.core.errors import Declined, Doc, Invalid, Missing, Refused
from app.payments.sim.core.wire import Params, merged
from app.payments.sim.engine.cards import card_of
from app.payments.sim.engine.charging import LEAST, cancel_intent, capture, confirm, fail_authentication, new_intent
from app.payments.sim.engine.invoicing import follow_intent
from app.payments.sim.resources.catalogue import LARGEST_AMOUNT, read_currency
from app.payments.sim.resources.intent_params import CONFIRMABLE, REASONS, choose_method, expect, remember_return
from app.payments.sim.resources.payment_methods import attach
from app.payments.sim.resources.setups import finish_setup

CANCELABLE = (*CONFIRMABLE, "requires_capture")


@route("POST", "/v1/payment_intents")
def create(call: Call) -> Doc:
    """A payment; tried at once with `confirm`."""
    params, books = call.params, call.books
    currency = read_currency(params)
    customer = params.text("customer")
    if customer is not None:
        books.get("customer", customer, "customer")
    intent = new_intent(
        books,
        _amount(params, currency),
        currency,
        customer,
        description=params.text("description"),
        receipt_email=params.text("receipt_email"),
        metadata=params.metadata(),
        capture_method=params.choice("capture_method", ("automatic", "automatic_async", "manual"), "automatic"),
        setup_future_usage=params.choice("setup_future_usage", ("on_session", "off_session")),
    )
    choose_method(books, params, intent)
    off_session, confirms = params.flag("off_session"), params.flag("confirm")
    remember_return(params, intent)
    return _confirm(books, intent, off_session=off_session) if confirms else intent


@route("GET", "/v1/payment_intents/{id}")
def retrieve(call: Call, identifier: str) -> Doc:
    """A payment."""
    call.params.accept("client_secret")
    return call.books.get("payment_intent", identifier)


@route("POST", "/v1/payment_intents/{id}")
def update(call: Call, identifier: str) -> Doc:
    """Change a payment that has not been tried."""
    params, books = call.params, call.books
    intent = books.get("payment_intent", identifier)
    intent["metadata"] = merged(intent["metadata"], params)
    if params.has("description"):
        intent["description"] = params.text("description")
    if params.has("amount"):
        expect(intent, CONFIRMABLE)
        intent["amount"] = _amount(params, intent["currency"])
    choose_method(books, params, intent)
    books.keep(intent)
    return intent


@route("POST", "/v1/payment_intents/{id}/confirm")
def confirm_payment(call: Call, identifier: str) -> Doc:
    """Try to take the money."""
    intent = call.books.get("payment_intent", identifier)
    expect(intent, CONFIRMABLE)
    usage = call.params.choice("setup_future_usage", ("on_session", "off_session"))
    intent["setup_future_usage"] = usage or intent["setup_future_usage"]
    choose_method(call.books, call.params, intent)
    remember_return(call.params, intent)
    return _confirm(call.books, intent, off_session=call.params.flag("off_session"))


@route("POST", "/v1/payment_intents/{id}/capture")
def capture_payment(call: Call, identifier: str) -> Doc:
    """Take money that was set aside, or a part of it."""
    intent = call.books.get("payment_intent", identifier)
    expect(intent, ("requires_capture",))
    amount = call.params.integer("amount_to_capture", minimum=1, maximum=intent["amount"])
    capture(call.books, intent, amount or intent["amount"])
    return intent


@route("POST", "/v1/payment_intents/{id}/cancel")
def cancel(call: Call, identifier: str) -> Doc:
    """Give a payment up."""
    intent = call.books.get("payment_intent", identifier)
    if intent["_"].get("invoice"):
        raise Refused(
            "You can't cancel the payment of an invoice; void the invoice.", code="payment_intent_unexpected_state"
        )
    expect(intent, CANCELABLE)
    cancel_intent(call.books, intent, call.params.choice("cancellation_reason", REASONS))
    return intent


@route("GET", "/v1/payment_intents")
def list_all(call: Call) -> Doc:
    """Payments, newest first."""
    return listing(call, "payment_intent", customer=call.params.text("customer"))


def intent_by_secret(books: Books, secret: str) -> Doc:
    """A payment or setup by its client secret. Raises `Missing`."""
    identifier = secret.partition("_secret_")[0]
    kind = "setup_intent" if identifier.startswith("seti_") else "payment_intent"
    intent = books.get(kind, identifier)
    if intent["client_secret"] != secret:
        raise Missing("No such intent.", param="client_secret")
    return intent


def finish_challenge(books: Books, intent: Doc, *, passed: bool) -> Declined | None:
    """The person has answered 3-D Secure; returns why the payment failed. Raises `Refused` if nothing was asked."""
    expect(intent, ("requires_action",))
    if intent["object"] == "setup_intent":
        finish_setup(books, intent, passed=passed)
        return None
    if not passed:
        fail_authentication(books, intent)
        follow_intent(books, intent)
        return None
    error = confirm(books, intent, is_proven=True)
    follow_intent(books, intent)
    return error


def _confirm(books: Books, intent: Doc, *, off_session: bool) -> Doc:
    if intent["payment_method"] is None:
        raise Invalid(
            "You cannot confirm this PaymentIntent because it's missing a payment method.", param="payment_method"
        )
    method = books.get("payment_method", intent["payment_method"])
    if intent["setup_future_usage"] and intent["customer"] and method["customer"] is None and _is_savable(method):
        attach(books, method, intent["customer"])
    error = confirm(books, intent, off_session=off_session, is_invoice=bool(intent["_"].get("invoice")))
    follow_intent(books, intent)
    if error is not None:
        raise error
    return intent


def _is_savable(method: Doc) -> bool:
    card = card_of(method)
    return card.decline is None or not card.declines_setup


def _amount(params: Params, currency: str) -> int:
    amount = params.integer("amount", minimum=1, maximum=LARGEST_AMOUNT)
    if amount is None:
        raise Invalid("Missing required param: amount.", code="parameter_missing", param="amount")
    if amount < LEAST.get(currency, 1):
        raise Invalid(f"Amount must be at least {LEAST[currency]}.", code="amount_too_small", param="amount")
    return amount
