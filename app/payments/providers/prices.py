"""Catalogue: prices by their lookup keys, coupons by their ids."""

import hashlib
from dataclasses import dataclass
from typing import Final

from app.payments.providers import wire
from app.payments.providers.caller import Caller, Transport
from app.payments.providers.fields import Fields
from app.payments.providers.port import Interval, Missing, PriceSpec, Refused

PRICES_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class KnownPrice:
    """What never changes of a price at the provider."""

    lookup_key: str | None
    interval: Interval


class Prices(Caller):
    """Makes what is missing; what is there and differs is refused, never changed."""

    def __init__(self, transport: Transport, *, livemode: bool, retries: int) -> None:
        super().__init__(transport, livemode=livemode, retries=retries)
        self._known: dict[str, KnownPrice] = {}

    async def ensure_price(self, spec: PriceSpec) -> str:
        """See the port."""
        found = (await self._read("/v1/prices", lookup_keys=[spec.lookup_key], limit=1)).rows("data")
        price = found[0] if found else await self._create_price(spec)
        wanted = {"currency": spec.currency, "unit_amount": spec.amount_cents, "active": True}
        if not price.equals(wanted) or wire.interval(price) != spec.interval:
            raise Refused("price-differs")
        return self._remember(price)

    async def _create_price(self, spec: PriceSpec) -> Fields:
        product = {"id": _product_id(spec.product), "name": spec.product}
        try:
            await self._post("/v1/products", _key("product", spec.product), product)
        except Refused as error:
            if error.code != "resource_already_exists":
                raise
        recurring = {} if spec.interval == "once" else {"recurring": {"interval": spec.interval}}
        params = {
            "lookup_key": spec.lookup_key,
            "product": product["id"],
            "currency": spec.currency,
            "unit_amount": spec.amount_cents,
            **recurring,
        }
        return await self._post("/v1/prices", _key("price", repr(spec)), params)

    async def ensure_coupon(
        self, coupon_id: str, *, percent: int | None, amount_cents: int | None, currency: str | None, months: int | None
    ) -> str:
        """See the port. One that is there and gives something else is `Refused`."""
        duration = "once" if months is None else "repeating" if months else "forever"
        wanted = {
            "id": coupon_id,
            "percent_off": percent,
            "amount_off": amount_cents,
            "currency": currency if amount_cents else None,
            "duration": duration,
            "duration_in_months": months or None,
        }
        try:
            coupon = await self._read(f"/v1/coupons/{coupon_id}")
        except Missing:
            coupon = await self._post("/v1/coupons", _key("coupon", repr(wanted)), wanted)
        if not coupon.equals(wanted):
            raise Refused("coupon-differs")
        return coupon_id

    def _remember(self, price: Fields) -> str:
        price_id = price.text("id")
        if len(self._known) >= PRICES_KEPT:
            self._known.clear()
        self._known[price_id] = KnownPrice(price.maybe_text("lookup_key"), wire.interval(price))
        return price_id

    async def _price(self, price_id: str) -> KnownPrice:
        """A price by its id, fetched once."""
        if price_id not in self._known:
            self._remember(await self._read(f"/v1/prices/{price_id}"))
        return self._known[price_id]

    async def _lookup_keys(self, price_ids: set[str]) -> dict[str, str | None]:
        return {price_id: (await self._price(price_id)).lookup_key for price_id in sorted(price_ids)}


def _product_id(name: str) -> str:
    slug = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.lower())
    return f"lv_{slug}"[:100]


def _key(kind: str, value: str) -> str:
    """An idempotency key for what is made once for its name, whoever makes it."""
    return f"lv:{kind}:{hashlib.sha256(value.encode()).hexdigest()[:40]}"
