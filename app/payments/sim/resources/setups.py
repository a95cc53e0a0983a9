"""Setup intents: saving a card for later."""

from app.payments.sim.core.books import Books
from app.payments.sim.core.calls import Call, listing, route
from app.payments.sim.core.errors import Declined, Doc, Invalid
from app.payments.sim.core.ids import random_text
from app.payments.sim.core.wire import merged
from app.payments.sim.engine.cards import card_of, decline
from app.payments.sim.resources.intent_params import CONFIRMABLE, REASONS, choose_method, expect, remember_return
from app.payments.sim.resources.payment_methods import attach


@route("POST", "/v1/setup_intents")
def create_setup(call: Call) -> Doc:
    """A card to be saved."""
    params, books = call.params, call.books
    customer = params.text("customer")
    if customer is not None:
        books.get("customer", customer, "customer")
    usage = params.choice("usage", ("off_session", "on_session"), "off_session") or ""
    intent = new_setup(books, customer, params.metadata(), usage)
    intent["description"] = params.text("description")
    choose_method(books, params, intent)
    remember_return(params, intent)
    return _confirm_setup(books, intent) if params.flag("confirm") else intent


def new_setup(books: Books, customer: str | None, metadata: dict[str, str], usage: str = "off_session") -> Doc:
    """A setup that waits for a card."""
    nothing = ("application", "attach_to_self", "cancellation_reason", "description", "flow_directions")
    intent = books.new(
        "setup_intent",
        **dict.fromkeys((*nothing, "last_setup_error", "latest_attempt", "mandate", "next_action", "on_behalf_of")),
        automatic_payment_methods=None,
        customer=customer,
        metadata=metadata,
        payment_method=None,
        payment_method_options={"card": {"request_three_d_secure": "automatic"}},
        payment_method_types=["card"],
        single_use_mandate=None,
        status="requires_payment_method",
        usage=usage,
        _={},
    )
    intent["client_secret"] = f"{intent['id']}_secret_{random_text()}"
    books.emit("setup_intent.created", intent)
    return intent


@route("GET", "/v1/setup_intents/{id}")
def retrieve_setup(call: Call, identifier: str) -> Doc:
    """A setup."""
    call.params.accept("client_secret")
    return call.books.get("setup_intent", identifier)


@route("POST", "/v1/setup_intents/{id}")
def update_setup(call: Call, identifier: str) -> Doc:
    """Change a setup."""
    intent = call.books.get("setup_intent", identifier)
    intent["metadata"] = merged(intent["metadata"], call.params)
    choose_method(call.books, call.params, intent)
    call.books.keep(intent)
    return intent


@route("POST", "/v1/setup_intents/{id}/confirm")
def confirm_setup(call: Call, identifier: str) -> Doc:
    """Save the card."""
    intent = call.books.get("setup_intent", identifier)
    expect(intent, CONFIRMABLE, "setup_intent_unexpected_state")
    choose_method(call.books, call.params, intent)
    remember_return(call.params, intent)
    return _confirm_setup(call.books, intent)


@route("POST", "/v1/setup_intents/{id}/cancel")
def cancel_setup(call: Call, identifier: str) -> Doc:
    """Give a setup up."""
    intent = call.books.get("setup_intent", identifier)
    expect(intent, CONFIRMABLE, "setup_intent_unexpected_state")
    intent |= {"status": "canceled", "next_action": None}
    intent["cancellation_reason"] = call.params.choice("cancellation_reason", REASONS)
    call.books.updated("setup_intent.canceled", intent)
    return intent


@route("GET", "/v1/setup_intents")
def list_setups(call: Call) -> Doc:
    """Setups, newest first."""
    return listing(call, "setup_intent", customer=call.params.text("customer"))


def save_card(books: Books, method: Doc, customer: str) -> None:
    """Attach a card and note that its bank has agreed to payments without the person."""
    attach(books, method, customer)
    method["_"]["is_set_up"] = True
    books.keep(method)


def asks_on_setup(method: Doc) -> bool:
    """Whether saving this card asks for 3-D Secure."""
    return card_of(method).authentication != "never" and not method["_"].get("is_set_up")


def _confirm_setup(books: Books, intent: Doc) -> Doc:
    if intent["payment_method"] is None:
        raise Invalid(
            "You cannot confirm this SetupIntent because it's missing a payment method.", param="payment_method"
        )
    method = books.get("payment_method", intent["payment_method"])
    card = card_of(method)
    if card.decline is not None and card.declines_setup:
        error = decline(card.decline)
        intent |= {
            "status": "requires_payment_method",
            "payment_method": None,
            "last_setup_error": error.body()["error"],
        }
        books.updated("setup_intent.setup_failed", intent)
        raise error
    if asks_on_setup(method):
        url = f"{books.setup.public_url}/authenticate/{intent['client_secret']}"
        details = {"return_url": intent["_"].get("return_url"), "url": url}
        intent |= {"status": "requires_action", "next_action": {"type": "redirect_to_url", "redirect_to_url": details}}
        books.updated("setup_intent.requires_action", intent)
        return intent
    finish_setup(books, intent, passed=True)
    return intent


def finish_setup(books: Books, intent: Doc, *, passed: bool) -> None:
    """Save the card, or note that 3-D Secure was not passed."""
    method = books.get("payment_method", intent["payment_method"])
    if not passed:
        error = Declined(
            "We are unable to authenticate your payment method.", code="setup_intent_authentication_failure"
        )
        intent |= {"status": "requires_payment_method", "next_action": None, "payment_method": None}
        intent["last_setup_error"] = error.body()["error"]
        books.updated("setup_intent.setup_failed", intent)
        return
    if intent["customer"] is not None:
        save_card(books, method, intent["customer"])
    else:
        method["_"]["is_set_up"] = True
        books.keep(method)
    intent |= {"status": "succeeded", "next_action": None, "last_setup_error": None}
    books.updated("setup_intent.succeeded", intent)
