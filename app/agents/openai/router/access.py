"""Who may use this face, and how its runs are begun."""

from collections.abc import Sequence
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query, Security
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import conversations, talk
from app.agents.added import Added
from app.agents.models import Run
from app.agents.openai import names
from app.agents.schemas import RunCreate
from app.api.deps import get_principal
from app.auth.principal import Principal

Runner = Annotated[Principal, Security(get_principal, scopes=["agents:run"])]
Asker = Annotated[Principal, Security(get_principal, scopes=["rag:ask"])]
Reader = Annotated[Principal, Security(get_principal, scopes=["vault:read"])]
Writer = Annotated[Principal, Security(get_principal, scopes=["vault:write"])]
Most = Annotated[int, Query(ge=1, le=100, description="Most entries in one page.")]
After = Annotated[UUID | None, Query(description="`last_id` of the page before.")]
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def begin(
    session: AsyncSession,
    principal: Principal,
    model: str,
    message: str,
    added: Added,
    *,
    vault_ids: Sequence[UUID] | None = None,
    kept: bool = False,
    conversation_id: UUID | None = None,
    background: bool = False,
) -> Run:
    """Start a run, in a conversation of its own if none is given.

    Raises `ModelNotFound`, `RunBusy`, `TooMany`, `VaultNotFound`.
    """
    agent = await names.agent_of(session, principal, model)
    if conversation_id is None:
        conversation_id = await conversations.create(session, principal, agent.id, message, kept=kept)
    scope = list(vault_ids) if vault_ids else None
    data = RunCreate(message=message, conversation_id=conversation_id, vault_ids=scope, background=background)
    return await talk.begin(session, principal, agent.id, data, added, here=not background)
