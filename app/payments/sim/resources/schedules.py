"""Subscription schedules: what a subscription becomes later."""

from app.payments.sim.core.calls import Call, listing, route
from app.payments.sim.core.errors import Doc, Refused
from app.payments.sim.core.wire import merged
from app.payments.sim.engine.cycling import ENDED, end
from app.payments.sim.engine.scheduling import enter_phase, follow_phases, new_schedule, read_phases, release

ENDINGS = ("release", "cancel", "none", "renew")


@route("POST", "/v1/subscription_schedules")
def create(call: Call) -> Doc:
    """A schedule for a running subscription; its phases are given by an update."""
    params, books = call.params, call.books
    subscription = books.get("subscription", params.need("from_subscription"), "from_subscription")
    if subscription["status"] in (*ENDED, "incomplete"):
        raise Refused("This subscription can't be scheduled in its state.", param="from_subscription")
    if subscription["schedule"] is not None:
        raise Refused("The subscription has a schedule already.", param="from_subscription")
    if subscription["cancel_at"] is not None:
        raise Refused("The subscription is set to be canceled.", param="from_subscription")
    params.accept("billing_mode")
    return new_schedule(books, subscription, params.metadata(), params.choice("end_behavior", ENDINGS, "release") or "")


@route("GET", "/v1/subscription_schedules/{id}")
def retrieve(call: Call, identifier: str) -> Doc:
    """A schedule."""
    return call.books.get("subscription_schedule", identifier)


@route("POST", "/v1/subscription_schedules/{id}")
def update(call: Call, identifier: str) -> Doc:
    """Other phases, or what happens at the end of the last one."""
    params, books = call.params, call.books
    schedule = books.get("subscription_schedule", identifier)
    _expect_running(schedule)
    schedule["end_behavior"] = params.choice("end_behavior", ENDINGS, schedule["end_behavior"])
    schedule["metadata"] = merged(schedule["metadata"], params)
    params.accept("default_settings")
    proration = params.choice(
        "proration_behavior", ("create_prorations", "always_invoice", "none"), "create_prorations"
    )
    if params.has("phases"):
        before = _running_items(schedule, books.now)
        schedule["phases"] = read_phases(books, schedule, params.groups("phases"))
        follow_phases(books, schedule)
        running = next(
            (each for each in schedule["phases"] if each["start_date"] <= books.now < each["end_date"]), None
        )
        if running is not None and _running_items(schedule, books.now) != before:
            phase = {**running, "proration_behavior": proration}
            enter_phase(books, books.get("subscription", schedule["subscription"]), phase)
    books.updated("subscription_schedule.updated", schedule)
    return schedule


@route("POST", "/v1/subscription_schedules/{id}/release")
def release_schedule(call: Call, identifier: str) -> Doc:
    """Leave the subscription as it is."""
    schedule = call.books.get("subscription_schedule", identifier)
    _expect_running(schedule)
    call.params.accept("preserve_cancel_date")
    release(call.books, schedule)
    return schedule


@route("POST", "/v1/subscription_schedules/{id}/cancel")
def cancel(call: Call, identifier: str) -> Doc:
    """End the schedule and its subscription now."""
    schedule = call.books.get("subscription_schedule", identifier)
    _expect_running(schedule)
    call.params.accept("invoice_now", "prorate")
    end(call.books, call.books.get("subscription", schedule["subscription"]), "cancellation_requested")
    return schedule


@route("GET", "/v1/subscription_schedules")
def list_all(call: Call) -> Doc:
    """Schedules, newest first."""
    params = call.params
    params.accept("canceled_at", "completed_at", "released_at", "scheduled")
    return listing(call, "subscription_schedule", customer=params.text("customer"))


def _running_items(schedule: Doc, now: int) -> list[tuple[str, int]]:
    running = (phase for phase in schedule["phases"] if phase["start_date"] <= now < phase["end_date"])
    return [(item["price"], item["quantity"]) for phase in running for item in phase["items"]]


def _expect_running(schedule: Doc) -> None:
    if schedule["status"] not in ("active", "not_started"):
        message = f"You cannot change a subscription schedule that is {schedule['status']}."
        raise Refused(message, code="subscription_schedule_not_active")
