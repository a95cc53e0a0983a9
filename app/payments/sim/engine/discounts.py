"""Coupons that were given to somebody, and what they take off."""

from fractions import Fraction

from app.payments.sim.core.books import Books
from app.payments.sim.core.calendar import add_months
from app.payments.sim.core.errors import Doc, Invalid, Refused
from app.payments.sim.core.money import rounded, spread
from app.payments.sim.core.wire import Params

Grant = tuple[Doc, Doc | None]
"""A coupon, and the promotion code that it was got by."""


def read_grants(
    books: Books, params: Params, customer: str | None = None, own: tuple[list[str], list[str]] = ([], [])
) -> list[Grant]:
    """The coupons that `discounts` of a call names. Raises `Invalid`, `Missing` and `Refused`.

    Discounts that are in the first list of `own` stay as they are, and are added to the second.
    """
    grants = []
    there, kept = own
    for group in params.groups("discounts"):
        coupon, code, known = group.text("coupon"), group.text("promotion_code"), group.text("discount")
        if known in there:
            kept.append(known)
            continue
        if known is not None:
            coupon = books.get("discount", known)["source"]["coupon"]
        if code is not None:
            grants.append(grant_of_code(books, books.get("promotion_code", code, "promotion_code"), customer))
        elif coupon is not None:
            grants.append((usable(books, books.get("coupon", coupon, "coupon")), None))
        else:
            raise Invalid("A discount names a coupon or a promotion code.", param="discounts")
    return grants


def grant_of_code(books: Books, code: Doc, customer: str | None) -> Grant:
    """What a promotion code gives. Raises `Refused` if it gives nothing any more, or not to this customer."""
    used_up = code["max_redemptions"] is not None and code["times_redeemed"] >= code["max_redemptions"]
    expired = code["expires_at"] is not None and code["expires_at"] <= books.now
    if not code["active"] or used_up or expired:
        raise Refused("This promotion code is no longer valid.", code="promotion_code_expired", param="promotion_code")
    if code["customer"] is not None and code["customer"] != customer:
        raise Refused("This promotion code is for another customer.", code="promotion_code_customer_mismatch")
    if code["restrictions"]["first_time_transaction"] and customer and books.find("charge", customer=customer, limit=1):
        raise Refused("This promotion code is for first purchases.", code="promotion_code_customer_not_first_time")
    return usable(books, books.get("coupon", code["promotion"]["coupon"])), code


def usable(books: Books, coupon: Doc) -> Doc:
    """The coupon, if it may still be redeemed. Raises `Refused`."""
    if not is_valid(books, coupon):
        raise Refused(
            "This coupon is expired or has been redeemed often enough.", code="coupon_expired", param="coupon"
        )
    return coupon


def is_valid(books: Books, coupon: Doc) -> bool:
    """Whether it may still be redeemed."""
    used_up = coupon["max_redemptions"] is not None and coupon["times_redeemed"] >= coupon["max_redemptions"]
    return not used_up and (coupon["redeem_by"] is None or coupon["redeem_by"] > books.now)


def redeem(
    books: Books, grant: Grant, customer: str, *, subscription: str | None = None, checkout: str | None = None
) -> Doc:
    """Give a coupon to a customer or a subscription; counted against its cap."""
    coupon, code = grant
    months = coupon["duration_in_months"]
    for counted in (coupon, code):
        if counted is not None:
            counted["times_redeemed"] += 1
            books.keep(counted)
    discount = books.new(
        "discount",
        checkout_session=checkout,
        customer=customer,
        customer_account=None,
        end=None if months is None else add_months(books.now, months),
        invoice=None,
        invoice_item=None,
        promotion_code=code and code["id"],
        source={"type": "coupon", "coupon": coupon["id"]},
        start=books.now,
        subscription=subscription,
        subscription_item=None,
    )
    for name in ("created", "livemode"):
        del discount[name]
    books.emit("customer.discount.created", discount)
    return discount


def active(books: Books, ids: list[str]) -> list[tuple[Doc, Doc]]:
    """Discounts that still count, with their coupons."""
    discounts = [books.get("discount", identifier) for identifier in ids]
    running = [each for each in discounts if each["end"] is None or each["end"] > books.now]
    return [(each, books.peek("coupon", each["source"]["coupon"]) or {}) for each in running]


def drop(books: Books, subscription: Doc, ids: list[str]) -> None:
    """Take discounts off a subscription."""
    for identifier in ids:
        subscription["discounts"].remove(identifier)
        books.emit("customer.discount.deleted", books.get("discount", identifier))
    books.keep(subscription)


def take_off(discounts: list[tuple[Doc, Doc]], amounts: list[int]) -> list[list[Doc]]:
    """What each discount takes off each amount, one after the other; nothing below zero."""
    left = [max(0, amount) for amount in amounts]
    taken: list[list[Doc]] = [[] for _ in amounts]
    for discount, coupon in discounts:
        cuts = _cuts(coupon, left)
        for index, cut in enumerate(cuts):
            left[index] -= cut
            if cut:
                taken[index].append({"amount": cut, "discount": discount["id"]})
    return taken


def _cuts(coupon: Doc, left: list[int]) -> list[int]:
    if coupon.get("percent_off") is not None:
        return [rounded(amount * Fraction(str(coupon["percent_off"])) / 100) for amount in left]
    return spread(min(coupon["amount_off"], sum(left)), left)
