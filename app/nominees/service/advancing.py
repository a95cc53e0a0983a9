"""What time does to cases: those that are due go on, and owners who were not seen for long get one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, and_, exists, or_, select, true

from app.auth import service as auth
from app.core.logging import get_log
from app.db.session import Actor, session_scope
from app.nominees import machine
from app.nominees.machine import BEFORE_RELEASE
from app.nominees.models import cases, plans
from app.nominees.service.cases import case_of, locked, open_case, settle
from app.nominees.service.clock import legacy_now
from app.notifications import service as notifications

CASES_AT_ONCE: Final = 500
PLANS_AT_ONCE: Final = 500

log = get_log(__name__)


async def advance_due(now: datetime | None = None) -> int:
    """Move every case that is due by one step; returns how many moved. Each is a transaction of its own."""
    async with session_scope() as session:
        time = await legacy_now(session, now)
        due = or_(cases.c.due_at <= time, and_(cases.c.trigger == "inactive", cases.c.state.in_(BEFORE_RELEASE)))
        statement = select(cases.c.id, cases.c.user_id).where(cases.c.state != "closed", due)
        found = (await session.execute(statement.order_by(cases.c.due_at).limit(CASES_AT_ONCE))).all()
    return sum([await advance_case(case_id, user_id, now) for case_id, user_id in found])


async def advance_case(case_id: UUID, user_id: UUID, now: datetime | None = None) -> bool:
    """Move one case by one step if it is time; whether it moved.

    Nothing goes on towards a release while letters of its owner could not be sent yet: three days at most, after which
    they are given up.
    """
    async with session_scope(Actor.user(user_id)) as session:
        row = await locked(session, case_id)
        time = await legacy_now(session, now)
        before = case_of(row)
        after = machine.advance(before, time, (await auth.last_seen(session, [user_id])).get(user_id))
        if after is before:
            return False
        if after.state not in ("stopped", "closed") and await _letters_wait(user_id):
            log.info("release case waits for letters", case_id=str(case_id))
            return False
        await settle(session, row, after, time)
    return True


async def _letters_wait(user_id: UUID) -> bool:
    async with session_scope() as session:
        return await notifications.has_waiting(session, user_id)


async def suspect_inactive(now: datetime | None = None) -> int:
    """Open a case for every armed plan whose owner was not seen for as long as it says; returns how many."""
    opened, last = 0, UUID(int=0)
    while True:
        async with session_scope() as session:
            time = await legacy_now(session, now)
            rows = (await session.execute(_watched(last))).mappings().all()
            seen = await auth.last_seen(session, {row["user_id"] for row in rows})
        overdue = [row for row in rows if row["user_id"] in seen and _is_overdue(row, seen[row["user_id"]], time)]
        opened += sum([await _suspect(row["id"], row["user_id"], now) for row in overdue])
        if len(rows) < PLANS_AT_ONCE:
            return opened
        last = rows[-1]["id"]


def _watched(after: UUID) -> Select[Any]:
    """Armed plans with a time of inactivity and without an open case, and how the last case of each ended."""
    newest = select(cases.c.opened_at, cases.c.ending).where(cases.c.plan_id == plans.c.id)
    last = newest.order_by(cases.c.opened_at.desc()).limit(1).lateral("last")
    open_one = exists().where(cases.c.plan_id == plans.c.id, cases.c.state != "closed")
    joined = plans.outerjoin(last, true())
    statement = select(plans, last.c.opened_at, last.c.ending).select_from(joined)
    watched = plans.c.armed_at.is_not(None), plans.c.inactivity_days > 0, ~open_one, plans.c.id > after
    return statement.where(*watched).order_by(plans.c.id).limit(PLANS_AT_ONCE)


def _is_overdue(plan: Any, seen: datetime, now: datetime) -> bool:
    """Whether it is time: counted from the last sign of life, from when the plan came into force, and from a case that
    came to nothing. A plan that has released is not released again by itself, unless its owner was back meanwhile.
    """
    if plan["ending"] == "over" and seen <= plan["opened_at"]:
        return False
    since = max(seen, plan["armed_at"], plan["opened_at"] or plan["armed_at"])
    return bool(now >= since + timedelta(days=plan["inactivity_days"]))


async def _suspect(plan_id: UUID, user_id: UUID, now: datetime | None) -> bool:
    """Look again under the lock of the plan, and open the case."""
    async with session_scope(Actor.user(user_id)) as session:
        await session.execute(select(plans.c.id).where(plans.c.id == plan_id).with_for_update())
        time = await legacy_now(session, now)
        rows: Sequence[Any] = (await session.execute(_watched(UUID(int=plan_id.int - 1)))).mappings().all()
        plan = next((row for row in rows if row["id"] == plan_id), None)
        seen = (await auth.last_seen(session, [user_id])).get(user_id)
        if plan is None or seen is None or not _is_overdue(plan, seen, time):
            return False
        await open_case(session, plan, "inactive", time)
    return True
