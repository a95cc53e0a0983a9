"""Customers, and the commands' keys on the simplest of them."""

import asyncio
from uuid import uuid4

import pytest

from app.payments.providers.port import Line, Missing, Operation, OutcomeUnknown, Refused
from tests.payments.contract.shop import FAMILY, op


async def test_a_customer_is_made(provider):
    customer_id = await provider.create_customer(op(), family_id=FAMILY, email="a@b.test", name="Ana")

    assert customer_id.startswith("cus_")


@pytest.mark.parametrize("name", ["Žofie Þórðardóttir", "山田 太郎", "أنا", "O'Neil & Sons = 100 % [x]", "👨‍👩‍👧"])
async def test_names_of_the_whole_world_arrive_as_they_are(provider, control, name):
    customer_id = await provider.create_customer(op(), family_id=FAMILY, email="a@b.test", name=name)

    assert (await control.get(f"/v1/customers/{customer_id}")).json()["name"] == name


async def test_a_customer_names_its_family_and_operation(provider, control):
    operation = op()
    customer_id = await provider.create_customer(operation, family_id=FAMILY, email="a@b.test", name="Ana")

    metadata = (await control.get(f"/v1/customers/{customer_id}")).json()["metadata"]
    assert metadata == {"lv_family": str(FAMILY), "lv_op": str(operation.id)}


async def test_the_same_operation_makes_one_customer(provider):
    operation = op()
    made = [await provider.create_customer(operation, family_id=FAMILY, email="a@b.test", name="Ana") for _ in range(3)]

    assert len(set(made)) == 1


async def test_another_operation_makes_another_customer(provider):
    made = [await provider.create_customer(op(), family_id=FAMILY, email="a@b.test", name="Ana") for _ in range(2)]

    assert len(set(made)) == 2


async def test_the_same_operation_for_something_else_is_refused(provider):
    operation = op()
    await provider.create_customer(operation, family_id=FAMILY, email="a@b.test", name="Ana")

    with pytest.raises(Refused) as caught:
        await provider.create_customer(operation, family_id=FAMILY, email="a@b.test", name="Eva")

    assert caught.value.code == "idempotency-mismatch"


async def test_the_same_operation_many_times_at_once_makes_one_customer(provider):
    operation = op()
    made = await asyncio.gather(
        *(provider.create_customer(operation, family_id=FAMILY, email="a@b.test", name="Ana") for _ in range(8)),
        return_exceptions=True,
    )

    done = {each for each in made if isinstance(each, str)}
    assert len(done) == 1
    assert all(isinstance(each, str | OutcomeUnknown) for each in made)


async def test_a_customer_can_change_name_and_address(shop, provider, control):
    customer_id = await shop.customer()

    await provider.update_customer(op(), customer_id, email="new@b.test", name="Eva")

    customer = (await control.get(f"/v1/customers/{customer_id}")).json()
    assert (customer["email"], customer["name"]) == ("new@b.test", "Eva")


async def test_a_change_is_repeated_without_harm(shop, provider, control):
    customer_id, operation = await shop.customer(), op()
    await provider.update_customer(operation, customer_id, email="new@b.test", name="Eva")
    await provider.update_customer(op(), customer_id, email="newer@b.test", name="Eva")

    await provider.update_customer(operation, customer_id, email="new@b.test", name="Eva")

    assert (await control.get(f"/v1/customers/{customer_id}")).json()["email"] == "newer@b.test"


async def test_a_customer_that_is_not_there_can_not_change(provider):
    with pytest.raises(Missing):
        await provider.update_customer(op(), "cus_nobody", email="a@b.test", name="Ana")


async def test_a_deleted_customer_is_gone_and_subscribes_to_nothing(shop, provider):
    state = await shop.subscribe()

    await provider.delete_customer(op(), state.customer_id)

    assert (await provider.fetch_subscription(state.id)).status == "canceled"
    with pytest.raises(Missing):
        await provider.list_cards(state.customer_id)


async def test_deleting_again_is_no_error(shop, provider):
    customer_id, operation = await shop.customer(), op()
    await provider.delete_customer(operation, customer_id)

    await provider.delete_customer(operation, customer_id)
    await provider.delete_customer(op(), customer_id)


async def test_deleting_nobody_is_one(provider):
    with pytest.raises(Missing):
        await provider.delete_customer(op(), "cus_nobody")


async def test_a_customer_is_found_by_its_operation(shop, provider):
    operation = op()
    customer_id = await provider.create_customer(operation, family_id=FAMILY, email="a@b.test", name="Ana")
    await shop.customer()

    assert await provider.find("customer", operation, None) == customer_id


async def test_what_an_operation_never_made_is_not_found(shop, provider):
    await shop.customer()

    assert await provider.find("customer", op(), None) is None


async def test_an_operation_whose_id_tells_no_time_is_found_too(provider):
    operation = Operation(uuid4())
    customer_id = await provider.create_customer(operation, family_id=FAMILY, email="a@b.test", name="Ana")

    assert await provider.find("customer", operation, None) == customer_id


async def test_a_customer_is_found_behind_more_than_a_page_of_others(shop, provider):
    operation = op()
    customer_id = await provider.create_customer(operation, family_id=FAMILY, email="a@b.test", name="Ana")
    for _ in range(101):
        await shop.customer()

    assert await provider.find("customer", operation, None) == customer_id


async def test_the_portal_is_a_page_for_the_customer(shop, provider, control):
    url = await provider.create_portal(op(), await shop.customer(), "https://lifevault.test/plans")

    page = await control.get(url)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")


async def test_there_is_no_portal_for_nobody(provider):
    with pytest.raises((Refused, Missing)):
        await provider.create_portal(op(), "cus_nobody", "https://lifevault.test/plans")


async def test_a_checkout_for_nobody_is_refused(shop, provider):
    with pytest.raises((Refused, Missing)):
        await shop.checkout("cus_nobody", Line(await shop.price()))
