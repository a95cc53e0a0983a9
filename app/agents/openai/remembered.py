"""What was said up to a response, so that another can follow it; it comes from our own store, sealed with the runs.

Import it lazily: it brings pydantic-ai.
"""

from typing import Final
from uuid import UUID

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import conversations, history, runs
from app.agents.added import NOTHING, Added
from app.agents.cells import opened
from app.agents.errors import RunNotFound
from app.agents.models import Run
from app.agents.openai.answered import run_id_of
from app.agents.openai.asked import Answered, Returned, Said, Turn
from app.agents.openai.errors import InvalidHistory, ResponseNotFound
from app.agents.openai.schemas.responses import (
    InputCall,
    InputMessage,
    InputResult,
    ResponseRequest,
    text_of,
)
from app.auth.principal import Principal

MOST_MESSAGES: Final = 40
NOT_DONE: Final = "This was not done. Ask again if it is needed."


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


async def said_up_to(session: AsyncSession, run: Run) -> list[ModelMessage]:
    """What was said before a run and in it; of a run that is done, the answer without its passages and markers.

    Raises `InvalidHistory`.
    """
    if run.state != "succeeded":
        raise InvalidHistory("The previous response has no answer")
    content = await opened(session, runs.TABLE, run)
    added = Added.model_validate(content["added"]) if "added" in content else NOTHING
    if added.given is not None:
        given = history.parsed(added.given)
    else:
        given = await history.before(session, run.conversation_id, run.id)
    messages = await history.of_run(session, run.id)
    if content["calls"]:
        return _shortened([*given, *messages, *_undone(messages[-1], {each["id"] for each in content["calls"]})])
    return _shortened([*given, messages[0], ModelResponse([TextPart(history.unmarked(content["output"]))])])


def _undone(last: ModelMessage, handed: set[str]) -> list[ModelMessage]:
    """Answers to calls of ours beside those that were handed over."""
    ours = [part for part in last.parts if isinstance(part, ToolCallPart) and part.tool_call_id not in handed]
    parts = [ToolReturnPart(part.tool_name, NOT_DONE, part.tool_call_id) for part in ours]
    return [ModelRequest(parts)] if parts else []


def _shortened(messages: list[ModelMessage]) -> list[ModelMessage]:
    """The last messages, from one of the person's on."""
    begins = [number for number, each in enumerate(messages) if isinstance(each.parts[0], UserPromptPart)]
    late = [number for number in begins if number >= len(messages) - MOST_MESSAGES]
    return messages[(late or begins[-1:] or [0])[0] :]


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
