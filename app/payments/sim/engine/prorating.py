"""What a change within a period costs, to the second: what is unused comes back, what remains is paid.

A credit gives back what was paid, with its discounts; coupons that last count for the new price too.
"""

from collections.abc import Sequence

from app.payments.sim.core.books import Books
from app.payments.sim.core.errors import Doc
from app.payments.sim.core.money import share
from app.payments.sim.engine.discounts import active, take_off
from app.payments.sim.engine.items import items_of, period_of, product_names, remaining_text, unused_text
from app.payments.sim.engine.lines import pricing_of, unit_of


def prorate(
    books: Books, subscription: Doc, before: Sequence[Doc], at: int, *, only_credit: bool = False, names: dict[str, str]
) -> list[Doc]:
    """Pending invoice items for the difference between the items before and those of now."""
    start, end = period_of({"items": {"data": list(before)}})
    at = min(max(at, start), end)
    old = {item["id"]: item for item in before}
    new = {} if only_credit else {item["id"]: item for item in items_of(subscription)}
    pending = []
    for identifier in [*old, *(key for key in new if key not in old)]:
        was, becomes = old.get(identifier), new.get(identifier)
        if was and becomes and _same(was, becomes):
            continue
        carried: list[list[object]] = []
        if was:
            credit = _credit(subscription, was, (at, start, end))
            carried = [[each["discount"], -each["amount"]] for each in _amounts(credit)]
            pending.append(_pend(books, subscription, was, credit, (at, end), names, is_credit=True))
        if becomes:
            debit = _debit(books, subscription, becomes, (at, start, end), carried)
            pending.append(_pend(books, subscription, becomes, debit, (at, end), names, is_credit=False))
            taken = [[each["discount"], each["amount"]] for each in _amounts(debit)]
            subscription["_"]["billed"][identifier] = [debit["amount"], taken]
    return pending


def names_of(books: Books, subscription: Doc, before: Sequence[Doc]) -> dict[str, str]:
    """Names of the products before and after."""
    return product_names(books, subscription) | product_names(books, {"items": {"data": list(before)}})


def _same(was: Doc, becomes: Doc) -> bool:
    return bool(was["price"]["id"] == becomes["price"]["id"] and was["quantity"] == becomes["quantity"])


def _amounts(piece: Doc) -> list[Doc]:
    amounts: list[Doc] = piece["discount_amounts"]
    return amounts


def _credit(subscription: Doc, item: Doc, times: tuple[int, int, int]) -> Doc:
    at, start, end = times
    amount = share(unit_of(item["price"]) * item["quantity"], end - at, end - start)
    gross, taken = subscription["_"]["billed"].get(item["id"], [0, []])
    back = [{"amount": -share(amount, cut, gross), "discount": discount} for discount, cut in taken if gross]
    return {"amount": -amount, "discount_amounts": [each for each in back if each["amount"]]}


def _debit(books: Books, subscription: Doc, item: Doc, times: tuple[int, int, int], carried: list[list[object]]) -> Doc:
    at, start, end = times
    amount = share(unit_of(item["price"]) * item["quantity"], end - at, end - start)
    running = active(books, subscription["discounts"])
    by_share = [pair for pair in running if pair[1]["percent_off"] is not None]
    taken = take_off(by_share, [amount])[0]
    left = amount - sum(each["amount"] for each in taken)
    by_amount = {discount["id"] for discount, coupon in running if coupon["percent_off"] is None}
    for discount, cut in carried:
        if discount in by_amount and isinstance(cut, int) and (fits := min(cut, left)) > 0:
            taken.append({"amount": fits, "discount": discount})
            left -= fits
    return {"amount": amount, "discount_amounts": taken}


def _pend(
    books: Books,
    subscription: Doc,
    item: Doc,
    piece: Doc,
    period: tuple[int, int],
    names: dict[str, str],
    *,
    is_credit: bool,
) -> Doc:
    name, quantity = names[item["price"]["product"]], item["quantity"]
    text = unused_text(name, quantity, period[0]) if is_credit else remaining_text(name, quantity, period[0])
    off = sum(each["amount"] for each in piece["discount_amounts"])
    pending = books.new(
        "invoiceitem",
        amount=piece["amount"],
        currency=subscription["currency"],
        customer=subscription["customer"],
        customer_account=None,
        date=books.now,
        description=text,
        discountable=False,
        discounts=[],
        invoice=None,
        metadata={},
        net_amount=piece["amount"] - off,
        parent={
            "type": "subscription_details",
            "subscription_details": {"subscription": subscription["id"], "subscription_item": item["id"]},
        },
        period={"start": period[0], "end": period[1]},
        pricing=pricing_of(item["price"]),
        proration=True,
        proration_details={"credited_items": None, "discount_amounts": piece["discount_amounts"]},
        quantity=quantity,
        quantity_decimal=str(quantity),
        tax_rates=[],
        test_clock=None,
        _={"subscription": subscription["id"]},
    )
    del pending["created"]
    books.emit("invoiceitem.created", pending)
    return pending
