"""Tools of MCP: those of agents, an answer, and what became of an approval. Import it lazily."""

from typing import Any, Final
from uuid import UUID

import mcp_types as types
from pydantic import Field, ValidationError

from app.agents import asking, effects
from app.agents.framing import framed
from app.agents.mcp.callers import caller_of
from app.agents.tools import everything
from app.agents.tools.registry import TOOLS, Tool, ToolContext, ToolResult, complaint
from app.core.errors import AppError, Forbidden
from app.core.schemas import RequestModel
from app.rag.schemas import Question

assert everything.__all__  # noqa: S101  importing them registers the tools


class Ask(RequestModel):
    """A question about the person's papers."""

    question: Question = Field(description="In the words of the person.")


class ReadApproval(RequestModel):
    """What a tool asked the person for."""

    approval_id: UUID


OWN: Final = {
    tool.name: tool
    for tool in (
        Tool(
            "ask",
            "Answer a question from the person's documents, with verbatim quotes and their places. Costs a credit.",
            Ask,
            "read",
            asking.answer,
            "rag:ask",
        ),
        Tool(
            "read_approval",
            "See whether the person has allowed or refused what a tool asked for, and what came of it.",
            ReadApproval,
            "read",
            effects.read_outcome,
            "agents:run",
        ),
    )
}


def _tools() -> list[Tool]:
    return [*TOOLS.values(), *OWN.values()]


def _scopes(tool: Tool) -> set[str]:
    """What asks the person needs the right to use agents besides the tool's own."""
    return {tool.scope} if tool.effect == "read" else {tool.scope, "agents:run"}


async def list_tools(context: Any, _: Any) -> types.ListToolsResult:
    """The tools for which the caller has the scopes."""
    held = caller_of(context).scopes
    return types.ListToolsResult(tools=[_shown(tool) for tool in _tools() if _scopes(tool) <= held])


def _shown(tool: Tool) -> types.Tool:
    reads = tool.effect == "read"
    hints = types.ToolAnnotations(
        read_only_hint=reads, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    return types.Tool(name=tool.name, description=tool.description, input_schema=tool.json_schema, annotations=hints)


async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    """Run a tool; what goes wrong is told to the model, without the values."""
    principal = caller_of(context)
    tool = next((each for each in _tools() if each.name == params.name), None)
    arguments = params.arguments or {}
    try:
        if tool is None:
            raise Forbidden("There is no such tool")
        if missing := sorted(_scopes(tool) - principal.scopes):
            raise Forbidden(f"The token lacks the scope {missing[0]}")
        parsed = tool.parsed(arguments)
        if tool.effect == "read":
            result = await tool.run(ToolContext(principal), parsed)
        else:
            result = await asking.ask_person(principal, tool.name, arguments)
    except ValidationError as error:
        return _said(complaint(error), failed=True)
    except AppError as error:
        return _said(error.detail or error.title, failed=True)
    return _told(result)


def _told(result: ToolResult) -> types.CallToolResult:
    """Framed text for the model; places of passages, and data of ours, for the program."""
    places = [each.model_dump(mode="json", exclude={"quote", "vault_id", "title"}) for each in result.citations]
    data = {**(result.data or {}), **({"passages": places} if places else {})}
    content = types.TextContent(type="text", text=framed(result, 1))
    return types.CallToolResult(content=[content], structured_content=data)


def _said(text: str, *, failed: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=failed)
