"""Runs: started, watched, decided upon, cancelled. Every run is carried by a job, whoever works on it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import agents, approvals, conversations, effects, events
from app.agents.added import NOTHING, Added
from app.agents.cells import opened, opened_all, sealed
from app.agents.errors import RunBusy, RunNotFound, RunOver, TooMany
from app.agents.events import RunEvent
from app.agents.models import OVER, Approval, Run
from app.agents.schemas import AgentRead, ApprovalRead, RunCreate, RunRead
from app.audit import service as audit
from app.auth.principal import Principal
from app.core.clock import new_id, utc_now
from app.db.runtime import current, when_closing
from app.db.session import session_scope
from app.jobs.runner import run_job
from app.jobs.service import cancel_jobs, create_job
from app.vault import service as vaults

TABLE: Final = "agent_runs"
RUN_JOB: Final = "agents.run"
LOOK_SECONDS: Final = 0.5
LEAVE_SECONDS: Final = 3.0
AT_REST: Final = (*OVER, "waiting")
_here: Final[set[asyncio.Task[None]]] = set()


async def start_run(
    session: AsyncSession, principal: Principal, agent_id: UUID, data: RunCreate, added: Added = NOTHING
) -> Run:
    """Write down a run and queue it; it begins after the commit. `added` is what a program adds.

    Raises `AgentNotFound`, `ConversationNotFound`, `RunBusy`, `TooMany`, `VaultNotFound`.
    """
    agent = await agents.read(session, principal, agent_id)
    if data.vault_ids:
        await vaults.require_vaults(session, principal, data.vault_ids)
    await _require_room(session, principal)
    conversation_id = await conversations.of_run(session, principal, agent_id, data)
    run_id = new_id()
    content = {"message": data.message, "agent": agent.model_dump(mode="json"), "vault_ids": _scope(agent, data)}
    content["added"] = added.model_dump(mode="json")
    run = Run(
        id=run_id,
        user_id=principal.user_id,
        agent_id=agent_id,
        agent_version=agent.version,
        conversation_id=conversation_id,
        background=data.background,
        scopes=sorted(principal.scopes),
        state="queued",
        body=await sealed(session, principal.user_id, TABLE, run_id, content),
    )
    session.add(run)
    try:
        await session.flush()
    except IntegrityError as error:
        if "ix_agent_runs_open" not in str(error.orig):
            raise
        raise RunBusy from None
    run.job_id = await create_job(session, RUN_JOB, subject_id=run_id, user_id=principal.user_id)
    await session.flush()
    return run


def _scope(agent: AgentRead, data: RunCreate) -> list[str] | None:
    """The vaults of the agent, narrowed by the request; never widened."""
    if data.vault_ids is None:
        return None if agent.vault_ids is None else [str(each) for each in agent.vault_ids]
    asked = set(data.vault_ids)
    return [str(each) for each in (asked if agent.vault_ids is None else asked & set(agent.vault_ids))]


async def _require_room(session: AsyncSession, principal: Principal) -> None:
    unended = select(func.count()).where(Run.user_id == principal.user_id, Run.state.in_(["queued", "running"]))
    if (await session.scalar(unended) or 0) >= current().settings.agent_runs_at_once:
        raise TooMany("Wait until one of your runs has ended, or cancel it")


async def find(session: AsyncSession, principal: Principal, run_id: UUID, *, lock: bool = False) -> Run:
    """A run of this person's. Raises `RunNotFound`."""
    mine = select(Run).where(Run.id == run_id, Run.user_id == principal.user_id)
    mine = mine.with_for_update() if lock else mine
    run = await session.scalar(mine.execution_options(populate_existing=True))
    if run is None:
        raise RunNotFound
    return run


async def read_run(session: AsyncSession, principal: Principal, run_id: UUID) -> RunRead:
    """A run as it is now. Raises `RunNotFound`."""
    run = await find(session, principal, run_id)
    asked = [await approval_read(session, row) for row in await approvals.of_run(session, run.id)]
    return _read(run, await opened(session, TABLE, run), asked)


async def list_runs(
    session: AsyncSession, principal: Principal, *, conversation_id: UUID | None, limit: int, before: UUID | None
) -> list[RunRead]:
    """A person's runs, newest first."""
    statement = select(Run).where(Run.user_id == principal.user_id).order_by(Run.id.desc()).limit(limit)
    if conversation_id:
        statement = statement.where(Run.conversation_id == conversation_id)
    if before:
        statement = statement.where(Run.id < before)
    rows = (await session.scalars(statement)).all()
    asked: dict[UUID | None, list[ApprovalRead]] = {}
    for row in await session.scalars(select(Approval).where(Approval.run_id.in_([run.id for run in rows]))):
        asked.setdefault(row.run_id, []).append(await approval_read(session, row))
    contents = await opened_all(session, TABLE, rows)
    return [_read(run, content, asked.get(run.id, [])) for run, content in zip(rows, contents, strict=True)]


async def asked_of(session: AsyncSession, run: Run) -> list[ApprovalRead]:
    """What a run asks the person for and is still to be decided."""
    now = utc_now()
    rows = [each for each in await approvals.of_run(session, run.id) if each.state == "pending"]
    return [await approval_read(session, row) for row in rows if row.expires_at > now]


async def approval_read(session: AsyncSession, row: Approval) -> ApprovalRead:
    """An approval with the very arguments that it is bound to."""
    arguments = (await approvals.contents(session, row))["arguments"]
    values = {name: getattr(row, name) for name in ApprovalRead.model_fields if name != "arguments"}
    return ApprovalRead.model_validate({**values, "arguments": arguments})


async def decide(session: AsyncSession, principal: Principal, approval_id: UUID, approve: bool) -> Approval:
    """Decide about an approval; its run goes on when nothing is left to decide, what has no run is done at once.

    Raises `ApprovalNotFound`, `ApprovalDecided`, `ApproverNeeded`, `EffectFailed`, `Forbidden`, `RunOver`.
    """
    row = await approvals.find(session, principal, approval_id)
    run = await find(session, principal, row.run_id, lock=True) if row.run_id else None
    if run and run.state in OVER:
        raise RunOver
    row = await approvals.decide(session, principal, approval_id, approve)
    if run:
        data = {"approval_id": str(approval_id), "approved": approve}
        await events.append(session, run.id, run.user_id, "decision", data)
        await resume(session, run)
    act = "agents.approval_given" if approve else "agents.approval_refused"
    await audit.record_own(session, principal, principal.user_id, act, row.id, tool=row.tool)
    if approve and run is None:
        await effects.perform_now(session, principal, row)
    return row


async def resume(session: AsyncSession, run: Run) -> bool:
    """Queue a waiting run whose questions are all decided or too old; the run is locked. Whether it goes on."""
    now = utc_now()
    left = [row for row in await approvals.of_run(session, run.id) if row.state == "pending" and row.expires_at > now]
    if run.state != "waiting" or left:
        return False
    run.state = "queued"
    run.job_id = await create_job(session, RUN_JOB, subject_id=run.id, user_id=run.user_id)
    await session.flush()
    return True


async def cancel_run(session: AsyncSession, principal: Principal, run_id: UUID) -> None:
    """End a run; whoever works on it can write nothing more. Raises `RunNotFound`, `RunOver`."""
    run = await find(session, principal, run_id)
    await cancel_jobs(session, run_id, "cancelled", "The run was cancelled.")  # waits for an effect being committed
    ended = (
        update(Run)
        .where(Run.id == run_id, Run.ended_at.is_(None))
        .values(state="cancelled", reason="cancelled", cancelled_at=func.now(), ended_at=func.now())
    )
    if await session.scalar(ended.returning(Run.id).execution_options(synchronize_session=False)) is None:
        raise RunOver
    await events.append(session, run_id, run.user_id, "done", {"state": "cancelled", "reason": "cancelled"})


async def remove_run(
    session: AsyncSession, principal: Principal, run_id: UUID, *, keep_conversation: bool = False
) -> None:
    """Delete a run, and with the last one its conversation. Raises `RunNotFound`, `RunBusy` while it goes on."""
    run = await find(session, principal, run_id, lock=True)
    if run.state in ("queued", "running"):
        raise RunBusy
    await session.execute(delete(Run).where(Run.id == run_id))
    others = select(Run.id).where(Run.conversation_id == run.conversation_id).limit(1)
    if not keep_conversation and await session.scalar(others) is None:
        await conversations.remove(session, principal, run.conversation_id)


def work_here(job_id: UUID) -> None:
    """Work on a run in this process now, for somebody waits for it; if the process dies a worker goes on."""
    runtime = current()
    if not _here:
        when_closing(runtime, _leave)
    task = asyncio.get_running_loop().create_task(run_job(job_id, runtime.settings.job_lease_seconds))
    _here.add(task)
    task.add_done_callback(_here.discard)


async def _leave() -> None:
    """Let runs of this process come to an end for a moment; a worker goes on with the others."""
    if _here:
        _, left = await asyncio.wait(_here, timeout=LEAVE_SECONDS)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def stream_run(principal: Principal, run_id: UUID, *, after: int = 0) -> AsyncGenerator[RunEvent | None, None]:
    """What happened after the event `after`, and what happens, until the run rests; None whenever it is quiet.

    Raises `RunNotFound`.
    """
    while True:
        async with session_scope(principal.actor) as session:
            at_rest = (await find(session, principal, run_id)).state in AT_REST
            found = await events.after(session, run_id, after)
        for event in found:
            after = event.ordinal
            yield event
        if not found and at_rest:
            return
        if not found:
            yield None
            await events.wait(run_id, LOOK_SECONDS)


async def until_rest(principal: Principal, run_id: UUID) -> None:
    """Wait until a run has ended or needs an approval, but no longer than a run may last. Raises `RunNotFound`."""
    with suppress(TimeoutError):
        async with (
            asyncio.timeout(current().settings.agent_max_seconds),
            aclosing(stream_run(principal, run_id)) as all_,
        ):
            async for _ in all_:
                pass


def _read(run: Run, content: dict[str, Any], asked: list[ApprovalRead]) -> RunRead:
    told = {name: content.get(name) for name in ("message", "output", "model")}
    values = {name: getattr(run, name) for name in RunRead.model_fields if hasattr(run, name)}
    return RunRead.model_validate({**values, **told, "citations": content.get("citations", []), "approvals": asked})
