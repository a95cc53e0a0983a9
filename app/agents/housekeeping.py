"""Runs that would hang for ever: unanswered questions, and work that was given up."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import events, runs
from app.agents.models import Approval, Run
from app.db.session import Actor, session_scope
from app.jobs.service import unfinished_jobs

AT_ONCE: Final = 100
SILENT: Final = timedelta(minutes=2)


async def tidy(now: datetime) -> int:
    """Do all of it; returns how many runs were touched."""
    async with session_scope() as session:
        asked = exists().where(Approval.run_id == Run.id, Approval.state == "pending", Approval.expires_at > now)
        unanswered = select(Run.id, Run.user_id).where(Run.state == "waiting", ~asked).limit(AT_ONCE)
        open_runs = Run.state.in_(["queued", "running"]), Run.created_at < now - SILENT
        working = select(Run.id, Run.user_id, Run.job_id).where(*open_runs).order_by(Run.id).limit(AT_ONCE)
        waiting, busy = (await session.execute(unanswered)).all(), (await session.execute(working)).all()
        alive = await unfinished_jobs(session, [job_id for _, _, job_id in busy if job_id])
    touched = 0
    for run_id, user_id in waiting:
        async with session_scope(Actor.user(user_id)) as session:
            run = await session.scalar(select(Run).where(Run.id == run_id).with_for_update())
            touched += bool(run and await runs.resume(session, run))
    for run_id, user_id, job_id in busy:
        if job_id not in alive:
            async with session_scope(Actor.user(user_id)) as session:
                touched += await _give_up(session, run_id, job_id, now)
    return touched


async def _give_up(session: AsyncSession, run_id: object, job_id: object, now: datetime) -> bool:
    mine = Run.id == run_id, Run.job_id == job_id, Run.state.in_(["queued", "running"])
    run = await session.scalar(select(Run).where(*mine).with_for_update())
    if run is None:
        return False
    run.state, run.reason, run.ended_at = "failed", "gave_up", now
    await session.flush()
    await events.append(session, run.id, run.user_id, "done", {"state": "failed", "reason": "gave_up"})
    return True
