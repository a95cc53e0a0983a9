"""Conversations: runs that follow one another, kept for the person to see, name and delete."""

from typing import Final
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.cells import opened, opened_all, sealed
from app.agents.errors import ConversationNotFound, RunBusy
from app.agents.models import OVER, Conversation, Run
from app.agents.schemas import ConversationRead, RunCreate
from app.auth.principal import Principal
from app.core.clock import new_id, utc_now
from app.core.crypto import lookup_digest
from app.db.runtime import current

TABLE: Final = "agent_conversations"
TITLE_CHARACTERS: Final = 80


async def of_run(session: AsyncSession, principal: Principal, agent_id: UUID, data: RunCreate) -> UUID:
    """The conversation that a run belongs to, a new one if it names none. Raises `ConversationNotFound`."""
    if data.conversation_id:
        row = await find(session, principal, data.conversation_id)
        row.updated_at = utc_now()
        return row.id
    return await create(session, principal, agent_id, data.message)


async def create(
    session: AsyncSession,
    principal: Principal,
    agent_id: UUID,
    message: str,
    *,
    kept: bool = True,
    thread: bytes | None = None,
) -> UUID:
    """A new conversation that begins with a message; see `Conversation` for one that is not kept, and for threads."""
    row_id = new_id()
    title = " ".join(message.split())[:TITLE_CHARACTERS]
    body = await sealed(session, principal.user_id, TABLE, row_id, {"title": title})
    row = Conversation(id=row_id, user_id=principal.user_id, agent_id=agent_id, kept=kept, thread=thread, body=body)
    session.add(row)
    await session.flush()
    return row_id


async def of_thread(session: AsyncSession, principal: Principal, thread: str) -> Conversation | None:
    """The conversation that a program of this person knows by a name of its own, locked; None if it has not begun."""
    mine = Conversation.user_id == principal.user_id, Conversation.thread == thread_digest(principal, thread)
    row: Conversation | None = await session.scalar(select(Conversation).where(*mine).with_for_update())
    return row


def thread_digest(principal: Principal, thread: str) -> bytes:
    """What is kept of the name that a program gave a conversation."""
    named = f"{principal.user_id}\n{thread}"
    return lookup_digest(current().settings.lookup_key_bytes, "agent_conversations.thread", named)


async def let_go(session: AsyncSession, principal: Principal, run_id: UUID) -> None:
    """Forget a conversation that is not kept, as its run has ended; one that waits for the person is kept after all."""
    mine = Run.id == run_id, Run.user_id == principal.user_id, Conversation.kept.is_(False)
    joined = select(Run.state, Conversation.id).join(Conversation, Conversation.id == Run.conversation_id)
    found = (await session.execute(joined.where(*mine))).one_or_none()
    if found and found.state in OVER:
        await session.execute(delete(Conversation).where(Conversation.id == found.id))
    elif found and found.state == "waiting":
        await session.execute(update(Conversation).where(Conversation.id == found.id).values(kept=True))


async def find(session: AsyncSession, principal: Principal, conversation_id: UUID) -> Conversation:
    """A conversation of this person's. Raises `ConversationNotFound`."""
    mine = Conversation.id == conversation_id, Conversation.user_id == principal.user_id
    row = await session.scalar(select(Conversation).where(*mine))
    if row is None:
        raise ConversationNotFound
    return row


async def list_page(
    session: AsyncSession, principal: Principal, *, limit: int, before: UUID | None
) -> list[ConversationRead]:
    """A person's conversations, newest first."""
    statement = select(Conversation).where(Conversation.user_id == principal.user_id, Conversation.kept)
    if before:
        statement = statement.where(Conversation.id < before)
    rows = (await session.scalars(statement.order_by(Conversation.id.desc()).limit(limit))).all()
    contents = await opened_all(session, TABLE, rows)
    return [_read(row, content["title"]) for row, content in zip(rows, contents, strict=True)]


async def read(session: AsyncSession, principal: Principal, conversation_id: UUID) -> ConversationRead:
    """One conversation. Raises `ConversationNotFound`."""
    row = await find(session, principal, conversation_id)
    return _read(row, (await opened(session, TABLE, row))["title"])


async def rename(session: AsyncSession, principal: Principal, conversation_id: UUID, title: str) -> ConversationRead:
    """Give a conversation another title. Raises `ConversationNotFound`."""
    row = await find(session, principal, conversation_id)
    row.body = await sealed(session, row.user_id, TABLE, row.id, {"title": title})
    row.updated_at = utc_now()
    await session.flush()
    return _read(row, title)


async def remove(session: AsyncSession, principal: Principal, conversation_id: UUID) -> None:
    """Delete a conversation with all that was said. Raises `ConversationNotFound`, `RunBusy` while a run goes on."""
    row = await find(session, principal, conversation_id)
    unended = Run.conversation_id == row.id, Run.state.in_(["queued", "running"])
    if await session.scalar(select(Run.id).where(*unended).limit(1)):
        raise RunBusy
    await session.execute(delete(Conversation).where(Conversation.id == row.id))


def _read(row: Conversation, title: str) -> ConversationRead:
    times = {"created_at": row.created_at, "updated_at": row.updated_at}
    return ConversationRead(id=row.id, agent_id=row.agent_id, title=title, **times)
