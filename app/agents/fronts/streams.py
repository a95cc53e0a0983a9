"""Runs told in the events of front ends, by the encoders of pydantic-ai. Import it lazily."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from ag_ui.core import BaseEvent, RunAgentInput
from pydantic_ai.ui import UIEventStream
from pydantic_ai.ui.ag_ui import AGUIEventStream
from pydantic_ai.ui.vercel_ai import VercelAIEventStream
from pydantic_ai.ui.vercel_ai.response_types import BaseChunk

from app.agents.fronts.native import RunEnded, native
from app.agents.fronts.schemas import AgUiRequest
from app.agents.fronts.threads import Told
from app.api.waiting import waited_for
from app.auth.principal import Principal
from app.core.logging import get_log, where

SDK_VERSION: Final = 6
"""Of the AI SDK: the first with approvals."""
QUIET_SECONDS: Final = 10.0
KEEP_ALIVE: Final = ": still working\n\n"

log = get_log(__name__)


def _shown(error: Exception) -> Exception:
    """What may be told of an error: why a run ended, and of a fault of ours nothing."""
    if isinstance(error, RunEnded):
        return error
    log.error("stream failed", error=type(error).__name__, where=where(error))
    return RunEnded("internal_error")


class Vercel(VercelAIEventStream[Any, Any]):
    """The data stream of Vercel's AI SDK."""

    async def on_error(self, error: Exception) -> AsyncIterator[BaseChunk]:
        """Tell why it ended."""
        async for each in super().on_error(_shown(error)):
            yield each


class AgUi(AGUIEventStream[Any, Any]):
    """The events of AG-UI."""

    async def on_error(self, error: Exception) -> AsyncIterator[BaseEvent]:
        """Tell why it ended."""
        async for each in super().on_error(_shown(error)):
            yield each


def vercel() -> Vercel:
    """For a request of the AI SDK."""
    return Vercel(sdk_version=SDK_VERSION)


def ag_ui(data: AgUiRequest) -> AgUi:
    """For a request of AG-UI, under the names that it gave thread and run."""
    version = data.protocol_version
    known = RunAgentInput(thread_id=data.thread_id, run_id=data.run_id, messages=[], protocol_version=version)
    return AgUi(run_input=known)


async def told(stream: UIEventStream[Any, Any, Any, Any], principal: Principal, run: Told) -> AsyncGenerator[str, None]:
    """The lines of a stream."""
    events = native(principal, run.run.id, run.run.conversation_id, run.after, run.approvals)
    lines: Any = stream.encode_stream(stream.transform_stream(events))
    async with aclosing(lines), aclosing(waited_for(lines, QUIET_SECONDS)) as waited:
        async for line in waited:
            yield KEEP_ALIVE if line is None else line
