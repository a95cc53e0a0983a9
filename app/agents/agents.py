"""Agents: the built-in ones, and those that a person makes; what an agent is stands in versions that never change."""

from typing import Final
from uuid import UUID

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import gateway
from app.agents.catalogue import BUILT_IN, BuiltIn
from app.agents.cells import opened, opened_all, sealed
from app.agents.errors import AgentNotFound, BuiltInAgent, TooMany, UnknownModel
from app.agents.models import Agent, AgentVersion
from app.agents.schemas import AgentRead, Definition
from app.agents.tools.registry import tool_of
from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.runtime import current
from app.vault import service as vaults

TABLE: Final = "agent_versions"


async def create(session: AsyncSession, principal: Principal, data: Definition) -> AgentRead:
    """Make an agent. Raises `TooMany`, `UnknownTool`, `UnknownModel`, `VaultNotFound`."""
    await _check(session, principal, data)
    count = select(func.count()).select_from(Agent).where(Agent.user_id == principal.user_id)
    if (await session.scalar(count) or 0) >= current().settings.agents_per_user:
        raise TooMany
    agent = Agent(id=new_id(), user_id=principal.user_id, version=1)
    session.add(agent)
    await session.flush()
    return await _add_version(session, agent.id, principal.user_id, 1, data)


async def change(session: AsyncSession, principal: Principal, agent_id: UUID, data: Definition) -> AgentRead:
    """Give an agent a new version. Raises `AgentNotFound`, `BuiltInAgent`, and as `create`."""
    await _require_own(session, principal, agent_id)
    await _check(session, principal, data)
    counted = update(Agent).where(Agent.id == agent_id, Agent.user_id == principal.user_id)
    number = await session.scalar(counted.values(version=Agent.version + 1).returning(Agent.version))
    if number is None:
        raise AgentNotFound
    return await _add_version(session, agent_id, principal.user_id, number, data)


async def read(session: AsyncSession, principal: Principal, agent_id: UUID, version: int | None = None) -> AgentRead:
    """An agent, now or as an earlier version. Raises `AgentNotFound`."""
    if built_in := BUILT_IN.get(agent_id):
        if version not in (None, 1):
            raise AgentNotFound
        return _built_in(built_in)
    wanted = AgentVersion.number == (Agent.version if version is None else version)
    row = await session.scalar(_own(principal).where(AgentVersion.agent_id == agent_id, wanted))
    if row is None:
        raise AgentNotFound
    return _read(row, Definition.model_validate(await opened(session, TABLE, row)))


async def list_all(
    session: AsyncSession, principal: Principal, *, limit: int, before: UUID | None
) -> tuple[list[AgentRead], UUID | None]:
    """One page of agents, the built-in ones first on the first page; and what the next page continues after."""
    mine = _own(principal).where(AgentVersion.number == Agent.version).order_by(Agent.id.desc())
    if before:
        mine = mine.where(Agent.id < before)
    rows = (await session.scalars(mine.limit(limit + 1))).all()
    shown = rows[:limit]
    contents = await opened_all(session, TABLE, shown)
    own = [_read(row, Definition.model_validate(each)) for row, each in zip(shown, contents, strict=True)]
    ours = [] if before else [_built_in(each) for each in BUILT_IN.values()]
    return ours + own, shown[-1].agent_id if len(rows) > limit else None


async def versions(session: AsyncSession, principal: Principal, agent_id: UUID) -> list[AgentRead]:
    """Every version, newest first. Raises `AgentNotFound`."""
    if built_in := BUILT_IN.get(agent_id):
        return [_built_in(built_in)]
    mine = _own(principal).where(AgentVersion.agent_id == agent_id).order_by(AgentVersion.number.desc())
    rows = (await session.scalars(mine)).all()
    if not rows:
        raise AgentNotFound
    contents = await opened_all(session, TABLE, rows)
    return [_read(row, Definition.model_validate(each)) for row, each in zip(rows, contents, strict=True)]


async def remove(session: AsyncSession, principal: Principal, agent_id: UUID) -> None:
    """Delete an agent with its versions; its runs keep what it was. Raises `AgentNotFound`, `BuiltInAgent`."""
    await _require_own(session, principal, agent_id)
    await session.execute(delete(Agent).where(Agent.id == agent_id, Agent.user_id == principal.user_id))


async def _require_own(session: AsyncSession, principal: Principal, agent_id: UUID) -> None:
    if agent_id in BUILT_IN:
        raise BuiltInAgent
    mine = select(Agent.id).where(Agent.id == agent_id, Agent.user_id == principal.user_id)
    if await session.scalar(mine.with_for_update()) is None:
        raise AgentNotFound


def _own(principal: Principal) -> Select[AgentVersion]:
    joined = select(AgentVersion).join(Agent, Agent.id == AgentVersion.agent_id)
    return joined.where(Agent.user_id == principal.user_id)


async def _check(session: AsyncSession, principal: Principal, data: Definition) -> None:
    for name in data.tools:
        tool_of(name)
    if data.model and data.model not in gateway.offered(current().settings):
        raise UnknownModel
    if data.vault_ids:
        await vaults.require_vaults(session, principal, data.vault_ids)


async def _add_version(
    session: AsyncSession, agent_id: UUID, user_id: UUID, number: int, data: Definition
) -> AgentRead:
    row_id = new_id()
    body = await sealed(session, user_id, TABLE, row_id, data.model_dump(mode="json"))
    row = AgentVersion(id=row_id, user_id=user_id, agent_id=agent_id, number=number, body=body)
    session.add(row)
    await session.flush()
    return _read(row, data)


def _read(row: AgentVersion, definition: Definition) -> AgentRead:
    ids = {"id": row.agent_id, "built_in": False, "version": row.number, "created_at": row.created_at}
    return AgentRead.model_validate({**definition.model_dump(), **ids})


def _built_in(each: BuiltIn) -> AgentRead:
    ids = {"id": each.id, "built_in": True, "version": 1, "created_at": None}
    return AgentRead.model_validate({**each.definition.model_dump(), **ids})
