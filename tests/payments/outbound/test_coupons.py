"""Coupons: caps hold whoever asks at once, and what came to nothing gives its use back."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, text

from app.core.clock import utc_now
from app.core.errors import AppError
from app.db.runtime import Runtime
from app.db.session import Actor, session_scope
from app.payments.errors import CouponNotForThis, CouponNotFound, CouponUsedUp
from app.payments.models import Coupon, CouponUse, Price
from app.payments.services import coupons
from tests.factories import TestUser, auth, make_user
from tests.payments.outbound.people import keyed, make_coupon, make_payer, operating, problem

pytestmark = pytest.mark.anyio
COUPONS = "/v1/payments/admin/coupons"


async def counted(coupon: Coupon) -> tuple[int, int]:
    """What the counter says, and how many uses there are."""
    async with session_scope() as session:
        used = await session.scalar(select(Coupon.used).where(Coupon.id == coupon.id))
        uses = await session.scalar(select(func.count()).where(CouponUse.coupon_id == coupon.id))
    return used or 0, uses or 0


async def price_of(plan: str) -> Price:
    async with session_scope() as session:
        mine = select(Price).where(Price.lookup_key == f"lv:{plan}:v1:month:eur")
        return (await session.scalars(mine)).one()


async def reserve(coupon: Coupon, family_id: UUID) -> bool:
    try:
        async with session_scope(Actor.family(family_id)) as session:
            await coupons.reserve(session, coupon.id, family_id)
    except CouponUsedUp:
        return False
    return True


async def release(coupon: Coupon, family_id: UUID) -> None:
    async with session_scope(Actor.family(family_id)) as session:
        await coupons.release(session, coupon.id, family_id)


async def test_of_32_families_at_once_as_many_get_it_as_the_cap_says(runtime: Runtime):
    coupon = await make_coupon(max_uses=7)
    families = [(await make_payer())[0] for _ in range(32)]

    got = await asyncio.gather(*(reserve(coupon, family) for family in families))

    assert (sum(got), await counted(coupon)) == (7, (7, 7))


async def test_a_family_that_asks_many_times_at_once_has_it_once(runtime: Runtime):
    coupon, (family, _) = await make_coupon(), await make_payer()

    got = await asyncio.gather(*(reserve(coupon, family) for _ in range(16)))

    assert (sum(got), await counted(coupon)) == (1, (1, 1))


async def test_a_use_that_came_to_nothing_is_given_back_once(runtime: Runtime):
    coupon, (family, _) = await make_coupon(max_uses=1), await make_payer()
    assert await reserve(coupon, family)

    await asyncio.gather(*(release(coupon, family) for _ in range(8)))

    assert await counted(coupon) == (0, 0)
    assert await reserve(coupon, (await make_payer())[0])


async def test_the_database_itself_refuses_to_pass_the_cap(runtime: Runtime):
    coupon = await make_coupon(max_uses=1)

    with pytest.raises(Exception, match="cap"):
        async with session_scope() as session:
            await session.execute(text("UPDATE payments_coupons SET used = 2 WHERE id = :id"), {"id": coupon.id})


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"expires_at": utc_now() - timedelta(seconds=1)}, CouponNotFound),
        ({"withdrawn_at": utc_now()}, CouponNotFound),
        ({"plan_code": "family"}, CouponNotForThis),
        ({"amount_cents": 100, "currency": "usd"}, CouponNotForThis),
        ({"max_uses": 1, "used": 1}, CouponUsedUp),
    ],
)
async def test_a_coupon_that_does_not_count_is_refused_in_clear_words(
    runtime: Runtime, values: dict[str, Any], error: type[AppError]
):
    coupon, price = await make_coupon(**values), await price_of("plus")

    with pytest.raises(error):
        async with session_scope() as session:
            await coupons.find_coupon(session, coupon.code, price, "plus")


async def test_a_coupon_is_found_by_its_code_in_any_case(runtime: Runtime):
    coupon, price = await make_coupon(plan_code="plus"), await price_of("plus")

    async with session_scope() as session:
        found = await coupons.find_coupon(session, coupon.code.lower(), price, "plus")

    assert found.id == coupon.id


@pytest.fixture
async def operator(runtime: Runtime) -> TestUser:
    return await make_user()


async def test_operators_make_list_and_withdraw_coupons(client: httpx.AsyncClient, operator: TestUser):
    code = f"spring{operator.id.hex[:8]}"
    values = {"code": code, "percent": 20, "months": 3, "max_uses": 50, "plan_code": "plus"}
    with operating(operator):
        made = await client.post(COUPONS, json=values, headers=keyed(operator))
        again = await client.post(COUPONS, json=values, headers=keyed(operator))
        listed = await client.get(f"{COUPONS}?limit=1", headers=auth(operator))
        gone = [await client.delete(f"{COUPONS}/{made.json()['id']}", headers=auth(operator)) for _ in range(2)]
        rest = await client.get(f"{COUPONS}?limit=1", headers=auth(operator))

    assert (made.status_code, made.json()["code"], made.json()["used"]) == (201, code.upper(), 0)
    assert problem(again) == (409, "coupon-exists")
    assert listed.json()["items"] == [made.json()]
    assert [each.status_code for each in gone] == [204, 204]
    assert rest.json()["items"][0]["withdrawn_at"]


async def test_an_amount_is_in_the_currency_of_the_catalogue(client: httpx.AsyncClient, operator: TestUser):
    values = {"code": f"five{operator.id.hex[:8]}", "amount_cents": 500}
    with operating(operator):
        made = await client.post(COUPONS, json=values, headers=auth(operator))

    assert (made.json()["amount_cents"], made.json()["currency"], made.json()["percent"]) == (500, "eur", None)


async def test_a_coupon_for_no_plan_and_one_that_is_not_there_are_not_found(
    client: httpx.AsyncClient, operator: TestUser
):
    values = {"code": f"none{operator.id.hex[:8]}", "percent": 5, "plan_code": "nothing"}
    with operating(operator):
        made = await client.post(COUPONS, json=values, headers=auth(operator))
        gone = await client.delete(f"{COUPONS}/{operator.id}", headers=auth(operator))

    assert problem(made) == (404, "plan-not-found")
    assert problem(gone) == (404, "coupon-not-found")


async def test_coupons_are_paged(client: httpx.AsyncClient, operator: TestUser):
    made = [await make_coupon() for _ in range(3)]
    with operating(operator):
        first = (await client.get(f"{COUPONS}?limit=2", headers=auth(operator))).json()
        second = (await client.get(f"{COUPONS}?limit=2&cursor={first['next_cursor']}", headers=auth(operator))).json()

    assert [item["id"] for item in first["items"]] == [str(made[2].id), str(made[1].id)]
    assert second["items"][0]["id"] == str(made[0].id)
