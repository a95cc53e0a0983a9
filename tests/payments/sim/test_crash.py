"""The simulator dies in the middle of its work: what it has acknowledged is still there."""

import asyncio

import httpx
import pytest

from tests.payments.sim.receiver import receiving

pytestmark = pytest.mark.slow


async def busy(simulator, acknowledged: list[str], count: int) -> None:
    async with httpx.AsyncClient(base_url=simulator.url, headers=simulator.headers, timeout=5) as client:
        for _ in range(count):
            try:
                answer = await client.post("/v1/customers", data={"name": "x"})
            except httpx.TransportError:
                return
            acknowledged.append(answer.json()["id"])


async def test_a_kill_in_the_middle_of_the_load_loses_nothing_that_was_acknowledged(make_simulator):
    simulator = make_simulator()
    simulator.start()
    acknowledged: list[str] = []
    async with receiving(simulator) as receiver:
        for round_ in range(3):
            workers = [asyncio.create_task(busy(simulator, acknowledged, 10_000)) for _ in range(8)]
            while len(acknowledged) < 100 * (round_ + 1):
                await asyncio.wait(workers, timeout=0.01, return_when=asyncio.FIRST_EXCEPTION)
            simulator.kill()
            await asyncio.gather(*workers)
            simulator.start()
        counts = await simulator.control("/deliveries/flush", {"seconds": 60})
        async with simulator.sdk() as sdk:
            page = await sdk.v1.customers.list_async({"limit": 100})
            found = {each.id async for each in page.auto_paging_iter()}
            events = await sdk.v1.events.list_async({"limit": 100})
            told = {event.data.object.id async for event in events.auto_paging_iter()}

    assert set(acknowledged) <= found == told
    assert len(acknowledged) == len(set(acknowledged))
    assert counts["pending"] == 0
    assert {each.data.object.id for each in receiver.events(simulator.webhook_secret)} == found


async def test_a_kill_while_the_clock_is_moved_leaves_whole_periods(make_simulator):
    simulator = make_simulator()
    simulator.start()
    async with simulator.sdk() as sdk:
        params = {
            "unit_amount": 500,
            "currency": "usd",
            "recurring": {"interval": "day"},
            "product_data": {"name": "x"},
        }
        price = await sdk.v1.prices.create_async(params)
        customer = await sdk.v1.customers.create_async({"invoice_settings": {"default_payment_method": "pm_card_visa"}})
        wanted = {"customer": customer.id, "items": [{"price": price.id}]}
        subscription = await sdk.v1.subscriptions.create_async(wanted)
        moving = asyncio.create_task(simulator.advance(days=2_000))
        while len((await sdk.v1.invoices.list_async({"limit": 5})).data) < 5:
            pass
        simulator.kill()
        await asyncio.gather(moving, return_exceptions=True)
        simulator.start()
        await simulator.advance(days=3)
        page = await sdk.v1.invoices.list_async({"limit": 100})
        invoices = [each async for each in page.auto_paging_iter()]
        now = (await simulator.control("/clock", method="GET"))["now"]
        state = await sdk.v1.subscriptions.retrieve_async(subscription.id)

    starts = [each.lines.data[0].period.start for each in invoices][::-1]
    assert starts == [starts[0] + 86_400 * index for index in range(len(starts))]
    assert all(each.status == "paid" for each in invoices)
    item = state["items"].data[0]
    assert item.current_period_start <= now < item.current_period_end
