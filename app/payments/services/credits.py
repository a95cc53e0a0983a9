"""Credits: held before work is done, settled with what it cost, released if it came to nothing.

Holding and settling are one round trip each (functions in the database, see the migration), under the lock of the
family's account. Everything rarer (a lot ends, a month begins, money goes back) is in `granting`, under the same lock,
with its arithmetic in `lots`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Integer, Select, Uuid, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.functions import Function

from app.core.clock import new_id
from app.db.runtime import current
from app.db.statements import Row, Statement
from app.payments.errors import HoldNotFound, PlanLimitReached
from app.payments.models.credits import CreditAccount, CreditHold, CreditLot
from app.payments.policy import as_family
from app.payments.services import families
from app.payments.services.access import Access
from app.payments.services.clock import NOW
from app.payments.services.granting import ORDER, attend, end_lots, grant, take_back

METER: Final = "ai_credits"


@dataclass(frozen=True, slots=True)
class Hold:
    """Credits set aside under a key; `amount` may be less than was asked for where plans limit nothing."""

    id: UUID
    family_id: UUID
    amount: int
    state: str


@dataclass(frozen=True, slots=True)
class Balance:
    """What a family has: credits that can be used, those held by work that goes on, and what it owes."""

    available: int
    held: int
    debt: int
    is_open: bool


def _rows(function: "Function[Any]") -> Select[Any]:
    named = function.table_valued("id", "family_id", "amount", "state", name="hold")
    return select(
        named.c.id.cast(Uuid).label("id"),
        named.c.family_id.cast(Uuid).label("family_id"),
        named.c.amount.cast(Integer).label("amount"),
        named.c.state.label("state"),
    )


def _arguments() -> tuple[Any, ...]:
    return (
        bindparam("hold_id", type_=Uuid()),
        bindparam("key"),
        bindparam("amount", type_=Integer()),
        bindparam("seconds", type_=Integer()),
    )


_HOLD: Final = Statement(_rows(func.payments_hold_credits(bindparam("family_id", type_=Uuid()), *_arguments())))
_HOLD_OF: Final = Statement(_rows(func.payments_hold_credits_of(bindparam("user_id", type_=Uuid()), *_arguments())))
_SETTLE: Final = Statement(
    select(func.payments_settle_credits(bindparam("hold_id", type_=Uuid()), bindparam("amount", type_=Integer())))
)
_RELEASE: Final = Statement(select(func.payments_release_credits(bindparam("hold_id", type_=Uuid()))))
_BALANCE: Final = Statement(
    select(
        CreditAccount.available,
        CreditAccount.held,
        CreditAccount.debt,
        CreditAccount.is_open,
        (CreditAccount.attend_at <= NOW).label("is_due"),
    ).where(CreditAccount.family_id == bindparam("family_id"))
)


async def hold(session: AsyncSession, family_id: UUID, *, key: str, amount: int, seconds: int) -> Hold:
    """Set credits aside until they are settled or released, at the latest after some seconds.

    The same key gives the same hold. Raises `PlanLimitReached`; where plans limit nothing, less is held instead.
    """
    asked = {"hold_id": new_id(), "key": key, "amount": amount, "seconds": seconds}
    async with as_family(session, family_id):
        row = await _HOLD.first(session, family_id=family_id, **asked)
        if row is None:
            access = await attend(session, family_id)
            row = await _HOLD.first(session, family_id=family_id, **asked)
        if row is None:
            row = await _hold_less(session, family_id, access, asked)
    return Hold(**row)


async def hold_of(session: AsyncSession, user_id: UUID, *, key: str, amount: int, seconds: int) -> Hold:
    """As `hold`, for the family of the person whom the transaction acts for; one round trip where there is enough."""
    asked = {"hold_id": new_id(), "key": key, "amount": amount, "seconds": seconds}
    row = await _HOLD_OF.first(session, user_id=user_id, **asked)
    if row is not None:
        return Hold(**row)
    family_id = await families.family_of(session, user_id)
    return await hold(session, family_id, key=key, amount=amount, seconds=seconds)


async def _hold_less(session: AsyncSession, family_id: UUID, access: Access, asked: dict[str, Any]) -> Row:
    has = await _BALANCE.first(session, family_id=family_id)
    assert has is not None  # noqa: S101  attending made the account
    if current().settings.plan_limits_enforced:
        raise refusal(access, has["available"], has["debt"], asked["amount"])
    usable = has["is_open"] and not has["debt"]
    less = min(asked["amount"], has["available"]) if usable else 0
    row = await _HOLD.first(session, family_id=family_id, **{**asked, "amount": less})
    return row or (await _HOLD.fetch(session, family_id=family_id, **{**asked, "amount": 0}))[0]


def refusal(access: Access, available: int, debt: int, asked: int) -> PlanLimitReached:
    """Why credits can't be held, in words."""
    if not access.may_use_ai:
        detail = "The last payment did not work; pay the open invoice to use the assistant"
    elif debt:
        detail = "Credits were used whose payment went back; buy credits to go on"
    else:
        detail = "There are not enough credits left; they are renewed each month, and more can be bought"
    return PlanLimitReached(detail, meter=METER, available=available, debt=debt, asked=asked, plan=access.plan_code)


async def settle(session: AsyncSession, hold_id: UUID, amount: int) -> None:
    """Use what the work cost and give the rest back; what it cost beyond the hold is used as far as there is any.

    Harmless when repeated, and after a release. Must act for the family or the system. Raises `HoldNotFound`.
    """
    if await _SETTLE.scalar(session, hold_id=hold_id, amount=amount) is None:
        raise HoldNotFound


async def release(session: AsyncSession, hold_id: UUID) -> None:
    """Give everything back; harmless when repeated, and after a settlement. Raises `HoldNotFound`."""
    if await _RELEASE.scalar(session, hold_id=hold_id) is None:
        raise HoldNotFound


async def balance(session: AsyncSession, family_id: UUID) -> Balance:
    """What a family has now; what the month brings is granted first."""
    async with as_family(session, family_id):
        row = await _BALANCE.first(session, family_id=family_id)
        if row is None or row["is_due"]:
            await attend(session, family_id)
            row = await _BALANCE.first(session, family_id=family_id)
    assert row is not None  # noqa: S101  attending made the account
    return Balance(row["available"], row["held"], row["debt"], row["is_open"])


async def release_expired(session: AsyncSession, limit: int = 500) -> int:
    """Release holds whose time is over, whoever's; returns how many. For the system."""
    over = (
        select(CreditHold.id)
        .where(CreditHold.state == "held", CreditHold.expires_at < func.now())
        .order_by(CreditHold.family_id, CreditHold.id)
        .limit(limit)
    )
    ids = list(await session.scalars(over))
    for hold_id in ids:
        await release(session, hold_id)
    return len(ids)


async def families_with_ended_lots(session: AsyncSession, limit: int = 500) -> Sequence[UUID]:
    """Families that have something left of a lot whose time is over. For the system."""
    over = select(CreditLot.family_id).where(CreditLot.remaining > 0, CreditLot.expires_at <= NOW)
    return (await session.scalars(over.distinct().limit(limit))).all()


__all__ = [
    "METER",
    "ORDER",
    "Balance",
    "Hold",
    "attend",
    "balance",
    "end_lots",
    "families_with_ended_lots",
    "grant",
    "hold",
    "hold_of",
    "refusal",
    "release",
    "release_expired",
    "settle",
    "take_back",
]
