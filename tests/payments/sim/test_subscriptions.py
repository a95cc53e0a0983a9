"""Subscriptions by the official SDK: how they begin, change, pause and end."""

import pytest
import stripe

from tests.payments.sim.market import DAY, item_of, period


async def test_a_subscription_is_paid_and_active(market):
    subscription = await market.subscribe(900)
    shown = await market.v1.subscriptions.retrieve_async(
        subscription.id, {"expand": ["latest_invoice.payments.data.payment.payment_intent", "customer"]}
    )
    invoice = shown.latest_invoice
    payment = invoice.payments.data[0]

    assert subscription.status == "active"
    assert (invoice.status, invoice.total, invoice.billing_reason) == ("paid", 900, "subscription_create")
    assert invoice.parent.subscription_details.subscription == subscription.id
    assert (payment.status, payment.payment.payment_intent.status) == ("paid", "succeeded")
    assert invoice.lines.data[0].parent.subscription_item_details.subscription_item == item_of(subscription).id
    assert shown.customer.email == "ana@example.test"
    assert invoice.number.endswith("-0001")


async def test_events_tell_the_story_in_order(market):
    await market.subscribe()
    types = [event.type for event in await market.events()]
    story = [
        "customer.created",
        "payment_method.attached",
        "invoice.created",
        "customer.subscription.created",
        "invoice.finalized",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice.paid",
        "customer.subscription.updated",
    ]

    assert [each for each in types if each in story] == story


async def test_a_first_payment_that_fails_leaves_it_incomplete_for_a_day(market):
    subscription = await market.subscribe(card="pm_card_chargeCustomerFail")
    first = await market.fetch(subscription)
    await market.simulator.advance(days=1)
    later = await market.fetch(subscription)

    assert (subscription.status, first.latest_invoice.status) == ("incomplete", "open")
    assert (later.status, later.latest_invoice.status) == ("incomplete_expired", "void")


async def test_error_if_incomplete_leaves_nothing_behind(market):
    customer = await market.customer("pm_card_chargeCustomerFail")
    for card in ("pm_card_chargeCustomerFail", "pm_card_authenticationRequired"):
        await market.v1.customers.update_async(customer.id, {"invoice_settings": {"default_payment_method": card}})
        with pytest.raises(stripe.CardError):
            await market.subscribe(customer=customer, payment_behavior="error_if_incomplete")
    assert not (await market.v1.subscriptions.list_async({"customer": customer.id, "status": "all"})).data
    assert not await market.invoices(customer.id)


async def test_default_incomplete_waits_for_the_client(market):
    subscription = await market.subscribe(
        card=None, payment_behavior="default_incomplete", expand=["latest_invoice.confirmation_secret"]
    )
    secret = subscription.latest_invoice.confirmation_secret.client_secret
    intent = secret.partition("_secret_")[0]
    paid = await market.v1.payment_intents.confirm_async(intent, {"payment_method": "pm_card_visa"})

    assert subscription.status == "incomplete"
    assert paid.status == "succeeded"
    assert (await market.fetch(subscription)).status == "active"


async def test_an_invoice_that_asks_for_3d_secure_opens_the_subscription_afterwards(market):
    subscription = await market.subscribe(card="pm_card_authenticationRequired")
    [payment] = (await market.v1.invoice_payments.list_async({"invoice": subscription.latest_invoice})).data
    await market.simulator.control(f"/intents/{payment.payment.payment_intent}/authenticate")

    assert subscription.status == "incomplete"
    assert (await market.fetch(subscription)).status == "active"


async def test_a_trial_is_free_warns_and_then_is_paid(market):
    subscription = await market.subscribe(trial_period_days=14)
    first = (await market.fetch(subscription)).latest_invoice
    await market.simulator.advance(days=12)
    warnings = await market.events("customer.subscription.trial_will_end")
    await market.simulator.advance(days=3)
    after = await market.fetch(subscription)

    assert (subscription.status, first.total, first.status) == ("trialing", 0, "paid")
    assert [each.created for each in warnings] == [subscription.trial_end - 3 * DAY]
    assert (after.status, after.latest_invoice.total) == ("active", 1_000)
    assert period(after)[0] == subscription.trial_end == after.billing_cycle_anchor


@pytest.mark.parametrize(("behaviour", "status"), [("cancel", "canceled"), ("pause", "paused"), (None, "past_due")])
async def test_a_trial_without_a_card_ends_as_asked(market, behaviour, status):
    end = {"trial_settings": {"end_behavior": {"missing_payment_method": behaviour}}} if behaviour else {}
    subscription = await market.subscribe(card=None, trial_period_days=7, **end)
    await market.simulator.advance(days=8)

    assert (await market.fetch(subscription)).status == status


async def test_a_paused_subscription_goes_on_with_a_card(market):
    end = {"trial_settings": {"end_behavior": {"missing_payment_method": "pause"}}}
    subscription = await market.subscribe(card=None, trial_period_days=7, **end)
    await market.simulator.advance(days=8)
    await market.swap_card(subscription, "pm_card_visa")
    resumed = await market.v1.subscriptions.resume_async(subscription.id)

    assert resumed.status == "active"
    assert (await market.fetch(subscription)).latest_invoice.total == 1_000


async def test_a_trial_ends_now_if_asked(market):
    subscription = await market.subscribe(trial_period_days=30)
    await market.simulator.advance(days=5)
    ended = await market.v1.subscriptions.update_async(
        subscription.id, {"trial_end": "now", "expand": ["latest_invoice"]}
    )

    assert (ended.status, ended.latest_invoice.total, ended.latest_invoice.status) == ("active", 1_000, "paid")


async def test_seats_cost_what_they_cost(market):
    price = await market.price(300)
    subscription = await market.subscribe(price=price, items=[{"price": price.id, "quantity": 4}])

    assert (await market.fetch(subscription)).latest_invoice.total == 1_200


async def test_a_wish_that_makes_no_sense_is_refused(market):
    month, year = await market.price(), await market.price(interval="year")
    once, euro = await market.price(interval=None), await market.price(currency="eur")
    customer = await market.customer()
    for items in (
        [{"price": once.id}],
        [{"price": month.id}, {"price": year.id}],
        [{"price": month.id}, {"price": euro.id}],
        [{"price": month.id}, {"price": month.id}],
        [{"price": "price_nobody"}],
        [],
    ):
        with pytest.raises(stripe.InvalidRequestError):
            await market.v1.subscriptions.create_async({"customer": customer.id, "items": items})


async def test_an_upgrade_costs_the_difference_of_the_rest_at_once(market):
    subscription = await market.subscribe(1_000)
    start, end = period(subscription)
    await market.simulator.control("/clock", {"to": start + (end - start) // 2})
    dear = await market.price(3_000)
    changed = await market.v1.subscriptions.update_async(
        subscription.id,
        {
            "items": [{"id": item_of(subscription).id, "price": dear.id}],
            "proration_behavior": "always_invoice",
            "proration_date": start + (end - start) // 2,
            "expand": ["latest_invoice"],
        },
    )
    invoice = changed.latest_invoice

    assert [line.amount for line in invoice.lines.data] == [-500, 1_500]
    assert [line.description.split(" on ")[0] for line in invoice.lines.data] == ["Unused time", "Remaining time"]
    assert (invoice.total, invoice.status, invoice.billing_reason) == (1_000, "paid", "subscription_update")
    assert period(changed) == (start, end)


async def test_prorations_wait_for_the_renewal_unless_asked(market):
    subscription = await market.subscribe(1_000)
    start, end = period(subscription)
    await market.simulator.control("/clock", {"to": start + (end - start) // 2})
    dear = await market.price(3_000)
    items = [{"id": item_of(subscription).id, "price": dear.id}]
    await market.v1.subscriptions.update_async(
        subscription.id, {"items": items, "proration_date": start + (end - start) // 2}
    )
    pending = await market.v1.invoice_items.list_async({"customer": subscription.customer, "pending": True})
    await market.simulator.advance(days=20)
    invoice = (await market.fetch(subscription)).latest_invoice

    assert sorted(item.amount for item in pending.data) == [-500, 1_500]
    assert invoice.total == 3_000 + 1_000


async def test_no_proration_means_the_new_price_from_the_next_period(market):
    subscription = await market.subscribe(1_000)
    await market.simulator.advance(days=10)
    dear = await market.price(3_000)
    items = [{"id": item_of(subscription).id, "price": dear.id}]
    await market.v1.subscriptions.update_async(subscription.id, {"items": items, "proration_behavior": "none"})
    await market.simulator.advance(days=25)

    assert [invoice.total for invoice in await market.invoices(subscription.customer)] == [3_000, 1_000]


async def test_a_downgrade_leaves_credit_for_the_next_invoice(market):
    subscription = await market.subscribe(3_000)
    start, end = period(subscription)
    half = start + (end - start) // 2
    await market.simulator.control("/clock", {"to": half})
    cheap = await market.price(1_000)
    items = [{"id": item_of(subscription).id, "price": cheap.id}]
    change = {"items": items, "proration_behavior": "always_invoice", "proration_date": half}
    await market.v1.subscriptions.update_async(subscription.id, change)
    customer = await market.v1.customers.retrieve_async(subscription.customer)
    moves = await market.v1.customers.balance_transactions.list_async(customer.id)
    await market.simulator.advance(days=20)
    invoice = (await market.fetch(subscription)).latest_invoice

    assert customer.balance == -1_000
    assert [each.amount for each in moves.data] == [-1_000]
    assert (invoice.total, invoice.amount_due, invoice.starting_balance, invoice.ending_balance) == (
        1_000,
        0,
        -1_000,
        0,
    )


async def test_another_rhythm_starts_a_new_period_now(market):
    subscription = await market.subscribe(1_000)
    start, end = period(subscription)
    half = start + (end - start) // 2
    await market.simulator.control("/clock", {"to": half})
    yearly = await market.price(9_000, "year")
    changed = await market.v1.subscriptions.update_async(
        subscription.id,
        {
            "items": [{"id": item_of(subscription).id, "price": yearly.id}],
            "proration_behavior": "always_invoice",
            "proration_date": half,
            "expand": ["latest_invoice"],
        },
    )

    assert changed.latest_invoice.total == 9_000 - 500
    assert abs(period(changed)[0] - half) <= 5
    assert period(changed)[1] - period(changed)[0] in (365 * DAY, 366 * DAY)


async def test_a_change_that_is_declined_is_undone_or_waits(market):
    subscription = await market.subscribe(1_000)
    dear = await market.price(3_000)
    items = [{"id": item_of(subscription).id, "price": dear.id}]
    change = {"items": items, "proration_behavior": "always_invoice"}
    await market.swap_card(subscription, "pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError):
        await market.v1.subscriptions.update_async(
            subscription.id, {**change, "payment_behavior": "error_if_incomplete"}
        )
    undone = await market.fetch(subscription)
    waiting = await market.v1.subscriptions.update_async(
        subscription.id, {**change, "payment_behavior": "pending_if_incomplete"}
    )
    paid = await market.v1.invoices.pay_async(waiting.latest_invoice, {"payment_method": "pm_card_visa"})
    done = await market.fetch(subscription)

    assert (item_of(undone).price.unit_amount, undone.status) == (1_000, "active")
    assert (item_of(waiting).price.unit_amount, waiting.status) == (1_000, "active")
    assert waiting.pending_update.subscription_items[0].price.id == dear.id
    assert paid.status == "paid"
    assert (item_of(done).price.unit_amount, done.pending_update) == (3_000, None)


async def test_a_change_that_nobody_pays_is_forgotten(market):
    subscription = await market.subscribe(1_000)
    dear = await market.price(3_000)
    await market.swap_card(subscription, "pm_card_chargeCustomerFail")
    change = {
        "items": [{"id": item_of(subscription).id, "price": dear.id}],
        "proration_behavior": "always_invoice",
        "payment_behavior": "pending_if_incomplete",
    }
    await market.v1.subscriptions.update_async(subscription.id, change)
    await market.simulator.advance(days=1)
    after = await market.fetch(subscription)

    assert (after.pending_update, after.status, after.latest_invoice.status) == (None, "active", "void")
    assert item_of(after).price.unit_amount == 1_000


async def test_cancelling_at_the_end_can_be_taken_back(market):
    subscription = await market.subscribe()
    ending = await market.v1.subscriptions.update_async(subscription.id, {"cancel_at_period_end": True})
    kept = await market.v1.subscriptions.update_async(subscription.id, {"cancel_at_period_end": False})
    await market.v1.subscriptions.update_async(subscription.id, {"cancel_at_period_end": True})
    await market.simulator.advance(days=32)
    ended = await market.fetch(subscription)

    assert ending.cancel_at == period(subscription)[1]
    assert (kept.cancel_at, kept.canceled_at) == (None, None)
    assert (ended.status, ended.ended_at) == ("canceled", period(subscription)[1])
    assert ended.cancellation_details.reason == "cancellation_requested"
    assert len(await market.invoices(subscription.customer)) == 1


async def test_cancelling_now_gives_back_what_is_unused_if_asked(market):
    subscription = await market.subscribe(1_000)
    await market.simulator.advance(days=15)
    ended = await market.v1.subscriptions.cancel_async(subscription.id, {"prorate": True, "invoice_now": True})
    customer = await market.v1.customers.retrieve_async(subscription.customer)

    assert ended.status == "canceled"
    assert -600 < customer.balance < -400
    with pytest.raises(stripe.InvalidRequestError):
        await market.v1.subscriptions.cancel_async(subscription.id)


@pytest.mark.parametrize(
    ("behaviour", "status"), [("void", "void"), ("mark_uncollectible", "uncollectible"), ("keep_as_draft", "draft")]
)
async def test_a_paused_collection_collects_nothing(market, behaviour, status):
    subscription = await market.subscribe()
    await market.v1.subscriptions.update_async(subscription.id, {"pause_collection": {"behavior": behaviour}})
    await market.simulator.advance(days=32)
    paused = await market.fetch(subscription)
    await market.v1.subscriptions.update_async(subscription.id, {"pause_collection": ""})
    await market.simulator.advance(days=31)
    resumed = await market.fetch(subscription)

    assert (paused.status, paused.latest_invoice.status) == ("active", status)
    assert (resumed.pause_collection, resumed.latest_invoice.status) == (None, "paid")


@pytest.mark.parametrize(
    ("coupon", "totals"),
    [
        ({"percent_off": 50, "duration": "once"}, [500, 1_000, 1_000, 1_000]),
        ({"percent_off": 50, "duration": "repeating", "duration_in_months": 2}, [500, 500, 1_000, 1_000]),
        ({"amount_off": 300, "currency": "usd", "duration": "forever"}, [700, 700, 700, 700]),
        ({"percent_off": 100, "duration": "once"}, [0, 1_000, 1_000, 1_000]),
    ],
)
async def test_a_coupon_counts_for_as_long_as_it_lasts(market, coupon, totals):
    made = await market.v1.coupons.create_async(coupon)
    subscription = await market.subscribe(1_000, discounts=[{"coupon": made.id}])
    await market.simulator.advance(days=96)

    assert [invoice.total for invoice in await market.invoices(subscription.customer)][::-1] == totals


async def test_a_credit_gives_back_what_was_paid_and_not_more(market):
    coupon = await market.v1.coupons.create_async({"percent_off": 50, "duration": "once"})
    subscription = await market.subscribe(1_000, discounts=[{"coupon": coupon.id}])
    start, end = period(subscription)
    half = start + (end - start) // 2
    await market.simulator.control("/clock", {"to": half})
    dear = await market.price(3_000)
    changed = await market.v1.subscriptions.update_async(
        subscription.id,
        {
            "items": [{"id": item_of(subscription).id, "price": dear.id}],
            "proration_behavior": "always_invoice",
            "proration_date": half,
            "expand": ["latest_invoice"],
        },
    )

    assert changed.latest_invoice.total == 1_500 - 250


async def test_lists_are_by_customer_and_status(market):
    first, second = await market.subscribe(), await market.subscribe()
    await market.v1.subscriptions.cancel_async(second.id)
    running = await market.v1.subscriptions.list_async()
    ended = await market.v1.subscriptions.list_async({"status": "canceled"})
    every = await market.v1.subscriptions.list_async({"status": "all"})
    own = await market.v1.subscriptions.list_async({"customer": second.customer, "status": "all"})

    assert [each.id for each in running.data] == [first.id]
    assert [each.id for each in ended.data] == [each.id for each in own.data] == [second.id]
    assert [each.id for each in every.data] == [second.id, first.id]
