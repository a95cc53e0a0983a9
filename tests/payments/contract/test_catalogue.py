"""Prices and coupons are made once, by our names; what differs is refused and never changed."""

import asyncio
from dataclasses import replace

import pytest

from app.payments.providers.port import PriceSpec, ProviderError, Refused

PLUS = PriceSpec("plus-month", "LifeVault Plus", "eur", 500, "month")
PACK = PriceSpec("credits-500", "500 AI credits", "eur", 900, "once")
TWENTY = {"percent": 20, "amount_cents": None, "currency": None, "months": None}


async def test_a_price_is_made_as_our_catalogue_has_it(provider, control):
    price_id = await provider.ensure_price(PLUS)

    price = (await control.get(f"/v1/prices/{price_id}")).json()
    assert (price["lookup_key"], price["currency"], price["unit_amount"]) == ("plus-month", "eur", 500)
    assert price["recurring"]["interval"] == "month"


async def test_a_price_that_is_paid_once_does_not_recur(provider, control):
    price = (await control.get(f"/v1/prices/{await provider.ensure_price(PACK)}")).json()

    assert (price["type"], price["recurring"]) == ("one_time", None)


async def test_a_price_that_is_there_is_found(provider):
    assert await provider.ensure_price(PLUS) == await provider.ensure_price(PLUS)


@pytest.mark.parametrize("change", [{"amount_cents": 600}, {"currency": "usd"}, {"interval": "year"}])
async def test_a_price_of_that_name_that_differs_is_refused(provider, change):
    await provider.ensure_price(PLUS)

    with pytest.raises(Refused) as caught:
        await provider.ensure_price(replace(PLUS, **change))

    assert caught.value.code == "price-differs"


async def test_a_price_that_was_taken_out_of_sale_is_refused(provider, control):
    price_id = await provider.ensure_price(PLUS)
    await control.post(f"/v1/prices/{price_id}", data={"active": "false"})

    with pytest.raises(Refused):
        await provider.ensure_price(PLUS)


async def test_prices_of_one_product_share_it(provider, control):
    yearly = PriceSpec("plus-year", "LifeVault Plus", "eur", 5_000, "year")
    ids = [await provider.ensure_price(spec) for spec in (PLUS, yearly)]

    products = {(await control.get(f"/v1/prices/{price_id}")).json()["product"] for price_id in ids}
    assert len(products) == 1


async def test_a_product_has_our_name_however_it_is_written(provider, control):
    price_id = await provider.ensure_price(replace(PLUS, product="Família Größe 100 %"))

    product_id = (await control.get(f"/v1/prices/{price_id}")).json()["product"]
    assert (await control.get(f"/v1/products/{product_id}")).json()["name"] == "Família Größe 100 %"


async def test_a_price_that_many_ensure_at_once_is_made_once(provider):
    made = await asyncio.gather(*(provider.ensure_price(PLUS) for _ in range(8)), return_exceptions=True)

    assert len({each for each in made if isinstance(each, str)}) == 1
    assert all(isinstance(each, str | ProviderError) for each in made)
    assert await provider.ensure_price(PLUS) in made


async def test_a_coupon_is_made_with_our_id(provider, control):
    assert await provider.ensure_coupon("WELCOME20", **TWENTY) == "WELCOME20"

    coupon = (await control.get("/v1/coupons/WELCOME20")).json()
    assert (coupon["percent_off"], coupon["amount_off"], coupon["duration"]) == (20, None, "once")


async def test_a_coupon_of_an_amount_has_a_currency(provider, control):
    await provider.ensure_coupon("TWOOFF", percent=None, amount_cents=200, currency="eur", months=None)

    coupon = (await control.get("/v1/coupons/TWOOFF")).json()
    assert (coupon["percent_off"], coupon["amount_off"], coupon["currency"]) == (None, 200, "eur")


@pytest.mark.parametrize(("months", "duration"), [(None, "once"), (0, "forever"), (3, "repeating")])
async def test_a_coupon_lasts_as_long_as_we_say(provider, control, months, duration):
    await provider.ensure_coupon("LASTS", **{**TWENTY, "months": months})

    coupon = (await control.get("/v1/coupons/LASTS")).json()
    assert (coupon["duration"], coupon["duration_in_months"]) == (duration, months or None)


@pytest.mark.parametrize("months", [None, 0, 3])
async def test_a_coupon_that_is_there_is_found(provider, months):
    for _ in range(2):
        assert await provider.ensure_coupon("AGAIN", **{**TWENTY, "months": months}) == "AGAIN"


@pytest.mark.parametrize(
    "change", [{"percent": 30}, {"months": 0}, {"percent": None, "amount_cents": 1, "currency": "eur"}]
)
async def test_a_coupon_of_that_id_that_differs_is_refused(provider, change):
    await provider.ensure_coupon("OTHER", **TWENTY)

    with pytest.raises(Refused) as caught:
        await provider.ensure_coupon("OTHER", **{**TWENTY, **change})

    assert caught.value.code == "coupon-differs"
