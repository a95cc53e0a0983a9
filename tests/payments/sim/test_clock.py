"""The movable clock: renewals, dunning, short months, and a year in one step."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
import stripe

from app.payments.sim.core.calendar import period_end
from tests.payments.sim.market import DAY, period


def day(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"


async def test_a_year_is_thirteen_invoices_without_gaps_in_time(market):
    subscription = await market.subscribe(900)
    await market.simulator.advance(days=366)
    invoices = (await market.invoices(subscription.customer))[::-1]
    periods = [(line.period.start, line.period.end) for each in invoices for line in each.lines.data]

    assert len(invoices) == 13
    assert all(each.status == "paid" and each.total == 900 for each in invoices)
    assert [end for _, end in periods[:-1]] == [start for start, _ in periods[1:]]
    assert [each.created for each in invoices] == [start for start, _ in periods]
    assert len({each.number for each in invoices}) == 13


async def test_a_moved_clock_is_told_and_stays_moved(market):
    before = (await market.simulator.control("/clock", method="GET"))["now"]
    after = await market.simulator.advance(days=3)
    [event] = await market.events("test_helpers.test_clock.ready")
    customer = await market.customer(None)

    assert 3 * DAY <= after - before <= 3 * DAY + 60
    assert after - 5 <= event.data.object.frozen_time <= after
    assert customer.created >= after


async def test_the_clock_moves_in_the_words_of_the_api(market):
    now = (await market.simulator.control("/clock", method="GET"))["now"]
    clock = await market.v1.test_helpers.test_clocks.create_async({"frozen_time": now})
    advanced = await market.v1.test_helpers.test_clocks.advance_async(clock.id, {"frozen_time": now + 5 * DAY})
    found = await market.v1.test_helpers.test_clocks.retrieve_async(clock.id)

    assert advanced.status == "ready"
    assert advanced.frozen_time >= now + 5 * DAY
    assert found.frozen_time >= advanced.frozen_time


async def test_the_clock_is_not_moved_back(market):
    now = await market.simulator.advance(days=3)
    with pytest.raises(AssertionError, match="400"):
        await market.simulator.control("/clock", {"to": now - DAY})
    with pytest.raises(AssertionError, match="400"):
        await market.simulator.control("/clock", {"advance_seconds": 100_000 * DAY})
    with pytest.raises(AssertionError, match="400"):
        await market.simulator.control("/clock", {})


async def test_a_renewal_that_fails_is_tried_again_after_3_5_and_7_days_and_then_left_unpaid(market):
    subscription = await market.subscribe(card="pm_card_chargeCustomerFail", trial_period_days=1)
    statuses, tries = [], []
    for days in (2, 3, 5, 7):
        await market.simulator.advance(days=days)
        state = await market.fetch(subscription)
        statuses.append(state.status)
        tries.append(state.latest_invoice.attempt_count)
    failures = await market.events("invoice.payment_failed")

    assert statuses == ["past_due", "past_due", "past_due", "unpaid"]
    assert tries == [1, 2, 3, 4]
    gaps = [later.created - sooner.created for sooner, later in pairwise(failures)]
    assert gaps == [3 * DAY, 5 * DAY, 7 * DAY]
    assert (await market.fetch(subscription)).latest_invoice.next_payment_attempt is None


@pytest.mark.parametrize(("ending", "status"), [("canceled", "canceled"), ("past_due", "past_due")])
async def test_what_happens_after_the_last_try_is_a_rule(market, ending, status):
    await market.simulator.control("/rules", {"after_retries": ending, "retry_days": [1]})
    subscription = await market.subscribe(card="pm_card_chargeCustomerFail", trial_period_days=1)
    await market.simulator.advance(days=4)

    assert (await market.fetch(subscription)).status == status


async def test_a_new_card_before_the_next_try_heals_it(market):
    subscription = await market.subscribe(trial_period_days=1)
    await market.swap_card(subscription, "pm_card_chargeCustomerFail")
    await market.simulator.advance(days=2)
    failed = await market.fetch(subscription)
    await market.swap_card(subscription, "pm_card_visa")
    await market.simulator.advance(days=3)
    healed = await market.fetch(subscription)

    assert (failed.status, failed.latest_invoice.status) == ("past_due", "open")
    assert (healed.status, healed.latest_invoice.status) == ("active", "paid")


async def test_paying_the_newest_invoice_heals_an_unpaid_subscription(market):
    await market.simulator.control("/rules", {"retry_days": []})
    subscription = await market.subscribe(card="pm_card_chargeCustomerFail", trial_period_days=1)
    await market.simulator.advance(days=2)
    unpaid = await market.fetch(subscription)
    with pytest.raises(stripe.CardError):
        await market.v1.invoices.pay_async(unpaid.latest_invoice.id)
    await market.v1.invoices.pay_async(unpaid.latest_invoice.id, {"payment_method": "pm_card_visa"})

    assert unpaid.status == "unpaid"
    assert (await market.fetch(subscription)).status == "active"


async def test_a_renewal_that_asks_for_3d_secure_waits_for_the_person(market):
    subscription = await market.subscribe(trial_period_days=1)
    await market.swap_card(subscription, "pm_card_authenticationRequired")
    await market.simulator.advance(days=2)
    state = await market.fetch(subscription)
    [link] = (await market.v1.invoice_payments.list_async({"invoice": state.latest_invoice.id})).data
    asked = await market.events("invoice.payment_action_required")
    await market.simulator.control(f"/intents/{link.payment.payment_intent}/authenticate")

    assert state.status == "past_due"
    assert [each.data.object.id for each in asked] == [state.latest_invoice.id]
    assert (await market.fetch(subscription)).status == "active"


async def test_a_renewal_is_a_draft_for_as_long_as_it_is_set(market):
    await market.simulator.control("/rules", {"draft_seconds": 3_600})
    subscription = await market.subscribe()
    await market.simulator.control("/clock", {"to": period(subscription)[1] + 60})
    draft = (await market.fetch(subscription)).latest_invoice
    await market.simulator.advance(3_600)
    paid = (await market.fetch(subscription)).latest_invoice

    assert (draft.status, draft.number) == ("draft", None)
    assert (paid.id, paid.status) == (draft.id, "paid")


async def test_renewals_of_many_come_in_the_order_of_time(market):
    for _ in range(3):
        await market.subscribe()
        await market.simulator.advance(days=1)
    await market.simulator.advance(days=64)
    created = [event.created for event in await market.events("invoice.created")]

    assert created == sorted(created)
    assert len(created) >= 3


@pytest.mark.parametrize(
    ("anchor", "ends"),
    [
        ("2026-01-31", ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        ("2027-12-31", ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"]),
        ("2027-01-30", ["2027-02-28", "2027-03-30", "2027-04-30", "2027-05-30"]),
    ],
)
def test_the_day_of_the_anchor_is_kept_through_short_months(anchor, ends):
    start = first = int(datetime.fromisoformat(f"{anchor}T10:20:30+00:00").timestamp())
    found = []
    for _ in ends:
        start = period_end(first, "month", 1, start)
        found.append(day(start))
    assert found == ends


def test_a_leap_day_comes_back_every_fourth_year():
    start = first = int(datetime(2028, 2, 29, tzinfo=UTC).timestamp())
    found = []
    for _ in range(4):
        start = period_end(first, "year", 1, start)
        found.append(day(start))
    assert found == ["2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]


async def test_yearly_and_quarterly_prices_renew_when_they_should(market):
    yearly, quarterly = (
        await market.price(9_000, "year"),
        await market.price(recurring={"interval": "month", "interval_count": 3}),
    )
    first, second = await market.subscribe(price=yearly), await market.subscribe(price=quarterly)
    await market.simulator.advance(days=367)

    assert len(await market.invoices(first.customer)) == 2
    assert len(await market.invoices(second.customer)) == 5
