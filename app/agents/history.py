"""What is said between a run and its model, message by message; the client's idea of it is never asked.

Import it lazily: it brings pydantic-ai.
"""

import re
from typing import Any, Final
from uuid import UUID

from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolReturnPart,
    UserPromptPart,
)
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.cells import opened_all, sealed
from app.agents.models import Message, Run
from app.agents.tools.registry import Quote
from app.core.clock import new_id

TABLE: Final = "agent_messages"
MOST_RUNS: Final = 10
_MARKERS: Final = re.compile(r"[ \t]*\[\d{1,3}(?:, \d{1,3})*\]")


async def append(session: AsyncSession, run: Run, ordinal: int, message: ModelMessage) -> None:
    """Add a message; the same place can be filled once only."""
    row_id = new_id()
    body = await sealed(session, run.user_id, TABLE, row_id, dumped([message])[0])
    session.add(Message(id=row_id, user_id=run.user_id, run_id=run.id, ordinal=ordinal, body=body))
    await session.flush()


async def of_run(session: AsyncSession, run_id: UUID) -> list[ModelMessage]:
    """The messages of a run, oldest first."""
    rows = (await session.scalars(select(Message).where(Message.run_id == run_id).order_by(Message.ordinal))).all()
    return parsed(await opened_all(session, TABLE, rows))


def dumped(messages: list[ModelMessage]) -> list[Any]:
    """Messages as JSON."""
    plain: list[Any] = ModelMessagesTypeAdapter.dump_python(messages, mode="json")
    return plain


def parsed(messages: list[Any]) -> list[ModelMessage]:
    """Messages from JSON that `dumped` made."""
    return ModelMessagesTypeAdapter.validate_python(messages)


async def before(session: AsyncSession, conversation_id: UUID, run_id: UUID) -> list[ModelMessage]:
    """What was asked and answered before a run; passages and tools' results are not repeated."""
    earlier = Run.conversation_id == conversation_id, Run.state == "succeeded", Run.id < run_id
    rows = (await session.scalars(select(Run).where(*earlier).order_by(Run.id.desc()).limit(MOST_RUNS))).all()
    messages: list[ModelMessage] = []
    for content in reversed(await opened_all(session, "agent_runs", rows)):
        if content["output"]:  # one that handed a call over goes on in the run that brought the result
            messages.append(ModelRequest([UserPromptPart(content["message"])]))
            messages.append(ModelResponse([TextPart(unmarked(content["output"]))]))
    return messages


def unmarked(text: str) -> str:
    """An answer without markers: their numbers mean nothing in another run."""
    return _MARKERS.sub("", text)


def quotes(messages: list[ModelMessage]) -> list[Quote]:
    """The passages that a run has read, in the order of their numbers."""
    found: list[Any] = []
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolReturnPart) and part.metadata:
                found += part.metadata.get("citations", [])
    return [Quote.model_validate(each) for each in found]
