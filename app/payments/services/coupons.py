"""Coupons: caps that hold whoever asks at once, as a use is taken in the transaction that writes the checkout down."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id
from app.payments.errors import CouponExists, CouponNotForThis, CouponNotFound, CouponUsedUp, PlanNotFound
from app.payments.models import Coupon, CouponUse, Plan, Price
from app.payments.providers.port import Provider
from app.payments.services.clock import NOW
from app.payments.services.reaching import reaching


def _is_valid() -> ColumnElement[bool]:
    return Coupon.withdrawn_at.is_(None) & (Coupon.expires_at.is_(None) | (Coupon.expires_at > NOW))


async def find_coupon(session: AsyncSession, code: str, price: Price, plan_code: str | None) -> Coupon:
    """A coupon that counts for this price. Raises `CouponNotFound`, `CouponNotForThis`, `CouponUsedUp`."""
    mine = select(Coupon).where(Coupon.code == code.upper(), _is_valid())
    coupon = (await session.scalars(mine)).one_or_none()
    if coupon is None:
        raise CouponNotFound
    if coupon.plan_code not in (None, plan_code) or coupon.currency not in (None, price.currency):
        raise CouponNotForThis
    if coupon.max_uses is not None and coupon.used >= coupon.max_uses:
        raise CouponUsedUp
    return coupon


async def at_provider(provider: Provider, coupon: Coupon) -> str:
    """The id of a coupon at the provider, made if it is missing. Raises `ProviderUnreachable`, `ProviderRefused`."""
    with reaching():
        return await provider.ensure_coupon(
            f"lv_{coupon.id.hex}",
            percent=coupon.percent,
            amount_cents=coupon.amount_cents,
            currency=coupon.currency,
            months=coupon.months,
        )


async def reserve(session: AsyncSession, coupon_id: UUID, family_id: UUID) -> None:
    """Take a use for a family; it has each coupon once. Raises `CouponUsedUp`, and takes nothing then."""
    use = upsert(CouponUse).values(id=new_id(), coupon_id=coupon_id, family_id=family_id)
    if await session.scalar(use.on_conflict_do_nothing().returning(CouponUse.id)) is None:
        raise CouponUsedUp
    room = Coupon.max_uses.is_(None) | (Coupon.used < Coupon.max_uses)
    taken = update(Coupon).where(Coupon.id == coupon_id, room, _is_valid()).values(used=Coupon.used + 1)
    if await session.scalar(taken.returning(Coupon.id)) is None:
        raise CouponUsedUp


async def release(session: AsyncSession, coupon_id: UUID, family_id: UUID) -> None:
    """Give a use back, once, for a checkout that came to nothing."""
    mine = CouponUse.coupon_id == coupon_id, CouponUse.family_id == family_id
    if await session.scalar(delete(CouponUse).where(*mine).returning(CouponUse.id)) is not None:
        await session.execute(update(Coupon).where(Coupon.id == coupon_id).values(used=Coupon.used - 1))


async def create_coupon(session: AsyncSession, values: dict[str, Any]) -> Coupon:
    """Make a coupon. For operators. Raises `CouponExists`, `PlanNotFound`."""
    plan_code = values.get("plan_code")
    if plan_code and await session.scalar(select(Plan.code).where(Plan.code == plan_code)) is None:
        raise PlanNotFound
    row = upsert(Coupon).values(id=new_id(), **values | {"code": values["code"].upper()})
    coupon = (await session.scalars(row.on_conflict_do_nothing().returning(Coupon))).one_or_none()
    if coupon is None:
        raise CouponExists
    return coupon


async def list_coupons(session: AsyncSession, after: UUID | None, limit: int) -> Sequence[Coupon]:
    """Coupons, newest first. For operators."""
    rows = select(Coupon).order_by(Coupon.id.desc()).limit(limit)
    return (await session.scalars(rows.where(Coupon.id < after) if after else rows)).all()


async def withdraw_coupon(session: AsyncSession, coupon_id: UUID) -> None:
    """Let nobody use a coupon any more; who has it keeps it. For operators. Raises `CouponNotFound`."""
    at: Any = func.coalesce(Coupon.withdrawn_at, func.now())
    gone = update(Coupon).where(Coupon.id == coupon_id).values(withdrawn_at=at).returning(Coupon.withdrawn_at)
    withdrawn_at: datetime | None = await session.scalar(gone)
    if withdrawn_at is None:
        raise CouponNotFound
