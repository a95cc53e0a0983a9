"""Cards: test cards only, and never their numbers."""

from app.payments.sim.core.books import Books
from app.payments.sim.core.calls import Call, listing, route
from app.payments.sim.core.errors import Doc, Invalid, Refused
from app.payments.sim.core.wire import Params, merged
from app.payments.sim.engine.cards import TestCard, card_by_name, card_by_number, card_of, decline

EXPIRES_YEARS = 4


def new_method(books: Books, card: TestCard, *, expires: tuple[int, int] | None = None) -> Doc:
    """A payment method of nobody yet."""
    month, year = expires or (12, 1970 + books.now // 31_556_952 + EXPIRES_YEARS)
    return books.new(
        "payment_method",
        allow_redisplay="unspecified",
        billing_details={"address": None, "email": None, "name": None, "phone": None, "tax_id": None},
        card={
            "brand": card.brand,
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
            "country": card.country,
            "display_brand": card.brand,
            "exp_month": month,
            "exp_year": year,
            "fingerprint": card.fingerprint,
            "funding": "debit" if card.name == "visa_debit" else "credit",
            "generated_from": None,
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        customer=None,
        customer_account=None,
        metadata={},
        type="card",
        _={"card": card.name, "is_set_up": False},
    )


def method_for(books: Books, identifier: str, customer: str | None, param: str = "payment_method") -> Doc:
    """A payment method by its id, or a new one of a test card such as `pm_card_visa`. Raises `Missing`, `Invalid`."""
    card = card_by_name(identifier) if identifier.startswith("pm_card_") else None
    if card is not None:
        return new_method(books, card)
    method = books.get("payment_method", identifier, param)
    if method["customer"] is not None and customer is not None and method["customer"] != customer:
        raise Invalid(
            "The payment method belongs to another customer.", code="payment_method_customer_decline", param=param
        )
    return method


def attach(books: Books, method: Doc, customer: str) -> Doc:
    """Save a card for a customer. Raises `Declined` for cards whose bank refuses that."""
    if method["customer"] == customer:
        return method
    if method["customer"] is not None:
        raise Refused("The payment method you provided has already been attached to a customer.")
    if method["_"].get("is_detached"):
        raise Refused("This PaymentMethod was detached from a Customer and may not be used again.")
    card = card_of(method)
    if card.decline is not None and card.declines_setup:
        raise decline(card.decline)
    method["customer"] = customer
    books.keep(method)
    books.emit("payment_method.attached", method)
    return method


def detach(books: Books, method: Doc) -> Doc:
    """Let a card go; it is nobody's default any more."""
    customer = books.peek("customer", method["customer"])
    if customer is None:
        raise Refused("The payment method you provided is not attached to a customer.")
    settings = customer.get("invoice_settings", {})
    if settings.get("default_payment_method") == method["id"]:
        settings["default_payment_method"] = None
        books.updated("customer.updated", customer)
    for subscription in books.find("subscription", customer=customer["id"]):
        if subscription["default_payment_method"] == method["id"]:
            subscription["default_payment_method"] = None
            books.updated("customer.subscription.updated", subscription)
    method["customer"] = None
    method["_"]["is_detached"] = True
    books.updated("payment_method.detached", method)
    return method


@route("POST", "/v1/payment_methods")
def create(call: Call) -> Doc:
    """A card by its number or by a token such as `tok_visa`."""
    params = call.params
    params.choice("type", ("card",))
    card = params.group("card")
    token = card.text("token")
    known = card_by_name(token) if token is not None else card_by_number(card.need("number"))
    if known is None:
        raise Invalid("No such token.", code="resource_missing", param="card[token]")
    month, year = card.integer("exp_month", minimum=1, maximum=12), card.integer("exp_year", minimum=1970, maximum=2100)
    card.accept("cvc", "networks", "number")
    method = new_method(call.books, known, expires=(month, year) if month and year else None)
    _fill(params, method)
    return method


@route("GET", "/v1/payment_methods/{id}")
def retrieve(call: Call, identifier: str) -> Doc:
    """A card."""
    return call.books.get("payment_method", identifier)


@route("POST", "/v1/payment_methods/{id}")
def update(call: Call, identifier: str) -> Doc:
    """Change the name on a card or its expiry."""
    method = call.books.get("payment_method", identifier)
    card = call.params.group("card")
    month, year = card.integer("exp_month", minimum=1, maximum=12), card.integer("exp_year", minimum=1970, maximum=2100)
    method["card"] |= {
        "exp_month": month or method["card"]["exp_month"],
        "exp_year": year or method["card"]["exp_year"],
    }
    _fill(call.params, method)
    call.books.updated("payment_method.updated", method)
    return method


@route("POST", "/v1/payment_methods/{id}/attach")
def attach_to(call: Call, identifier: str) -> Doc:
    """Save a card for a customer."""
    customer = call.books.get("customer", call.params.need("customer"), "customer")
    return attach(call.books, method_for(call.books, identifier, None), customer["id"])


@route("POST", "/v1/payment_methods/{id}/detach")
def detach_from(call: Call, identifier: str) -> Doc:
    """Let a card go."""
    return detach(call.books, call.books.get("payment_method", identifier))


@route("GET", "/v1/payment_methods")
def list_all(call: Call) -> Doc:
    """The cards of a customer."""
    customer = call.params.need("customer")
    call.params.accept("type", "allow_redisplay")
    return listing(call, "payment_method", customer=customer)


def _fill(params: Params, method: Doc) -> None:
    details = params.group("billing_details")
    for name in ("email", "name", "phone"):
        if details.has(name):
            method["billing_details"][name] = details.text(name)
    details.accept("address", "tax_id")
    method["metadata"] = merged(method["metadata"], params)
    params.accept("allow_redisplay")
