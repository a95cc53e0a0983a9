"""Who may see what of a plan, a case and a release, as statements: the only place that decides it."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, CompoundSelect, Select, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.nominees.errors import CaseIsOpen, CaseNotFound, LegacyPlanNotFound
from app.nominees.models import cases, gifts, messages, nominees, plans

GOING_ON: Final = cases.c.state.not_in(["stopped", "closed"])
"""A case that may still release something, or has."""
OPEN_NOW: Final = (cases.c.state == "released") & (cases.c.stages > 0) & (cases.c.ends_at > func.now())
"""A case by which nominees may read just now: something is released, and its time is not over."""


def named_in(plan_id: Any) -> CompoundSelect[Any]:
    """The ids of the nominees who get something by a plan, be it a message."""
    given = select(gifts.c.nominee_id).where(gifts.c.plan_id == plan_id)
    return given.union(select(messages.c.nominee_id).where(messages.c.plan_id == plan_id))


def plans_for(nominee_id: UUID) -> CompoundSelect[Any]:
    """The ids of the plans by which a nominee gets something, be it a message."""
    given = select(gifts.c.plan_id).where(gifts.c.nominee_id == nominee_id)
    return given.union(select(messages.c.plan_id).where(messages.c.nominee_id == nominee_id))


def plans_naming(nominee_id: UUID) -> Select[Any]:
    """The ids of the plans in which a nominee gets something or is the trusted person."""
    return select(plans.c.id).where(or_(plans.c.confirmer_id == nominee_id, plans.c.id.in_(plans_for(nominee_id))))


def is_accepted(nominee_id: UUID) -> ColumnElement[bool]:
    """Whether a nominee has accepted."""
    return exists().where(nominees.c.id == nominee_id, nominees.c.state == "accepted")


def released_gifts(nominee_id: UUID) -> Select[Any]:
    """Every gift that a nominee who has accepted may read just now, with its case."""
    joined = gifts.join(cases, cases.c.plan_id == gifts.c.plan_id).join(nominees, nominees.c.id == gifts.c.nominee_id)
    return (
        select(gifts)
        .select_from(joined)
        .where(gifts.c.nominee_id == nominee_id, nominees.c.state == "accepted", OPEN_NOW)
        .where(gifts.c.stage < cases.c.stages)
    )


async def owned_plan(session: AsyncSession, principal: Principal, plan_id: UUID, *, lock: bool = False) -> Any:
    """The row of a plan of the principal. Raises `LegacyPlanNotFound`."""
    statement = select(plans).where(plans.c.id == plan_id, plans.c.user_id == principal.user_id)
    row = (await session.execute(statement.with_for_update() if lock else statement)).mappings().one_or_none()
    if row is None:
        raise LegacyPlanNotFound
    return row


async def owned_case(session: AsyncSession, principal: Principal, case_id: UUID, *, lock: bool = False) -> Any:
    """The row of a case of the principal. Raises `CaseNotFound`."""
    statement = select(cases).where(cases.c.id == case_id, cases.c.user_id == principal.user_id)
    row = (await session.execute(statement.with_for_update() if lock else statement)).mappings().one_or_none()
    if row is None:
        raise CaseNotFound
    return row


async def case_for(session: AsyncSession, nominee_id: UUID, case_id: UUID, *, lock: bool = False) -> Any:
    """The row of a case of a plan that names a nominee. Raises `CaseNotFound`."""
    statement = select(cases).where(cases.c.id == case_id, cases.c.plan_id.in_(plans_naming(nominee_id)))
    row = (await session.execute(statement.with_for_update() if lock else statement)).mappings().one_or_none()
    if row is None:
        raise CaseNotFound
    return row


async def refuse_while_open(session: AsyncSession, condition: ColumnElement[bool]) -> None:
    """See that no case that meets the condition is going on. Raises `CaseIsOpen`."""
    if await session.scalar(select(exists().where(condition, GOING_ON))):
        raise CaseIsOpen
