"""Checkout sessions and sessions of the portal: addresses of pages where a person pays and looks after things."""

from typing import Final

from app.payments.sim.core.books import Books
from app.payments.sim.core.calendar import DAY, HOUR
from app.payments.sim.core.calls import Call, listing, page_inside, page_of, route
from app.payments.sim.core.errors import Doc, Invalid
from app.payments.sim.core.ids import new_id, random_text
from app.payments.sim.core.render import include
from app.payments.sim.core.wire import Params, merged
from app.payments.sim.engine.discounts import usable
from app.payments.sim.engine.taxes import read_tax_rates
from app.payments.sim.resources.catalogue import price_from_data
from app.payments.sim.resources.completing import expire, show_totals, tallied
from app.payments.sim.resources.subscription_params import LONGEST_TRIAL_DAYS, MOST_QUANTITY

MODES: Final = ("subscription", "payment", "setup")
MINUTE: Final = 60
MEANINGLESS: Final = (
    "adaptive_pricing",
    "automatic_tax",
    "billing_address_collection",
    "branding_settings",
    "consent_collection",
    "custom_fields",
    "custom_text",
    "customer_update",
    "excluded_payment_method_types",
    "invoice_creation",
    "locale",
    "managed_payments",
    "name_collection",
    "origin_context",
    "payment_method_options",
    "payment_method_types",
    "phone_number_collection",
    "redirect_on_completion",
    "return_url",
    "saved_payment_method_options",
    "submit_type",
    "tax_id_collection",
    "ui_mode",
    "wallet_options",
)


@route("POST", "/v1/checkout/sessions")
def create(call: Call) -> Doc:
    """A page where somebody pays, open for a day or until `expires_at`."""
    params, books = call.params, call.books
    mode = params.choice("mode", MODES) or params.need("mode")
    customer = params.text("customer")
    if customer is not None:
        books.get("customer", customer, "customer")
    session = books.new("checkout.session", **_blank(params, mode, customer, books.now))
    session["url"] = f"{books.setup.public_url}/pay/{session['id']}"
    session["_"] = _hidden(books, params, mode)
    session["currency"] = _currency(books, params, session)
    session["discounts"] = _discounts(books, params)
    if session["discounts"] and session["allow_promotion_codes"]:
        raise Invalid(
            "You may only specify one of these parameters: allow_promotion_codes, discounts.", param="discounts"
        )
    if mode != "setup":
        show_totals(books, session)
    params.accept(*MEANINGLESS)
    books.plan("checkout.expire", session["id"], session["expires_at"])
    return session


@route("GET", "/v1/checkout/sessions/{id}")
def retrieve(call: Call, identifier: str) -> Doc:
    """A checkout."""
    return call.books.get("checkout.session", identifier)


@route("POST", "/v1/checkout/sessions/{id}")
def update(call: Call, identifier: str) -> Doc:
    """Change the metadata of a checkout."""
    session = call.books.get("checkout.session", identifier)
    session["metadata"] = merged(session["metadata"], call.params)
    return call.books.keep(session)


@route("POST", "/v1/checkout/sessions/{id}/expire")
def expire_now(call: Call, identifier: str) -> Doc:
    """Close an open checkout."""
    session = call.books.get("checkout.session", identifier)
    expire(call.books, session)
    return session


@route("GET", "/v1/checkout/sessions/{id}/line_items")
def list_lines(call: Call, identifier: str) -> Doc:
    """What is bought."""
    return page_inside(call, _line_items(call.books, call.books.get("checkout.session", identifier)))


@route("GET", "/v1/checkout/sessions")
def list_all(call: Call) -> Doc:
    """Checkouts, newest first."""
    params = call.params
    where = {name: params.text(name) for name in ("status", "subscription", "payment_intent")}
    params.accept("customer_details", "payment_link")
    return listing(call, "checkout.session", customer=params.text("customer"), where=where)


@route("POST", "/v1/billing_portal/sessions")
def create_portal(call: Call) -> Doc:
    """A page where a customer looks after plan, cards and invoices."""
    params, books = call.params, call.books
    customer = books.get("customer", params.need("customer"), "customer")
    params.accept("configuration", "flow_data", "locale", "on_behalf_of")
    token = random_text(40)
    session = books.new(
        "billing_portal.session",
        configuration="bpc_simulator",
        customer=customer["id"],
        customer_account=None,
        flow=None,
        locale=None,
        on_behalf_of=None,
        return_url=params.address("return_url"),
        url=f"{books.setup.public_url}/portal/{token}",
    )
    books.add({"id": token, "object": "portal_token", "session": session["id"], "until": books.now + HOUR})
    return session


@include("checkout.session", "line_items")
def lines_of(books: Books, session: Doc) -> Doc:
    """What is bought."""
    whole = books.get("checkout.session", session["id"])
    return page_of(_line_items(books, whole), f"/v1/checkout/sessions/{session['id']}/line_items")


def _blank(params: Params, mode: str, customer: str | None, now: int) -> Doc:
    nothing = (
        "adaptive_pricing after_expiration allowed_payment_method_types billing_address_collection branding_settings"
        " client_secret collected_information consent consent_collection currency_conversion customer_account"
        " customer_details integration_identifier invoice invoice_creation locale managed_payments name_collection"
        " origin_context payment_intent payment_link payment_method_configuration_details payment_method_options"
        " recovered_from return_url saved_payment_method_options setup_intent shipping_address_collection"
        " shipping_cost submit_type subscription wallet_options"
    )
    earliest, latest = now + 30 * MINUTE, now + DAY
    return dict.fromkeys(nothing.split()) | {
        "allow_promotion_codes": params.flag("allow_promotion_codes"),
        "amount_subtotal": None,
        "amount_total": None,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "cancel_url": params.address("cancel_url"),
        "client_reference_id": params.text("client_reference_id", longest=200),
        "currency": None,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": customer,
        "customer_creation": params.choice("customer_creation", ("always", "if_required"), "if_required"),
        "customer_email": params.text("customer_email"),
        "discounts": None,
        "expires_at": params.integer("expires_at", minimum=earliest, maximum=latest) or latest,
        "metadata": params.metadata(),
        "mode": mode,
        "payment_method_collection": params.choice("payment_method_collection", ("always", "if_required"), "always"),
        "payment_method_types": ["card"],
        "payment_status": "unpaid" if mode != "setup" else "no_payment_required",
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": "open",
        "success_url": params.address("success_url"),
        "total_details": None,
        "ui_mode": "hosted_page",
    }


def _hidden(books: Books, params: Params, mode: str) -> Doc:
    data = params.group("subscription_data")
    payment, setup = params.group("payment_intent_data"), params.group("setup_intent_data")
    ending = data.group("trial_settings").group("end_behavior")
    data.accept("billing_mode", "proration_behavior", "invoice_settings")
    payment.accept("capture_method", "statement_descriptor")
    setup.accept("description", "on_behalf_of")
    rates = read_tax_rates(books, data, "default_tax_rates")
    lines = _read_lines(books, params, mode, rates)
    return {
        "lines": lines,
        "tax_rates": rates,
        "setup_future_usage": payment.choice("setup_future_usage", ("off_session", "on_session")),
        "subscription_data": {
            "metadata": data.metadata(),
            "description": data.text("description"),
            "trial_days": data.integer("trial_period_days", minimum=1, maximum=LONGEST_TRIAL_DAYS),
            "trial_end": data.integer("trial_end", minimum=books.now),
            "missing_method": ending.choice(
                "missing_payment_method", ("create_invoice", "cancel", "pause"), "create_invoice"
            ),
        },
        "payment_intent_data": {"metadata": payment.metadata(), "description": payment.text("description")},
        "setup_intent_data": {"metadata": setup.metadata()},
    }


def _read_lines(books: Books, params: Params, mode: str, rates: list[Doc]) -> list[Doc]:
    lines = []
    for group in params.groups("line_items"):
        if group.has("price_data"):
            price = price_from_data(books, group.group("price_data"))
        else:
            price = books.get("price", group.need("price"), group.name_of("price"))
        group.accept("adjustable_quantity", "dynamic_tax_rates")
        rates += [each for each in read_tax_rates(books, group, "tax_rates") if each not in rates]
        quantity = group.integer("quantity", minimum=1, maximum=MOST_QUANTITY) or 1
        lines.append(
            {"id": new_id("item"), "price": price["id"], "quantity": quantity, "recurs": bool(price["recurring"])}
        )
    if mode == "setup":
        if lines:
            raise Invalid("You can not pass line_items in setup mode.", param="line_items")
        return lines
    if not lines:
        raise Invalid("Missing required param: line_items.", code="parameter_missing", param="line_items")
    if any(line["recurs"] for line in lines) != (mode == "subscription"):
        raise Invalid("Recurring prices go with subscription mode, and that needs one at least.", param="line_items")
    return lines


def _currency(books: Books, params: Params, session: Doc) -> str | None:
    given = params.text("currency")
    found = {books.get("price", line["price"])["currency"] for line in session["_"]["lines"]}
    if len(found) > 1 or (given and found and given.lower() not in found):
        raise Invalid("All prices must have the same currency.", param="line_items")
    return found.pop() if found else given


def _discounts(books: Books, params: Params) -> list[Doc]:
    given = []
    for group in params.groups("discounts"):
        coupon, code = group.text("coupon"), group.text("promotion_code")
        if code is not None:
            books.get("promotion_code", code, "discounts[0][promotion_code]")
        else:
            usable(books, books.get("coupon", coupon or group.need("coupon"), "discounts[0][coupon]"))
        given.append({"coupon": None if code else coupon, "promotion_code": code})
    if len(given) > 1:
        raise Invalid("A checkout takes one discount.", param="discounts")
    return given


def _line_items(books: Books, session: Doc) -> list[Doc]:
    shown = []
    for line in tallied(books, session)["lines"]["data"]:
        off = sum(each["amount"] for each in line["discount_amounts"])
        tax = sum(each["amount"] for each in line["taxes"])
        added = sum(each["amount"] for each in line["taxes"] if each["tax_behavior"] == "exclusive")
        price = books.get("price", line["pricing"]["price_details"]["price"])
        shown.append(
            {
                "id": line["id"],
                "object": "item",
                "adjustable_quantity": None,
                "amount_discount": off,
                "amount_subtotal": line["amount"],
                "amount_tax": tax,
                "amount_total": line["amount"] - off + added,
                "currency": line["currency"],
                "description": line["description"],
                "metadata": {},
                "price": {name: value for name, value in price.items() if name != "_"},
                "quantity": line["quantity"],
            }
        )
    return shown
