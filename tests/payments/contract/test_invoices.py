"""Invoices: their lines, sums, taxes, discounts and payments."""

from datetime import datetime, timedelta

import pytest

from app.payments.providers.port import Declined, InvoiceState, Line, Missing, Refused
from tests.payments.contract.shop import DAY, op


def adds_up(invoice: InvoiceState) -> bool:
    """The sums of an invoice whose taxes are added on top."""
    lines = invoice.lines
    return (
        invoice.subtotal_cents == sum(line.amount_cents for line in lines)
        and invoice.discount_cents == sum(line.discount_cents for line in lines)
        and invoice.tax_cents == sum(line.tax_cents for line in lines)
        and invoice.total_cents == invoice.subtotal_cents - invoice.discount_cents + invoice.tax_cents
        and invoice.due_cents == max(invoice.total_cents + invoice.applied_balance_cents, 0)
    )


async def test_the_first_invoice_of_a_plan(shop, provider):
    customer = await shop.customer()
    state = await shop.subscribe(Line(await shop.price(500), 3), customer_id=customer)
    invoice = await shop.invoice_of(state)

    assert (invoice.customer_id, invoice.subscription_id) == (customer, state.id)
    assert (invoice.status, invoice.reason, invoice.currency) == ("paid", "subscription_create", "eur")
    assert (invoice.total_cents, invoice.due_cents, invoice.paid_cents) == (1_500, 1_500, 1_500)
    assert invoice.number
    assert invoice.hosted_url
    assert invoice.created_at <= invoice.finalized_at <= invoice.paid_at
    assert len(invoice.payment_ids) == 1
    assert adds_up(invoice)


async def test_the_line_of_a_plan(shop):
    state = await shop.subscribe(Line(await shop.price(500), 3))
    [line] = (await shop.invoice_of(state)).lines

    assert (line.amount_cents, line.quantity, line.lookup_key, line.is_proration) == (1_500, 3, "month-500", False)
    assert (line.period_start, line.period_end) == (state.items[0].period_start, state.items[0].period_end)
    assert line.description


async def test_a_plan_and_seats_are_two_lines(shop):
    plan, seat = await shop.price(900, key="family"), await shop.price(250, key="seat")
    invoice = await shop.invoice_of(await shop.subscribe(Line(plan), Line(seat, 2)))

    assert {line.lookup_key: line.amount_cents for line in invoice.lines} == {"family": 900, "seat": 500}
    assert adds_up(invoice)


async def test_a_discount_is_told_apart_from_the_price(shop, provider):
    await provider.ensure_coupon("TWENTY", percent=20, amount_cents=None, currency=None, months=None)
    invoice = await shop.invoice_of(await shop.subscribe(coupon_id="TWENTY"))

    assert (invoice.subtotal_cents, invoice.discount_cents, invoice.total_cents) == (500, 100, 400)
    assert adds_up(invoice)


async def test_a_discount_of_an_amount_is_spread_over_the_lines(shop, provider):
    await provider.ensure_coupon("THREE", percent=None, amount_cents=300, currency="eur", months=None)
    lines = [Line(await shop.price(900, key="family")), Line(await shop.price(250, key="seat"), 2)]
    invoice = await shop.invoice_of(await shop.subscribe(*lines, coupon_id="THREE"))

    assert (invoice.subtotal_cents, invoice.discount_cents, invoice.total_cents) == (1_400, 300, 1_100)
    assert adds_up(invoice)


async def test_a_discount_above_the_price_makes_it_free(shop, provider):
    await provider.ensure_coupon("ALL", percent=None, amount_cents=9_000, currency="eur", months=None)
    invoice = await shop.invoice_of(await shop.subscribe(coupon_id="ALL"))

    assert (invoice.total_cents, invoice.discount_cents, invoice.status) == (0, 500, "paid")
    assert invoice.payment_ids == ()


async def taxed(shop, state, *, inclusive: bool):
    """Let a subscription have a tax of 19 % from the next invoice on."""
    rate = {"display_name": "VAT", "percentage": "19", "inclusive": str(inclusive).lower()}
    made = await shop.control.post("/v1/tax_rates", data=rate)
    assert made.status_code == 200, made.text
    path = f"/v1/subscriptions/{state.id}"
    changed = await shop.control.post(path, data={"default_tax_rates[0]": made.json()["id"]})
    assert changed.status_code == 200, changed.text
    await shop.advance_to(state.items[0].period_end, timedelta(hours=2))
    return await shop.invoice_of(await shop.provider.fetch_subscription(state.id))


async def test_a_tax_on_top_is_a_part_of_the_total(shop):
    invoice = await taxed(shop, await shop.subscribe(Line(await shop.price(1_000))), inclusive=False)

    assert (invoice.subtotal_cents, invoice.tax_cents, invoice.total_cents) == (1_000, 190, 1_190)
    assert adds_up(invoice)


async def test_a_tax_within_the_price_leaves_the_total(shop):
    invoice = await taxed(shop, await shop.subscribe(Line(await shop.price(1_190))), inclusive=True)

    assert (invoice.subtotal_cents, invoice.tax_cents, invoice.total_cents) == (1_190, 190, 1_190)
    assert [line.tax_cents for line in invoice.lines] == [190]


async def test_a_tax_stays_with_a_planned_downgrade(shop, provider):
    plus = await shop.price(500)
    state = await shop.subscribe(Line(await shop.price(1_000)))
    await taxed(shop, state, inclusive=False)
    state = await provider.schedule_change(op(), state.id, [Line(plus)])
    await shop.advance_to(state.items[0].period_end, timedelta(hours=2))

    invoice = await shop.invoice_of(await provider.fetch_subscription(state.id))
    assert (invoice.subtotal_cents, invoice.tax_cents, invoice.total_cents) == (500, 95, 595)


async def test_a_change_within_the_period_has_lines_of_proration(shop, provider):
    family = await shop.price(900)
    state = await shop.subscribe(Line(await shop.price(500)))
    await shop.advance(10 * DAY)
    at = await shop.now()
    invoice = await shop.invoice_of(await provider.change_subscription(op(), state.id, [Line(family)], at))

    credit, charge = invoice.lines
    assert invoice.reason == "subscription_update"
    assert (credit.is_proration, charge.is_proration) == (True, True)
    assert credit.amount_cents < 0 < charge.amount_cents
    assert (credit.lookup_key, charge.lookup_key) == ("month-500", "month-900")
    assert charge.period_end == state.items[0].period_end
    assert adds_up(invoice)


async def test_an_invoice_with_more_lines_than_a_page_has_them_all(shop, provider, control):
    state = await shop.subscribe()
    for number in range(25):
        item = {"customer": state.customer_id, "subscription": state.id, "amount": 10 + number, "currency": "eur"}
        made = await control.post("/v1/invoiceitems", data=item)
        assert made.status_code == 200, made.text
    await shop.advance_to(state.items[0].period_end, timedelta(hours=2))

    invoice = await shop.invoice_of(await provider.fetch_subscription(state.id))
    assert len(invoice.lines) == 26
    assert invoice.total_cents == 500 + sum(range(10, 35))
    assert sorted(line.lookup_key or "" for line in invoice.lines) == [""] * 25 + ["month-500"]
    assert adds_up(invoice)


async def test_invoices_are_listed_newest_first(shop, provider):
    state = await shop.subscribe()
    await shop.subscribe()
    for _ in range(2):
        state = await provider.fetch_subscription(state.id)
        await shop.advance_to(state.items[0].period_end, timedelta(hours=2))

    listed = [each async for each in provider.list_invoices(state.customer_id)]

    assert [each.reason for each in listed] == ["subscription_cycle", "subscription_cycle", "subscription_create"]
    assert [each.created_at for each in listed] == sorted((each.created_at for each in listed), reverse=True)
    assert listed == [await provider.fetch_invoice(each.id) for each in listed]


async def test_invoices_are_listed_since_a_time(shop, provider):
    state = await shop.subscribe()
    await shop.advance_to(state.items[0].period_end, timedelta(hours=2))
    end = state.items[0].period_end

    newer = [each.reason async for each in provider.list_invoices(state.customer_id, end)]
    none = [each async for each in provider.list_invoices(state.customer_id, end + DAY)]
    everybody = [each async for each in provider.list_invoices(since=end)]

    assert (newer, none, len(everybody)) == (["subscription_cycle"], [], 1)


async def test_an_invoice_that_is_not_there_is_missing(provider):
    with pytest.raises(Missing):
        await provider.fetch_invoice("in_nobody")


async def unpaid(shop) -> InvoiceState:
    """An open invoice whose card is declined."""
    trial = await shop.subscribe(trial_days=7, card="pm_card_chargeCustomerFail")
    await shop.advance_to(trial.trial_end, timedelta(hours=2))
    return await shop.invoice_of(await shop.provider.fetch_subscription(trial.id))


async def test_an_invoice_that_can_not_be_collected_is_open_and_tried_again(shop, provider):
    invoice = await unpaid(shop)

    assert (invoice.status, invoice.paid_cents, invoice.due_cents) == ("open", 0, 500)
    assert invoice.attempts == 1
    assert isinstance(invoice.next_attempt_at, datetime)
    assert invoice.paid_at is None
    payment = await provider.fetch_payment(invoice.payment_ids[0])
    assert (payment.status, payment.received_cents) == ("requires_payment_method", 0)
    assert payment.failure_code


async def test_paying_by_a_card_that_is_declined_is_declined(shop, provider):
    invoice, operation = await unpaid(shop), op()

    for _ in range(2):
        with pytest.raises(Declined):
            await provider.pay_invoice(operation, invoice.id)

    again = await provider.fetch_invoice(invoice.id)
    assert (again.status, again.attempts) == ("open", 2)


async def test_paying_by_another_card_pays(shop, provider):
    invoice, operation = await unpaid(shop), op()
    customer = invoice.customer_id
    bad = {each.id for each in await provider.list_cards(customer)}
    await shop.complete((await shop.checkout(customer, mode="setup")).id, "pm_card_visa")
    [good] = {each.id for each in await provider.list_cards(customer)} - bad
    await provider.set_default_card(op(), customer, good)

    paid = [await provider.pay_invoice(operation, invoice.id) for _ in range(2)]

    assert paid[0] == paid[1] == await provider.fetch_invoice(invoice.id)
    assert (paid[0].status, paid[0].paid_cents) == ("paid", 500)
    assert (await provider.fetch_subscription(invoice.subscription_id)).status == "active"


async def test_a_paid_invoice_is_not_paid_again(shop, provider):
    state = await shop.subscribe()

    with pytest.raises(Refused):
        await provider.pay_invoice(op(), state.latest_invoice_id)


async def test_numbers_of_invoices_are_not_used_twice(shop, provider):
    numbers = [(await shop.invoice_of(await shop.subscribe())).number for _ in range(3)]

    assert len(set(numbers)) == 3
