"""From what a front end sends to a run that is to be told: only its last words, or the person's decisions, count."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import approvals, conversations, runs, talk
from app.agents.added import Function
from app.agents.errors import ApprovalNotFound, ApprovalRefused, InvalidHistory, RunBusy
from app.agents.fronts.schemas import INTERRUPT, AgUiMessage, AgUiRequest, RespondedPart, VercelMessage, VercelRequest
from app.agents.models import Run
from app.agents.schemas import RunCreate
from app.agents.turns import Returned, Said, Turn
from app.auth.principal import Principal


@dataclass(frozen=True, slots=True)
class Told:
    """A run, the event after which it is told, and what it had asked the person until then."""

    run: Run
    after: int
    approvals: dict[str, str]


async def by_vercel(session: AsyncSession, principal: Principal, agent_id: UUID, data: VercelRequest) -> Told:
    """The run that a request of the AI SDK begins or lets go on.

    Raises `InvalidHistory`, `AgentNotFound`, `RunBusy`, `TooMany`, and as `runs.decide`.
    """
    if data.trigger == "regenerate-message":
        return await _again(session, principal, agent_id, data.id)
    last = data.messages[-1]
    if last.role == "assistant":
        return await _decided(session, principal, data.id, _decisions(last))
    texts = [part.get("text") for part in last.parts if part.get("type") == "text"]
    words = "\n".join(text for text in texts if isinstance(text, str))
    return await _begun(session, principal, agent_id, data.id, [_said(words)])


def _decisions(message: VercelMessage) -> list[tuple[UUID, bool]]:
    """What the person decided in the last message. Raises `InvalidHistory`."""
    try:
        responded = [
            RespondedPart.model_validate(part) for part in message.parts if part.get("state") == "approval-responded"
        ]
    except ValidationError:
        raise InvalidHistory("A decision is not valid") from None
    return [(each.approval.id, each.approval.approved) for each in responded]


async def by_ag_ui(session: AsyncSession, principal: Principal, agent_id: UUID, data: AgUiRequest) -> Told:
    """The run that a request of AG-UI begins or lets go on. Raises as `by_vercel`, and `ApprovalRefused`."""
    if data.resume:
        return await _decided(session, principal, data.thread_id, await _resumed(session, principal, data))
    told = "\n".join(f"{each.description}: {each.value}" for each in data.context or [])
    functions = [tool.taken for tool in data.tools or []]
    return await _begun(session, principal, agent_id, data.thread_id, _turns(data.messages), functions, told)


async def _resumed(session: AsyncSession, principal: Principal, data: AgUiRequest) -> list[tuple[UUID, bool]]:
    decisions = []
    for each in data.resume or []:
        approval_id = _uuid(each.interrupt_id.removeprefix(INTERRUPT))
        approve = each.status == "resolved" and each.payload is not None and each.payload.approved
        if approve and each.payload and each.payload.edited_args is not None:
            row = await approvals.find(session, principal, approval_id)
            asked = (await approvals.contents(session, row))["arguments"]
            if approvals.canonical(each.payload.edited_args) != approvals.canonical(asked):
                raise ApprovalRefused("What is asked for can be allowed or refused, not changed")
        decisions.append((approval_id, approve))
    return decisions


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ApprovalNotFound from None


def _turns(messages: Sequence[AgUiMessage]) -> list[Turn]:
    """What came after the last answer: results of functions, or the person's words."""
    turns: list[Turn] = []
    for message in reversed(messages):
        if message.role == "tool":
            turns.insert(0, Returned(message.tool_call_id or "", _text(message.content)))
        elif message.role == "user" and not turns:
            return [_said(_text(message.content))]
        elif message.role in ("user", "assistant"):
            break
    return turns


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    return "\n".join(text for text in texts if isinstance(text, str))


def _said(text: str) -> Turn:
    if not text.strip():
        raise InvalidHistory("The last message has no text")
    return Said(text)


async def _begun(
    session: AsyncSession,
    principal: Principal,
    agent_id: UUID,
    thread: str,
    turns: list[Turn],
    functions: Sequence[Function] = (),
    told: str = "",
) -> Told:
    from app.agents import asked, remembered  # noqa: PLC0415  bring pydantic-ai

    conversation = await conversations.of_thread(session, principal, thread)
    last = await _last(session, conversation.id, "succeeded") if conversation else None
    question = asked.asked_by(turns, await remembered.said_up_to(session, last) if last else [])
    if conversation:
        conversation_id = conversation.id
    else:
        conversation_id = await _new_thread(session, principal, agent_id, thread, question.message)
    data = RunCreate(message=question.message, conversation_id=conversation_id)
    run = await talk.begin(session, principal, agent_id, data, asked.added(question, told, functions))
    return Told(run, 0, {})


async def _new_thread(session: AsyncSession, principal: Principal, agent_id: UUID, thread: str, message: str) -> UUID:
    digest = conversations.thread_digest(principal, thread)
    try:
        return await conversations.create(session, principal, agent_id, message, thread=digest)
    except IntegrityError as error:
        if "uq_agent_conversations_thread" not in str(error.orig):
            raise
        raise RunBusy from None


async def _last(session: AsyncSession, conversation_id: UUID, *states: str) -> Run | None:
    """The last run of a conversation that is in one of these states."""
    of_it = select(Run).where(Run.conversation_id == conversation_id, Run.state.in_(states))
    run: Run | None = await session.scalar(of_it.order_by(Run.id.desc()).limit(1))
    return run


async def _decided(
    session: AsyncSession, principal: Principal, thread: str, decisions: list[tuple[UUID, bool]]
) -> Told:
    """The run of the thread that waits, with the person's decisions; there is none for what was never asked here."""
    if not decisions:
        raise InvalidHistory("The last message must be the person's, or their decision")
    conversation = await conversations.of_thread(session, principal, thread)
    run = await _last(session, conversation.id, "waiting") if conversation else None
    if run is None:
        await _tell_why(session, principal, decisions)
        raise ApprovalNotFound
    after = run.events
    known = {row.call_id or "": str(row.id) for row in await approvals.of_run(session, run.id)}
    return Told(await talk.decide(session, principal, run, decisions), after, known)


async def _tell_why(session: AsyncSession, principal: Principal, decisions: list[tuple[UUID, bool]]) -> None:
    """Whether it was decided before. Raises `ApprovalNotFound`, `ApprovalDecided`, `RunOver`, `ApproverNeeded`."""
    for approval_id, approve in decisions:
        row = await approvals.find(session, principal, approval_id)
        if row.state != "pending":
            await runs.decide(session, principal, row.id, approve)


async def _again(session: AsyncSession, principal: Principal, agent_id: UUID, thread: str) -> Told:
    """Ask the last question of the thread again, as it stands here. Raises `InvalidHistory`, `RunBusy`."""
    conversation = await conversations.of_thread(session, principal, thread)
    last = await _last(session, conversation.id, "succeeded", "failed", "cancelled") if conversation else None
    if conversation is None or last is None:
        raise InvalidHistory("There is no answer yet")
    message = (await talk.rest_of(session, principal, last.id)).message
    await runs.remove_run(session, principal, last.id, keep_conversation=True)
    return await _begun(session, principal, agent_id, thread, [_said(message)])
