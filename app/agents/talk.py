"""Runs for faces that show them in a form of their own: begun, decided about, watched until they rest."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final
from uuid import UUID

import orjson
from anyio import move_on_after
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import approvals, conversations, events, runs
from app.agents.added import Added, Call
from app.agents.cells import opened
from app.agents.errors import ApprovalNotFound, RunNotFound, RunOver
from app.agents.models import Run
from app.agents.schemas import ApprovalRead, RunCreate
from app.auth.principal import Principal
from app.db.runtime import current
from app.db.session import session_scope
from app.rag.plain import plain
from app.rag.schemas import CitationRead

LEAVE_SECONDS: Final = 10.0
ASKS: Final = "This needs your approval before I go on:"


@dataclass(frozen=True, slots=True)
class Rest:
    """A run that has ended, or waits for the person, or still goes on.

    `approvals` are those that are to be decided; then `text` tells of them. `message` is what was asked, `echo` what
    the face keeps beside it.
    """

    run: Run
    message: str
    echo: dict[str, Any]
    text: str
    model: str | None
    citations: list[CitationRead]
    calls: list[Call]
    approvals: list[ApprovalRead]


async def prepared() -> None:
    """Import what runs stand on, beside the event loop: it takes seconds, once."""
    await asyncio.to_thread(import_module, "app.agents.loop")


async def begin(
    session: AsyncSession, principal: Principal, agent_id: UUID, data: RunCreate, added: Added, *, here: bool = True
) -> Run:
    """Start a run, committed; `here`: it is worked on in this process. Raises as `runs.start_run`."""
    run = await runs.start_run(session, principal, agent_id, data, added)
    await session.commit()
    if run.job_id and here:
        runs.work_here(run.job_id)
    return run


async def decide(session: AsyncSession, principal: Principal, run: Run, decisions: Sequence[tuple[UUID, bool]]) -> Run:
    """Give or refuse leave for what a run asked; when nothing is left to decide it goes on, from here.

    Raises `ApprovalNotFound` for what another run asked, and as `runs.decide`.
    """
    for approval_id, approve in decisions:
        row = await approvals.find(session, principal, approval_id)
        if row.run_id != run.id:
            raise ApprovalNotFound
        await runs.decide(session, principal, row.id, approve)
    run = await runs.find(session, principal, run.id)
    await session.commit()
    events.wake(run.id)
    if run.state == "queued" and run.job_id and not run.background:
        runs.work_here(run.job_id)
    return run


async def rest_of(session: AsyncSession, principal: Principal, run_id: UUID) -> Rest:
    """A run as it is now. Raises `RunNotFound`."""
    run = await runs.find(session, principal, run_id)
    content = await opened(session, runs.TABLE, run)
    asked = await runs.asked_of(session, run) if run.state == "waiting" else []
    text = _told(asked) if asked else content.get("output") or ""
    return Rest(
        run=run,
        message=content["message"],
        echo=content.get("added", {}).get("echo", {}),
        text=text,
        model=content.get("model"),
        citations=[CitationRead.model_validate(each) for each in content.get("citations", [])],
        calls=[Call.model_validate(each) for each in content.get("calls", [])],
        approvals=asked,
    )


def _told(asked: Sequence[ApprovalRead]) -> str:
    """What is asked, for people to read; as a model wrote the arguments, there are no links in it."""
    lines = [f"{each.tool} {orjson.dumps(each.arguments).decode()} (approval {each.id})" for each in asked]
    return plain("\n".join([ASKS, *lines]), current().settings.answer_host_names)


async def pieces(principal: Principal, run_id: UUID, *, after: int = 0) -> AsyncGenerator[str | Rest | None, None]:
    """The text of a run as it comes, None whenever it is quiet, at last how it rests. Raises `RunNotFound`."""
    shown = False
    async with aclosing(runs.stream_run(principal, run_id, after=after)) as coming:
        async for event in coming:
            if event is None:
                yield None
            elif event.kind == "text":
                shown = True
                yield event.data["text"]
    async with session_scope(principal.actor) as session:
        rest = await rest_of(session, principal, run_id)
    if rest.text and not shown:
        yield rest.text
    yield rest


async def rested(principal: Principal, run_id: UUID) -> Rest:
    """How a run rests; it is waited for, but no longer than a run may last. Raises `RunNotFound`."""
    await runs.until_rest(principal, run_id)
    async with session_scope(principal.actor) as session:
        return await rest_of(session, principal, run_id)


async def leave(principal: Principal, run_id: UUID) -> None:
    """Cancel a run that nobody waits for any more, and forget what is not kept; also while this is cancelled itself."""
    with move_on_after(LEAVE_SECONDS, shield=True), suppress(RunNotFound, RunOver):
        async with session_scope(principal.actor) as session:
            if (await runs.find(session, principal, run_id)).state != "waiting":
                await runs.cancel_run(session, principal, run_id)
        events.wake(run_id)
        await let_go(principal, run_id)


async def let_go(principal: Principal, run_id: UUID) -> None:
    """Forget a conversation that is not kept."""
    async with session_scope(principal.actor) as session:
        await conversations.let_go(session, principal, run_id)
