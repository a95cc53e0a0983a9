"""What calls about subscriptions say: items, trials, cards, discounts, and how a change is settled."""

import copy
from typing import Final

from app.payments.sim.core.books import Books
from app.payments.sim.core.calendar import DAY
from app.payments.sim.core.errors import Doc, Invalid
from app.payments.sim.core.wire import Params, merged
from app.payments.sim.engine.changing import Change
from app.payments.sim.engine.discounts import read_grants
from app.payments.sim.engine.items import items_of, new_item, period_of, recurring_price, set_price
from app.payments.sim.engine.subscribing import Wish
from app.payments.sim.engine.taxes import read_tax_rates
from app.payments.sim.resources.catalogue import price_from_data
from app.payments.sim.resources.payment_methods import attach, method_for

BEHAVIOURS: Final = ("allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete")
PRORATIONS: Final = ("create_prorations", "always_invoice", "none")
LONGEST_TRIAL_DAYS: Final = 730
MOST_QUANTITY: Final = 1_000_000
MEANINGLESS: Final = (
    "automatic_tax",
    "billing_mode",
    "invoice_settings",
    "off_session",
    "collection_method",
    "currency",
)


def read_wish(books: Books, params: Params, customer: Doc) -> Wish:
    """What a call wants to subscribe to. Raises `Invalid`, `Missing`, `Refused` and `Declined`."""
    payment = params.group("payment_settings")
    payment.accept("payment_method_options", "payment_method_types")
    saves = payment.choice("save_default_payment_method", ("off", "on_subscription"), "off") == "on_subscription"
    params.accept(*MEANINGLESS)
    return Wish(
        customer=customer,
        items=_read_items(books, params),
        metadata=params.metadata(),
        trial_end=read_trial(books, params),
        grants=read_grants(books, params, customer["id"]),
        tax_rates=read_tax_rates(books, params, "default_tax_rates"),
        method=read_method(books, params, customer["id"]),
        behaviour=params.choice("payment_behavior", BEHAVIOURS, "allow_incomplete") or "",
        missing_method=read_missing(params) or "create_invoice",
        cancel_at=params.integer("cancel_at", minimum=books.now + 1),
        cancels_at_period_end=params.flag("cancel_at_period_end"),
        description=params.text("description"),
        off_session=params.flag("off_session"),
        saves_method=saves,
    )


def read_trial(books: Books, params: Params) -> int | None:
    """When a trial ends, by its days or its end."""
    days = params.integer("trial_period_days", minimum=1, maximum=LONGEST_TRIAL_DAYS)
    params.accept("trial_from_plan")
    if params.text("trial_end") == "now":
        return None
    finish = params.integer("trial_end", minimum=books.now, maximum=books.now + LONGEST_TRIAL_DAYS * DAY)
    return books.now + days * DAY if days is not None else finish


def read_change(books: Books, subscription: Doc, params: Params) -> Change | None:
    """The new items and how the difference is settled; None if they stay. Raises `Invalid` and `Missing`."""
    proration = params.choice("proration_behavior", PRORATIONS, "create_prorations") or ""
    start, finish = period_of(subscription)
    at = params.integer("proration_date", minimum=start, maximum=finish)
    anchor = params.group("billing_cycle_anchor") if _is_group(params, "billing_cycle_anchor") else None
    word = anchor.choice("type", ("now", "unchanged")) if anchor else params.text("billing_cycle_anchor")
    groups = params.groups("items")
    if not groups and word != "now":
        return None
    return Change(_changed_items(books, subscription, groups), proration, at, restarts=word == "now")


def _changed_items(books: Books, subscription: Doc, groups: list[Params]) -> list[Doc]:
    items = {item["id"]: copy.deepcopy(item) for item in items_of(subscription)}
    for group in groups:
        identifier = group.text("id")
        quantity = group.integer("quantity", minimum=0, maximum=MOST_QUANTITY)
        price = _item_price(books, group)
        group.accept("clear_usage", "tax_rates", "discounts")
        if identifier is not None and identifier not in items:
            raise Invalid("The subscription has no such item.", code="resource_missing", param=group.name_of("id"))
        if group.flag("deleted"):
            items.pop(identifier or "", None)
        elif identifier is not None:
            item = items[identifier]
            item["metadata"] = merged(item["metadata"], group)
            if price is not None:
                set_price(item, price)
                item["quantity"] = 1 if quantity is None and item["quantity"] == 0 else item["quantity"]
            item["quantity"] = item["quantity"] if quantity is None else quantity
        elif price is not None:
            new = new_item(books, subscription["id"], price, 1 if quantity is None else quantity, group.metadata())
            items[new["id"]] = new
        else:
            raise Invalid("A new item needs a price.", code="parameter_missing", param=group.name_of("price"))
    return list(items.values())


def _read_items(books: Books, params: Params) -> list[tuple[Doc, int, dict[str, str]]]:
    items = []
    for group in params.groups("items"):
        price = _item_price(books, group)
        if price is None:
            raise Invalid("An item needs a price.", code="parameter_missing", param=group.name_of("price"))
        quantity = group.integer("quantity", minimum=0, maximum=MOST_QUANTITY)
        group.accept("tax_rates", "discounts")
        items.append((price, 1 if quantity is None else quantity, group.metadata()))
    if not items:
        raise Invalid("Missing required param: items.", code="parameter_missing", param="items")
    return items


def _item_price(books: Books, group: Params) -> Doc | None:
    if group.has("price_data"):
        return price_from_data(books, group.group("price_data"))
    identifier = group.text("price")
    return None if identifier is None else recurring_price(books, identifier, group.name_of("price"))


def read_method(books: Books, params: Params, customer: str) -> str | None:
    """The card that is to pay, saved for the customer; None if none is named."""
    chosen = params.text("default_payment_method")
    if chosen is None:
        return None
    method = method_for(books, chosen, customer, "default_payment_method")
    identifier: str = attach(books, method, customer)["id"]
    return identifier


def read_missing(params: Params) -> str | None:
    """What is to happen when a trial ends without a card; None if that is not said."""
    behaviour = params.group("trial_settings").group("end_behavior")
    return behaviour.choice("missing_payment_method", ("create_invoice", "cancel", "pause"))


def read_pause(params: Params) -> Doc | None:
    """How collection is paused; None if it is not."""
    pause = params.group("pause_collection")
    behaviour = pause.choice("behavior", ("keep_as_draft", "mark_uncollectible", "void"))
    resumes = pause.integer("resumes_at")
    return None if behaviour is None else {"behavior": behaviour, "resumes_at": resumes}


def note_details(subscription: Doc, params: Params) -> None:
    """Keep why somebody leaves."""
    details = params.group("cancellation_details")
    for name in ("comment", "feedback"):
        if details.has(name):
            subscription["cancellation_details"][name] = details.text(name)
    details.accept("feedback_option")


def _is_group(params: Params, name: str) -> bool:
    try:
        params.text(name)
    except Invalid:
        return True
    return False
