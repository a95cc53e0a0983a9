"""Runs that would hang for ever, as nobody answers or works on them; conversations that nobody wanted to keep."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import events, runs
from app.agents.models import Approval, Conversation, Run
from app.db.session import Actor, session_scope
from app.jobs.service import unfinished_jobs

AT_ONCE: Final = 100
SILENT: Final = timedelta(minutes=2)
UNKEPT: Final = timedelta(minutes=15)
"""How long a conversation that is not kept stays after its last word, if the process that held it died."""


async def tidy(now: datetime) -> int:
    """Do all of it; returns how many runs and conversations were touched."""
    async with session_scope() as session:
        asked = exists().where(Approval.run_id == Run.id, Approval.state == "pending", Approval.expires_at > now)
        unanswered = select(Run.id, Run.user_id).where(Run.state == "waiting", ~asked).limit(AT_ONCE)
        open_runs = Run.state.in_(["queued", "running"]), Run.created_at < now - SILENT
        working = select(Run.id, Run.user_id, Run.job_id).where(*open_runs).order_by(Run.id).limit(AT_ONCE)
        waiting, busy = (await session.execute(unanswered)).all(), (await session.execute(working)).all()
        alive = await unfinished_jobs(session, [job_id for _, _, job_id in busy if job_id])
    touched = await forget_unkept(now)
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


async def forget_unkept(now: datetime) -> int:
    """Forget conversations that are not kept and whose runs have ended; returns how many.

    The process that answers does so itself; this is for those that died. One that waits for the person is kept.
    """
    unended = exists().where(Run.conversation_id == Conversation.id, Run.ended_at.is_(None))
    left = Conversation.kept.is_(False), Conversation.updated_at < now - UNKEPT
    async with session_scope() as session:
        found = select(Conversation.id, Conversation.user_id).where(*left, ~unended).limit(AT_ONCE)
        rows = (await session.execute(found)).all()
        waiting = exists().where(Run.conversation_id == Conversation.id, Run.state == "waiting")
        asked = select(Conversation.id, Conversation.user_id).where(*left, waiting).limit(AT_ONCE)
        kept = (await session.execute(asked)).all()
    for conversation_id, user_id in rows:
        async with session_scope(Actor.user(user_id)) as session:
            await session.execute(delete(Conversation).where(Conversation.id == conversation_id, *left, ~unended))
    for conversation_id, user_id in kept:
        async with session_scope(Actor.user(user_id)) as session:
            keep = update(Conversation).where(Conversation.id == conversation_id, *left).values(kept=True)
            await session.execute(keep.execution_options(synchronize_session=False))
    return len(rows) + len(kept)
