"""Routes of agents, their versions, and the tools that they may be given."""

from typing import Annotated
from uuid import UUID

from fastapi import Path

from app.agents import agents
from app.agents.errors import AgentNotFound, BuiltInAgent, TooMany, UnknownModel, UnknownTool
from app.agents.router.access import Runner
from app.agents.schemas import AgentPage, AgentRead, AgentVersionList, Definition, ToolList, ToolRead
from app.agents.tools import everything
from app.agents.tools.registry import TOOLS
from app.api.deps import SessionDep
from app.api.pages import Cursor, InvalidCursor, Limit, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.vault.errors import VaultNotFound, VaultSealed

router = Router(prefix="/agents")
assert everything.__all__  # noqa: S101  importing them registers every tool


@router.get("/tools")
async def list_tools(_: Runner) -> ToolList:
    """List the tools that agents may be given. Those that change something ask you each time."""
    shown = [
        ToolRead(name=tool.name, description=tool.description, effect=tool.effect, parameters=tool.json_schema)
        for tool in TOOLS.values()
    ]
    return ToolList(items=shown)


@router.post("", status_code=201, responses=problems(TooMany, UnknownTool, UnknownModel, VaultNotFound, VaultSealed))
async def create_agent(data: Definition, principal: Runner, session: SessionDep) -> AgentRead:
    """Make an agent of your own: instructions, a model, tools, and the vaults that it may see."""
    return await agents.create(session, principal, data)


@router.get("", responses=problems(InvalidCursor))
async def list_agents(principal: Runner, session: SessionDep, limit: Limit = 20, cursor: Cursor = None) -> AgentPage:
    """List the built-in agents and your own, the newest first."""
    items, last = await agents.list_all(session, principal, limit=limit, before=parse_cursor(cursor))
    return AgentPage(items=items, next_cursor=cursor_of(last) if last else None)


@router.get("/{agent_id:uuid}", responses=problems(AgentNotFound))
async def read_agent(agent_id: UUID, principal: Runner, session: SessionDep) -> AgentRead:
    """Read an agent as it is now."""
    return await agents.read(session, principal, agent_id)


@router.put(
    "/{agent_id:uuid}",
    responses=problems(AgentNotFound, BuiltInAgent, UnknownTool, UnknownModel, VaultNotFound, VaultSealed),
)
async def update_agent(agent_id: UUID, data: Definition, principal: Runner, session: SessionDep) -> AgentRead:
    """Give an agent a new version. Runs that go on keep the one that they began with."""
    return await agents.change(session, principal, agent_id, data)


@router.delete("/{agent_id:uuid}", status_code=204, responses=problems(AgentNotFound, BuiltInAgent))
async def delete_agent(agent_id: UUID, principal: Runner, session: SessionDep) -> None:
    """Delete an agent with its versions. What was said with it stays in its conversations."""
    await agents.remove(session, principal, agent_id)


@router.get("/{agent_id:uuid}/versions", responses=problems(AgentNotFound))
async def list_agent_versions(agent_id: UUID, principal: Runner, session: SessionDep) -> AgentVersionList:
    """List what an agent was, newest first."""
    return AgentVersionList(items=await agents.versions(session, principal, agent_id))


@router.get("/{agent_id:uuid}/versions/{version}", responses=problems(AgentNotFound))
async def read_agent_version(
    agent_id: UUID, version: Annotated[int, Path(ge=1, le=2**31 - 1)], principal: Runner, session: SessionDep
) -> AgentRead:
    """Read what an agent was."""
    return await agents.read(session, principal, agent_id, version)
