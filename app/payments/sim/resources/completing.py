"""What a checkout does when it is paid: by its page or by the control endpoint, the same way."""

from dataclasses import dataclass
from typing import Final

from app.payments.sim.core.books import Books
from app.payments.sim.core.errors import Declined, Doc, Invalid, Refused
from app.payments.sim.engine.agenda import due
from app.payments.sim.engine.cards import TestCard
from app.payments.sim.engine.charging import confirm, new_intent
from app.payments.sim.engine.discounts import Grant, grant_of_code, redeem, usable
from app.payments.sim.engine.lines import full_amount, new_line, tally
from app.payments.sim.engine.subscribing import Wish, subscribe
from app.payments.sim.resources.customers import new_customer
from app.payments.sim.resources.payment_methods import attach, new_method
from app.payments.sim.resources.setups import asks_on_setup, new_setup, save_card

OPEN: Final = "open"


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays and with what; `is_proven` after 3-D Secure."""

    card: TestCard | None
    email: str | None = None
    name: str | None = None
    is_proven: bool = False


class Challenge(Exception):
    """The card asks for 3-D Secure before the checkout can go on."""


class Undone(Exception):
    """The payment failed: nothing has begun."""

    def __init__(self, error: Declined) -> None:
        super().__init__(error.message)
        self.error = error


def tallied(books: Books, session: Doc) -> Doc:
    """The lines of what is paid now and their sums, as an invoice would have them."""
    is_free = _trial_end(session, books.now) is not None
    lines = []
    for each in session["_"]["lines"]:
        price = books.peek("price", each["price"]) or {}
        product = books.peek("product", price["product"]) or {}
        amount = 0 if is_free and price["recurring"] else full_amount(price, each["quantity"])
        period = (books.now, books.now)
        text = product.get("name", "")
        line = new_line(amount, price["currency"], text, period, price=price, quantity=each["quantity"])
        lines.append(line | {"id": each["id"], "discountable": True})
    invoice: Doc = {"lines": {"data": lines}}
    coupons = [({"id": coupon["id"]}, coupon) for coupon, _ in grants_of(books, session)]
    tally(invoice, coupons, session["_"]["tax_rates"])
    return invoice


def grants_of(books: Books, session: Doc) -> list[Grant]:
    """The coupons of a checkout."""
    given: list[Grant] = []
    for each in session["discounts"] or []:
        code = books.peek("promotion_code", each["promotion_code"])
        coupon = books.get("coupon", each["coupon"] or (code or {})["promotion"]["coupon"])
        given.append((coupon, code))
    return given


def apply_code(books: Books, session: Doc, word: str) -> None:
    """Put a promotion code onto an open checkout. Raises `Refused`."""
    if not session["allow_promotion_codes"]:
        raise Refused("This checkout takes no promotion codes.")
    codes = [code for code in books.find("promotion_code", parent=word.strip().upper()) if code["active"]]
    if not codes:
        raise Refused("This promotion code is not known.", code="promotion_code_unknown")
    grant_of_code(books, codes[0], session["customer"])
    session["discounts"] = [{"coupon": None, "promotion_code": codes[0]["id"]}]
    show_totals(books, session)
    books.keep(session)


def show_totals(books: Books, session: Doc) -> None:
    """Put the sums of now onto a checkout."""
    invoice = tallied(books, session)
    session |= {"amount_subtotal": invoice["subtotal"], "amount_total": invoice["total"]}
    session["total_details"] = {
        "amount_discount": sum(each["amount"] for each in invoice["total_discount_amounts"]),
        "amount_shipping": 0,
        "amount_tax": sum(each["amount"] for each in invoice["total_taxes"]),
    }


def complete(books: Books, session: Doc, payer: Payer) -> None:
    """Pay a checkout. Raises `Challenge`, `Undone`, `Invalid` and `Refused`, after which nothing must be kept."""
    if session["status"] != OPEN:
        raise Refused(f"This checkout is {session['status']}.", code="checkout_not_open")
    for coupon, code in grants_of(books, session):
        usable(books, coupon) if code is None else grant_of_code(books, code, session["customer"])
    customer = _customer(books, session, payer)
    method = None if payer.card is None else new_method(books, payer.card)
    if method is not None:
        method["billing_details"] |= {"email": customer["email"], "name": payer.name or customer["name"]}
        if not payer.is_proven and _asks(session, method):
            raise Challenge
    {"subscription": _subscribe, "payment": _pay, "setup": _set_up}[session["mode"]](
        books, session, payer, customer, method
    )
    _finish(books, session, customer)


@due("checkout.expire")
def expire_at_time(books: Books, identifier: str) -> None:
    """Nobody has paid in time."""
    session = books.get("checkout.session", identifier)
    if session["status"] == OPEN:
        expire(books, session)


def expire(books: Books, session: Doc) -> None:
    """Close an open checkout. Raises `Refused`."""
    if session["status"] != OPEN:
        raise Refused("Only open Checkout Sessions can be expired.", code="checkout_not_open")
    session |= {"status": "expired", "url": None}
    books.plan("checkout.expire", session["id"], None)
    books.updated("checkout.session.expired", session)


def _asks(session: Doc, method: Doc) -> bool:
    saves = session["mode"] in ("subscription", "setup") or session["_"]["setup_future_usage"] is not None
    is_due = session["mode"] == "setup" or session["amount_total"] > 0 or saves
    return is_due and asks_on_setup(method)


def _customer(books: Books, session: Doc, payer: Payer) -> Doc:
    if session["customer"] is not None:
        return books.get("customer", session["customer"])
    email = payer.email or session["customer_email"]
    if session["mode"] == "payment" and session["customer_creation"] != "always":
        return {"id": None, "email": email, "name": payer.name}
    customer = new_customer(books, email=email, name=payer.name)
    books.emit("customer.created", customer)
    return customer


def _subscribe(books: Books, session: Doc, payer: Payer, customer: Doc, method: Doc | None) -> None:
    if method is None:
        _check_free(session)
    else:
        _save(books, method, customer, payer)
    data = session["_"]["subscription_data"]
    items: list[tuple[Doc, int, dict[str, str]]] = [
        (books.get("price", line["price"]), line["quantity"], {})
        for line in session["_"]["lines"]
        if books.get("price", line["price"])["recurring"]
    ]
    _pend_extras(books, session, customer)
    wish = Wish(
        customer=customer,
        items=items,
        metadata=data["metadata"],
        trial_end=_trial_end(session, books.now),
        grants=grants_of(books, session),
        tax_rates=session["_"]["tax_rates"],
        method=None if method is None else method["id"],
        missing_method=data["missing_method"],
        description=data["description"],
        checkout=session["id"],
        is_proven=payer.is_proven,
        saves_method=True,
    )
    subscription, error = subscribe(books, wish)
    if error is not None:
        raise Undone(error)
    session |= {"subscription": subscription["id"], "invoice": subscription["latest_invoice"]}
    paid = books.get("invoice", subscription["latest_invoice"])["amount_paid"]
    session["payment_status"] = "paid" if paid else "no_payment_required"


def record_decline(books: Books, session: Doc, payer: Payer, error: Declined) -> None:
    """What stays of a decline after everything else was undone: the failed payment, for whoever watches for abuse."""
    if payer.card is None or session["amount_total"] <= 0:
        return
    intent = new_intent(books, session["amount_total"], session["currency"], session["customer"])
    intent["payment_method"] = new_method(books, payer.card)["id"]
    confirm(books, intent, is_proven=True)
    intent["_"]["declined"] = error.extra.get("decline_code")


def _pay(books: Books, session: Doc, payer: Payer, customer: Doc, method: Doc | None) -> None:
    session["payment_status"] = "paid"
    if session["amount_total"] == 0:
        session["payment_status"] = "no_payment_required"
        return
    if method is None:
        raise Invalid("A card is needed.", code="parameter_missing", param="payment_method")
    data = session["_"]["payment_intent_data"]
    usage = session["_"]["setup_future_usage"]
    intent = new_intent(
        books,
        session["amount_total"],
        session["currency"],
        customer["id"],
        metadata=data["metadata"],
        description=data["description"],
        receipt_email=customer["email"],
        setup_future_usage=usage,
        payment_method=method["id"],
    )
    error = confirm(books, intent, is_proven=payer.is_proven)
    if error is not None:
        raise Undone(error)
    if usage is not None and customer["id"] is not None:
        attach(books, method, customer["id"])
    for grant in grants_of(books, session):
        redeem(books, grant, customer["id"], checkout=session["id"])
    session["payment_intent"] = intent["id"]


def _set_up(books: Books, session: Doc, payer: Payer, customer: Doc, method: Doc | None) -> None:
    if method is None:
        raise Invalid("A card is needed.", code="parameter_missing", param="payment_method")
    intent = new_setup(books, customer["id"], session["_"]["setup_intent_data"]["metadata"])
    intent["payment_method"] = method["id"]
    _save(books, method, customer, payer)
    intent["status"] = "succeeded"
    books.updated("setup_intent.succeeded", intent)
    session |= {"setup_intent": intent["id"], "payment_status": "no_payment_required"}


def _save(books: Books, method: Doc, customer: Doc, payer: Payer) -> None:
    try:
        if payer.is_proven or method["_"].get("is_set_up") or not asks_on_setup(method):
            save_card(books, method, customer["id"])
    except Declined as error:
        raise Undone(error) from None


def _check_free(session: Doc) -> None:
    if session["payment_method_collection"] == "always" or session["amount_total"] > 0:
        raise Invalid("A card is needed.", code="parameter_missing", param="payment_method")


def _pend_extras(books: Books, session: Doc, customer: Doc) -> None:
    """One-time prices beside a subscription go onto its first invoice."""
    for line in session["_"]["lines"]:
        price = books.get("price", line["price"])
        if price["recurring"] is not None:
            continue
        product = books.peek("product", price["product"]) or {}
        item = books.new(
            "invoiceitem",
            amount=full_amount(price, line["quantity"]),
            currency=price["currency"],
            customer=customer["id"],
            customer_account=None,
            date=books.now,
            description=product.get("name"),
            discountable=True,
            discounts=[],
            invoice=None,
            metadata={},
            parent=None,
            period={"start": books.now, "end": books.now},
            pricing=None,
            proration=False,
            quantity=line["quantity"],
            quantity_decimal=str(line["quantity"]),
            tax_rates=[],
            test_clock=None,
            _={"subscription": None},
        )
        del item["created"]


def _finish(books: Books, session: Doc, customer: Doc) -> None:
    session |= {"status": "complete", "url": None, "customer": customer["id"]}
    session["customer_details"] = {
        "address": None,
        "email": customer["email"],
        "name": customer["name"],
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }
    books.plan("checkout.expire", session["id"], None)
    books.updated("checkout.session.completed", session)


def _trial_end(session: Doc, now: int) -> int | None:
    data = session["_"]["subscription_data"]
    if data["trial_days"] is not None:
        return int(now + data["trial_days"] * 86_400)
    finish: int | None = data["trial_end"]
    return finish if finish is not None and finish > now else None
