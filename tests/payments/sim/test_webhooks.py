"""Webhooks: signed, tried again, and disturbed in the way that was asked for."""

import asyncio
import time

import pytest
import stripe

from tests.payments.sim.receiver import receiving


async def flush(market):
    return await market.simulator.control("/deliveries/flush", {"seconds": 30})


async def test_every_event_arrives_once_with_a_signature_that_the_sdk_believes(market):
    async with receiving(market.simulator) as receiver:
        await market.subscribe()
        counts = await flush(market)
        listed = await market.events()
        events = receiver.events(market.simulator.webhook_secret)

    assert counts == {"pending": 0, "delivered": len(listed), "lost": 0, "failed": 0}
    assert sorted(each.id for each in events) == sorted(each.id for each in listed)
    assert {each.api_version for each in events} == {stripe.api_version}
    assert not any(each.livemode for each in events)


async def test_the_signature_is_of_the_real_time_though_the_event_is_of_the_simulated(market):
    await market.simulator.advance(days=100)
    async with receiving(market.simulator) as receiver:
        await market.customer(None)
        await flush(market)
        [event] = receiver.events(market.simulator.webhook_secret)
        [(signature, body)] = receiver.came

    assert event.created > time.time() + 99 * 86_400
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, signature, "whsec_of_somebody_else")
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body + b" ", signature, market.simulator.webhook_secret)


async def test_what_was_not_taken_comes_again(market):
    async with receiving(market.simulator) as receiver:
        receiver.plan = [500, 503, 404]
        await market.customer(None)
        counts = await flush(market)
        shown = (await market.simulator.control("/deliveries", method="GET"))["deliveries"]

    assert counts["delivered"] == 1
    assert len(set(receiver.ids())) == 1
    assert len(receiver.came) == 4
    assert (shown[0]["attempts"], shown[0]["state"], shown[0]["answer"]) == (4, "delivered", "200")


async def test_nothing_is_lost_while_nobody_listens(market):
    async with receiving(market.simulator) as receiver:
        url = receiver.url
    await market.simulator.control("/webhook", {"url": url})
    await market.customer(None)
    waiting = await market.simulator.control("/deliveries", method="GET")
    async with receiving(market.simulator) as receiver:
        counts = await flush(market)

    assert waiting["pending"] == 1
    assert (counts["delivered"], len(receiver.came)) == (1, 1)


async def test_lost_events_are_in_the_list_and_can_be_sent_again(market):
    async with receiving(market.simulator) as receiver:
        await market.simulator.control("/faults", {"loss": 1})
        await market.customer(None)
        counts = await flush(market)
        [event] = await market.events()
        nothing = list(receiver.came)
        await market.simulator.control(f"/deliveries/{event.id}/resend")
        await flush(market)

    assert (counts["lost"], nothing) == (1, [])
    assert receiver.ids() == [event.id]


async def test_duplicates_come_twice(market):
    async with receiving(market.simulator) as receiver:
        await market.simulator.control("/faults", {"duplicate": 1})
        await market.customer(None)
        await flush(market)

    assert len(receiver.came) == 2
    assert len(set(receiver.ids())) == 1


async def test_faults_come_the_same_way_for_the_same_seed(market):
    seen = []
    for seed in (7, 7, 8):
        market.simulator.reset()
        async with receiving(market.simulator) as receiver:
            await market.simulator.control("/faults", {"seed": seed, "loss": 0.4, "duplicate": 0.4})
            for number in range(20):
                await market.v1.customers.create_async({"name": str(number)})
            await flush(market)
            names = sorted(each.data.object.name for each in receiver.events(market.simulator.webhook_secret))
        seen.append(names)

    assert seen[0] == seen[1] != seen[2]
    assert len(set(seen[0])) < 20 < len(seen[0]) + 20
    assert len(seen[0]) > len(set(seen[0]))


@pytest.mark.slow
async def test_reordered_events_overtake_each_other(market):
    async with receiving(market.simulator) as receiver:
        await market.simulator.control("/faults", {"seed": 3, "reorder": 0.5})
        made = [(await market.customer(None)).id for _ in range(12)]
        while (await market.simulator.control("/deliveries", method="GET"))["pending"]:
            await market.customer(None)
            made.append("")
            if len(made) > 400:
                break
        for _ in range(200):  # what is on its way is not pending any more
            arrived = [each.data.object.id for each in receiver.events(market.simulator.webhook_secret)]
            first = [each for each in arrived if each in made[:12]]
            if len(first) == 12:
                break
            await asyncio.sleep(0.05)

    assert sorted(first) == sorted(made[:12])
    assert first != made[:12]


async def test_late_events_wait(market):
    async with receiving(market.simulator) as receiver:
        await market.simulator.control("/faults", {"delay_seconds": 3_600})
        await market.customer(None)
        waiting = await market.simulator.control("/deliveries", method="GET")
        held_back = list(receiver.came)
        await flush(market)

    assert (waiting["pending"], held_back) == (1, [])
    assert waiting["deliveries"][0]["next_at"] > time.time() + 3_000
    assert len(receiver.came) == 1
