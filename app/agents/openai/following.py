"""Which run a response follows, and what is said anew.

Import it lazily: it brings pydantic-ai.
"""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import conversations, runs
from app.agents.errors import RunNotFound
from app.agents.models import Run
from app.agents.openai.answered import run_id_of
from app.agents.openai.errors import ResponseNotFound
from app.agents.openai.schemas.responses import (
    InputCall,
    InputMessage,
    InputResult,
    ResponseRequest,
    text_of,
)
from app.agents.turns import Answered, Returned, Said, Turn
from app.auth.principal import Principal


async def previous_of(session: AsyncSession, principal: Principal, data: ResponseRequest) -> Run | None:
    """The run that another follows. Raises `ResponseNotFound`, `ConversationNotFound`."""
    if data.previous_response_id:
        return await find(session, principal, data.previous_response_id)
    if data.conversation is None:
        return None
    name = data.conversation if isinstance(data.conversation, str) else data.conversation.id
    conversation = await conversations.find(session, principal, run_id_of(name))
    last = select(Run).where(Run.conversation_id == conversation.id, Run.state == "succeeded")
    run: Run | None = await session.scalar(last.order_by(Run.id.desc()).limit(1))
    return run


async def find(session: AsyncSession, principal: Principal, name: str) -> Run:
    """The run behind a response. Raises `ResponseNotFound`."""
    try:
        return await runs.find(session, principal, run_id_of(name))
    except RunNotFound:
        raise ResponseNotFound from None


def conversation_of(data: ResponseRequest, previous: Run | None) -> UUID | None:
    """The conversation that the next run belongs to; None: one of its own, which is not kept if nothing is stored."""
    if data.store is False:
        return None
    if previous:
        return previous.conversation_id
    if data.conversation is None:
        return None
    return run_id_of(data.conversation if isinstance(data.conversation, str) else data.conversation.id)


def turns_of(data: ResponseRequest) -> tuple[list[Turn], list[str]]:
    """What is said anew, and what the program adds to the instructions."""
    if isinstance(data.input, str):
        return [Said(data.input)], []
    turns: list[Turn] = []
    told: list[str] = []
    for item in data.input:
        match item:
            case InputMessage(role="user"):
                turns.append(Said(text_of(item.content)))
            case InputMessage(role="assistant"):
                turns.append(Answered(text_of(item.content)))
            case InputMessage():
                told.append(text_of(item.content))
            case InputCall():
                _add_call(turns, item)
            case InputResult():
                turns.append(Returned(item.call_id, text_of(item.output)))
    return turns, told


def _add_call(turns: list[Turn], item: InputCall) -> None:
    """Calls of one answer stand beside one another."""
    call = (item.call_id, item.name, item.arguments)
    last = turns[-1] if turns else None
    if isinstance(last, Answered):
        turns[-1] = Answered(last.text, [*last.calls, call])
    else:
        turns.append(Answered("", [call]))
