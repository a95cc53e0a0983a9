"""Payment intents and setup intents: paying now, and saving a card for later."""

from app.payments.sim.core.books import Books
from app.payments.sim.core.calls import Call, listing, route
from app.payments.sim.core.errors import Declined, Doc, Invalid, Missing, Refused
from app.payments.sim.core.ids import random_text
from app.payments.sim.core.wire import Params, merged
from app.payments.sim.engine.cards import card_of, decline
from app.payments.sim.engine.charging import LEAST, cancel_intent, capture, confirm, fail_authentication, new_intent
from app.payments.sim.engine.invoicing import follow_intent
from app.payments.sim.resources.catalogue import LARGEST_AMOUNT, read_currency
from app.payments.sim.resources.payment_methods import attach, method_for

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = (*CONFIRMABLE, "requires_capture")
REASONS = ("abandoned", "duplicate", "fraudulent", "requested_by_customer")
MEANINGLESS = (
    "automatic_payment_methods",
    "confirmation_method",
    "error_on_requires_action",
    "mandate_data",
    "payment_method_options",
    "payment_method_types",
    "use_stripe_sdk",
)


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
    _choose_method(books, params, intent)
    off_session, confirms = params.flag("off_session"), params.flag("confirm")
    _remember_return(params, intent)
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
        _expect(intent, CONFIRMABLE)
        intent["amount"] = _amount(params, intent["currency"])
    _choose_method(books, params, intent)
    books.keep(intent)
    return intent


@route("POST", "/v1/payment_intents/{id}/confirm")
def confirm_payment(call: Call, identifier: str) -> Doc:
    """Try to take the money."""
    intent = call.books.get("payment_intent", identifier)
    _expect(intent, CONFIRMABLE)
    usage = call.params.choice("setup_future_usage", ("on_session", "off_session"))
    intent["setup_future_usage"] = usage or intent["setup_future_usage"]
    _choose_method(call.books, call.params, intent)
    _remember_return(call.params, intent)
    return _confirm(call.books, intent, off_session=call.params.flag("off_session"))


@route("POST", "/v1/payment_intents/{id}/capture")
def capture_payment(call: Call, identifier: str) -> Doc:
    """Take money that was set aside, or a part of it."""
    intent = call.books.get("payment_intent", identifier)
    _expect(intent, ("requires_capture",))
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
    _expect(intent, CANCELABLE)
    cancel_intent(call.books, intent, call.params.choice("cancellation_reason", REASONS))
    return intent


@route("GET", "/v1/payment_intents")
def list_all(call: Call) -> Doc:
    """Payments, newest first."""
    return listing(call, "payment_intent", customer=call.params.text("customer"))


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
    _choose_method(books, params, intent)
    _remember_return(params, intent)
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
    _choose_method(call.books, call.params, intent)
    call.books.keep(intent)
    return intent


@route("POST", "/v1/setup_intents/{id}/confirm")
def confirm_setup(call: Call, identifier: str) -> Doc:
    """Save the card."""
    intent = call.books.get("setup_intent", identifier)
    _expect(intent, CONFIRMABLE, "setup_intent_unexpected_state")
    _choose_method(call.books, call.params, intent)
    _remember_return(call.params, intent)
    return _confirm_setup(call.books, intent)


@route("POST", "/v1/setup_intents/{id}/cancel")
def cancel_setup(call: Call, identifier: str) -> Doc:
    """Give a setup up."""
    intent = call.books.get("setup_intent", identifier)
    _expect(intent, CONFIRMABLE, "setup_intent_unexpected_state")
    intent |= {"status": "canceled", "next_action": None}
    intent["cancellation_reason"] = call.params.choice("cancellation_reason", REASONS)
    call.books.updated("setup_intent.canceled", intent)
    return intent


@route("GET", "/v1/setup_intents")
def list_setups(call: Call) -> Doc:
    """Setups, newest first."""
    return listing(call, "setup_intent", customer=call.params.text("customer"))


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
    _expect(intent, ("requires_action",))
    if intent["object"] == "setup_intent":
        _finish_setup(books, intent, passed=passed)
        return None
    if not passed:
        fail_authentication(books, intent)
        follow_intent(books, intent)
        return None
    error = confirm(books, intent, is_proven=True)
    follow_intent(books, intent)
    return error


def save_card(books: Books, method: Doc, customer: str) -> None:
    """Attach a card and note that its bank has agreed to payments without the person."""
    attach(books, method, customer)
    method["_"]["is_set_up"] = True
    books.keep(method)


def asks_on_setup(method: Doc) -> bool:
    """Whether saving this card asks for 3-D Secure."""
    return card_of(method).authentication != "never" and not method["_"].get("is_set_up")


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
    _finish_setup(books, intent, passed=True)
    return intent


def _finish_setup(books: Books, intent: Doc, *, passed: bool) -> None:
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


def _choose_method(books: Books, params: Params, intent: Doc) -> None:
    params.accept(*MEANINGLESS, "return_url", "off_session", "statement_descriptor", "statement_descriptor_suffix")
    chosen = params.text("payment_method")
    if chosen is None:
        return
    method = method_for(books, chosen, intent["customer"])
    intent["payment_method"] = method["id"]
    if intent["status"] == "requires_payment_method":
        intent["status"] = "requires_confirmation"
    books.keep(intent)


def _remember_return(params: Params, intent: Doc) -> None:
    url = params.address("return_url")
    if url is not None:
        intent["_"]["return_url"] = url


def _amount(params: Params, currency: str) -> int:
    amount = params.integer("amount", minimum=1, maximum=LARGEST_AMOUNT)
    if amount is None:
        raise Invalid("Missing required param: amount.", code="parameter_missing", param="amount")
    if amount < LEAST.get(currency, 1):
        raise Invalid(f"Amount must be at least {LEAST[currency]}.", code="amount_too_small", param="amount")
    return amount


def _expect(intent: Doc, states: tuple[str, ...], code: str = "payment_intent_unexpected_state") -> None:
    if intent["status"] not in states:
        raise Refused(f"This intent's status is {intent['status']}, which does not allow that.", code=code)
