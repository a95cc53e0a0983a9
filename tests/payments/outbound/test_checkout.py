"""Checkouts against the simulator: what is bought is what was paid, whatever the browser says."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select, update

from app.db.session import session_scope
from app.payments.models import Checkout, Coupon, Family, Price, ProviderOperation
from app.payments.services import resolving
from app.payments.services.operations import KEY_LIFE
from tests.conftest import drain_jobs
from tests.factories import TestUser, make_user
from tests.payments.outbound.conftest import Shop, end_leases, operations_of, payments_of, provider_id_of
from tests.payments.outbound.people import make_coupon, make_payer, problem

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
PLAN = {"plan": "plus", "interval": "month"}


async def price_id(lookup_key: str) -> str:
    async with session_scope() as session:
        return str(await session.scalar(select(Price.id).where(Price.lookup_key == lookup_key)))


async def test_a_plan_is_bought_on_the_providers_page(shop: Shop, payer: TestUser):
    made = await shop.post(payer, "/checkout", PLAN)

    assert made.status_code == 201
    checkout = made.json()
    assert made.headers["Location"] == f"/v1/payments/checkout/{checkout['id']}"
    assert checkout["url"].startswith(shop.url)
    assert (checkout["purpose"], checkout["state"]) == ("plan", "open")
    assert await shop.subscription(payer) is None

    await shop.complete(checkout)

    seen = (await shop.get(payer, f"/checkout/{checkout['id']}")).json()
    assert (seen["state"], seen["url"]) == ("complete", None)
    subscription = await shop.subscription(payer)
    assert (subscription["plan"], subscription["state"], subscription["interval"]) == ("plus", "trialing", "month")


async def test_credits_are_bought(shop: Shop, payer: TestUser):
    await shop.buy(payer, price_id=await price_id("lv:credits:500:eur"))

    (payment,) = await payments_of(payer)
    assert (payment.received_cents, payment.currency) == (500, "eur")


async def test_whoever_has_a_subscription_buys_no_second_one(shop: Shop, payer: TestUser):
    await shop.buy(payer)

    again = await shop.post(payer, "/checkout", PLAN | {"plan": "family"})

    assert problem(again) == (409, "subscription-exists")


async def test_a_checkout_that_was_paid_meanwhile_is_found_when_another_is_begun(shop: Shop, payer: TestUser):
    first = await shop.post(payer, "/checkout", PLAN)
    await shop.complete(first.json())

    second = await shop.post(payer, "/checkout", PLAN | {"plan": "family"})

    assert problem(second) == (409, "subscription-exists")
    assert (await shop.subscription(payer))["plan"] == "plus"


async def test_an_older_checkout_is_closed_by_a_newer_one(shop: Shop, payer: TestUser):
    first = (await shop.post(payer, "/checkout", PLAN)).json()
    second = (await shop.post(payer, "/checkout", PLAN | {"plan": "family", "seats": 2})).json()

    assert (await shop.provider.fetch_checkout(await provider_id_of(first["id"]))).status == "expired"
    assert (await shop.get(payer, f"/checkout/{first['id']}")).json()["state"] == "expired"
    assert (await shop.get(payer, f"/checkout/{second['id']}")).json()["state"] == "open"


async def test_the_same_request_again_is_the_same_checkout(shop: Shop, payer: TestUser):
    key = str(uuid4())

    answers = [await shop.post(payer, "/checkout", PLAN, key) for _ in range(3)]

    assert [answer.json() for answer in answers] == [answers[0].json()] * 3
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert len(await operations_of(payer, "checkout.create")) == 1


async def test_two_clicks_at_once_open_one_checkout(shop: Shop, payer: TestUser):
    await shop.post(payer, "/payment-methods")  # the family is a customer by now

    answers = await asyncio.gather(*(shop.post(payer, "/checkout", PLAN) for _ in range(2)))

    assert {answer.status_code for answer in answers} <= {201, 202, 409}
    states = sorted(each.state for each in await checkouts_of(payer) if each.purpose == "plan")
    assert states.count("open") == 1


async def checkouts_of(person: TestUser) -> list[Checkout]:
    """The checkouts of somebody's family, oldest first."""
    async with session_scope() as session:
        mine = select(Family.id).where(Family.owner_id == person.id).scalar_subquery()
        rows = select(Checkout).where(Checkout.family_id == mine).order_by(Checkout.id)
        return list(await session.scalars(rows))


async def test_a_family_is_a_customer_once(shop: Shop, payer: TestUser):
    for _ in range(2):
        await shop.post(payer, "/checkout", PLAN)

    assert len(await operations_of(payer, "customer.create")) == 1


async def test_what_the_payer_is_called_is_told_to_the_provider(shop: Shop, payer: TestUser):
    await shop.post(payer, "/checkout", PLAN)
    await shop.client.patch(
        "/v1/auth/me", json={"name": "Ada King"}, headers={"Authorization": f"Bearer {payer.access_token}"}
    )

    await drain_jobs(shop.settings)

    (operation,) = await operations_of(payer, "customer.update")
    assert operation.state == "succeeded"


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"plan": "gold", "interval": "month"}, (404, "price-not-found")),
        ({"plan": "free", "interval": "month"}, (404, "price-not-found")),
        ({"price_id": str(uuid4())}, (404, "price-not-found")),
        ({"plan": "plus", "interval": "month", "seats": 1}, (409, "too-many-seats")),
        ({"plan": "family", "interval": "month", "seats": 7}, (409, "too-many-seats")),
        ({"plan": "plus", "interval": "month", "coupon": "NOSUCHCOUPON"}, (404, "coupon-not-found")),
    ],
)
async def test_what_is_not_on_sale_is_refused(shop: Shop, payer: TestUser, body, refusal):
    assert problem(await shop.post(payer, "/checkout", body)) == refusal


async def test_a_seats_price_alone_is_not_on_sale(shop: Shop, payer: TestUser):
    body = {"price_id": await price_id("lv:family:v1:seat:month:eur")}

    assert problem(await shop.post(payer, "/checkout", body)) == (404, "price-not-found")


async def test_somebody_elses_checkout_is_not_found(shop: Shop, payer: TestUser):
    made = (await shop.post(payer, "/checkout", PLAN)).json()

    assert problem(await shop.get(await make_user(), f"/checkout/{made['id']}")) == (404, "checkout-not-found")


async def test_a_card_that_is_declined_buys_nothing(shop: Shop, payer: TestUser):
    made = (await shop.post(payer, "/checkout", {"price_id": await price_id("lv:credits:500:eur")})).json()
    with pytest.raises(AssertionError, match="declined"):
        await shop.complete(made, "pm_card_chargeDeclined")

    assert (await shop.get(payer, f"/checkout/{made['id']}")).json()["state"] == "open"


async def test_a_coupon_counts_and_is_used_once(shop: Shop, payer: TestUser):
    coupon = await make_coupon(percent=50, max_uses=1)
    await shop.buy(payer, price_id=await price_id("lv:credits:500:eur"), coupon=coupon.code)

    assert (await payments_of(payer))[0].received_cents == 250
    other = (await make_payer())[1]
    refused = await shop.post(other, "/checkout", PLAN | {"coupon": coupon.code})
    assert problem(refused) == (409, "coupon-used-up")


async def used(coupon: Coupon) -> int:
    async with session_scope() as session:
        return int(await session.scalar(select(Coupon.used).where(Coupon.id == coupon.id)) or 0)


async def test_a_coupon_comes_back_from_a_checkout_that_was_closed(shop: Shop, payer: TestUser):
    coupon = await make_coupon(max_uses=1)
    await shop.post(payer, "/checkout", PLAN | {"coupon": coupon.code})
    assert await used(coupon) == 1

    await shop.post(payer, "/checkout", PLAN)

    assert await used(coupon) == 0


async def test_of_32_checkouts_at_once_as_many_get_the_coupon_as_its_cap_says(shop: Shop):
    coupon = await make_coupon(max_uses=5)
    payers = [(await make_payer())[1] for _ in range(32)]

    async def ask(person: TestUser) -> httpx.Response:
        """As often as a busy machine needs, with the same key."""
        key = str(uuid4())
        while (answer := await shop.post(person, "/checkout", PLAN | {"coupon": coupon.code}, key)).status_code == 503:
            pass
        return answer

    answers = await asyncio.gather(*(ask(each) for each in payers))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] * 5 + [409] * 27
    assert await used(coupon) == 5


@pytest.mark.parametrize("hours", [1, 30])
async def test_a_checkout_whose_answer_was_lost_is_found_again_with_its_key_and_without(
    shop: Shop, payer: TestUser, hours: int
):
    pack = {"price_id": await price_id("lv:credits:500:eur")}
    await shop.buy(payer, **pack)  # everything but the checkout itself is known by now
    await shop.faults(drop_answers=1.0)
    key = str(uuid4())
    lost = await shop.post(payer, "/checkout", pack, key)
    again = await shop.post(payer, "/checkout", pack, key)
    await shop.calm()
    assert (lost.status_code, lost.json()["state"]) == (202, "unknown")
    assert again.json() == lost.json()
    async with session_scope() as session:
        mine = ProviderOperation.id == UUID(lost.json()["operation_id"])
        earlier = ProviderOperation.first_sent_at - timedelta(hours=hours)
        await session.execute(update(ProviderOperation).where(mine).values(first_sent_at=earlier))

    await end_leases()
    await resolving.resolve_due(shop.provider)

    assert timedelta(hours=1) < KEY_LIFE < timedelta(hours=30)
    assert [row.state for row in await operations_of(payer, "checkout.create")] == ["succeeded", "succeeded"]
    (open_one,) = [each for each in await checkouts_of(payer) if each.state == "open"]
    state = await shop.provider.fetch_checkout(open_one.provider_id or "")
    assert (state.status, state.amount_cents) == ("open", 500)


async def test_nothing_is_reserved_when_the_provider_is_down(shop: Shop, payer: TestUser):
    coupon = await make_coupon(max_uses=1)
    await shop.faults(down=True)

    answer = await shop.post(payer, "/checkout", PLAN | {"coupon": coupon.code})

    assert problem(answer) == (503, "provider-unreachable")
    assert await used(coupon) == 0


async def test_after_an_outage_something_else_can_be_bought_at_once(shop: Shop, payer: TestUser):
    coupon = await make_coupon(max_uses=1)
    await shop.buy(payer)  # only the checkout itself is asked for from here on
    await shop.post(payer, "/subscription/cancel", {"at_period_end": False})
    await shop.faults(rate_limit=1.0)
    refused = await shop.post(payer, "/checkout", PLAN)
    await shop.calm()
    assert problem(refused) == (503, "provider-unreachable")
    assert [each.state for each in await operations_of(payer, "checkout.create")] == ["succeeded", "created"]

    other = await shop.post(payer, "/checkout", PLAN | {"plan": "family", "coupon": coupon.code})

    assert other.status_code == 201
    assert [each.state for each in await operations_of(payer, "checkout.create")] == [
        "succeeded",
        "failed",
        "succeeded",
    ]


async def test_a_family_has_one_trial(shop: Shop, payer: TestUser):
    await shop.buy(payer)
    await drain_jobs(shop.settings)
    await shop.post(payer, "/subscription/cancel", {"at_period_end": False})
    assert (await shop.subscription(payer))["state"] == "ended"

    await shop.buy(payer)

    assert (await shop.subscription(payer))["state"] == "active"


async def test_a_card_has_one_trial_whoever_holds_it(shop: Shop):
    first, second = [(await make_payer())[1] for _ in range(2)]
    for person in (first, second):
        await shop.buy(person, "pm_card_mastercard")
        await drain_jobs(shop.settings)

    assert (await shop.subscription(second))["state"] == "active"
    (operation,) = await operations_of(second, "trial.end")
    assert operation.state == "succeeded"


async def test_the_portal_opens_for_who_has_paid(shop: Shop, payer: TestUser):
    assert problem(await shop.post(payer, "/portal")) == (409, "no-subscription")
    await shop.buy(payer)

    opened = await shop.post(payer, "/portal")

    assert opened.json()["url"].startswith(shop.url)


async def test_operations_can_be_looked_at_by_the_payer_only(shop: Shop, payer: TestUser):
    await shop.post(payer, "/checkout", PLAN)
    (operation,) = await operations_of(payer, "checkout.create")

    seen = await shop.get(payer, f"/operations/{operation.id}")
    foreign = await shop.get(await make_user(), f"/operations/{operation.id}")

    assert (seen.json()["kind"], seen.json()["state"]) == ("checkout.create", "succeeded")
    assert problem(foreign) == (404, "operation-not-found")
    assert UUID(seen.json()["id"]) == operation.id
