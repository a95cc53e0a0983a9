"""Customers and what they have on credit."""

from app.payments.sim.core.books import Books
from app.payments.sim.core.calls import Call, listing, page_of, route
from app.payments.sim.core.errors import Doc, Missing
from app.payments.sim.core.ids import random_text
from app.payments.sim.core.render import include
from app.payments.sim.core.wire import Params, merged
from app.payments.sim.engine.cycling import ENDED, end
from app.payments.sim.resources.payment_methods import attach, detach, method_for

TEXTS = ("email", "name", "phone", "description")
MEANINGLESS = ("address", "shipping", "preferred_locales", "tax", "tax_exempt", "tax_id_data", "test_clock", "validate")


def new_customer(books: Books, *, email: str | None = None, name: str | None = None) -> Doc:
    """A customer; the caller tells of it."""
    return books.new(
        "customer",
        address=None,
        balance=0,
        currency=None,
        default_source=None,
        delinquent=False,
        description=None,
        discount=None,
        email=email,
        invoice_prefix=random_text(8).upper(),
        invoice_settings={
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        metadata={},
        name=name,
        next_invoice_sequence=1,
        phone=None,
        preferred_locales=[],
        shipping=None,
        tax_exempt="none",
        test_clock=None,
        _={"declines": []},
    )


@route("POST", "/v1/customers")
def create(call: Call) -> Doc:
    """A new customer, with a card if one is given."""
    customer = new_customer(call.books)
    _fill(call.params, customer)
    method = call.params.text("payment_method")
    if method is not None:
        attach(call.books, method_for(call.books, method, customer["id"]), customer["id"])
    _choose_default(call.books, call.params, customer)
    call.books.emit("customer.created", customer)
    return customer


@route("GET", "/v1/customers/{id}")
def retrieve(call: Call, identifier: str) -> Doc:
    """A customer; of one that was deleted only that."""
    customer = call.books.peek("customer", identifier)
    if customer is None:
        raise Missing(f"No such customer: '{identifier[:100]}'", param="id")
    return customer


@route("POST", "/v1/customers/{id}")
def update(call: Call, identifier: str) -> Doc:
    """Change a customer."""
    customer = call.books.get("customer", identifier)
    _fill(call.params, customer)
    _choose_default(call.books, call.params, customer)
    call.books.updated("customer.updated", customer)
    return customer


@route("DELETE", "/v1/customers/{id}")
def delete(call: Call, identifier: str) -> Doc:
    """Forget a customer; its subscriptions end at once and its cards are let go."""
    books = call.books
    customer = books.get("customer", identifier)
    for subscription in books.find("subscription", customer=identifier):
        if subscription["status"] not in ENDED:
            end(books, subscription, "cancellation_requested")
    for method in books.find("payment_method", customer=identifier):
        detach(books, method)
    books.emit("customer.deleted", customer)
    gone = {"id": identifier, "object": "customer", "deleted": True}
    customer.clear()
    customer.update(gone)
    books.keep(customer)
    return gone


@route("GET", "/v1/customers")
def list_all(call: Call) -> Doc:
    """Customers, newest first."""
    email = call.params.text("email")
    call.params.accept("test_clock")
    return listing(call, "customer", parent=email)


@route("GET", "/v1/customers/{id}/payment_methods")
def list_methods(call: Call, identifier: str) -> Doc:
    """The cards of a customer."""
    call.books.get("customer", identifier)
    call.params.accept("type", "allow_redisplay")
    return listing(call, "payment_method", customer=identifier)


@route("GET", "/v1/customers/{id}/payment_methods/{method}")
def retrieve_method(call: Call, identifier: str, method: str) -> Doc:
    """One card of a customer."""
    found = call.books.get("payment_method", method)
    if found["customer"] != identifier:
        raise Missing("No such payment method.", param="payment_method")
    return found


@route("GET", "/v1/customers/{id}/balance_transactions")
def list_balance(call: Call, identifier: str) -> Doc:
    """What was put onto a customer's balance and taken off it."""
    call.books.get("customer", identifier)
    return listing(call, "customer_balance_transaction", customer=identifier)


@include("customer", "subscriptions")
def subscriptions_of(books: Books, customer: Doc) -> Doc:
    """The subscriptions that have not ended."""
    found = books.find("subscription", customer=customer["id"])
    running = [each for each in found if each["status"] not in ENDED]
    return page_of(running, f"/v1/customers/{customer['id']}/subscriptions")


def _fill(params: Params, customer: Doc) -> None:
    for name in TEXTS:
        if params.has(name):
            customer[name] = params.text(name)
    customer["metadata"] = merged(customer["metadata"], params)
    balance = params.integer("balance")
    if balance is not None:
        customer["balance"] = balance
    params.accept(*MEANINGLESS, "source")


def _choose_default(books: Books, params: Params, customer: Doc) -> None:
    settings = params.group("invoice_settings")
    settings.accept("custom_fields", "footer", "rendering_options")
    if not settings.has("default_payment_method"):
        return
    chosen = settings.text("default_payment_method")
    if chosen is not None:
        method = method_for(books, chosen, customer["id"])
        attach(books, method, customer["id"])
        chosen = method["id"]
    customer["invoice_settings"]["default_payment_method"] = chosen
