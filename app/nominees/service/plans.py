"""Legacy plans: made, changed as a whole, armed. None can be changed while a release of it is going on."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.runtime import current
from app.db.turns import take_turns
from app.nominees.cells import open_body, open_rows, owner_ring, seal_body
from app.nominees.errors import PlanNotReady, TooManyPlans
from app.nominees.models import cases, gifts, messages, plans
from app.nominees.policy import named_in, owned_plan, refuse_while_open
from app.nominees.schemas.plans import (
    GiftRead,
    LegacyPlanCreate,
    LegacyPlanRead,
    LegacyPlanUpdate,
    MessageRead,
    MessageTo,
    Stage,
    StageRead,
)
from app.nominees.service.gifts import gift_rows
from app.nominees.service.letters import to_owner
from app.nominees.service.noting import note_own
from app.nominees.service.people import require_nominees
from app.vault.etags import check_revision
from app.vault.service.listing import FIRST_PAGE

RULES: Final = (
    "may_be_asked",
    "inactivity_days",
    "reminder_days",
    "confirmer_id",
    "confirmation_days",
    "goes_on_if_silent",
    "attestations_needed",
    "waiting_days",
    "access_days",
    "cooldown_days",
    "gives_server_sheet",
)
CLEARED_BY_NULL: Final = ("inactivity_days", "confirmer_id")


async def create_plan(session: AsyncSession, principal: Principal, data: LegacyPlanCreate) -> LegacyPlanRead:
    """A new plan, as a draft.

    Raises `StepUpRequired`, `SessionNeeded`, `TooManyPlans`, `NomineeNotFound`, `VaultNotFound`, `RoleTooLow`,
    `ItemNotFound`, `DocumentNotFound`.
    """
    await auth.require_recent(session, principal)
    await _require_room(session, principal.user_id)
    await _check_confirmer(session, principal, data.confirmer_id)
    plan_id, ring = new_id(), await owner_ring(session, principal.user_id)
    values = {
        "id": plan_id,
        "user_id": principal.user_id,
        "body": seal_body(ring, plans, plan_id, {"title": data.title}),
        "stages": [stage.after_days for stage in data.stages],
        **{name: getattr(data, name) for name in RULES},
    }
    await session.execute(insert(plans).values(values))
    await _put_gifts(session, principal, plan_id, data.stages)
    await _put_messages(session, principal, plan_id, data.messages)
    await note_own(session, principal, "plan_created", plan_id)
    return await read_plan(session, principal, plan_id)


async def _require_room(session: AsyncSession, user_id: UUID) -> None:
    """Two new ones at once are counted one after the other."""
    await take_turns(session, f"plans of {user_id}")
    held = await session.scalar(select(func.count()).select_from(plans).where(plans.c.user_id == user_id))
    if (held or 0) >= current().settings.legacy_plans_per_user:
        raise TooManyPlans("Delete one first")


async def _check_confirmer(session: AsyncSession, principal: Principal, nominee_id: UUID | None) -> None:
    if nominee_id:
        await require_nominees(session, principal, {nominee_id})


async def _put_gifts(session: AsyncSession, principal: Principal, plan_id: UUID, stages: Sequence[Stage]) -> None:
    rows = await gift_rows(session, principal, plan_id, stages)
    await session.execute(delete(gifts).where(gifts.c.plan_id == plan_id))
    if rows:
        await session.execute(insert(gifts), rows)


async def _put_messages(session: AsyncSession, principal: Principal, plan_id: UUID, new: Iterable[MessageTo]) -> None:
    by_nominee = {message.nominee_id: message.text for message in new}
    await require_nominees(session, principal, set(by_nominee))
    await session.execute(delete(messages).where(messages.c.plan_id == plan_id))
    ring = await owner_ring(session, principal.user_id)
    for nominee_id, text in by_nominee.items():
        message_id = new_id()
        body = seal_body(ring, messages, message_id, {"text": text})
        ids = {"id": message_id, "user_id": principal.user_id, "plan_id": plan_id, "nominee_id": nominee_id}
        await session.execute(insert(messages).values(**ids, body=body))


async def list_plans(
    session: AsyncSession, principal: Principal, after: UUID | None, limit: int
) -> tuple[list[LegacyPlanRead], UUID | None]:
    """One page of the principal's plans, newest first; and the one that the next page continues after."""
    mine = plans.c.user_id == principal.user_id, plans.c.id < (after or FIRST_PAGE)
    statement = select(plans).where(*mine).order_by(plans.c.id.desc()).limit(limit + 1)
    rows = (await session.execute(statement)).mappings().all()
    shown = [await _read(session, row) for row in rows[:limit]]
    return shown, shown[-1].id if len(rows) > limit else None


async def read_plan(session: AsyncSession, principal: Principal, plan_id: UUID) -> LegacyPlanRead:
    """A plan of the principal. Raises `LegacyPlanNotFound`."""
    return await _read(session, await owned_plan(session, principal, plan_id))


async def _read(session: AsyncSession, row: Any) -> LegacyPlanRead:
    ring = await owner_ring(session, row["user_id"], row["body"])
    of_plan = select(gifts).where(gifts.c.plan_id == row["id"]).order_by(gifts.c.stage, gifts.c.id)
    given = (await session.execute(of_plan)).mappings().all()
    said = select(messages).where(messages.c.plan_id == row["id"]).order_by(messages.c.id)
    said_rows = (await session.execute(said)).mappings().all()
    texts = await open_rows(session, messages, said_rows)
    case = select(cases.c.id).where(cases.c.plan_id == row["id"], cases.c.state != "closed")
    shown = {
        **row,
        "title": open_body(ring, plans, row["id"], row["body"])["title"],
        "case_id": await session.scalar(case),
        "stages": [
            StageRead(
                after_days=days, gifts=[GiftRead.model_validate(dict(gift)) for gift in given if gift["stage"] == n]
            )
            for n, days in enumerate(row["stages"])
        ],
        "messages": [
            MessageRead(nominee_id=each["nominee_id"], text=text["text"])
            for each, text in zip(said_rows, texts, strict=True)
        ],
    }
    return LegacyPlanRead.model_validate(shown)


async def update_plan(
    session: AsyncSession, principal: Principal, plan_id: UUID, data: LegacyPlanUpdate, *, if_match: str | None
) -> LegacyPlanRead:
    """Change a plan; its owner is told, in case it was somebody else.

    Raises what `create_plan` raises, `LegacyPlanNotFound`, `StaleRevision`, `CaseIsOpen`.
    """
    row = await _changeable(session, principal, plan_id)
    check_revision(if_match, row["revision"])
    given = data.model_dump(exclude_unset=True)
    values = {name: given[name] for name in RULES if given.get(name) is not None}
    values |= {name: None for name in CLEARED_BY_NULL if name in given and given[name] is None}
    await _check_confirmer(session, principal, data.confirmer_id)
    if data.title is not None:
        ring = await owner_ring(session, principal.user_id)
        values["body"] = seal_body(ring, plans, plan_id, {"title": data.title})
    if data.stages is not None:
        values["stages"] = [stage.after_days for stage in data.stages]
        await _put_gifts(session, principal, plan_id, data.stages)
    if data.messages is not None:
        await _put_messages(session, principal, plan_id, data.messages)
    await _set(session, plan_id, **values)
    await note_own(session, principal, "plan_updated", plan_id, revision=row["revision"] + 1)
    return await read_plan(session, principal, plan_id)


async def _changeable(session: AsyncSession, principal: Principal, plan_id: UUID) -> Any:
    """The locked row of a plan that may be changed; whoever opens a case locks it first, too."""
    await auth.require_recent(session, principal)
    row = await owned_plan(session, principal, plan_id, lock=True)
    await refuse_while_open(session, cases.c.plan_id == plan_id)
    return row


async def _set(session: AsyncSession, plan_id: UUID, **values: Any) -> None:
    changed = update(plans).where(plans.c.id == plan_id)
    changed = changed.values(**values, revision=plans.c.revision + 1, updated_at=func.now())
    user_id, armed_at = (await session.execute(changed.returning(plans.c.user_id, plans.c.armed_at))).one()
    if armed_at or "armed_at" in values:
        await to_owner(session, user_id, "legacy_changed")


async def delete_plan(session: AsyncSession, principal: Principal, plan_id: UUID) -> None:
    """Delete a plan with its past cases.

    Raises `StepUpRequired`, `SessionNeeded`, `LegacyPlanNotFound`, `CaseIsOpen`.
    """
    await _changeable(session, principal, plan_id)
    await session.execute(delete(plans).where(plans.c.id == plan_id))
    await note_own(session, principal, "plan_deleted", plan_id)
    await to_owner(session, principal.user_id, "legacy_changed")


async def arm_plan(
    session: AsyncSession, principal: Principal, plan_id: UUID, now: datetime | None = None
) -> LegacyPlanRead:
    """Let a plan come into force.

    Raises `StepUpRequired`, `SessionNeeded`, `LegacyPlanNotFound`, `CaseIsOpen`, `PlanNotReady`.
    """
    row = await _changeable(session, principal, plan_id)
    if not (row["may_be_asked"] or row["inactivity_days"]):
        raise PlanNotReady("Nothing begins its release: neither your inactivity nor anybody who asks")
    if await session.scalar(select(func.count()).select_from(named_in(plan_id).subquery())) == 0:
        raise PlanNotReady("Nobody gets anything by it")
    await _set(session, plan_id, armed_at=now or func.now())
    await note_own(session, principal, "plan_armed", plan_id)
    return await read_plan(session, principal, plan_id)


async def disarm_plan(session: AsyncSession, principal: Principal, plan_id: UUID) -> LegacyPlanRead:
    """Make a plan a draft again. Raises `StepUpRequired`, `SessionNeeded`, `LegacyPlanNotFound`, `CaseIsOpen`."""
    await _changeable(session, principal, plan_id)
    await _set(session, plan_id, armed_at=None)
    await note_own(session, principal, "plan_disarmed", plan_id)
    return await read_plan(session, principal, plan_id)
