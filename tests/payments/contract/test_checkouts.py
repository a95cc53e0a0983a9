"""Hosted checkouts in their three modes, until they are complete, expired or declined."""

from datetime import timedelta

import pytest

from app.payments.providers.port import Line, Missing, Refused
from tests.payments.contract.shop import CANCEL, FAMILY, SUCCESS, op


async def test_an_open_checkout_has_a_page_an_amount_and_an_end(shop):
    now = await shop.now()
    made = await shop.checkout(await shop.customer(), Line(await shop.price(500)))

    assert (made.mode, made.status, made.paid) == ("subscription", "open", False)
    assert (made.amount_cents, made.currency) == (500, "eur")
    assert (made.subscription_id, made.payment_id) == (None, None)
    assert made.url
    assert now < made.expires_at <= now + timedelta(hours=24, minutes=1)


async def test_the_page_of_a_checkout_can_be_opened(shop, control):
    made = await shop.checkout(await shop.customer(), Line(await shop.price()))

    assert (await control.get(made.url)).status_code == 200


async def test_a_checkout_knows_its_family_its_ways_and_its_operation(shop, control):
    operation = op()
    price, customer = await shop.price(), await shop.customer()
    made = await shop.checkout(customer, Line(price), operation=operation, metadata={"price": "plus", "für": "Größe"})

    raw = (await control.get(f"/v1/checkout/sessions/{made.id}")).json()
    assert (raw["client_reference_id"], raw["success_url"], raw["cancel_url"]) == (str(FAMILY), SUCCESS, CANCEL)
    assert made.metadata == {"price": "plus", "für": "Größe", "lv_op": str(operation.id)}
    assert made.customer_id == customer


async def test_a_fetched_checkout_is_the_one_that_was_made(shop, provider):
    made = await shop.checkout(await shop.customer(), Line(await shop.price()))

    assert await provider.fetch_checkout(made.id) == made


async def test_quantities_and_prices_make_the_amount(shop):
    lines = [Line(await shop.price(900)), Line(await shop.price(250, key="seat"), 3)]

    assert (await shop.checkout(await shop.customer(), *lines)).amount_cents == 900 + 3 * 250


async def test_a_paid_checkout_of_a_plan_has_a_subscription(shop, provider):
    customer, price = await shop.customer(), await shop.price(500)
    done = await shop.complete((await shop.checkout(customer, Line(price))).id)

    assert (done.status, done.paid, done.url) == ("complete", True, None)
    state = await provider.fetch_subscription(done.subscription_id)
    assert (state.status, state.customer_id) == ("active", customer)


async def test_the_subscription_of_a_checkout_has_its_metadata(shop):
    operation = op()
    state = await shop.subscribe(operation=operation, metadata={"price": "plus"})

    assert state.metadata == {"price": "plus", "lv_op": str(operation.id)}


async def test_a_paid_checkout_of_credits_has_a_payment_and_no_subscription(shop, provider):
    operation = op()
    price = await shop.price(900, "once")
    made = await shop.checkout(await shop.customer(), Line(price, 2), mode="payment", operation=operation)
    done = await shop.complete(made.id)

    assert (done.status, done.paid, done.amount_cents, done.subscription_id) == ("complete", True, 1_800, None)
    payment = await provider.fetch_payment(done.payment_id)
    assert (payment.status, payment.received_cents, payment.invoice_id) == ("succeeded", 1_800, None)
    assert payment.metadata["lv_op"] == str(operation.id)


async def test_a_checkout_for_a_card_costs_nothing_and_saves_it(shop, provider):
    customer = await shop.customer()
    made = await shop.checkout(customer, mode="setup")
    done = await shop.complete(made.id, "pm_card_mastercard")

    assert (done.status, done.paid, done.amount_cents) == ("complete", True, 0)
    assert (done.subscription_id, done.payment_id) == (None, None)
    assert [card.brand for card in await provider.list_cards(customer)] == ["mastercard"]


async def test_a_trial_costs_nothing_now(shop, provider):
    price = await shop.price(500)
    made = await shop.checkout(await shop.customer(), Line(price), trial_days=14)
    done = await shop.complete(made.id)

    assert (made.amount_cents, done.paid) == (0, True)
    state = await provider.fetch_subscription(done.subscription_id)
    assert state.status == "trialing"
    assert state.trial_end == state.items[0].period_end
    assert abs(state.trial_end - state.created_at - timedelta(days=14)) < timedelta(minutes=1)


async def test_a_coupon_lowers_the_amount(shop, provider):
    await provider.ensure_coupon("WELCOME20", percent=20, amount_cents=None, currency=None, months=None)
    price = await shop.price(500)
    made = await shop.checkout(await shop.customer(), Line(price), coupon_id="WELCOME20")

    assert made.amount_cents == 400


async def test_a_coupon_that_is_not_there_is_refused(shop):
    price, customer = await shop.price(), await shop.customer()

    with pytest.raises((Refused, Missing)):
        await shop.checkout(customer, Line(price), coupon_id="NOBODY")


async def test_a_price_that_is_not_there_is_refused(shop):
    customer = await shop.customer()

    with pytest.raises((Refused, Missing)):
        await shop.checkout(customer, Line("price_nobody"))


async def test_a_price_that_is_paid_once_is_no_subscription(shop):
    customer, price = await shop.customer(), await shop.price(900, "once")

    with pytest.raises(Refused):
        await shop.checkout(customer, Line(price))


async def test_the_same_operation_opens_one_checkout(shop):
    operation, customer, price = op(), await shop.customer(), await shop.price()
    made = [await shop.checkout(customer, Line(price), operation=operation) for _ in range(3)]

    assert len({each.id for each in made}) == 1


async def test_the_same_operation_for_another_amount_is_refused(shop):
    operation, customer, price = op(), await shop.customer(), await shop.price()
    await shop.checkout(customer, Line(price), operation=operation)

    with pytest.raises(Refused) as caught:
        await shop.checkout(customer, Line(price, 2), operation=operation)

    assert caught.value.code == "idempotency-mismatch"


async def test_a_checkout_can_be_closed(shop, provider):
    made = await shop.checkout(await shop.customer(), Line(await shop.price()))

    closed = await provider.expire_checkout(op(), made.id)

    assert (closed.status, closed.url, closed.paid) == ("expired", None, False)


async def test_closing_again_by_the_same_operation_is_no_error(shop, provider):
    operation = op()
    made = await shop.checkout(await shop.customer(), Line(await shop.price()))

    assert await provider.expire_checkout(operation, made.id) == await provider.expire_checkout(operation, made.id)


async def test_a_complete_checkout_can_not_be_closed(shop, provider):
    made = await shop.checkout(await shop.customer(), Line(await shop.price()))
    await shop.complete(made.id)

    with pytest.raises(Refused):
        await provider.expire_checkout(op(), made.id)


async def test_a_closed_checkout_can_not_be_paid(shop, provider, control):
    made = await shop.checkout(await shop.customer(), Line(await shop.price()))
    await provider.expire_checkout(op(), made.id)

    answer = await control.post(f"/_sim/checkout/{made.id}/complete", json={"payment_method": "pm_card_visa"})

    assert answer.status_code == 400
    assert (await provider.fetch_checkout(made.id)).status == "expired"


async def test_a_checkout_ends_after_a_day(shop, provider):
    made = await shop.checkout(await shop.customer(), Line(await shop.price()))
    await shop.advance_to(made.expires_at, timedelta(seconds=1))

    assert (await provider.fetch_checkout(made.id)).status == "expired"


async def test_a_checkout_that_is_not_there_is_missing(provider):
    with pytest.raises(Missing):
        await provider.fetch_checkout("cs_test_nobody")


@pytest.mark.parametrize("card", ["pm_card_chargeDeclined", "pm_card_chargeDeclinedInsufficientFunds"])
async def test_a_declined_card_leaves_the_checkout_open_for_another(shop, provider, control, card):
    made = await shop.checkout(await shop.customer(), Line(await shop.price()))
    await control.post(f"/_sim/checkout/{made.id}/complete", json={"payment_method": card})

    declined = await provider.fetch_checkout(made.id)
    assert (declined.status, declined.paid, declined.subscription_id) == ("open", False, None)
    assert (await shop.complete(made.id)).status == "complete"


async def test_a_checkout_is_found_by_its_operation(shop, provider):
    operation, customer, price = op(), await shop.customer(), await shop.price()
    made = await shop.checkout(customer, Line(price), operation=operation)
    await shop.checkout(customer, Line(price))

    assert await provider.find("checkout", operation, customer) == made.id
    assert await provider.find("checkout", op(), customer) is None


async def test_a_subscription_is_found_by_the_operation_of_its_checkout(shop, provider):
    operation = op()
    state = await shop.subscribe(operation=operation)

    assert await provider.find("subscription", operation, state.customer_id) == state.id
    assert await provider.find("subscription", op(), state.customer_id) is None


async def test_a_canceled_subscription_is_found_too(shop, provider):
    operation = op()
    state = await shop.subscribe(operation=operation)
    await provider.cancel_subscription(op(), state.id, at_period_end=False)

    assert await provider.find("subscription", operation, state.customer_id) == state.id
