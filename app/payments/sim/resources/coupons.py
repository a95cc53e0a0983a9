"""Coupons and the codes that people type to get them."""

from typing import Any

from app.payments.sim.core.books import Books
from app.payments.sim.core.calls import Call, listing, route
from app.payments.sim.core.errors import Doc, Invalid, Refused
from app.payments.sim.core.ids import random_text
from app.payments.sim.core.render import live
from app.payments.sim.core.wire import Params, merged
from app.payments.sim.engine.discounts import is_valid, usable
from app.payments.sim.resources.catalogue import LARGEST_AMOUNT, read_currency


@route("POST", "/v1/coupons")
def create(call: Call) -> Doc:
    """A coupon over a percentage or an amount; once, for some months or for ever."""
    params, books = call.params, call.books
    identifier = params.text("id", longest=200) or random_text(8)
    if books.peek("coupon", identifier) is not None:
        raise Refused("Coupon already exists.", code="resource_already_exists", param="id")
    percent, amount = params.decimal("percent_off"), params.integer("amount_off", minimum=1, maximum=LARGEST_AMOUNT)
    if (percent is None) == (amount is None):
        raise Invalid("Give either percent_off or amount_off.", param="percent_off")
    if percent is not None and not 0 < percent <= 100:
        raise Invalid("percent_off must be above 0 and at most 100.", param="percent_off")
    coupon: Doc = {
        "id": identifier,
        "object": "coupon",
        "amount_off": amount,
        "created": books.now,
        "currency": read_currency(params) if amount is not None else None,
        "livemode": False,
        "max_redemptions": params.integer("max_redemptions", minimum=1),
        "metadata": params.metadata(),
        "name": params.text("name", longest=40),
        "percent_off": None if percent is None else float(percent),
        "redeem_by": params.integer("redeem_by"),
        "times_redeemed": 0,
        **_duration(params),
    }
    params.accept("applies_to", "currency_options")
    books.add(coupon)
    books.emit("coupon.created", coupon)
    return coupon


def _duration(params: Params) -> Doc:
    duration = params.choice("duration", ("once", "repeating", "forever"), "once")
    months = params.integer("duration_in_months", minimum=1, maximum=1_200)
    if (duration == "repeating") != (months is not None):
        raise Invalid("duration_in_months goes with duration=repeating.", param="duration_in_months")
    return {"duration": duration, "duration_in_months": months}


@route("GET", "/v1/coupons/{id}")
def retrieve(call: Call, identifier: str) -> Doc:
    """A coupon."""
    return call.books.get("coupon", identifier)


@route("POST", "/v1/coupons/{id}")
def update(call: Call, identifier: str) -> Doc:
    """Change the name or the metadata of a coupon, nothing else."""
    coupon = call.books.get("coupon", identifier)
    if call.params.has("name"):
        coupon["name"] = call.params.text("name")
    coupon["metadata"] = merged(coupon["metadata"], call.params)
    call.books.updated("coupon.updated", coupon)
    return coupon


@route("DELETE", "/v1/coupons/{id}")
def delete(call: Call, identifier: str) -> Doc:
    """Nobody gets it any more; who has it keeps it."""
    coupon = call.books.get("coupon", identifier)
    coupon["deleted"] = True
    call.books.keep(coupon)
    call.books.emit("coupon.deleted", coupon)
    return {"id": identifier, "object": "coupon", "deleted": True}


@route("GET", "/v1/coupons")
def list_all(call: Call) -> Doc:
    """Coupons, newest first."""
    return listing(call, "coupon")


@route("POST", "/v1/promotion_codes")
def create_code(call: Call) -> Doc:
    """A code for a coupon."""
    params, books = call.params, call.books
    promotion = params.group("promotion")
    promotion.choice("type", ("coupon",))
    named = promotion.text("coupon") or params.need("promotion[coupon]")
    coupon = usable(books, books.get("coupon", named, "promotion[coupon]"))
    word = (params.text("code", longest=500) or random_text(8)).upper()
    if any(code["active"] for code in books.find("promotion_code", parent=word)):
        raise Refused("An active promotion code with this code exists already.", param="code")
    code = books.new(
        "promotion_code",
        active=params.flag("active", default=True),
        code=word,
        customer=params.text("customer"),
        customer_account=None,
        expires_at=params.integer("expires_at"),
        max_redemptions=params.integer("max_redemptions", minimum=1),
        metadata=params.metadata(),
        promotion={"type": "coupon", "coupon": coupon["id"]},
        restrictions=_restrictions(params),
        times_redeemed=0,
    )
    books.emit("promotion_code.created", code)
    return code


def _restrictions(params: Params) -> Doc:
    group = params.group("restrictions")
    group.accept("minimum_amount", "minimum_amount_currency", "currency_options")
    first = group.flag("first_time_transaction")
    return {"first_time_transaction": first, "minimum_amount": None, "minimum_amount_currency": None}


@route("GET", "/v1/promotion_codes/{id}")
def retrieve_code(call: Call, identifier: str) -> Doc:
    """A promotion code."""
    return call.books.get("promotion_code", identifier)


@route("POST", "/v1/promotion_codes/{id}")
def update_code(call: Call, identifier: str) -> Doc:
    """Switch a code on or off."""
    code = call.books.get("promotion_code", identifier)
    code["active"] = call.params.flag("active", code["active"])
    code["metadata"] = merged(code["metadata"], call.params)
    call.params.accept("restrictions")
    call.books.updated("promotion_code.updated", code)
    return code


@route("GET", "/v1/promotion_codes")
def list_codes(call: Call) -> Doc:
    """Promotion codes, newest first."""
    params = call.params
    word = params.text("code")
    where: dict[str, Any] = {"promotion.coupon": params.text("coupon")}
    if params.has("active"):
        where["active"] = params.flag("active")
    return listing(call, "promotion_code", customer=params.text("customer"), parent=word and word.upper(), where=where)


@live("coupon")
def _valid(books: Books, coupon: Doc) -> Doc:
    return {"valid": is_valid(books, coupon)}
