"""The list of events, and the test clock that is the simulator's own."""

from app.payments.sim.core.books import Books
from app.payments.sim.core.calendar import DAY
from app.payments.sim.core.calls import Call, listing, route
from app.payments.sim.core.errors import Doc, Invalid

KEPT_DAYS = 30
"""How far back events are listed (docs.stripe.com/api/events)."""
CLOCK_ID = "clock_simulator"


@route("GET", "/v1/events/{id}")
def retrieve(call: Call, identifier: str) -> Doc:
    """An event."""
    return call.books.get("event", identifier)


@route("GET", "/v1/events")
def list_all(call: Call) -> Doc:
    """Events of the last thirty days, newest first."""
    params = call.params
    types = params.texts("types")
    one = params.text("type")
    params.accept("delivery_success")
    wanted = [one] if one is not None else types
    patterns = [each for each in wanted if each.endswith("*")]
    if patterns:
        raise Invalid("Types are given in full.", param="types")
    return listing(call, "event", where={"type": wanted or None}, since=call.books.now - KEPT_DAYS * DAY)


@route("GET", "/v1/test_helpers/test_clocks/{id}")
def retrieve_clock(call: Call, identifier: str) -> Doc:
    """The clock: there is only one, for everything."""
    clock_of(call.books)
    return call.books.get("test_helpers.test_clock", identifier)


@route("GET", "/v1/test_helpers/test_clocks")
def list_clocks(call: Call) -> Doc:
    """The one clock."""
    clock_of(call.books)
    return listing(call, "test_helpers.test_clock")


def clock_of(books: Books) -> Doc:
    """The clock as it stands."""
    clock = books.peek("test_helpers.test_clock", CLOCK_ID)
    if clock is None:
        clock = books.add(
            {
                "id": CLOCK_ID,
                "object": "test_helpers.test_clock",
                "created": books.now,
                "livemode": False,
                "name": None,
                "status": "ready",
                "status_details": {},
            }
        )
    clock |= {"frozen_time": books.now, "deletes_after": books.now + KEPT_DAYS * DAY}
    return books.keep(clock)


def tell_time(books: Books) -> Doc:
    """Record that the clock was moved, and where it stands."""
    clock = clock_of(books)
    books.emit("test_helpers.test_clock.ready", clock)
    return clock
