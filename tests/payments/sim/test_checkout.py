"""Checkout and portal by the official SDK; what a person would click is done by the control endpoint."""

import httpx
import pytest
import stripe

from tests.payments.sim.market import DAY

URLS = {"success_url": "https://shop.example/done?session={CHECKOUT_SESSION_ID}", "cancel_url": "https://shop.example/"}


async def open_checkout(market, mode="subscription", **more):
    if "line_items" not in more and mode != "setup":
        price = await market.price(900, "month" if mode == "subscription" else None)
        more["line_items"] = [{"price": price.id, "quantity": 1}]
    return await market.v1.checkout.sessions.create_async({"mode": mode, **URLS, **more})


async def complete(market, session, **body):
    return await market.simulator.control(f"/checkout/{session.id}/complete", body)


async def refused(market, session, **body):
    async with httpx.AsyncClient(headers=market.simulator.headers) as client:
        return await client.post(f"{market.simulator.url}/_sim/checkout/{session.id}/complete", json=body)


async def test_a_subscription_is_bought(market):
    customer = await market.customer(None)
    session = await open_checkout(
        market,
        customer=customer.id,
        client_reference_id="family-1",
        metadata={"lv_op": "7"},
        subscription_data={"metadata": {"family": "1"}},
        expand=["line_items"],
    )
    await complete(market, session)
    done = await market.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["subscription", "invoice"]})
    [event] = await market.events("checkout.session.completed")

    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 900)
    assert session.line_items.data[0].amount_total == 900
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    assert (done.client_reference_id, done.metadata["lv_op"]) == ("family-1", "7")
    assert (done.subscription.status, done.subscription.metadata["family"]) == ("active", "1")
    assert done.subscription.default_payment_method is not None
    assert done.invoice.total == 900
    assert done.customer_details.email == "ana@example.test"
    assert event.data.object.subscription == done.subscription.id


async def test_a_trial_costs_nothing_yet(market):
    session = await open_checkout(market, subscription_data={"trial_period_days": 14})
    await complete(market, session, email="new@example.test")
    done = await market.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["subscription", "customer"]})

    assert (session.amount_total, done.payment_status) == (0, "no_payment_required")
    assert done.subscription.status == "trialing"
    assert done.customer.email == "new@example.test"


async def test_something_is_bought_once(market):
    session = await open_checkout(market, "payment", payment_intent_data={"metadata": {"pack": "500"}})
    await complete(market, session)
    done = await market.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["payment_intent"]})

    assert (done.payment_intent.status, done.payment_intent.amount) == ("succeeded", 900)
    assert done.payment_intent.metadata["pack"] == "500"


async def test_a_card_is_saved(market):
    customer = await market.customer(None)
    session = await open_checkout(market, "setup", customer=customer.id, currency="usd")
    await complete(market, session, payment_method="pm_card_mastercard")
    done = await market.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["setup_intent.payment_method"]})

    assert done.setup_intent.status == "succeeded"
    assert done.setup_intent.payment_method.card.brand == "mastercard"
    assert done.setup_intent.payment_method.customer == customer.id


@pytest.mark.parametrize("mode", ["subscription", "payment"])
@pytest.mark.parametrize("card", ["pm_card_chargeDeclined", "pm_card_chargeCustomerFail"])
async def test_a_declined_card_leaves_it_open_and_nothing_begun(market, mode, card):
    customer = await market.customer(None)
    session = await open_checkout(market, mode, customer=customer.id)
    answer = await refused(market, session, payment_method=card)
    still = await market.v1.checkout.sessions.retrieve_async(session.id)
    charges = (await market.v1.charges.list_async({"customer": customer.id})).data

    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "card_declined")
    assert (still.status, still.subscription) == ("open", None)
    assert not (await market.v1.subscriptions.list_async({"customer": customer.id, "status": "all"})).data
    assert [charge.status for charge in charges] == ["failed"]
    assert (await complete(market, session))["status"] == "complete"


async def test_3d_secure_is_passed_or_not(market):
    session = await open_checkout(market)
    answer = await refused(market, session, payment_method="pm_card_authenticationRequired", authenticate="fail")
    done = await complete(market, session, payment_method="pm_card_authenticationRequired")

    assert answer.status_code == 400
    assert done["payment_status"] == "paid"


async def test_a_coupon_is_given_or_typed(market):
    coupon = await market.v1.coupons.create_async({"percent_off": 20, "duration": "once"})
    promotion = {"type": "coupon", "coupon": coupon.id}
    await market.v1.promotion_codes.create_async({"promotion": promotion, "code": "HELLO"})
    given = await open_checkout(market, discounts=[{"coupon": coupon.id}])
    typed = await open_checkout(market, "payment", allow_promotion_codes=True)
    done = await complete(market, typed, promotion_code="hello")
    await complete(market, given)
    subscription = (await market.v1.checkout.sessions.retrieve_async(given.id, {"expand": ["invoice"]})).invoice

    assert (given.amount_total, given.total_details.amount_discount) == (720, 180)
    assert (done["amount_total"], subscription.total) == (720, 720)
    assert (await market.v1.coupons.retrieve_async(coupon.id)).times_redeemed == 2
    assert (await refused(market, await open_checkout(market), promotion_code="HELLO")).status_code == 400


async def test_tax_is_shown_before_it_is_paid(market):
    rate = await market.v1.tax_rates.create_async({"display_name": "VAT", "percentage": 10, "inclusive": False})
    session = await open_checkout(market, subscription_data={"default_tax_rates": [rate.id]})
    await complete(market, session)
    done = await market.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["invoice"]})

    assert (session.amount_subtotal, session.total_details.amount_tax, session.amount_total) == (900, 90, 990)
    assert done.invoice.total == 990


async def test_a_one_time_price_goes_onto_the_first_invoice(market):
    plan, fee = await market.price(900), await market.price(2_500, None)
    items = [{"price": plan.id, "quantity": 1}, {"price": fee.id, "quantity": 1}]
    session = await open_checkout(market, line_items=items)
    await complete(market, session)
    done = await market.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["invoice"]})

    assert (session.amount_total, done.invoice.total) == (3_400, 3_400)


async def test_it_expires_after_a_day_or_when_asked(market):
    session, other = await open_checkout(market), await open_checkout(market)
    await market.v1.checkout.sessions.expire_async(other.id)
    with pytest.raises(stripe.InvalidRequestError):
        await market.v1.checkout.sessions.expire_async(other.id)
    await market.simulator.advance(days=1)
    expired = await market.v1.checkout.sessions.retrieve_async(session.id)

    assert session.expires_at - session.created == DAY
    assert (expired.status, expired.url) == ("expired", None)
    assert (await refused(market, session)).status_code == 400
    assert len(await market.events("checkout.session.expired")) == 2


async def test_it_is_paid_once(market):
    session = await open_checkout(market)
    await complete(market, session)

    assert (await refused(market, session)).status_code == 400
    assert len(await market.events("checkout.session.completed")) == 1


async def test_what_makes_no_sense_is_refused(market):
    once, monthly = await market.price(100, None), await market.price()
    for params in (
        {"mode": "subscription", "line_items": [{"price": once.id, "quantity": 1}]},
        {"mode": "payment", "line_items": [{"price": monthly.id, "quantity": 1}]},
        {"mode": "payment"},
        {"mode": "gift", "line_items": [{"price": once.id, "quantity": 1}]},
        {"mode": "payment", "line_items": [{"price": once.id, "quantity": 1}], "success_url": "javascript:alert(1)"},
        {"mode": "payment", "line_items": [{"price": once.id, "quantity": 1}], "expires_at": 1},
    ):
        with pytest.raises(stripe.InvalidRequestError):
            await market.v1.checkout.sessions.create_async(params)


async def test_a_portal_is_opened_for_an_hour(market):
    customer = await market.customer()
    session = await market.v1.billing_portal.sessions.create_async({"customer": customer.id})
    async with httpx.AsyncClient() as browser:
        opened = await browser.get(session.url)
        await market.simulator.advance(3_601)
        closed = await browser.get(session.url)

    assert (opened.status_code, closed.status_code) == (200, 404)
