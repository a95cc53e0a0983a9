"""Remembering: a fact for later runs. It is an effect, so that no document can plant one."""

from typing import Annotated

from pydantic import StringConstraints

from app.agents import memories
from app.agents.tools.registry import Tool, ToolContext, ToolResult, register
from app.core.schemas import Clean, RequestModel


class Remember(RequestModel):
    """One fact."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000), Clean]


async def remember(context: ToolContext, data: Remember) -> ToolResult:
    """Keep a fact."""
    async with context.session() as session:
        memory = await memories.create(session, context.principal, data.text, run_id=context.run_id)
    return ToolResult("Remembered.", {"memory_id": str(memory.id)})


register(
    Tool(
        "remember",
        "Keep a fact about the person for later conversations. The person is asked first.",
        Remember,
        "write",
        remember,
        "agents:run",
    )
)
