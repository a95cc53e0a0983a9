"""Invoices, previews, schedules, by the official SDK."""

import pytest
import stripe

from tests.payments.sim.market import item_of, period


async def test_what_waits_is_invoiced_and_paid(market):
    customer = await market.customer()
    for amount, text in ((700, "Work"), (-200, "Sorry")):
        params = {"customer": customer.id, "amount": amount, "currency": "usd", "description": text}
        await market.v1.invoice_items.create_async(params)
    draft = await market.v1.invoices.create_async({"customer": customer.id})
    opened = await market.v1.invoices.finalize_invoice_async(draft.id)
    paid = await market.v1.invoices.pay_async(draft.id)

    assert (draft.status, draft.total, draft.number) == ("draft", 500, None)
    assert (opened.status, opened.amount_due) == ("open", 500)
    assert opened.hosted_invoice_url.startswith(f"{market.simulator.url}/invoice/")
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 500, 0)
    assert not (await market.v1.invoice_items.list_async({"customer": customer.id, "pending": True})).data
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await market.v1.invoices.pay_async(draft.id)
    assert caught.value.code == "invoice_already_paid"


async def test_an_invoice_item_can_be_taken_back_before_it_is_invoiced(market):
    customer = await market.customer()
    params = {"customer": customer.id, "amount": 700, "currency": "usd"}
    item = await market.v1.invoice_items.create_async(params)
    await market.v1.invoice_items.delete_async(item.id)
    other = await market.v1.invoice_items.create_async(params)
    await market.v1.invoices.create_async({"customer": customer.id})

    with pytest.raises(stripe.InvalidRequestError):
        await market.v1.invoice_items.delete_async(other.id)


async def test_an_open_invoice_is_voided_and_its_payment_given_up(market):
    subscription = await market.subscribe(card="pm_card_chargeCustomerFail")
    voided = await market.v1.invoices.void_invoice_async(subscription.latest_invoice)
    [payment] = (await market.v1.invoice_payments.list_async({"invoice": voided.id})).data
    intent = await market.v1.payment_intents.retrieve_async(payment.payment.payment_intent)

    assert (voided.status, intent.status, intent.cancellation_reason) == ("void", "canceled", "void_invoice")
    with pytest.raises(stripe.InvalidRequestError):
        await market.v1.invoices.pay_async(voided.id)


async def test_voiding_gives_used_credit_back(market):
    customer = await market.customer("pm_card_chargeCustomerFail", balance=-400)
    subscription = await market.subscribe(customer=customer)
    open_one = (await market.fetch(subscription)).latest_invoice
    during = await market.v1.customers.retrieve_async(customer.id)
    await market.v1.invoices.void_invoice_async(open_one.id)
    after = await market.v1.customers.retrieve_async(customer.id)

    assert (open_one.total, open_one.amount_due) == (1_000, 600)
    assert (during.balance, after.balance) == (0, -400)


async def test_numbers_have_no_gaps(market):
    subscription = await market.subscribe()
    await market.simulator.advance(days=100)
    numbers = [invoice.number for invoice in await market.invoices(subscription.customer)][::-1]
    prefix = numbers[0].partition("-")[0]

    assert numbers == [f"{prefix}-{count:04d}" for count in range(1, 5)]


async def test_the_invoice_of_a_payment_is_found(market):
    subscription = await market.subscribe()
    invoice = (await market.fetch(subscription)).latest_invoice
    [link] = (await market.v1.invoice_payments.list_async({"invoice": invoice.id})).data
    intent = link.payment.payment_intent
    by_payment = await market.v1.invoice_payments.list_async(
        {"payment": {"type": "payment_intent", "payment_intent": intent}}
    )

    assert [each.invoice for each in by_payment.data] == [invoice.id]


async def test_lines_are_paged(market):
    prices = [await market.price(100 + index) for index in range(5)]
    customer = await market.customer()
    params = {"customer": customer.id, "items": [{"price": price.id} for price in prices]}
    subscription = await market.v1.subscriptions.create_async(params)
    page = await market.v1.invoices.line_items.list_async(subscription.latest_invoice, {"limit": 2})

    assert [line.amount async for line in page.auto_paging_iter()] == [100, 101, 102, 103, 104]


async def test_a_preview_of_the_renewal_is_the_renewal(market):
    subscription = await market.subscribe(1_000)
    upcoming = await market.v1.invoices.create_preview_async({"subscription": subscription.id})
    await market.simulator.control("/clock", {"to": period(subscription)[1]})
    invoice = (await market.fetch(subscription)).latest_invoice

    assert (upcoming.total, upcoming.status) == (1_000, "draft")
    assert [line.description for line in upcoming.lines.data] == [line.description for line in invoice.lines.data]
    assert upcoming.total == invoice.total


async def test_a_preview_of_a_new_subscription_leaves_nothing_behind(market):
    price = await market.price(900)
    details = {"items": [{"price": price.id, "quantity": 3}]}
    preview = await market.v1.invoices.create_preview_async({"subscription_details": details, "currency": "usd"})

    assert preview.total == 2_700
    assert not (await market.v1.customers.list_async()).data
    assert not (await market.v1.invoices.list_async()).data


async def test_a_preview_changes_nothing(market):
    subscription = await market.subscribe(1_000)
    before, events = await market.fetch(subscription), await market.events()
    dear = await market.price(5_000)
    details = {"items": [{"id": item_of(subscription).id, "price": dear.id}], "proration_behavior": "always_invoice"}
    params = {"subscription": subscription.id, "subscription_details": details}
    preview = await market.v1.invoices.create_preview_async(params)
    after = await market.fetch(subscription)

    assert preview.total > 3_900
    assert after.to_dict() == before.to_dict()
    assert len(await market.events()) == len(events) + 2  # the product and the price


async def scheduled(market, subscription, price, **more):
    """A schedule that goes over to a price at the end of the period."""
    schedule = await market.v1.subscription_schedules.create_async({"from_subscription": subscription.id})
    current = schedule.phases[0]
    items = [{"price": item.price, "quantity": item.quantity} for item in current["items"]]
    phases = [
        {"items": items, "start_date": current.start_date, "end_date": current.end_date},
        {"items": [{"price": price.id, "quantity": 1}], "iterations": 1},
    ]
    return await market.v1.subscription_schedules.update_async(schedule.id, {"phases": phases, **more})


async def test_a_downgrade_comes_at_the_end_of_the_period(market):
    subscription, cheap = await market.subscribe(3_000), await market.price(1_000)
    schedule = await scheduled(market, subscription, cheap)
    during = await market.fetch(subscription)
    await market.simulator.advance(days=32)
    after = await market.fetch(subscription)
    await market.simulator.advance(days=31)
    released = await market.v1.subscription_schedules.retrieve_async(schedule.id)

    assert (item_of(during).price.unit_amount, during.schedule) == (3_000, schedule.id)
    assert (item_of(after).price.unit_amount, after.latest_invoice.total) == (1_000, 1_000)
    assert (released.status, released.released_subscription) == ("released", subscription.id)
    assert (await market.fetch(subscription)).schedule is None
    assert [each.total for each in await market.invoices(subscription.customer)] == [1_000, 1_000, 3_000]


async def test_a_plan_is_dropped(market):
    subscription, cheap = await market.subscribe(3_000), await market.price(1_000)
    schedule = await scheduled(market, subscription, cheap)
    with pytest.raises(stripe.InvalidRequestError):
        await market.v1.subscriptions.update_async(subscription.id, {"cancel_at_period_end": True})
    await market.v1.subscription_schedules.release_async(schedule.id)
    with pytest.raises(stripe.InvalidRequestError):
        await market.v1.subscription_schedules.release_async(schedule.id)
    await market.simulator.advance(days=32)

    assert (await market.fetch(subscription)).latest_invoice.total == 3_000


async def test_a_schedule_may_end_the_subscription(market):
    subscription, cheap = await market.subscribe(3_000), await market.price(1_000)
    schedule = await scheduled(market, subscription, cheap, end_behavior="cancel")
    await market.simulator.advance(days=70)

    assert (await market.fetch(subscription)).status == "canceled"
    assert (await market.v1.subscription_schedules.retrieve_async(schedule.id)).status == "completed"


async def test_cancelling_a_schedule_or_its_subscription_ends_both(market):
    first, second = await market.subscribe(), await market.subscribe()
    price = await market.price(500)
    plans = [await scheduled(market, each, price) for each in (first, second)]
    await market.v1.subscription_schedules.cancel_async(plans[0].id)
    await market.v1.subscriptions.cancel_async(second.id)

    assert [(await market.fetch(each)).status for each in (first, second)] == ["canceled", "canceled"]
    found = (await market.v1.subscription_schedules.list_async({"customer": second.customer})).data
    assert [each.status for each in found] == ["canceled"]
