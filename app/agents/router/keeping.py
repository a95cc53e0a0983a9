"""Routes of what is kept: conversations, memory, schedules, usage, and the rules of vaults."""

from uuid import UUID

from app.agents import conversations, memories, metering, rules, schedules
from app.agents.errors import (
    AgentNotFound,
    ConversationNotFound,
    InvalidZone,
    MemoryNotFound,
    RunBusy,
    ScheduleNotFound,
    TooMany,
)
from app.agents.router.access import Runner, page_of
from app.agents.schemas import (
    ConversationPage,
    ConversationRead,
    ConversationUpdate,
    MemoryList,
    MemoryRead,
    MemoryWrite,
    ScheduleList,
    ScheduleRead,
    ScheduleWrite,
    UsagePage,
    UsageRead,
    VaultRuleRead,
    VaultRuleWrite,
)
from app.api.deps import SessionDep
from app.api.pages import Cursor, InvalidCursor, Limit, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.vault.errors import RoleTooLow, VaultNotFound, VaultSealed

router = Router(prefix="/agents")


@router.get("/conversations", responses=problems(InvalidCursor))
async def list_conversations(
    principal: Runner, session: SessionDep, limit: Limit = 20, cursor: Cursor = None
) -> ConversationPage:
    """List your conversations, newest first."""
    before = parse_cursor(cursor)
    found = await conversations.list_page(session, principal, limit=limit + 1, before=before)
    shown, after = page_of(found, limit)
    return ConversationPage(items=shown, next_cursor=after)


@router.get("/conversations/{conversation_id}", responses=problems(ConversationNotFound))
async def read_conversation(conversation_id: UUID, principal: Runner, session: SessionDep) -> ConversationRead:
    """Read a conversation; what was said in it are its runs."""
    return await conversations.read(session, principal, conversation_id)


@router.patch("/conversations/{conversation_id}", responses=problems(ConversationNotFound))
async def update_conversation(
    conversation_id: UUID, data: ConversationUpdate, principal: Runner, session: SessionDep
) -> ConversationRead:
    """Give a conversation another title."""
    return await conversations.rename(session, principal, conversation_id, data.title)


@router.delete("/conversations/{conversation_id}", status_code=204, responses=problems(ConversationNotFound, RunBusy))
async def delete_conversation(conversation_id: UUID, principal: Runner, session: SessionDep) -> None:
    """Delete a conversation with everything that was said in it. This can't be undone."""
    await conversations.remove(session, principal, conversation_id)


@router.get("/memories")
async def list_memories(principal: Runner, session: SessionDep) -> MemoryList:
    """List what your agents are told about you."""
    return MemoryList(items=await memories.list_all(session, principal))


@router.post("/memories", status_code=201, responses=problems(TooMany))
async def create_memory(data: MemoryWrite, principal: Runner, session: SessionDep) -> MemoryRead:
    """Tell your agents a fact."""
    return await memories.create(session, principal, data.text)


@router.put("/memories/{memory_id}", responses=problems(MemoryNotFound))
async def update_memory(memory_id: UUID, data: MemoryWrite, principal: Runner, session: SessionDep) -> MemoryRead:
    """Change a fact."""
    return await memories.update(session, principal, memory_id, data.text)


@router.delete("/memories/{memory_id}", status_code=204, responses=problems(MemoryNotFound))
async def delete_memory(memory_id: UUID, principal: Runner, session: SessionDep) -> None:
    """Let your agents forget a fact."""
    await memories.remove(session, principal, memory_id)


@router.get("/schedules")
async def list_schedules(principal: Runner, session: SessionDep) -> ScheduleList:
    """List when your agents start by themselves."""
    return ScheduleList(items=await schedules.list_all(session, principal))


@router.post("/schedules", status_code=201, responses=problems(AgentNotFound, InvalidZone, TooMany))
async def create_schedule(data: ScheduleWrite, principal: Runner, session: SessionDep) -> ScheduleRead:
    """Let an agent start by itself, at a time on the wall of a zone: once a day at most."""
    return await schedules.create(session, principal, data)


@router.put("/schedules/{schedule_id}", responses=problems(ScheduleNotFound, AgentNotFound, InvalidZone))
async def update_schedule(
    schedule_id: UUID, data: ScheduleWrite, principal: Runner, session: SessionDep
) -> ScheduleRead:
    """Change when an agent starts by itself."""
    return await schedules.change(session, principal, schedule_id, data)


@router.delete("/schedules/{schedule_id}", status_code=204, responses=problems(ScheduleNotFound))
async def delete_schedule(schedule_id: UUID, principal: Runner, session: SessionDep) -> None:
    """Let an agent no longer start by itself."""
    await schedules.remove(session, principal, schedule_id)


@router.get("/usage", responses=problems(InvalidCursor))
async def list_usage(principal: Runner, session: SessionDep, limit: Limit = 20, cursor: Cursor = None) -> UsagePage:
    """List what your agents' requests to models took and cost, newest first."""
    rows = await metering.list_page(session, principal, limit=limit + 1, before=parse_cursor(cursor))
    shown, after = page_of(rows, limit)
    return UsagePage(items=[UsageRead.model_validate(row) for row in shown], next_cursor=after)


@router.get("/vaults/{vault_id}/rule", responses=problems(VaultNotFound, VaultSealed))
async def read_vault_rule(vault_id: UUID, principal: Runner, session: SessionDep) -> VaultRuleRead:
    """Read what models may be sent of a vault."""
    return await rules.read(session, principal, vault_id)


@router.put("/vaults/{vault_id}/rule", responses=problems(VaultNotFound, VaultSealed, RoleTooLow))
async def update_vault_rule(
    vault_id: UUID, data: VaultRuleWrite, principal: Runner, session: SessionDep
) -> VaultRuleRead:
    """Say what models may be sent of a vault that you own.

    A run leaves a vault out whose rule does not allow every model that it may ask; where that leaves nothing, the
    built-in model answers, and nothing leaves.
    """
    return await rules.write(session, principal, vault_id, data)
