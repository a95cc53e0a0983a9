"""Responses: runs whose conversation is kept here, so that another can follow."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Path, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response, StreamingResponse

from app.agents import events, runs, talk
from app.agents.errors import (
    ApprovalDecided,
    ApprovalNotFound,
    ApproverNeeded,
    ConversationNotFound,
    InvalidHistory,
    RunBusy,
    RunOver,
    TooMany,
)
from app.agents.models import Run
from app.agents.openai.errors import ModelNotFound, ResponseNotFound
from app.agents.openai.router.access import HEADERS, Runner, begin
from app.agents.openai.schemas.responses import (
    InputDecision,
    ResponseDeleted,
    ResponseId,
    ResponseRead,
    ResponseRequest,
)
from app.agents.openai.streamed import KINDS
from app.api.deps import SessionDep
from app.api.openapi import event_stream
from app.api.problems import problems
from app.api.routes import Router
from app.auth.principal import Principal
from app.vault.errors import VaultNotFound, VaultSealed

router = Router(prefix="/responses")
EVENTS = event_stream(**{kind: {"type": "object"} for kind in KINDS})
DECIDING = (ApprovalDecided, ApprovalNotFound, ApproverNeeded, RunOver)
FOLLOWING = (ConversationNotFound, InvalidHistory, ResponseNotFound)
CREATING = problems(*DECIDING, *FOLLOWING, ModelNotFound, RunBusy, TooMany, VaultNotFound, VaultSealed)
Name = Annotated[ResponseId, Path(examples=["resp_01a1fbe83eef7d27809c9cfaba724faa"])]


@router.post("", response_model=ResponseRead, responses={200: {"content": EVENTS}, **CREATING})
async def create_response(data: ResponseRequest, principal: Runner, session: SessionDep) -> ResponseRead | Response:
    """Let an agent answer from your papers; citations are annotations, each with the quote and its place.

    What the agent may only do with your approval comes as `mcp_approval_request`; an `mcp_approval_response` with your
    own sign-in, not with an API key, lets it go on. `tools` are functions of yours, or `file_search` with the vaults
    that the agent may look into. Unless `store` is false the response is kept and can be followed by another.
    """
    await talk.prepared()
    decisions = [each for each in data.input if isinstance(each, InputDecision)]
    if decisions:
        run, after = await _decided(session, principal, data, decisions)
    else:
        run, after = await _begun(session, principal, data), 0
    rest = await talk.rest_of(session, principal, run.id)
    await session.commit()
    if data.stream:
        return _stream(principal, rest, after=after, leave=not run.background)
    if not run.background:
        rest = await talk.rested(principal, run.id)
        await talk.let_go(principal, run.id)
    from app.agents.openai import answered  # noqa: PLC0415  brings pydantic-ai

    return answered.response_of(rest)


async def _begun(session: AsyncSession, principal: Principal, data: ResponseRequest) -> Run:
    from app.agents import asked, remembered  # noqa: PLC0415  bring pydantic-ai
    from app.agents.openai import answered, following  # noqa: PLC0415  as above

    previous = await following.previous_of(session, principal, data)
    before = await remembered.said_up_to(session, previous) if previous else []
    turns, told = following.turns_of(data)
    question = asked.asked_by(turns, before)
    instructions = "\n\n".join(filter(None, [data.instructions, *told]))
    echo = answered.echo_of(data, answered.response_id(previous.id) if previous else None)
    added = asked.added(question, instructions, data.functions, data.settings(), echo)
    return await begin(
        session,
        principal,
        data.model,
        question.message,
        added,
        vault_ids=data.vault_ids,
        kept=data.store is not False,
        conversation_id=following.conversation_of(data, previous),
        background=bool(data.background),
    )


async def _decided(
    session: AsyncSession, principal: Principal, data: ResponseRequest, decisions: Sequence[InputDecision]
) -> tuple[Run, int]:
    """The run that goes on, and the event after which it does."""
    from app.agents.openai import following  # noqa: PLC0415  brings pydantic-ai

    if not data.previous_response_id or len(decisions) != len(data.input):
        raise InvalidHistory("Decisions are sent alone, with the response that asked")
    run = await following.find(session, principal, data.previous_response_id)
    after, decided = run.events, [(each.approval_request_id, each.approve) for each in decisions]
    return await talk.decide(session, principal, run, decided), after


@router.get("/{response_id}", response_model=ResponseRead, responses={200: {"content": EVENTS}, **problems(*FOLLOWING)})
async def read_response(
    response_id: Name,
    principal: Runner,
    session: SessionDep,
    stream: bool = False,
    starting_after: Annotated[int, Query(ge=-1, le=2**31 - 1, description="The last event that was seen.")] = -1,
) -> ResponseRead | Response:
    """Read a response that was kept; with `stream` its events, those that were seen left out."""
    await talk.prepared()
    from app.agents.openai import answered, following  # noqa: PLC0415  bring pydantic-ai

    run = await following.find(session, principal, response_id)
    rest = await talk.rest_of(session, principal, run.id)
    await session.commit()
    return _stream(principal, rest, seen=starting_after) if stream else answered.response_of(rest)


@router.post("/{response_id}/cancel", responses=problems(ResponseNotFound, RunOver))
async def cancel_response(response_id: Name, principal: Runner, session: SessionDep) -> ResponseRead:
    """End a response that is still being made. What was done already stays done."""
    await talk.prepared()
    from app.agents.openai import answered, following  # noqa: PLC0415  bring pydantic-ai

    run = await following.find(session, principal, response_id)
    await runs.cancel_run(session, principal, run.id)
    await session.commit()
    events.wake(run.id)
    return answered.response_of(await talk.rest_of(session, principal, run.id))


@router.delete("/{response_id}", responses=problems(ResponseNotFound, RunBusy))
async def delete_response(response_id: Name, principal: Runner, session: SessionDep) -> ResponseDeleted:
    """Delete a response, and its conversation if nothing else was said in it. This can't be undone."""
    await talk.prepared()
    from app.agents.openai import following  # noqa: PLC0415  brings pydantic-ai

    run = await following.find(session, principal, response_id)
    await runs.remove_run(session, principal, run.id)
    return ResponseDeleted(id=response_id, object="response", deleted=True)


def _stream(
    principal: Principal, rest: talk.Rest, *, after: int = 0, seen: int = -1, leave: bool = False
) -> StreamingResponse:
    from app.agents.openai import streamed  # noqa: PLC0415  brings pydantic-ai

    sent = streamed.events(principal, rest, after=after, seen=seen, leave=leave)
    return StreamingResponse(sent, media_type="text/event-stream", headers=HEADERS)
