"""What was said up to a run, so that another can follow it; it comes from our own store, sealed with the runs.

Import it lazily: it brings pydantic-ai.
"""

from typing import Final

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import history, runs
from app.agents.added import NOTHING, Added
from app.agents.cells import opened
from app.agents.errors import InvalidHistory
from app.agents.models import Run

MOST_MESSAGES: Final = 40
NOT_DONE: Final = "This was not done. Ask again if it is needed."


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
