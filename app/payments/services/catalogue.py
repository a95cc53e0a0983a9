"""Prices of the catalogue, and their ids at the provider."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import session_scope
from app.payments.errors import PriceNotFound, TooManySeats
from app.payments.models import Plan, PlanVersion, Price, ProviderPrice
from app.payments.providers.port import Line, PriceSpec, Provider
from app.payments.services.reaching import reaching

CURRENCY: Final = "eur"
CREDITS: Final = "LifeVault credits"


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan in one version for one interval, with seats bought besides."""

    plan: Plan
    version: PlanVersion
    interval: str
    seats: int
    lines: Sequence[tuple[Price, int]]

    @property
    def total_cents(self) -> int:
        """What it costs in one interval, before discounts and tax."""
        return sum(price.amount_cents * quantity for price, quantity in self.lines)


async def offer(
    session: AsyncSession, plan_code: str, interval: str, seats: int = 0, *, version_id: UUID | None = None
) -> Offer:
    """A plan as it can be bought now; `version_id` is the version that a subscriber keeps.

    Raises `PriceNotFound`, `TooManySeats`.
    """
    version = await _version(session, plan_code, version_id)
    most = version.limits.get("more_seats")
    if most is not None and seats > most:
        raise TooManySeats(f"At most {most} further seats")
    lines = [(await _price(session, version.id, "plan", interval), 1)]
    if seats:
        lines.append((await _price(session, version.id, "seat", interval), seats))
    plan = (await session.scalars(select(Plan).where(Plan.code == plan_code))).one()
    return Offer(plan, version, interval, seats, lines)


async def _version(session: AsyncSession, plan_code: str, version_id: UUID | None) -> PlanVersion:
    mine = select(PlanVersion).where(PlanVersion.plan_code == plan_code)
    mine = mine.where(PlanVersion.id == version_id) if version_id else mine.order_by(PlanVersion.version.desc())
    version = (await session.scalars(mine.limit(1))).one_or_none()
    if version is None:
        raise PriceNotFound
    return version


async def _price(session: AsyncSession, version_id: UUID, kind: str, interval: str) -> Price:
    same = Price.plan_version_id == version_id, Price.kind == kind, Price.interval == interval
    return await _only(session, select(Price).where(*same, Price.currency == CURRENCY))


async def find_price(session: AsyncSession, price_id: UUID) -> Price:
    """A price that is on sale: of a plan, or of a pack of credits. Raises `PriceNotFound`."""
    on_sale = Price.id == price_id, Price.is_offered, Price.kind.in_(("plan", "credits"))
    return await _only(session, select(Price).where(*on_sale))


async def offer_of_price(session: AsyncSession, price: Price) -> Offer:
    """The plan that a price is for. Raises `PriceNotFound` if there is a newer version of it."""
    code = select(PlanVersion.plan_code).where(PlanVersion.id == price.plan_version_id)
    found = await offer(session, (await session.scalars(code)).one(), price.interval)
    if found.version.id != price.plan_version_id:
        raise PriceNotFound
    return found


async def _only(session: AsyncSession, statement: Select[Any]) -> Price:
    price: Price | None = (await session.scalars(statement)).one_or_none()
    if price is None:
        raise PriceNotFound
    return price


async def lines_at(provider: Provider, lines: Sequence[tuple[Price, int]]) -> list[Line]:
    """The same prices as the provider knows them; what it does not know yet is made there.

    Raises `ProviderUnreachable`, `ProviderRefused`.
    """
    async with session_scope() as session:
        mine = ProviderPrice.provider == provider.name, ProviderPrice.price_id.in_([price.id for price, _ in lines])
        rows = await session.scalars(select(ProviderPrice).where(*mine))
        known = {row.price_id: row.provider_id for row in rows}
    for price, _ in lines:
        if price.id not in known:
            known[price.id] = await _make(provider, price)
    return [Line(known[price.id], quantity) for price, quantity in lines]


async def _make(provider: Provider, price: Price) -> str:
    spec = PriceSpec(
        lookup_key=price.lookup_key,
        product=await _product(price),
        currency=price.currency,
        amount_cents=price.amount_cents,
        interval=price.interval,  # type: ignore[arg-type]  # a constraint of the table
    )
    with reaching():
        provider_id = await provider.ensure_price(spec)
    async with session_scope() as session:
        row = upsert(ProviderPrice).values(price_id=price.id, provider=provider.name, provider_id=provider_id)
        await session.execute(row.on_conflict_do_nothing())
    return provider_id


async def _product(price: Price) -> str:
    if price.plan_version_id is None:
        return CREDITS
    async with session_scope() as session:
        plan = select(Plan.name).join(PlanVersion, PlanVersion.plan_code == Plan.code)
        name = (await session.scalars(plan.where(PlanVersion.id == price.plan_version_id))).one()
    return f"LifeVault {name}" if price.kind == "plan" else f"LifeVault {name} seat"
