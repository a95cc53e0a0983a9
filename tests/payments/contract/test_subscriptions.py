"""A subscription from its trial to its end: what is previewed is charged, what is asked twice is done once."""

from datetime import timedelta

import pytest

from app.payments.providers.port import Declined, Line, Missing, Refused
from tests.payments.contract.shop import DAY, at_once, op

MONTH = timedelta(days=31)


async def test_a_subscription_has_its_price_its_period_and_its_invoice(shop, provider):
    price = await shop.price(500)
    state = await shop.subscribe(Line(price, 2))

    [item] = state.items
    assert (state.status, item.price_id, item.lookup_key, item.quantity) == ("active", price, "month-500", 2)
    assert timedelta(days=28) <= item.period_end - item.period_start <= MONTH
    assert item.period_start == state.created_at
    assert (await shop.invoice_of(state)).status == "paid"
    assert (state.cancel_at_period_end, state.cancel_at, state.ended_at, state.trial_end) == (False, None, None, None)
    assert (state.is_paused, state.schedule_id, state.scheduled_lines, state.discount_coupon_ids) == (
        False,
        None,
        (),
        (),
    )


async def test_a_plan_and_seats_are_two_items(shop):
    plan, seat = await shop.price(900, key="family"), await shop.price(250, key="seat")
    state = await shop.subscribe(Line(plan), Line(seat, 3))

    assert sorted(at_once(state)) == sorted([(plan, 1), (seat, 3)])


async def test_a_subscription_that_is_not_there_is_missing(provider):
    with pytest.raises(Missing):
        await provider.fetch_subscription("sub_nobody")


async def test_subscriptions_are_listed_with_the_ended_ones(shop, provider):
    customer = await shop.customer()
    states = [await shop.subscribe(customer_id=customer) for _ in range(3)]
    await shop.subscribe()
    ended = await provider.cancel_subscription(op(), states[0].id, at_period_end=False)

    listed = [each async for each in provider.list_subscriptions(customer)]

    assert listed == [states[2], states[1], ended]
    assert len([each async for each in provider.list_subscriptions()]) == 4


async def test_a_listed_subscription_shows_what_is_planned_for_it(shop, provider):
    plus = await shop.price(500)
    state = await shop.subscribe(Line(await shop.price(900)))
    planned = await provider.schedule_change(op(), state.id, [Line(plus)])

    assert [each async for each in provider.list_subscriptions()] == [planned]


async def test_a_renewal_begins_where_the_period_ended_and_is_paid(shop, provider):
    before = await shop.subscribe()
    await shop.advance_to(before.items[0].period_end, timedelta(hours=2))

    after = await provider.fetch_subscription(before.id)
    assert (after.status, after.items[0].period_start) == ("active", before.items[0].period_end)
    assert after.latest_invoice_id != before.latest_invoice_id
    invoice = await shop.invoice_of(after)
    assert (invoice.reason, invoice.status, invoice.paid_cents) == ("subscription_cycle", "paid", 500)


async def test_a_trial_becomes_a_paid_period(shop, provider):
    trial = await shop.subscribe(trial_days=7)
    first = await shop.invoice_of(trial)
    await shop.advance_to(trial.trial_end, timedelta(hours=2))

    state = await provider.fetch_subscription(trial.id)
    assert (trial.status, first.total_cents, first.status) == ("trialing", 0, "paid")
    assert (state.status, state.items[0].period_start) == ("active", trial.trial_end)
    assert (await shop.invoice_of(state)).paid_cents == 500


async def test_a_trial_whose_card_fails_is_past_due(shop, provider):
    trial = await shop.subscribe(trial_days=7, card="pm_card_chargeCustomerFail")
    await shop.advance_to(trial.trial_end, timedelta(hours=2))

    assert (await provider.fetch_subscription(trial.id)).status == "past_due"


async def test_retries_that_fail_end_in_unpaid(shop, provider):
    trial = await shop.subscribe(trial_days=7, card="pm_card_chargeCustomerFail")
    await shop.advance_to(trial.trial_end, 28 * DAY)

    assert (await provider.fetch_subscription(trial.id)).status in ("unpaid", "canceled")


async def test_a_trial_can_be_ended_now_and_is_paid(shop, provider):
    operation, trial = op(), await shop.subscribe(trial_days=7)
    states = [await provider.end_trial(each, trial.id) for each in (operation, operation, op())]

    assert states[0] == states[1] == states[2]
    assert (states[0].status, (await shop.invoice_of(states[0])).paid_cents) == ("active", 500)


async def test_a_preview_tells_what_a_change_costs_and_changes_nothing(shop, provider):
    family = await shop.price(900)
    state = await shop.subscribe(Line(await shop.price(500)))
    preview = await provider.preview_change(state.id, [Line(family)], state.items[0].period_start)

    assert [line.amount_cents for line in preview.lines] == [-500, 900]
    assert [line.lookup_key for line in preview.lines] == ["month-500", "month-900"]
    assert all(line.is_proration for line in preview.lines)
    assert (preview.subtotal_cents, preview.total_cents, preview.due_cents) == (400, 400, 400)
    assert (preview.currency, preview.at) == ("eur", state.items[0].period_start)
    assert await provider.fetch_subscription(state.id) == state


@pytest.mark.parametrize("share", [0.1, 1 / 3, 0.5, 0.77])
async def test_what_is_previewed_is_charged_to_the_cent(shop, provider, share):
    family, seat = await shop.price(907), await shop.price(251, key="seat")
    state = await shop.subscribe(Line(await shop.price(503)))
    item = state.items[0]
    await shop.advance((item.period_end - item.period_start) * share)
    at, lines = await shop.now(), [Line(family), Line(seat, 2)]

    preview = await provider.preview_change(state.id, lines, at)
    changed = await provider.change_subscription(op(), state.id, lines, at)

    invoice = await shop.invoice_of(changed)
    assert (invoice.total_cents, invoice.status) == (preview.total_cents, "paid")
    assert [each.amount_cents for each in invoice.lines] == [each.amount_cents for each in preview.lines]
    assert sorted(at_once(changed)) == sorted([(family, 1), (seat, 2)])


async def test_a_change_keeps_the_period(shop, provider):
    family = await shop.price(900)
    state = await shop.subscribe(Line(await shop.price(500)))
    await shop.advance(10 * DAY)

    changed = await provider.change_subscription(op(), state.id, [Line(family)], await shop.now())

    assert changed.items[0].period_end == state.items[0].period_end
    assert changed.items[0].lookup_key == "month-900"


async def test_a_change_from_months_to_years_begins_a_year_now(shop, provider):
    yearly = await shop.price(5_000, "year")
    state = await shop.subscribe(Line(await shop.price(500)))
    await shop.advance(10 * DAY)
    at = await shop.now()

    preview = await provider.preview_change(state.id, [Line(yearly)], at)
    changed = await provider.change_subscription(op(), state.id, [Line(yearly)], at)

    [item] = changed.items
    assert timedelta(days=365) <= item.period_end - item.period_start <= timedelta(days=366)
    assert (await shop.invoice_of(changed)).total_cents == preview.total_cents
    assert 4_500 < preview.total_cents < 5_000


async def test_seats_can_be_added_and_taken_away(shop, provider):
    plan, seat = await shop.price(900), await shop.price(250, key="seat")
    state = await shop.subscribe(Line(plan))

    more = await provider.change_subscription(op(), state.id, [Line(plan), Line(seat, 2)], await shop.now())
    fewer = await provider.change_subscription(op(), state.id, [Line(plan), Line(seat)], await shop.now())
    none = await provider.change_subscription(op(), state.id, [Line(plan)], await shop.now())

    assert sorted(at_once(more)) == sorted([(plan, 1), (seat, 2)])
    assert sorted(at_once(fewer)) == sorted([(plan, 1), (seat, 1)])
    assert at_once(none) == [(plan, 1)]


async def test_a_change_for_less_puts_credit_onto_the_customer(shop, provider):
    plus = await shop.price(500)
    state = await shop.subscribe(Line(await shop.price(900)))
    changed = await provider.change_subscription(op(), state.id, [Line(plus)], state.items[0].period_start)

    invoice = await shop.invoice_of(changed)
    assert (invoice.total_cents, invoice.applied_balance_cents) == (-400, 400)
    assert (invoice.due_cents, invoice.paid_cents, invoice.payment_ids) == (0, 0, ())


async def test_credit_of_a_customer_pays_the_next_invoice(shop, provider):
    plus = await shop.price(500)
    state = await shop.subscribe(Line(await shop.price(900)))
    changed = await provider.change_subscription(op(), state.id, [Line(plus)], state.items[0].period_start)
    await shop.advance_to(changed.items[0].period_end, timedelta(hours=2))

    invoice = await shop.invoice_of(await provider.fetch_subscription(state.id))
    assert (invoice.total_cents, invoice.applied_balance_cents, invoice.paid_cents) == (500, -400, 100)


async def test_a_change_that_changes_nothing_costs_nothing(shop, provider):
    price = await shop.price(500)
    state = await shop.subscribe(Line(price))

    preview = await provider.preview_change(state.id, [Line(price)], await shop.now())

    assert (preview.lines, preview.total_cents, preview.due_cents, preview.currency) == ((), 0, 0, "eur")
    assert await provider.change_subscription(op(), state.id, [Line(price)], await shop.now()) == state


async def test_a_change_is_made_once_however_often_it_is_asked(shop, provider):
    operation = op()
    lines = [Line(await shop.price(900)), Line(await shop.price(250, key="seat"), 2)]
    state, at = await shop.subscribe(Line(await shop.price(500))), await shop.now()
    states = [await provider.change_subscription(operation, state.id, lines, at) for _ in range(3)]

    assert states[0] == states[1] == states[2]
    assert len([each async for each in provider.list_invoices(state.customer_id)]) == 2


async def test_an_operation_can_not_be_used_for_two_changes(shop, provider):
    operation, family, large = op(), await shop.price(900), await shop.price(1_900)
    state, at = await shop.subscribe(Line(await shop.price(500))), await shop.now()
    await provider.change_subscription(operation, state.id, [Line(family)], at)

    with pytest.raises(Refused) as caught:
        await provider.change_subscription(operation, state.id, [Line(large)], at)

    assert caught.value.code == "idempotency-mismatch"


async def test_a_change_that_is_declined_leaves_everything_as_it_was(shop, provider, control):
    customer = await shop.customer()
    state = await shop.subscribe(Line(await shop.price(500)), customer_id=customer)
    await pay_by(shop, provider, customer, "pm_card_chargeCustomerFail")
    before = await provider.fetch_subscription(state.id)

    with pytest.raises(Declined):
        await provider.change_subscription(op(), state.id, [Line(await shop.price(900))], await shop.now())

    assert await provider.fetch_subscription(state.id) == before


async def test_a_change_that_needs_a_challenge_is_a_decline(shop, provider):
    customer = await shop.customer()
    state = await shop.subscribe(Line(await shop.price(500)), customer_id=customer)
    await pay_by(shop, provider, customer, "pm_card_authenticationRequired")

    with pytest.raises(Declined):
        await provider.change_subscription(op(), state.id, [Line(await shop.price(900))], await shop.now())

    assert at_once(await provider.fetch_subscription(state.id)) == at_once(state)


async def pay_by(shop, provider, customer, card):
    """Let the customer add a card and pay with it from now on."""
    known = {each.id for each in await provider.list_cards(customer)}
    method = await shop.control.post(f"/v1/payment_methods/{card}/attach", data={"customer": customer})
    assert method.status_code == 200, method.text
    [added] = {each.id for each in await provider.list_cards(customer)} - known
    await provider.set_default_card(op(), customer, added)


async def test_a_subscription_that_has_ended_can_not_change(shop, provider):
    state = await shop.subscribe(Line(await shop.price(500)))
    await provider.cancel_subscription(op(), state.id, at_period_end=False)

    with pytest.raises((Refused, Missing)):
        await provider.change_subscription(op(), state.id, [Line(await shop.price(900))], await shop.now())


async def test_a_downgrade_waits_for_the_end_of_the_period(shop, provider):
    plus = await shop.price(500)
    state = await shop.subscribe(Line(await shop.price(900)))
    planned = await provider.schedule_change(op(), state.id, [Line(plus, 2)])

    assert planned.scheduled_lines == (("month-500", 2),)
    assert planned.schedule_id
    assert planned.items == state.items
    assert len([each async for each in provider.list_invoices(state.customer_id)]) == 1


async def test_at_the_end_of_the_period_the_downgrade_is_made(shop, provider):
    plus = await shop.price(500)
    state = await shop.subscribe(Line(await shop.price(900)))
    await provider.schedule_change(op(), state.id, [Line(plus)])
    await shop.advance_to(state.items[0].period_end, timedelta(hours=2))

    after = await provider.fetch_subscription(state.id)
    invoice = await shop.invoice_of(after)
    assert at_once(after) == [(plus, 1)]
    assert (after.scheduled_lines, invoice.total_cents, invoice.reason) == ((), 500, "subscription_cycle")
    assert not any(line.is_proration for line in invoice.lines)


async def test_two_periods_after_a_downgrade_the_subscription_goes_on(shop, provider):
    plus = await shop.price(500)
    state = await shop.subscribe(Line(await shop.price(900)))
    await provider.schedule_change(op(), state.id, [Line(plus)])
    await shop.advance_to(state.items[0].period_end, 35 * DAY)

    after = await provider.fetch_subscription(state.id)
    assert (after.status, after.schedule_id, at_once(after)) == ("active", None, [(plus, 1)])


async def test_a_later_plan_replaces_an_earlier_one(shop, provider):
    plus, basic = await shop.price(500), await shop.price(300)
    state = await shop.subscribe(Line(await shop.price(900)))
    await provider.schedule_change(op(), state.id, [Line(plus)])

    again = await provider.schedule_change(op(), state.id, [Line(basic)])

    assert again.scheduled_lines == (("month-300", 1),)


async def test_a_plan_is_made_once_however_often_it_is_asked(shop, provider):
    operation, plus = op(), await shop.price(500)
    state = await shop.subscribe(Line(await shop.price(900)))
    states = [await provider.schedule_change(operation, state.id, [Line(plus)]) for _ in range(3)]

    assert states[0] == states[1] == states[2]


async def test_a_plan_can_be_dropped(shop, provider):
    operation, plus = op(), await shop.price(500)
    state = await shop.subscribe(Line(await shop.price(900)))
    await provider.schedule_change(op(), state.id, [Line(plus)])

    dropped = [await provider.unschedule_change(operation, state.id) for _ in range(2)]

    assert dropped == [state, state]
    await shop.advance_to(state.items[0].period_end, timedelta(hours=2))
    assert at_once(await provider.fetch_subscription(state.id)) == at_once(state)


async def test_dropping_what_is_not_planned_is_no_error(shop, provider):
    state = await shop.subscribe()

    assert await provider.unschedule_change(op(), state.id) == state


async def test_an_upgrade_drops_the_planned_downgrade(shop, provider):
    plus, large = await shop.price(500), await shop.price(1_900)
    state = await shop.subscribe(Line(await shop.price(900)))
    await provider.schedule_change(op(), state.id, [Line(plus)])

    changed = await provider.change_subscription(op(), state.id, [Line(large)], await shop.now())

    assert (at_once(changed), changed.scheduled_lines, changed.schedule_id) == ([(large, 1)], (), None)


async def test_cancelling_at_the_end_lets_the_period_run_out(shop, provider):
    state = await shop.subscribe()
    canceled = await provider.cancel_subscription(op(), state.id, at_period_end=True)
    await shop.advance_to(state.items[0].period_end, timedelta(hours=2))
    ended = await provider.fetch_subscription(state.id)

    assert (canceled.status, canceled.cancel_at_period_end) == ("active", True)
    assert canceled.cancel_at == state.items[0].period_end
    assert (ended.status, ended.ended_at) == ("canceled", state.items[0].period_end)
    assert ended.latest_invoice_id == state.latest_invoice_id


async def test_cancelling_at_the_end_again_is_no_error(shop, provider):
    operation, state = op(), await shop.subscribe()
    states = [
        await provider.cancel_subscription(each, state.id, at_period_end=True) for each in (operation, operation, op())
    ]

    assert states[0] == states[1] == states[2]


async def test_cancelling_drops_what_is_planned(shop, provider):
    plus = await shop.price(500)
    state = await shop.subscribe(Line(await shop.price(900)))
    await provider.schedule_change(op(), state.id, [Line(plus)])

    canceled = await provider.cancel_subscription(op(), state.id, at_period_end=True)

    assert (canceled.cancel_at_period_end, canceled.scheduled_lines) == (True, ())


async def test_cancelling_now_ends_it_now(shop, provider):
    state = await shop.subscribe()
    before = await shop.now()
    ended = await provider.cancel_subscription(op(), state.id, at_period_end=False)

    assert ended.status == "canceled"
    assert ended.ended_at >= before.replace(microsecond=0)


async def test_cancelling_now_again_is_no_error(shop, provider):
    operation, state = op(), await shop.subscribe()
    states = [
        await provider.cancel_subscription(each, state.id, at_period_end=False) for each in (operation, operation, op())
    ]

    assert states[0] == states[1] == states[2]


async def test_cancelling_what_is_not_there_is_missing(provider):
    for at_period_end in (True, False):
        with pytest.raises(Missing):
            await provider.cancel_subscription(op(), "sub_nobody", at_period_end=at_period_end)


async def test_a_cancellation_can_be_taken_back(shop, provider):
    state = await shop.subscribe()
    await provider.cancel_subscription(op(), state.id, at_period_end=True)

    resumed = await provider.resume_subscription(op(), state.id)
    await shop.advance_to(state.items[0].period_end, timedelta(hours=2))

    assert resumed == state
    assert (await provider.fetch_subscription(state.id)).status == "active"


async def test_taking_back_again_is_no_error(shop, provider):
    operation, state = op(), await shop.subscribe()
    await provider.cancel_subscription(op(), state.id, at_period_end=True)

    assert [await provider.resume_subscription(each, state.id) for each in (operation, operation, op())] == [state] * 3


async def test_what_has_ended_can_not_be_taken_back(shop, provider):
    state = await shop.subscribe()
    await provider.cancel_subscription(op(), state.id, at_period_end=False)

    assert (await provider.resume_subscription(op(), state.id)).status == "canceled"


async def test_a_paused_subscription_is_not_charged(shop, provider):
    state = await shop.subscribe()
    paused = await provider.pause_subscription(op(), state.id)
    await shop.advance_to(state.items[0].period_end, timedelta(hours=2))

    renewed = await provider.fetch_subscription(state.id)
    assert (paused.is_paused, paused.status) == (True, "active")
    assert (await shop.invoice_of(renewed)).status == "void"


async def test_a_pause_can_be_ended(shop, provider):
    state = await shop.subscribe()
    await provider.pause_subscription(op(), state.id)
    resumed = await provider.resume_subscription(op(), state.id)
    await shop.advance_to(state.items[0].period_end, timedelta(hours=2))

    assert resumed == state
    assert (await shop.invoice_of(await provider.fetch_subscription(state.id))).status == "paid"


async def test_a_pause_is_repeated_without_harm(shop, provider):
    operation, state = op(), await shop.subscribe()

    assert await provider.pause_subscription(operation, state.id) == await provider.pause_subscription(
        operation, state.id
    )


@pytest.mark.parametrize(("months", "amounts"), [(None, [400, 500, 500]), (2, [400, 400, 500]), (0, [400, 400, 400])])
async def test_a_coupon_counts_from_the_next_invoice_for_as_long_as_it_lasts(shop, provider, months, amounts):
    await provider.ensure_coupon("TWENTY", percent=20, amount_cents=None, currency=None, months=months)
    state = await shop.subscribe()
    await shop.advance(DAY)

    with_coupon = await provider.apply_coupon(op(), state.id, "TWENTY")
    totals = []
    for _ in amounts:
        state = await provider.fetch_subscription(state.id)
        await shop.advance_to(state.items[0].period_end, timedelta(hours=2))
        totals.append((await shop.invoice_of(await provider.fetch_subscription(state.id))).total_cents)

    assert with_coupon.discount_coupon_ids == ("TWENTY",)
    assert totals == amounts


async def test_a_coupon_does_not_count_twice(shop, provider):
    operation, state = op(), await shop.subscribe()
    await provider.ensure_coupon("TWENTY", percent=20, amount_cents=None, currency=None, months=0)
    states = [await provider.apply_coupon(each, state.id, "TWENTY") for each in (operation, operation, op())]

    assert [each.discount_coupon_ids for each in states] == [("TWENTY",)] * 3


async def test_a_second_coupon_leaves_the_first(shop, provider):
    state = await shop.subscribe()
    for name, percent in (("TEN", 10), ("TWENTY", 20)):
        await provider.ensure_coupon(name, percent=percent, amount_cents=None, currency=None, months=0)
        state = await provider.apply_coupon(op(), state.id, name)

    assert sorted(state.discount_coupon_ids) == ["TEN", "TWENTY"]


async def test_a_coupon_that_is_not_there_can_not_be_applied(shop, provider):
    state = await shop.subscribe()

    with pytest.raises((Refused, Missing)):
        await provider.apply_coupon(op(), state.id, "NOBODY")


async def test_a_coupon_survives_a_planned_downgrade(shop, provider):
    await provider.ensure_coupon("TWENTY", percent=20, amount_cents=None, currency=None, months=0)
    plus = await shop.price(500)
    state = await shop.subscribe(Line(await shop.price(900)))
    await provider.apply_coupon(op(), state.id, "TWENTY")
    await provider.schedule_change(op(), state.id, [Line(plus)])
    await shop.advance_to(state.items[0].period_end, timedelta(hours=2))

    assert (await shop.invoice_of(await provider.fetch_subscription(state.id))).total_cents == 400
