"""Credits: held before work is done, settled with what it cost, released if it came to nothing.

Holding and settling are one round trip each (functions in the database, see the migration), under the lock of the
family's account. Everything rarer (a lot ends, a month begins, money goes back) is arithmetic on its lots in
`app.payments.services.lots`, under the same lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Integer, Select, Uuid, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.functions import Function

from app.core.clock import new_id
from app.db.runtime import current
from app.db.statements import Row, Statement
from app.payments.errors import HoldNotFound, PlanLimitReached
from app.payments.models.credits import CreditAccount, CreditHold, CreditLot, CreditReturn
from app.payments.policy import as_family
from app.payments.services import families
from app.payments.services.access import Access, access_at
from app.payments.services.clock import NOW, payments_now
from app.payments.services.lots import Lot, Standing, stand, withdrawn_of
from app.payments.services.months import Month, month_of, payment_of

METER: Final = "ai_credits"
AT_ONCE: Final = text("'-infinity'")
NEVER: Final = text("'infinity'")
OF_THE_PLAN: Final = 0
"""Priority of what the month brings: it ends first, so it is used first."""
FIELDS: Final = tuple(field.name for field in fields(Lot))
CHANGING: Final = ("remaining", "used", "repaid", "expired", "taken_back", "withdrawn")
ORDER: Final = (CreditLot.priority, CreditLot.expires_at.asc().nulls_last(), CreditLot.id)


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


async def grant(
    session: AsyncSession,
    family_id: UUID,
    *,
    source_kind: str,
    source_reference: str,
    credits: int,
    expires_at: datetime | None,
    priority: int,
    payment_id: UUID | None = None,
) -> bool:
    """Grant credits from a source once; False if it has granted them. Lots of a low priority are used first."""
    async with as_family(session, family_id):
        await _locked(session, family_id)
        source = {"source_kind": source_kind, "source_reference": source_reference, "expires_at": expires_at}
        made = await _add_lot(session, family_id, credits, payment_id, priority=priority, **source)
        if made:
            await _restand(session, family_id)
    return made


async def take_back(
    session: AsyncSession,
    family_id: UUID,
    payment_id: UUID,
    back_cents: int,
    received_cents: int,
    movements: int = 0,
) -> None:
    """Let the credits of a payment follow its money: of those granted, the share that went back, net of what returned.

    A state, not a step: any order and any repetition ends the same. A look with fewer `movements` of money than one
    before is an older one and changes nothing. What was used already becomes a debt.
    """
    async with as_family(session, family_id):
        await _locked(session, family_id)
        if not await _note_return(session, family_id, payment_id, back_cents, received_cents, movements):
            return
        paid = CreditLot.payment_id == payment_id, CreditLot.family_id == family_id
        for lot_id, granted in (await session.execute(select(CreditLot.id, CreditLot.granted).where(*paid))).all():
            withdrawn = withdrawn_of(granted, back_cents, received_cents)
            await session.execute(update(CreditLot).where(CreditLot.id == lot_id).values(withdrawn=withdrawn))
        await _restand(session, family_id)


async def _note_return(
    session: AsyncSession, family_id: UUID, payment_id: UUID, back: int, received: int, movements: int
) -> bool:
    """Remember what went back for lots that are granted later; False if it changes nothing."""
    known = await session.get(CreditReturn, payment_id)
    if known is None and not back:
        return False
    if known and (movements < known.movements or (back, received) == (known.back_cents, known.received_cents)):
        return False
    values = {"back_cents": back, "received_cents": received, "movements": movements}
    put = upsert(CreditReturn).values(payment_id=payment_id, family_id=family_id, **values)
    await session.execute(put.on_conflict_do_update(index_elements=["payment_id"], set_=values))
    if known:
        session.expire(known)
    return True


async def _add_lot(
    session: AsyncSession, family_id: UUID, credits: int, payment_id: UUID | None, **source: Any
) -> bool:
    back = await session.execute(
        select(CreditReturn.back_cents, CreditReturn.received_cents).where(CreditReturn.payment_id == payment_id)
    )
    gone = back.one_or_none()
    withdrawn = withdrawn_of(credits, gone.back_cents, gone.received_cents) if gone else 0
    counts = {"granted": credits, "remaining": credits, "withdrawn": withdrawn}
    put = upsert(CreditLot).values(id=new_id(), family_id=family_id, payment_id=payment_id, **counts, **source)
    made = put.on_conflict_do_nothing(index_elements=["source_kind", "source_reference"]).returning(CreditLot.id)
    return await session.scalar(made) is not None


async def attend(session: AsyncSession, family_id: UUID) -> Access:
    """Bring a family's credits to the present: what the month brings, what has ended, whether the plan is open."""
    async with as_family(session, family_id):
        await _locked(session, family_id)
        access, now = await access_at(session, family_id)
        month = month_of(access, family_id, now)
        if month.credits and access.may_use_ai:
            await _grant_month(session, family_id, access, month)
        standing = await _restand(session, family_id)
        ends = [each for each in (standing.next_end(), month.ends_at, access.until) if each and each > now]
        values: dict[str, Any] = {"is_open": access.may_use_ai}
        if not standing.is_waiting:
            values["attend_at"] = min(ends) if ends else NEVER
        await session.execute(_mine(family_id).values(**values))
    return access


async def _grant_month(session: AsyncSession, family_id: UUID, access: Access, month: Month) -> None:
    """What the plan gives for this month, less what another plan gave for it before the change."""
    given = select(func.coalesce(func.sum(CreditLot.granted), 0)).where(
        CreditLot.family_id == family_id,
        CreditLot.source_kind == "plan",
        CreditLot.source_reference.startswith(month.reference, autoescape=True),
    )
    more = month.credits - int(await session.scalar(given) or 0)
    if more > 0:
        payment_id = await payment_of(session, access)
        source = {"source_kind": "plan", "source_reference": f"{month.reference}{access.plan_version_id}"}
        ends = {"expires_at": month.ends_at}
        await _add_lot(session, family_id, more, payment_id, priority=OF_THE_PLAN, **source, **ends)


async def _locked(session: AsyncSession, family_id: UUID) -> None:
    """Make the account if there is none, and lock it until the transaction ends."""
    await session.execute(upsert(CreditAccount).values(family_id=family_id).on_conflict_do_nothing())
    await session.execute(select(CreditAccount.family_id).where(CreditAccount.family_id == family_id).with_for_update())


async def _restand(session: AsyncSession, family_id: UUID) -> Standing:
    """Write how the lots and the account stand now; the account is locked."""
    held = int(await session.scalar(select(CreditAccount.held).where(CreditAccount.family_id == family_id)) or 0)
    now = await payments_now(session)
    lots = await _lots(session, family_id)
    after = stand(lots, held, now)
    for old, new in zip(lots, after.lots, strict=True):
        if old != new:
            values = {name: getattr(new, name) for name in CHANGING}
            await session.execute(update(CreditLot).where(CreditLot.id == new.id).values(**values))
    values = {"available": after.available, "debt": after.debt}
    await session.execute(_mine(family_id).values(**values, attend_at=_sooner(after)))
    return after


def _sooner(standing: Standing) -> Any:
    if standing.is_waiting:
        return AT_ONCE
    end = standing.next_end()
    return func.least(CreditAccount.attend_at, end) if end else CreditAccount.attend_at


async def _lots(session: AsyncSession, family_id: UUID) -> Sequence[Lot]:
    """The lots that may still change, in the order of their use."""
    counts = CreditLot.remaining + CreditLot.repaid + CreditLot.taken_back + CreditLot.withdrawn
    columns = (getattr(CreditLot, name) for name in FIELDS)
    mine = select(*columns).where(CreditLot.family_id == family_id, counts > 0).order_by(*ORDER)
    return [Lot(*row) for row in await session.execute(mine)]


def _mine(family_id: UUID) -> Any:
    return update(CreditAccount).where(CreditAccount.family_id == family_id)


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


async def end_lots(session: AsyncSession, family_id: UUID) -> None:
    """End what is left of lots whose time is over; what is held ends when it is not held any more."""
    async with as_family(session, family_id):
        await _locked(session, family_id)
        await _restand(session, family_id)
