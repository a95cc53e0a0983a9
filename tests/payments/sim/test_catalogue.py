"""Customers, products, prices, coupons and tax rates by the official SDK."""

import pytest
import stripe


async def test_a_customer_is_made_changed_found_and_forgotten(market):
    made = await market.v1.customers.create_async({"email": "ana@example.test", "name": "Ana", "metadata": {"a": "1"}})
    changed = await market.v1.customers.update_async(made.id, {"name": "Ana B", "metadata": {"a": "", "b": "2"}})
    found = await market.v1.customers.list_async({"email": "ana@example.test"})
    gone = await market.v1.customers.delete_async(made.id)
    left = await market.v1.customers.retrieve_async(made.id)

    assert (changed.name, changed.metadata.to_dict(), changed.livemode) == ("Ana B", {"b": "2"}, False)
    assert [each.id for each in found.data] == [made.id]
    assert gone.deleted
    assert left.deleted
    assert not (await market.v1.customers.list_async()).data


async def test_an_event_tells_what_a_customer_was_before(market):
    made = await market.v1.customers.create_async({"email": "ana@example.test", "name": "Ana"})
    await market.v1.customers.update_async(made.id, {"name": "Ben"})
    [event] = await market.events("customer.updated")

    assert event.data.object.name == "Ben"
    assert event.data.previous_attributes.to_dict() == {"name": "Ana"}


async def test_an_email_is_cleared_by_an_empty_value(market):
    made = await market.customer(None)
    changed = await market.v1.customers.update_async(made.id, {"email": ""})

    assert changed.email is None


async def test_deleting_a_customer_ends_what_it_subscribes_to(market):
    subscription = await market.subscribe()
    await market.v1.customers.delete_async(subscription.customer)

    assert (await market.fetch(subscription)).status == "canceled"


async def test_a_price_keeps_its_amount_and_may_pass_its_name_on(market):
    first = await market.price(500, lookup_key="plus")
    product = await market.v1.products.retrieve_async(first.product)
    with pytest.raises(stripe.InvalidRequestError):
        await market.price(700, lookup_key="plus")
    second = await market.price(700, lookup_key="plus", transfer_lookup_key=True)
    found = await market.v1.prices.list_async({"lookup_keys": ["plus"]})

    assert (first.unit_amount, first.type, first.recurring.interval) == (500, "recurring", "month")
    assert product.name == "Plus"
    assert [each.id for each in found.data] == [second.id]
    with pytest.raises(stripe.InvalidRequestError):
        await market.v1.prices.update_async(first.id, {"unit_amount": 1})


async def test_a_price_may_have_parts_of_a_cent(market):
    price = await market.price(0, unit_amount_decimal="12.5", unit_amount=None)
    subscription = await market.subscribe(price=price)
    invoice = (await market.invoices(subscription.customer))[0]

    assert price.unit_amount is None
    assert (invoice.lines.data[0].amount, invoice.total) == (13, 13)


async def test_what_is_below_the_smallest_charge_is_paid_with_the_next_invoice(market):
    subscription = await market.subscribe(30)
    first = (await market.fetch(subscription)).latest_invoice
    await market.simulator.advance(days=32)
    second = (await market.fetch(subscription)).latest_invoice

    assert (first.status, first.total, first.amount_due, first.ending_balance) == ("paid", 30, 0, 30)
    assert (second.status, second.total, second.amount_due, second.starting_balance) == ("paid", 30, 60, 30)
    assert (await market.v1.customers.retrieve_async(subscription.customer)).balance == 0


async def test_a_product_with_prices_can_not_be_deleted(market):
    price = await market.price()
    bare = await market.v1.products.create_async({"name": "Bare", "id": "bare"})

    with pytest.raises(stripe.InvalidRequestError):
        await market.v1.products.delete_async(price.product)
    assert (await market.v1.products.delete_async(bare.id)).deleted


async def test_a_coupon_gives_a_percentage_or_an_amount_but_not_both(market):
    percent = await market.v1.coupons.create_async({"percent_off": 12.5, "duration": "forever", "id": "EIGHTH"})
    amount = await market.v1.coupons.create_async({"amount_off": 300, "currency": "usd"})

    assert (percent.percent_off, percent.valid, amount.amount_off, amount.duration) == (12.5, True, 300, "once")
    for wrong in ({"percent_off": 10, "amount_off": 1, "currency": "usd"}, {}, {"percent_off": 101}, {"id": "EIGHTH"}):
        with pytest.raises(stripe.InvalidRequestError):
            await market.v1.coupons.create_async({"percent_off": 5, **wrong} if "id" in wrong else wrong)


async def test_a_coupon_is_used_up_at_its_cap(market):
    coupon = await market.v1.coupons.create_async({"percent_off": 50, "duration": "once", "max_redemptions": 1})
    await market.subscribe(discounts=[{"coupon": coupon.id}])
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await market.subscribe(discounts=[{"coupon": coupon.id}])
    used = await market.v1.coupons.retrieve_async(coupon.id)

    assert caught.value.code == "coupon_expired"
    assert (used.times_redeemed, used.valid) == (1, False)


async def test_a_promotion_code_is_for_its_customer_and_its_time(market):
    coupon = await market.v1.coupons.create_async({"percent_off": 50, "duration": "once"})
    ana = await market.customer()
    params = {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "forana", "customer": ana.id}
    code = await market.v1.promotion_codes.create_async(params)
    with pytest.raises(stripe.InvalidRequestError):
        await market.subscribe(discounts=[{"promotion_code": code.id}])
    subscription = await market.subscribe(customer=ana, discounts=[{"promotion_code": code.id}])
    invoice = (await market.fetch(subscription)).latest_invoice

    assert code.code == "FORANA"
    assert invoice.total == 500
    assert invoice.total_discount_amounts[0].amount == 500


async def test_a_first_time_code_is_not_for_who_has_paid(market):
    coupon = await market.v1.coupons.create_async({"percent_off": 50, "duration": "once"})
    restrictions = {"first_time_transaction": True}
    params = {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "FIRST", "restrictions": restrictions}
    code = await market.v1.promotion_codes.create_async(params)
    customer = await market.customer()
    await market.subscribe(customer=customer)

    with pytest.raises(stripe.InvalidRequestError):
        await market.subscribe(customer=customer, discounts=[{"promotion_code": code.id}])


@pytest.mark.parametrize(("inclusive", "total", "tax"), [(False, 1_190, 190), (True, 1_000, 160)])
async def test_tax_comes_on_top_or_is_contained(market, inclusive, total, tax):
    rate = await market.v1.tax_rates.create_async({"display_name": "VAT", "percentage": 19, "inclusive": inclusive})
    subscription = await market.subscribe(1_000, default_tax_rates=[rate.id])
    invoice = (await market.fetch(subscription)).latest_invoice

    assert (invoice.subtotal, invoice.total, invoice.amount_paid) == (1_000, total, total)
    assert [each.amount for each in invoice.total_taxes] == [tax]
    assert invoice.lines.data[0].taxes[0].tax_rate_details.tax_rate == rate.id
    assert invoice.total_excluding_tax == total - tax


async def test_lists_go_page_by_page_in_both_directions(market):
    made = [(await market.customer(None)).id for _ in range(7)]
    page = await market.v1.customers.list_async({"limit": 3})
    all_of_them = [each.id async for each in page.auto_paging_iter()]
    back = await market.v1.customers.list_async({"limit": 3, "ending_before": made[2]})

    assert page.has_more
    assert all_of_them == made[::-1]
    assert [each.id for each in back.data] == [made[5], made[4], made[3]]


async def test_lists_are_cut_by_time(market):
    old = await market.customer(None)
    await market.simulator.advance(days=2)
    new = await market.customer(None)

    since = await market.v1.customers.list_async({"created": {"gte": new.created}})
    until = await market.v1.customers.list_async({"created": {"lt": new.created}})
    assert [each.id for each in since.data] == [new.id]
    assert [each.id for each in until.data] == [old.id]


async def test_what_is_unknown_is_refused_by_name(market):
    for call in (
        market.v1.customers.create_async({"colour": "red"}),
        market.v1.customers.create_async({"metadata": {"a": {"b": "c"}}}),
        market.v1.prices.create_async({"unit_amount": "many", "currency": "usd", "product_data": {"name": "x"}}),
        market.v1.customers.list_async({"limit": 101}),
        market.v1.customers.retrieve_async("cus_1", {"expand": ["colour"]}),
    ):
        with pytest.raises(stripe.InvalidRequestError):
            await call
    assert not (await market.v1.customers.list_async()).data


async def test_what_is_not_there_is_missing(market):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await market.v1.subscriptions.retrieve_async("sub_nobody")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


async def test_only_the_right_key_opens(simulator):
    async with simulator.sdk(key="sk_test_of_somebody_else_0123") as sdk:
        with pytest.raises(stripe.AuthenticationError):
            await sdk.v1.customers.list_async()
