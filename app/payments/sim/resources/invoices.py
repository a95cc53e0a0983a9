"""Invoices, their payments, and what waits to be invoiced."""

from dataclasses import replace

from app.payments.sim.core.books import Books
from app.payments.sim.core.calls import Call, listing, page_inside, page_of, route
from app.payments.sim.core.errors import Doc, Invalid, Refused
from app.payments.sim.core.render import include
from app.payments.sim.core.wire import Params, merged
from app.payments.sim.engine.changing import change_items
from app.payments.sim.engine.cycling import cycle_invoice, draft_for, take_pending
from app.payments.sim.engine.discounts import read_grants, redeem
from app.payments.sim.engine.invoicing import collect, draft, finalize, mark_paid, void, write_off
from app.payments.sim.engine.items import end_of_period, period_of, set_period
from app.payments.sim.engine.lines import full_amount, line_of_pending, pricing_of
from app.payments.sim.engine.subscribing import subscribe
from app.payments.sim.resources.catalogue import LARGEST_AMOUNT, price_from_data, read_currency
from app.payments.sim.resources.customers import new_customer
from app.payments.sim.resources.payment_methods import attach, method_for
from app.payments.sim.resources.subscription_params import read_change, read_trial, read_wish

MEANINGLESS = ("automatic_tax", "invoice_settings", "preview_mode", "issuer", "on_behalf_of", "schedule_details")


@route("GET", "/v1/invoices/{id}")
def retrieve(call: Call, identifier: str) -> Doc:
    """An invoice."""
    return call.books.get("invoice", identifier)


@route("GET", "/v1/invoices")
def list_all(call: Call) -> Doc:
    """Invoices, newest first."""
    params = call.params
    params.accept("collection_method", "due_date")
    status = {"status": params.choice("status", ("draft", "open", "paid", "uncollectible", "void"))}
    return listing(call, "invoice", customer=params.text("customer"), parent=params.text("subscription"), where=status)


@route("GET", "/v1/invoices/{id}/lines")
def list_lines(call: Call, identifier: str) -> Doc:
    """The lines of an invoice."""
    return page_inside(call, call.books.get("invoice", identifier)["lines"]["data"])


@route("POST", "/v1/invoices")
def create(call: Call) -> Doc:
    """A draft of what waits for a customer."""
    params, books = call.params, call.books
    customer = books.get("customer", params.need("customer"), "customer")
    params.accept("auto_advance", "collection_method", "pending_invoice_items_behavior", "default_payment_method")
    grants = read_grants(books, params, customer["id"])
    currency = params.text("currency") or customer["currency"] or "usd"
    waiting = books.find(
        "invoiceitem",
        customer=customer["id"],
        where="json_extract(body, '$.invoice') IS NULL AND json_extract(body, '$.currency') = ?",
        values=(currency,),
        oldest_first=True,
    )
    invoice = draft(
        books,
        customer,
        [line_of_pending(books, pending) for pending in waiting],
        currency=currency,
        reason="manual",
        period=(books.now, books.now),
        discounts=[redeem(books, grant, customer["id"])["id"] for grant in grants],
    )
    for pending in waiting:
        pending["invoice"] = invoice["id"]
        books.keep(pending)
    invoice |= {"description": params.text("description"), "metadata": params.metadata()}
    return invoice


@route("POST", "/v1/invoices/create_preview")
def preview(call: Call) -> Doc:
    """What the next invoice will be, or what a change would cost now: everything is done, looked at and undone."""
    books, params = call.books, call.params
    books.recorder.is_silent = True
    details = params.group("subscription_details")
    params.accept(*MEANINGLESS)
    identifier = params.text("subscription")
    if identifier is None:
        invoice = _preview_new(books, params, details)
    else:
        subscription = books.get("subscription", identifier, "subscription")
        params.accept("customer")
        _apply_discounts(books, subscription, params)
        invoice = _preview_change(books, subscription, details)
    shown = {name: value for name, value in invoice.items() if name != "_"}
    books.discard()
    shown |= {"id": f"upcoming_{invoice['id']}", "number": None, "status": "draft"}
    return shown


@route("POST", "/v1/invoices/{id}")
def update(call: Call, identifier: str) -> Doc:
    """Change what may change of an invoice."""
    invoice = call.books.get("invoice", identifier)
    invoice["metadata"] = merged(invoice["metadata"], call.params)
    if call.params.has("description"):
        invoice["description"] = call.params.text("description")
    if call.params.has("default_payment_method"):
        chosen = call.params.need("default_payment_method")
        invoice["default_payment_method"] = method_for(call.books, chosen, invoice["customer"])["id"]
    invoice["auto_advance"] = call.params.flag("auto_advance", invoice["auto_advance"])
    call.books.updated("invoice.updated", invoice)
    return invoice


@route("POST", "/v1/invoices/{id}/finalize")
def finalize_invoice(call: Call, identifier: str) -> Doc:
    """Number a draft and open it."""
    invoice = call.books.get("invoice", identifier)
    call.params.accept("auto_advance")
    finalize(call.books, invoice)
    return invoice


@route("POST", "/v1/invoices/{id}/pay")
def pay(call: Call, identifier: str) -> Doc:
    """Try to collect an invoice now."""
    params, books = call.params, call.books
    invoice = books.get("invoice", identifier)
    if invoice["status"] == "draft":
        finalize(books, invoice)
        if invoice["status"] == "paid":
            return invoice
    if invoice["status"] == "paid":
        raise Refused("Invoice is already paid.", code="invoice_already_paid")
    if invoice["status"] not in ("open", "uncollectible"):
        raise Refused("This invoice can't be paid in its state.", code="invoice_not_editable")
    if params.flag("paid_out_of_band"):
        mark_paid(books, invoice, out_of_band=True)
        return invoice
    chosen = params.text("payment_method")
    method = (
        None if chosen is None else attach(books, method_for(books, chosen, invoice["customer"]), invoice["customer"])
    )
    params.accept("forgive", "mandate")
    error = collect(
        books, invoice, method=None if method is None else method["id"], off_session=params.flag("off_session")
    )
    if error is not None:
        raise error
    return invoice


@route("POST", "/v1/invoices/{id}/void")
def void_invoice(call: Call, identifier: str) -> Doc:
    """Take an invoice back."""
    invoice = call.books.get("invoice", identifier)
    void(call.books, invoice)
    return invoice


@route("POST", "/v1/invoices/{id}/mark_uncollectible")
def mark_uncollectible(call: Call, identifier: str) -> Doc:
    """Give an invoice up."""
    invoice = call.books.get("invoice", identifier)
    write_off(call.books, invoice)
    return invoice


@route("GET", "/v1/invoice_payments/{id}")
def retrieve_payment(call: Call, identifier: str) -> Doc:
    """The link between an invoice and its payment."""
    return call.books.get("invoice_payment", identifier)


@route("GET", "/v1/invoice_payments")
def list_payments(call: Call) -> Doc:
    """Which payment belongs to which invoice."""
    params = call.params
    payment = params.group("payment")
    payment.accept("type")
    where = {"payment.payment_intent": payment.text("payment_intent"), "status": params.text("status")}
    return listing(call, "invoice_payment", parent=params.text("invoice"), where=where)


@route("POST", "/v1/invoiceitems")
def create_item(call: Call) -> Doc:
    """Something for the next invoice."""
    params, books = call.params, call.books
    customer = books.get("customer", params.need("customer"), "customer")
    pricing = params.group("pricing")
    identifier, quantity = pricing.text("price"), params.integer("quantity", minimum=0) or 1
    price = None if identifier is None else books.get("price", identifier, "pricing[price]")
    if price is None and params.has("price_data"):
        price = price_from_data(books, params.group("price_data"))
    amount = params.integer("amount", minimum=-LARGEST_AMOUNT, maximum=LARGEST_AMOUNT)
    if price is None and amount is None:
        raise Invalid("Give an amount or a price.", code="parameter_missing", param="amount")
    period = params.group("period")
    times = {"start": period.integer("start") or books.now, "end": period.integer("end") or books.now}
    item = books.new(
        "invoiceitem",
        amount=full_amount(price, quantity) if price else amount,
        currency=price["currency"] if price else read_currency(params),
        customer=customer["id"],
        customer_account=None,
        date=books.now,
        description=params.text("description"),
        discountable=params.flag("discountable", default=price is not None or (amount or 0) > 0),
        discounts=[],
        invoice=None,
        metadata=params.metadata(),
        parent=None,
        period=times,
        pricing=pricing_of(price) if price else None,
        proration=False,
        quantity=quantity,
        quantity_decimal=str(quantity),
        tax_rates=[],
        test_clock=None,
        _={"subscription": params.text("subscription")},
    )
    params.accept("currency")
    del item["created"]
    books.emit("invoiceitem.created", item)
    return item


@route("GET", "/v1/invoiceitems/{id}")
def retrieve_item(call: Call, identifier: str) -> Doc:
    """An invoice item."""
    return call.books.get("invoiceitem", identifier)


@route("DELETE", "/v1/invoiceitems/{id}")
def delete_item(call: Call, identifier: str) -> Doc:
    """Take back what waits for the next invoice."""
    item = call.books.get("invoiceitem", identifier)
    if item["invoice"] is not None:
        raise Refused("The invoice item is on an invoice already.", code="invoice_not_editable")
    item["deleted"] = True
    call.books.keep(item)
    call.books.emit("invoiceitem.deleted", item)
    return {"id": identifier, "object": "invoiceitem", "deleted": True}


@route("GET", "/v1/invoiceitems")
def list_items(call: Call) -> Doc:
    """Invoice items, newest first."""
    params = call.params
    found = listing(call, "invoiceitem", customer=params.text("customer"), parent=params.text("invoice"))
    if params.flag("pending"):
        found["data"] = [item for item in found["data"] if item["invoice"] is None]
    return found


@include("invoice", "payments")
def payments_of(books: Books, invoice: Doc) -> Doc:
    """The payments of an invoice."""
    return page_of(books.find("invoice_payment", parent=invoice["id"]), "/v1/invoice_payments")


@include("invoice", "confirmation_secret")
def secret_of(books: Books, invoice: Doc) -> Doc | None:
    """What a client confirms the payment of an open invoice with."""
    whole = books.peek("invoice", invoice["id"])
    intent = books.peek("payment_intent", whole["_"]["intent"]) if whole else None
    return None if intent is None else {"client_secret": intent["client_secret"], "type": "payment_intent"}


def _preview_change(books: Books, subscription: Doc, details: Params) -> Doc:
    """The invoice of a change that is paid now, or else the one of the next renewal with what is pending by then."""
    change = read_change(books, subscription, details)
    _preview_trial(books, subscription, details)
    invoice = change_items(books, subscription, change) if change is not None else None
    if invoice is not None:
        return invoice
    if change is not None and change.proration == "always_invoice":
        period = (period_of(subscription)[0], books.now)
        return draft_for(books, subscription, [], "subscription_update", period, proration_date=change.at)
    start, finish = period_of(subscription)
    if subscription["cancel_at"] is not None and subscription["cancel_at"] <= finish:
        lines = take_pending(books, subscription)
        if not lines:
            raise Refused("No upcoming invoices for customer.", code="invoice_upcoming_none")
        return draft_for(books, subscription, lines, "upcoming", (start, finish))
    set_period(subscription, finish, end_of_period(subscription, finish))
    upcoming = cycle_invoice(books, subscription, (start, finish))
    return upcoming | {"billing_reason": "upcoming", "created": finish, "next_payment_attempt": finish}


def _preview_trial(books: Books, subscription: Doc, details: Params) -> None:
    details.accept("cancel_at", "cancel_at_period_end", "cancel_now", "default_tax_rates", "resume_at")
    finish = read_trial(books, details)
    if finish is not None and finish > books.now:
        subscription |= {"status": "trialing", "trial_end": finish, "billing_cycle_anchor": finish}
        set_period(subscription, period_of(subscription)[0], finish)


def _preview_new(books: Books, params: Params, details: Params) -> Doc:
    known = params.text("customer")
    customer = new_customer(books) if known is None else books.get("customer", known, "customer")
    params.accept("customer_details", "currency")
    details.accept("proration_behavior", "proration_date", "billing_cycle_anchor")
    wish = read_wish(books, details, customer)
    grants = read_grants(books, params, customer["id"])
    wish = replace(wish, grants=grants, behaviour="default_incomplete")
    subscription, _ = subscribe(books, wish)
    return books.get("invoice", subscription["latest_invoice"])


def _apply_discounts(books: Books, subscription: Doc, params: Params) -> None:
    if params.has("discounts"):
        grants = read_grants(books, params, subscription["customer"])
        given = [redeem(books, grant, subscription["customer"], subscription=subscription["id"]) for grant in grants]
        subscription["discounts"] = [each["id"] for each in given]
