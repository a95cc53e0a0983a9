"""Drills: the whole plan with the real people and with letters marked as a drill, while nothing can be released.

    owner → trusted → nominees → over

A step lasts until everybody in it has answered, or some days. A drill knows no case and no release: there is no way
from here to there.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.auth.parts import throttle
from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.throttle import Limit
from app.db.acting import acting_for
from app.db.runtime import current
from app.db.session import Actor, session_scope
from app.nominees.errors import DrillNotFound, DrillRunning, PlanNotReady, TooManyLetters
from app.nominees.models import drill_people, drills, nominees
from app.nominees.policy import owned_plan
from app.nominees.schemas.cases import DrillAnswer, DrillRead
from app.nominees.service.clock import legacy_now
from app.nominees.service.letters import day, find_people, owner_name, receivers, to_owner, to_person, trusted_person
from app.nominees.service.links import find_link, make_link, use_link
from app.nominees.service.noting import note_own
from app.vault.service.listing import FIRST_PAGE

STEPS: Final = ("owner", "trusted", "nominees", "over")
ROLE_OF: Final = {"owner": "owner", "trusted": "trusted", "nominees": "nominee"}
DRILLS: Final = Limit("drills", 5, 86_400)
DRILLS_AT_ONCE: Final = 500


async def start_drill(
    session: AsyncSession, principal: Principal, plan_id: UUID, now: datetime | None = None
) -> DrillRead:
    """Begin a drill, with a letter to the owner.

    Raises `SessionNeeded`, `LegacyPlanNotFound`, `PlanNotReady`, `DrillRunning`, `TooManyLetters`.
    """
    auth.require_session(principal)
    await owned_plan(session, principal, plan_id)
    people = [person for person in await receivers(session, plan_id) if person.state != "declined"]
    trusted = await trusted_person(session, plan_id)
    if not people:
        raise PlanNotReady("Nobody gets anything by it")
    await _count(plan_id)
    asked = [("owner", None), *([("trusted", trusted.id)] if trusted else []), *(("nominee", p.id) for p in people)]
    drill_id, time = new_id(), await legacy_now(session, now)
    values = {"id": drill_id, "user_id": principal.user_id, "plan_id": plan_id, "step": "owner", "due_at": time}
    try:
        await session.execute(insert(drills).values(values))
    except IntegrityError:
        raise DrillRunning from None
    ids = {"user_id": principal.user_id, "drill_id": drill_id}
    rows = [{"id": new_id(), **ids, "role": role, "nominee_id": nominee_id} for role, nominee_id in asked]
    await session.execute(insert(drill_people), rows)
    await note_own(session, principal, "drill_started", drill_id, plan_id=plan_id)
    await _begin(session, await _locked(session, drill_id), "owner", time)
    return await read_drill(session, principal, drill_id)


async def _count(plan_id: UUID) -> None:
    if wait := await throttle().hit(DRILLS, plan_id.hex):
        raise TooManyLetters(f"Try again in {wait} seconds", headers={"Retry-After": str(wait)})


async def _locked(session: AsyncSession, drill_id: UUID) -> Any:
    statement = select(drills).where(drills.c.id == drill_id).with_for_update()
    row = (await session.execute(statement)).mappings().one_or_none()
    if row is None:
        raise DrillNotFound
    return row


async def _begin(session: AsyncSession, drill: Any, step: str, now: datetime) -> None:
    """Go on to a step, or past it if there is nobody in it."""
    due_at = now + timedelta(days=current().settings.drill_step_days)
    values = {"step": step, "due_at": due_at, "ended_at": now if step == "over" else None}
    await session.execute(update(drills).where(drills.c.id == drill["id"]).values(values))
    if step == "over":
        await _report(session, drill)
        return
    of_step = drill_people.c.drill_id == drill["id"], drill_people.c.role == ROLE_OF[step]
    people = (await session.execute(select(drill_people).where(*of_step))).mappings().all()
    for person in people:
        await _mail(session, drill, person, due_at)
    if not people:
        await _begin(session, drill, STEPS[STEPS.index(step) + 1], now)


async def _mail(session: AsyncSession, drill: Any, person: Any, due_at: datetime) -> None:
    ids = {"nominee_id": person["nominee_id"], "subject_id": person["id"]}
    token = await make_link(session, drill["user_id"], "drill", **ids)
    mailed = update(drill_people).where(drill_people.c.id == person["id"]).values(mailed_at=func.now())
    await session.execute(mailed)
    if person["nominee_id"] is None:
        await to_owner(session, drill["user_id"], "legacy_drill_owner", token=token, day=day(due_at))
        return
    [nominee] = await find_people(session, nominees.c.id == person["nominee_id"])
    template = "legacy_drill_trusted" if person["role"] == "trusted" else "legacy_drill_nominee"
    await to_person(session, nominee, template, token=token, day=day(due_at))


async def _report(session: AsyncSession, drill: Any) -> None:
    of_drill = drill_people.c.drill_id == drill["id"]
    counts = select(func.count(), func.count(drill_people.c.answered_at)).where(of_drill)
    asked, answered = (await session.execute(counts)).one()
    await to_owner(session, drill["user_id"], "legacy_drill_report", number=f"{answered} of {asked}")


async def find_drill(token: str) -> str:
    """The name of the owner whose drill a link belongs to; nothing is changed. Raises `LegacyLinkNotFound`."""
    async with session_scope() as session:
        link = await find_link(session, "drill", token)
        return await owner_name(session, link["user_id"])


async def answer_drill(token: str, now: datetime | None = None) -> None:
    """Somebody got the letter of a drill and says so; the link works once. Raises `LegacyLinkNotFound`."""
    async with session_scope() as session:
        link = await find_link(session, "drill", token)
        async with acting_for(session, Actor.user(link["user_id"])):
            await use_link(session, link["id"])
            mine = drill_people.c.id == link["subject_id"]
            answered = update(drill_people).where(mine).values(answered_at=func.now())
            drill_id = await session.scalar(answered.returning(drill_people.c.drill_id))
            proved = nominees.c.id == link["nominee_id"], nominees.c.state == "accepted"
            await session.execute(update(nominees).where(*proved).values(verified_at=func.now()))
            if drill_id:
                await _go_on(session, await _locked(session, drill_id), await legacy_now(session, now))


async def _go_on(session: AsyncSession, drill: Any, now: datetime) -> bool:
    """On to the next step if everybody in this one has answered, or if its time is over."""
    if drill["step"] == "over":
        return False
    of_step = drill_people.c.drill_id == drill["id"], drill_people.c.role == ROLE_OF[drill["step"]]
    silent = select(func.count()).select_from(drill_people).where(*of_step, drill_people.c.answered_at.is_(None))
    if await session.scalar(silent) and now < drill["due_at"]:
        return False
    await _begin(session, drill, STEPS[STEPS.index(drill["step"]) + 1], now)
    return True


async def advance_drills(now: datetime | None = None) -> int:
    """Take drills on whose step is over; returns how many."""
    async with session_scope() as session:
        time = await legacy_now(session, now)
        due = select(drills.c.id, drills.c.user_id).where(drills.c.step != "over", drills.c.due_at <= time)
        found = (await session.execute(due.limit(DRILLS_AT_ONCE))).all()
    moved = 0
    for drill_id, user_id in found:
        async with session_scope(Actor.user(user_id)) as session:
            moved += await _go_on(session, await _locked(session, drill_id), await legacy_now(session, now))
    return moved


async def read_drill(session: AsyncSession, principal: Principal, drill_id: UUID) -> DrillRead:
    """A drill of the principal's, with who answered. Raises `DrillNotFound`."""
    mine = drills.c.id == drill_id, drills.c.user_id == principal.user_id
    row = (await session.execute(select(drills).where(*mine))).mappings().one_or_none()
    if row is None:
        raise DrillNotFound
    return await _read(session, row)


async def list_drills(
    session: AsyncSession, principal: Principal, plan_id: UUID, after: UUID | None, limit: int
) -> tuple[list[DrillRead], UUID | None]:
    """One page of a plan's drills, newest first; and where the next page continues. Raises `LegacyPlanNotFound`."""
    await owned_plan(session, principal, plan_id)
    of_plan = drills.c.plan_id == plan_id, drills.c.id < (after or FIRST_PAGE)
    statement = select(drills).where(*of_plan).order_by(drills.c.id.desc()).limit(limit + 1)
    rows = (await session.execute(statement)).mappings().all()
    shown = [await _read(session, row) for row in rows[:limit]]
    return shown, shown[-1].id if len(rows) > limit else None


async def _read(session: AsyncSession, row: Any) -> DrillRead:
    of_drill = select(drill_people).where(drill_people.c.drill_id == row["id"]).order_by(drill_people.c.id)
    people = (await session.execute(of_drill)).mappings().all()
    answers = [DrillAnswer.model_validate(dict(person)) for person in people]
    return DrillRead.model_validate({**row, "people": answers})
