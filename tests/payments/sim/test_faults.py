"""Faults of the API that are switched on, survive a restart, and can be repeated."""

import httpx
import pytest
import stripe


async def outcomes(market, count=30):
    found = []
    for _ in range(count):
        try:
            await market.v1.customers.create_async({})
            found.append("done")
        except stripe.StripeError as error:
            found.append(type(error).__name__)
    return found


async def test_what_is_told_to_be_down_is_down(market):
    await market.simulator.control("/faults", {"down": True})
    with pytest.raises(stripe.APIError) as caught:
        await market.v1.customers.list_async()
    await market.simulator.control("/faults", method="DELETE")

    assert caught.value.http_status == 503
    assert not (await market.v1.customers.list_async()).data


async def test_too_many_calls_are_told_so(market):
    await market.simulator.control("/faults", {"rate_limit": 1})
    with pytest.raises(stripe.RateLimitError):
        await market.v1.customers.create_async({})
    await market.simulator.control("/faults", {"rate_limit": 0})

    assert not (await market.v1.customers.list_async()).data


async def test_a_failed_answer_has_done_nothing(market):
    await market.simulator.control("/faults", {"fail_answers": 1})
    with pytest.raises(stripe.APIError) as caught:
        await market.v1.customers.create_async({}, {"idempotency_key": "lv:1"})
    await market.simulator.control("/faults", method="DELETE")

    assert caught.value.http_status == 500
    assert not (await market.v1.customers.list_async()).data


async def test_a_dropped_answer_has_been_done_and_the_same_key_tells(market):
    await market.simulator.control("/faults", {"drop_answers": 1})
    with pytest.raises(stripe.APIConnectionError):
        await market.v1.customers.create_async({}, {"idempotency_key": "lv:1"})
    await market.simulator.control("/faults", method="DELETE")
    again = await market.v1.customers.create_async({}, {"idempotency_key": "lv:1"})

    assert [each.id for each in (await market.v1.customers.list_async()).data] == [again.id]


@pytest.mark.slow
async def test_the_sdk_gets_through_half_of_it_by_trying_again(simulator):
    await simulator.control("/faults", {"drop_answers": 0.3, "fail_answers": 0.2, "seed": 1})
    async with simulator.sdk(retries=10) as sdk:
        made = [(await sdk.v1.customers.create_async({})).id for _ in range(10)]
    await simulator.control("/faults", method="DELETE")
    async with simulator.sdk() as sdk:
        found = [each.id for each in (await sdk.v1.customers.list_async()).data]

    assert found == made[::-1]


async def test_the_same_seed_fails_in_the_same_way(market):
    faults = {"drop_answers": 0.3, "fail_answers": 0.3, "rate_limit": 0.2}
    seen = []
    for seed in (1, 1, 2):
        await market.simulator.control("/faults", {**faults, "seed": seed})
        seen.append(await outcomes(market))

    assert seen[0] == seen[1] != seen[2]
    assert set(seen[0]) == {"done", "APIError", "APIConnectionError", "RateLimitError"}


async def test_faults_outlive_a_restart(make_simulator):
    simulator = make_simulator()
    simulator.start()
    await simulator.control("/faults", {"loss": 0.5, "seed": 4})
    await simulator.advance(days=5)
    simulator.kill()
    simulator.start()

    faults = await simulator.control("/faults", method="GET")
    clock = await simulator.control("/clock", method="GET")
    assert (faults["loss"], faults["seed"], faults["down"]) == (0.5, 4, False)
    assert clock["offset"] >= 5 * 86_400


@pytest.mark.parametrize(
    "wrong", [{"loss": 2}, {"loss": "much"}, {"down": 1}, {"secret_key": "x"}, {"colour": 1}, {"delay_seconds": -1}]
)
async def test_a_fault_that_makes_no_sense_is_refused(simulator, wrong):
    async with httpx.AsyncClient(headers=simulator.headers) as client:
        answer = await client.post(f"{simulator.url}/_sim/faults", json=wrong)
    assert answer.status_code == 400


async def test_the_side_door_needs_the_key(simulator):
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{simulator.url}/_sim/clock")
        moved = await client.post(f"{simulator.url}/_sim/clock", json={"advance_seconds": 1})
    assert (answer.status_code, moved.status_code) == (401, 401)
