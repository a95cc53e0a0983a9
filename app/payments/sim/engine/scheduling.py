"""Plans for a subscription: phases that follow each other, such as a cheaper price from the next period on."""

from typing import Any

from app.payments.sim.core.books import Books
from app.payments.sim.core.calendar import add_intervals
from app.payments.sim.core.errors import Doc, Invalid
from app.payments.sim.core.wire import Params
from app.payments.sim.engine.agenda import due
from app.payments.sim.engine.changing import Change, change_items, settle_change
from app.payments.sim.engine.cycling import ENDED, end, plan_course
from app.payments.sim.engine.discounts import drop, redeem, usable
from app.payments.sim.engine.items import items_of, new_item, period_of, recurring_price, rhythm
from app.payments.sim.engine.taxes import read_tax_rates

MOST_PHASES = 10


def new_schedule(books: Books, subscription: Doc, metadata: dict[str, str], end_behavior: str) -> Doc:
    """A schedule whose only phase is the current period as it is."""
    start, finish = period_of(subscription)
    schedule = books.new(
        "subscription_schedule",
        application=None,
        billing_mode=subscription["billing_mode"],
        canceled_at=None,
        completed_at=None,
        current_phase={"start_date": start, "end_date": finish},
        customer=subscription["customer"],
        customer_account=None,
        default_settings={
            "application_fee_percent": None,
            "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
            "billing_cycle_anchor": "automatic",
            "billing_thresholds": None,
            "collection_method": "charge_automatically",
            "default_payment_method": None,
            "description": None,
            "invoice_settings": {"account_tax_ids": None, "days_until_due": None, "issuer": {"type": "self"}},
            "on_behalf_of": None,
            "transfer_data": None,
        },
        end_behavior=end_behavior,
        metadata=metadata,
        pause_schedules=[],
        phases=[current_phase(subscription)],
        released_at=None,
        released_subscription=None,
        status="active",
        subscription=subscription["id"],
        test_clock=None,
    )
    subscription["schedule"] = schedule["id"]
    books.emit("subscription_schedule.created", schedule)
    books.updated("customer.subscription.updated", subscription)
    books.plan("schedule.step", schedule["id"], finish)
    return schedule


def current_phase(subscription: Doc) -> Doc:
    """The current period as a phase."""
    start, finish = period_of(subscription)
    items = [_phase_item(item["price"]["id"], item["quantity"], item["metadata"]) for item in items_of(subscription)]
    discounts = [{"coupon": None, "discount": each, "promotion_code": None} for each in subscription["discounts"]]
    phase = _phase(start, finish, items, subscription["currency"], "create_prorations", {}, discounts)
    return phase | {"default_tax_rates": subscription["default_tax_rates"]}


def read_phases(books: Books, schedule: Doc, groups: list[Params]) -> list[Doc]:
    """The phases of an update; the one that runs keeps its beginning. Raises `Invalid` and `Missing`."""
    if not groups or len(groups) > MOST_PHASES:
        raise Invalid(f"Give from 1 to {MOST_PHASES} phases.", param="phases")
    phases: list[Doc] = []
    for group in groups:
        start = phases[-1]["end_date"] if phases else schedule["phases"][0]["start_date"]
        group.accept("start_date")
        given = group.integer("start_date") if group.text("start_date") not in (None, "now") else None
        if given is not None and phases and given != start:
            raise Invalid("A phase begins where the one before it ends.", param=group.name_of("start_date"))
        phases.append(_read_phase(books, group, given or start))
    if not any(phase["end_date"] > books.now for phase in phases):
        raise Invalid("The last phase must end in the future.", param="phases")
    return phases


def follow_phases(books: Books, schedule: Doc) -> None:
    """Note which phase runs and when the next step is due."""
    running = [phase for phase in schedule["phases"] if phase["start_date"] <= books.now < phase["end_date"]]
    schedule["current_phase"] = {key: running[0][key] for key in ("start_date", "end_date")} if running else None
    books.plan("schedule.step", schedule["id"], running[0]["end_date"] if running else None)
    books.keep(schedule)


@due("schedule.step")
def step(books: Books, identifier: str) -> None:
    """A phase ends: the next one begins, or the schedule is over."""
    schedule = books.get("subscription_schedule", identifier)
    subscription = books.get("subscription", schedule["subscription"])
    if schedule["status"] != "active" or subscription["status"] in ENDED:
        return
    following = [phase for phase in schedule["phases"] if phase["start_date"] == books.now]
    if following:
        enter_phase(books, subscription, following[0])
        follow_phases(books, schedule)
        books.updated("subscription_schedule.updated", schedule)
    elif schedule["end_behavior"] == "cancel":
        schedule |= {"status": "completed", "completed_at": books.now, "current_phase": None}
        books.updated("subscription_schedule.completed", schedule)
        end(books, subscription, "cancellation_requested")
    else:
        release(books, schedule)


def enter_phase(books: Books, subscription: Doc, phase: Doc) -> None:
    """Let a subscription be what a phase says."""
    known = {item["price"]["id"]: item for item in items_of(subscription)}
    items = []
    for wanted in phase["items"]:
        price = books.get("price", wanted["price"])
        item = known.get(wanted["price"]) or new_item(books, subscription["id"], price, 1, wanted["metadata"])
        items.append({**item, "quantity": wanted["quantity"]})
    _set_discounts(books, subscription, phase["discounts"])
    subscription["default_tax_rates"] = phase["default_tax_rates"]
    start, finish = period_of(subscription)
    at_boundary = books.now >= finish
    if at_boundary and rhythm(books.get("price", phase["items"][0]["price"])) != rhythm(
        items_of(subscription)[0]["price"]
    ):
        subscription["billing_cycle_anchor"] = books.now
    change = Change(items, proration="none" if at_boundary else phase["proration_behavior"])
    if at_boundary:
        for item in items:
            item |= {"current_period_start": start, "current_period_end": finish}
        subscription["items"] |= {"data": items, "total_count": len(items)}
        invoice = None
    else:
        invoice = change_items(books, subscription, change)
    plan_course(books, subscription)
    books.updated("customer.subscription.updated", subscription)
    settle_change(books, subscription, invoice, off_session=True)


def _set_discounts(books: Books, subscription: Doc, wanted: list[Doc]) -> None:
    """The discounts of a phase instead of those before; one that is used up does not come back."""
    kept = [each["discount"] for each in wanted if each["discount"] in subscription["discounts"]]
    drop(books, subscription, [each for each in subscription["discounts"] if each not in kept])
    for each in wanted:
        if each["coupon"] is not None:
            grant = (usable(books, books.get("coupon", each["coupon"])), None)
            given = redeem(books, grant, subscription["customer"], subscription=subscription["id"])
            subscription["discounts"].append(given["id"])


def release(books: Books, schedule: Doc) -> None:
    """Leave the subscription as it is and let it go on by itself."""
    schedule |= {
        "status": "released",
        "released_at": books.now,
        "released_subscription": schedule["subscription"],
        "current_phase": None,
    }
    subscription = books.get("subscription", schedule["subscription"])
    schedule["subscription"] = None
    subscription["schedule"] = None
    books.plan("schedule.step", schedule["id"], None)
    books.updated("subscription_schedule.released", schedule)
    books.updated("customer.subscription.updated", subscription)


def _read_phase(books: Books, group: Params, start: int) -> Doc:
    items = []
    first: Doc | None = None
    for entry in group.groups("items"):
        price = recurring_price(books, entry.need("price"), entry.name_of("price"))
        first = first or price
        quantity = entry.integer("quantity", minimum=1)
        items.append(_phase_item(price["id"], 1 if quantity is None else quantity, entry.metadata()))
    if first is None:
        raise Invalid("A phase needs items.", param=group.name_of("items"))
    discounts = [_phase_discount(books, each) for each in group.groups("discounts")]
    behaviours = ("create_prorations", "always_invoice", "none")
    proration = group.choice("proration_behavior", behaviours, "create_prorations") or ""
    group.accept("billing_cycle_anchor", "collection_method", "currency", "default_payment_method", "automatic_tax")
    group.accept("trial_end")
    finish = _end_of_phase(group, first, start)
    phase = _phase(start, finish, items, first["currency"], proration, group.metadata(), discounts)
    return phase | {"default_tax_rates": read_tax_rates(books, group, "default_tax_rates")}


def _phase_discount(books: Books, group: Params) -> Doc:
    coupon, discount = group.text("coupon"), group.text("discount")
    if discount is not None:
        books.get("discount", discount, group.name_of("discount"))
    else:
        usable(books, books.get("coupon", coupon or group.need("coupon"), group.name_of("coupon")))
    return {"coupon": None if discount else coupon, "discount": discount, "promotion_code": None}


def _end_of_phase(group: Params, price: Doc, start: int) -> int:
    finish, times = group.integer("end_date"), group.integer("iterations", minimum=1, maximum=120)
    duration = group.group("duration")
    interval = duration.choice("interval", ("day", "week", "month", "year"))
    count = duration.integer("interval_count", minimum=1, maximum=120) or 1
    if finish is None:
        each, every = rhythm(price) if interval is None else (interval, count)
        finish = add_intervals(start, each, every * (times or 1))
    if finish <= start:
        raise Invalid("A phase ends after it begins.", param=group.name_of("end_date"))
    return finish


def _phase(
    start: int,
    finish: int,
    items: list[Doc],
    currency: str,
    proration: str,
    metadata: dict[str, str],
    discounts: list[Any],
) -> Doc:
    nothing = (
        "application_fee_percent automatic_tax billing_cycle_anchor billing_thresholds collection_method"
        " default_payment_method description invoice_settings on_behalf_of transfer_data trial_end"
    )
    return dict.fromkeys(nothing.split()) | {
        "add_invoice_items": [],
        "currency": currency,
        "default_tax_rates": [],
        "discounts": discounts,
        "start_date": start,
        "end_date": finish,
        "items": items,
        "metadata": metadata,
        "proration_behavior": proration,
    }


def _phase_item(price: str, quantity: int, metadata: dict[str, str]) -> Doc:
    shown: Doc = {"billing_thresholds": None, "discounts": [], "metadata": metadata, "plan": price}
    return {**shown, "price": price, "quantity": quantity, "tax_rates": []}
