"""What a subscription consists of: prices with quantities, and the period they are paid for."""

import copy
from collections.abc import Sequence

from app.payments.sim.core.books import Books
from app.payments.sim.core.calendar import day_text, period_end
from app.payments.sim.core.errors import Doc, Invalid, Refused
from app.payments.sim.core.ids import new_id
from app.payments.sim.engine.lines import full_amount, new_line, unit_of

MOST_ITEMS = 20


def new_item(books: Books, subscription: str, price: Doc, quantity: int, metadata: dict[str, str]) -> Doc:
    """An item without a period."""
    return {
        "id": new_id("subscription_item"),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": books.now,
        "current_period_end": books.now,
        "current_period_start": books.now,
        "discounts": [],
        "metadata": metadata,
        "plan": _plan(price),
        "price": shown_price(price),
        "quantity": quantity,
        "subscription": subscription,
        "tax_rates": [],
    }


def set_price(item: Doc, price: Doc) -> None:
    """Another price for an item."""
    item |= {"price": shown_price(price), "plan": _plan(price)}


def recurring_price(books: Books, identifier: str, param: str) -> Doc:
    """A price that can be subscribed to. Raises `Missing`, `Refused` and `Invalid`."""
    price = books.get("price", identifier, param)
    if price["recurring"] is None:
        raise Invalid(
            "The price specified is set to `type=one_time` but this field only accepts recurring prices.", param=param
        )
    if not price["active"]:
        raise Refused("The price specified is inactive.", param=param)
    return price


def check_items(items: Sequence[Doc]) -> None:
    """All items are paid in one currency and in the same rhythm, each price once. Raises `Invalid`."""
    if not items:
        raise Invalid("A subscription must have at least one item.", param="items")
    if len(items) > MOST_ITEMS:
        raise Invalid(f"A subscription can have up to {MOST_ITEMS} items.", param="items")
    if len({(item["price"]["currency"], *rhythm(item["price"])) for item in items}) > 1:
        raise Invalid("Currency and interval fields must match across all prices of this subscription.", param="items")
    if len({item["price"]["id"] for item in items}) < len(items):
        raise Invalid("Each price can be used only once in a subscription.", param="items")


def rhythm(price: Doc) -> tuple[str, int]:
    """How often a price is paid."""
    return price["recurring"]["interval"], price["recurring"]["interval_count"]


def items_of(subscription: Doc) -> list[Doc]:
    """The items, to change them in place."""
    items: list[Doc] = subscription["items"]["data"]
    return items


def set_items(subscription: Doc, items: list[Doc]) -> None:
    """Other items."""
    url = f"/v1/subscription_items?subscription={subscription['id']}"
    subscription["items"] = {
        "object": "list", "data": items, "has_more": False, "total_count": len(items), "url": url,
    }  # fmt: skip


def period_of(subscription: Doc) -> tuple[int, int]:
    """The current period."""
    first = items_of(subscription)[0]
    return first["current_period_start"], first["current_period_end"]


def set_period(subscription: Doc, start: int, end: int) -> None:
    """Another period for all items."""
    for item in items_of(subscription):
        item |= {"current_period_start": start, "current_period_end": end}


def end_of_period(subscription: Doc, start: int) -> int:
    """When a period that begins at `start` ends."""
    interval, count = rhythm(items_of(subscription)[0]["price"])
    return period_end(subscription["billing_cycle_anchor"], interval, count, start)


def period_lines(subscription: Doc, names: dict[str, str], *, is_trial: bool = False) -> list[Doc]:
    """One line for each item and the current period; free while it is tried."""
    lines = []
    for item in items_of(subscription):
        price, quantity = item["price"], item["quantity"]
        amount = 0 if is_trial else full_amount(price, quantity)
        name = names[price["product"]]
        unit = f"{float(unit_of(price)) / 100:.2f} {price['currency'].upper()} / {price['recurring']['interval']}"
        text = f"Trial period for {name}" if is_trial else f"{quantity} x {name} (at {unit})"
        period = (item["current_period_start"], item["current_period_end"])
        lines.append(
            new_line(
                amount, price["currency"], text, period, price=price, quantity=quantity,
                subscription=subscription["id"], item=item["id"],
            )
        )  # fmt: skip
    return lines


def remember_billed(subscription: Doc, lines: list[Doc]) -> None:
    """Keep what was paid for each item and what was taken off, so that a credit gives back what was really paid."""
    for line in lines:
        details = (line["parent"] or {}).get("subscription_item_details")
        if details is not None and line["amount"] >= 0:
            taken = [[each["discount"], each["amount"]] for each in line["discount_amounts"]]
            subscription["_"]["billed"][details["subscription_item"]] = [line["amount"], taken]


def product_names(books: Books, subscription: Doc) -> dict[str, str]:
    """Names of the products, for the text of lines."""
    ids = {item["price"]["product"] for item in items_of(subscription)}
    return {identifier: (books.peek("product", identifier) or {}).get("name", identifier) for identifier in ids}


def unused_text(name: str, quantity: int, at: int) -> str:
    """The text of a credit."""
    return f"Unused time on {_counted(name, quantity)} after {day_text(at)}"


def remaining_text(name: str, quantity: int, at: int) -> str:
    """The text of the charge beside it."""
    return f"Remaining time on {_counted(name, quantity)} after {day_text(at)}"


def shown_price(price: Doc) -> Doc:
    """A copy of a price as it is shown inside of other objects."""
    return copy.deepcopy({name: value for name, value in price.items() if name != "_"})


def _counted(name: str, quantity: int) -> str:
    return name if quantity == 1 else f"{quantity} x {name}"


def _plan(price: Doc) -> Doc:
    recurring = price["recurring"]
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": False,
        "metadata": price["metadata"],
        "meter": None,
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }
