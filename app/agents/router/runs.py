"""Routes of runs: start, watch, approve, cancel."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Final, Literal
from uuid import UUID

import orjson
from fastapi import Header, Query
from starlette.responses import Response, StreamingResponse

from app.agents import approvals, events, runs, talk
from app.agents.errors import (
    AgentNotFound,
    ApprovalDecided,
    ApprovalNotFound,
    ApproverNeeded,
    ConversationNotFound,
    EffectFailed,
    RunBusy,
    RunNotFound,
    RunOver,
    TooMany,
)
from app.agents.router.access import Runner, page_of
from app.agents.schemas import ApprovalPage, ApprovalRead, Decision, RunCreate, RunDecision, RunPage, RunRead
from app.api.deps import SessionDep
from app.api.openapi import event_stream
from app.api.pages import Cursor, InvalidCursor, Limit, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.auth.principal import Principal
from app.vault.errors import VaultNotFound, VaultSealed

DECIDING: Final = (ApprovalNotFound, ApprovalDecided, ApproverNeeded, EffectFailed, RunOver)

router = Router(prefix="/agents")
STREAM = event_stream(**{kind: {"type": "object"} for kind in events.KINDS})
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
QUIET_ROUNDS = 20
STARTING = problems(AgentNotFound, ConversationNotFound, RunBusy, TooMany, VaultNotFound, VaultSealed)
LastEventId = Annotated[str, Header(pattern=r"^[0-9]{0,9}$", description="Go on after this event.", examples=["7"])]


@router.post(
    "/{agent_id:uuid}/runs",
    status_code=201,
    response_model=RunRead,
    responses={201: {"content": STREAM}, **STARTING},
)
async def start_run(agent_id: UUID, data: RunCreate, principal: Runner, session: SessionDep) -> RunRead | Response:
    """Give an agent a task.

    The answer comes when the run has ended or needs your approval (`waiting`); with `background` at once, and with
    `stream` as server-sent events whose ids can be sent as `Last-Event-ID` to go on after a break. A run goes on
    whether somebody waits for it or not.
    """
    run = await runs.start_run(session, principal, agent_id, data)
    run_id, job_id = run.id, run.job_id
    await session.commit()
    if not data.background and job_id:
        runs.work_here(job_id)
    if data.stream:
        return _stream(principal, run_id, 0, status=201)
    if not data.background:
        await runs.until_rest(principal, run_id)
    return await runs.read_run(session, principal, run_id)


@router.get("/runs", responses=problems(InvalidCursor))
async def list_runs(
    principal: Runner,
    session: SessionDep,
    conversation_id: UUID | None = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> RunPage:
    """List your runs, newest first."""
    before = parse_cursor(cursor)
    found = await runs.list_runs(session, principal, conversation_id=conversation_id, limit=limit + 1, before=before)
    shown, after = page_of(found, limit)
    return RunPage(items=shown, next_cursor=after)


@router.get("/runs/{run_id:uuid}", responses=problems(RunNotFound))
async def read_run(run_id: UUID, principal: Runner, session: SessionDep) -> RunRead:
    """Read a run: its state, what was answered, and what it asks your approval for."""
    return await runs.read_run(session, principal, run_id)


@router.get(
    "/runs/{run_id:uuid}/events",
    response_class=StreamingResponse,
    responses={200: {"content": STREAM}, **problems(RunNotFound)},
)
async def watch_run(run_id: UUID, principal: Runner, session: SessionDep, last_event_id: LastEventId = "") -> Response:
    """Watch a run as server-sent events: what has happened, after `Last-Event-ID` if it is sent, and what happens.

    The stream ends when the run has ended or waits for your approval. Its twin is a WebSocket at
    `/v1/agents/runs/{run_id}/socket?last_event_id=`: it sends `{"id", "event", "data"}`, takes `{"cancel": true}`, and
    first of all `{"token": "…"}` where no header can be sent.
    """
    await runs.find(session, principal, run_id)
    await session.commit()
    return _stream(principal, run_id, int(last_event_id or 0))


@router.post("/runs/{run_id:uuid}/cancel", responses=problems(RunNotFound, RunOver))
async def cancel_run(run_id: UUID, principal: Runner, session: SessionDep) -> RunRead:
    """End a run. What it has done already stays done."""
    await runs.cancel_run(session, principal, run_id)
    await session.commit()
    events.wake(run_id)
    return await runs.read_run(session, principal, run_id)


@router.post("/runs/{run_id:uuid}/approvals", responses=problems(RunNotFound, *DECIDING))
async def decide_in_run(run_id: UUID, data: RunDecision, principal: Runner, session: SessionDep) -> RunRead:
    """Allow or refuse one thing that a run asked for. When all is decided, it goes on; watch it, or read it again."""
    run = await runs.find(session, principal, run_id)
    await talk.decide(session, principal, run, [(data.approval_id, data.approve)])
    return await runs.read_run(session, principal, run_id)


@router.get("/approvals", responses=problems(InvalidCursor))
async def list_approvals(
    principal: Runner,
    session: SessionDep,
    state: Annotated[Literal["pending", "approved", "denied", "consumed"] | None, Query()] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> ApprovalPage:
    """List what agents and programs have asked your approval for, newest first."""
    before = parse_cursor(cursor)
    rows = await approvals.listed(session, principal, state=state, limit=limit + 1, before=before)
    shown, after = page_of(rows, limit)
    return ApprovalPage(items=[await runs.approval_read(session, row) for row in shown], next_cursor=after)


@router.get("/approvals/{approval_id}", responses=problems(ApprovalNotFound))
async def read_approval(approval_id: UUID, principal: Runner, session: SessionDep) -> ApprovalRead:
    """Read what you are asked for: the tool with exactly these arguments, once."""
    return await runs.approval_read(session, await approvals.find(session, principal, approval_id))


@router.post("/approvals/{approval_id}/decision", responses=problems(*DECIDING))
async def decide_approval(approval_id: UUID, data: Decision, principal: Runner, session: SessionDep) -> ApprovalRead:
    """Allow or refuse it. An approval counts for exactly this, once, until it expires.

    What an agent asked for in a run is done by the run; what a program asked for is done now.
    """
    row = await approvals.find(session, principal, approval_id)
    if row.run_id:
        run = await runs.find(session, principal, row.run_id)
        await talk.decide(session, principal, run, [(approval_id, data.approve)])
    else:
        await runs.decide(session, principal, approval_id, data.approve)
    return await runs.approval_read(session, await approvals.find(session, principal, approval_id))


def _stream(principal: Principal, run_id: UUID, after: int, status: int = 200) -> Response:
    return StreamingResponse(
        _sent(principal, run_id, after), status, media_type="text/event-stream", headers=STREAM_HEADERS
    )


async def _sent(principal: Principal, run_id: UUID, after: int) -> AsyncGenerator[bytes, None]:
    quiet = 0
    async with aclosing(runs.stream_run(principal, run_id, after=after)) as found:
        async for event in found:
            quiet = 0 if event else quiet + 1
            if event:
                data = orjson.dumps(event.data)
                yield b"id: %d\nevent: %s\ndata: %s\n\n" % (event.ordinal, event.kind.encode(), data)
            elif quiet % QUIET_ROUNDS == 0:
                yield b": still working\n\n"
