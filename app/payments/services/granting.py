"""Lots of credits: granted once, taken back with their money, ended with their time; under the lock of the account."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id
from app.payments.models.credits import CreditAccount, CreditLot, CreditReturn
from app.payments.policy import as_family
from app.payments.services.access import Access, access_at
from app.payments.services.clock import payments_now
from app.payments.services.lots import Lot, Standing, stand, withdrawn_of
from app.payments.services.months import Month, month_of, payment_of

AT_ONCE: Final = text("'-infinity'")
NEVER: Final = text("'infinity'")
OF_THE_PLAN: Final = 0
"""Priority of what the month brings: it ends first, so it is used first."""
FIELDS: Final = tuple(field.name for field in fields(Lot))
CHANGING: Final = ("remaining", "used", "repaid", "expired", "taken_back", "withdrawn")
ORDER: Final = (CreditLot.priority, CreditLot.expires_at.asc().nulls_last(), CreditLot.id)


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


async def end_lots(session: AsyncSession, family_id: UUID) -> None:
    """End what is left of lots whose time is over; what is held ends when it is not held any more."""
    async with as_family(session, family_id):
        await _locked(session, family_id)
        await _restand(session, family_id)


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
