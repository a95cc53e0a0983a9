"""Idempotency keys: the first answer is the answer."""

import asyncio

import httpx
import pytest
import stripe


async def test_the_same_key_gives_the_same_object_and_says_so(market):
    options = {"idempotency_key": "lv:1"}
    first = await market.v1.customers.create_async({"email": "a@b.test"}, options)
    second = await market.v1.customers.create_async({"email": "a@b.test"}, options)

    assert first.id == second.id
    assert "idempotent-replayed" not in first.last_response.headers
    assert second.last_response.headers["idempotent-replayed"] == "true"
    assert len((await market.v1.customers.list_async()).data) == 1
    assert len(await market.events("customer.created")) == 1


async def test_the_same_key_with_another_body_is_an_error(market):
    await market.v1.customers.create_async({"email": "a@b.test"}, {"idempotency_key": "lv:1"})
    for call in (
        market.v1.customers.create_async({"email": "other@b.test"}, {"idempotency_key": "lv:1"}),
        market.v1.products.create_async({"name": "a"}, {"idempotency_key": "lv:1"}),
    ):
        with pytest.raises(stripe.IdempotencyError) as caught:
            await call
        assert caught.value.http_status == 400


async def test_a_decline_is_replayed_and_not_tried_again(market):
    options = {"idempotency_key": "lv:2"}
    params = {"amount": 500, "currency": "usd", "payment_method": "pm_card_chargeDeclined", "confirm": True}
    errors = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            await market.v1.payment_intents.create_async(params, options)
        errors.append(caught.value)

    assert errors[0].error.payment_intent.id == errors[1].error.payment_intent.id
    assert len((await market.v1.charges.list_async()).data) == 1


async def test_a_refusal_that_began_is_replayed_even_when_it_would_be_possible_now(market):
    intent = await market.pay(1_000, capture_method="manual")
    options, params = {"idempotency_key": "lv:3"}, {"payment_intent": intent.id, "amount": 500}
    with pytest.raises(stripe.InvalidRequestError):
        await market.v1.refunds.create_async(params, options)
    await market.v1.payment_intents.capture_async(intent.id)
    with pytest.raises(stripe.InvalidRequestError):
        await market.v1.refunds.create_async(params, options)
    assert (await market.v1.refunds.create_async(params, {"idempotency_key": "lv:4"})).status == "succeeded"


async def test_what_was_never_begun_is_not_kept(market):
    options = {"idempotency_key": "lv:5"}
    with pytest.raises(stripe.InvalidRequestError):
        await market.v1.customers.create_async({"colour": "red"}, options)
    assert (await market.v1.customers.create_async({"email": "a@b.test"}, options)).id


async def test_a_key_that_is_still_working_is_told_so(market):
    await market.simulator.control("/faults", {"answer_delay_seconds": 0.5})
    options = {"idempotency_key": "lv:6"}
    calls = [market.v1.customers.create_async({"email": "a@b.test"}, options) for _ in range(3)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    done = [each for each in answers if isinstance(each, stripe.Customer)]
    busy = [each for each in answers if isinstance(each, stripe.StripeError)]

    assert len(done) == 1
    assert [each.http_status for each in busy] == [409, 409]
    assert len((await market.v1.customers.list_async()).data) == 1


async def test_keys_are_for_what_changes_something(market):
    customer = await market.customer(None)
    async with httpx.AsyncClient(headers={**market.simulator.headers, "Idempotency-Key": "lv:7"}) as client:
        first = await client.get(f"{market.simulator.url}/v1/customers/{customer.id}")
        await market.v1.customers.update_async(customer.id, {"name": "New"})
        second = await client.get(f"{market.simulator.url}/v1/customers/{customer.id}")

    assert (first.json()["name"], second.json()["name"]) == (None, "New")


async def test_keys_that_are_too_long_are_refused(market):
    with pytest.raises(stripe.InvalidRequestError):
        await market.v1.customers.create_async({}, {"idempotency_key": "x" * 256})
