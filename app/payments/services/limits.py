"""The one call by which everything that a plan limits is counted, and refused when there is no room."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Uuid, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.acting import acting_for
from app.db.runtime import current
from app.db.session import SYSTEM
from app.db.statements import Statement
from app.payments.errors import PlanLimitReached
from app.payments.models.usage import UsageCounter, UsageEntry
from app.payments.policy import as_family
from app.payments.services import families
from app.payments.services.access import Access, access_at

GAUGES: Final = ("documents", "storage_bytes", "agents")
MONTHLY: Final = ("api_requests",)
METERS: Final = GAUGES + MONTHLY
NOW_PERIOD: Final = ""
REFUSED: Final = -1

_CONSUME: Final = Statement(
    select(
        func.payments_consume(
            bindparam("family_id", type_=Uuid()),
            bindparam("user_id", type_=Uuid()),
            bindparam("meter"),
            bindparam("period"),
            bindparam("key"),
            bindparam("amount", type_=BigInteger()),
            bindparam("most", type_=BigInteger()),
        )
    )
)
_GIVE_BACK: Final = Statement(select(func.payments_give_back(bindparam("meter"), bindparam("key"))))
_USED: Final = Statement(
    select(UsageCounter.meter, UsageCounter.period, UsageCounter.used).where(
        UsageCounter.family_id == bindparam("family_id")
    )
)


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a meter is used, and how much may be; `limit` None is no limit."""

    meter: str
    used: int
    limit: int | None


async def consume(
    session: AsyncSession, family_id: UUID, meter: str, amount: int, key: str, *, user_id: UUID | None = None
) -> None:
    """Count something against the plan, once for each key: what is repeated is counted already.

    `user_id`: whose it is; it goes with them when they join or leave a family. Raises `PlanLimitReached`.
    """
    async with as_family(session, family_id):
        access, now = await access_at(session, family_id)
        limit = access.limits.get(meter)
        enforced = current().settings.plan_limits_enforced
        if enforced and not access.may_write:
            raise _unpaid(access, meter)
        period = f"{now:%Y-%m}" if meter in MONTHLY else NOW_PERIOD
        values = {"family_id": family_id, "user_id": user_id, "meter": meter, "period": period, "key": key}
        used = await _CONSUME.scalar(session, **values, amount=amount, most=limit if enforced else None)
        if used == REFUSED:
            raise await _refusal(session, family_id, access, meter, period, amount)


async def consume_of(session: AsyncSession, user_id: UUID, meter: str, amount: int, key: str) -> None:
    """As `consume`, against the plan of a person's family. Raises `PlanLimitReached`."""
    async with acting_for(session, SYSTEM):  # whose family it is, only the person themself and the system may see
        family_id = await families.family_of(session, user_id)
        await consume(session, family_id, meter, amount, key, user_id=user_id)


async def give_back(session: AsyncSession, family_id: UUID, meter: str, amount: int, key: str) -> None:
    """Take what was counted under a key off again, once; `amount` as it was counted. Nothing for an unknown key."""
    if amount <= 0:
        return
    async with as_family(session, family_id):
        await _GIVE_BACK.scalar(session, meter=meter, key=key)


async def usage(session: AsyncSession, family_id: UUID) -> list[Usage]:
    """Every meter of a family with its limit, in a fixed order."""
    access, now = await access_at(session, family_id)
    async with as_family(session, family_id):
        rows = await _USED.fetch(session, family_id=family_id)
    used = {(row["meter"], row["period"]): row["used"] for row in rows}
    periods = {meter: f"{now:%Y-%m}" if meter in MONTHLY else NOW_PERIOD for meter in METERS}
    return [Usage(meter, used.get((meter, periods[meter]), 0), access.limits.get(meter)) for meter in METERS]


async def move(session: AsyncSession, user_id: UUID, to_family: UUID) -> None:
    """Let what a person has stored count for another family from now on, also over its limits. For the system."""
    await _move(session, UsageEntry.user_id == user_id, user_id, to_family)


async def hand_over(session: AsyncSession, meter: str, keys: Sequence[str], user_id: UUID) -> None:
    """Let what was counted under these keys be somebody else's, also over their limits. For the system."""
    family_id = await families.family_of(session, user_id)
    await _move(session, (UsageEntry.meter == meter) & UsageEntry.key.in_(keys), user_id, family_id)


async def _move(session: AsyncSession, which: ColumnElement[bool], user_id: UUID, to_family: UUID) -> None:
    kept = UsageEntry.returned_at.is_(None), UsageEntry.period == NOW_PERIOD
    before = select(UsageEntry.meter, UsageEntry.key, UsageEntry.family_id).where(which, *kept)
    before = before.order_by(UsageEntry.meter, UsageEntry.key).with_for_update()
    old = before.subquery()
    same = UsageEntry.meter == old.c.meter, UsageEntry.key == old.c.key
    moved = update(UsageEntry).where(*same).values(family_id=to_family, user_id=user_id)
    sums: Counter[tuple[UUID, str]] = Counter()
    for row in await session.execute(moved.returning(old.c.family_id, UsageEntry.meter, UsageEntry.amount)):
        sums[row.family_id, row.meter] += row.amount
    for (family_id, meter), amount in sorted(sums.items()):
        if family_id != to_family:
            await _count(session, family_id, meter, -amount)
            await _count(session, to_family, meter, amount)


async def _count(session: AsyncSession, family_id: UUID, meter: str, amount: int) -> None:
    keys: dict[str, Any] = {"family_id": family_id, "meter": meter, "period": NOW_PERIOD}
    put = upsert(UsageCounter).values(**keys, used=amount)
    await session.execute(
        put.on_conflict_do_update(index_elements=list(keys), set_={"used": UsageCounter.used + amount})
        if amount > 0
        else update(UsageCounter).filter_by(**keys).values(used=UsageCounter.used + amount)
    )


async def _refusal(
    session: AsyncSession, family_id: UUID, access: Access, meter: str, period: str, amount: int
) -> PlanLimitReached:
    counted = UsageCounter.family_id == family_id, UsageCounter.meter == meter, UsageCounter.period == period
    used = await session.scalar(select(UsageCounter.used).where(*counted)) or 0
    limit, plan = access.limits.get(meter), access.plan_code
    detail = "Remove something, or change to a larger plan; nothing that is stored is lost"
    return PlanLimitReached(detail, meter=meter, limit=limit, used=used, asked=amount, plan=plan)


def _unpaid(access: Access, meter: str) -> PlanLimitReached:
    detail = "The last payment did not work: pay the open invoice to put in more; nothing that is stored is lost"
    return PlanLimitReached(detail, meter=meter, limit=access.limits.get(meter), plan=access.plan_code)
