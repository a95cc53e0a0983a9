"""Making a proposal for a document that has just been read. Import it lazily: it brings NumPy."""

from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.intake import service
from app.agents.intake.proposing import propose
from app.db.keys import KeysDestroyed
from app.db.session import Actor, session_scope
from app.rag.understanding import Understanding, understand, vault_of
from app.vault.errors import DocumentNotFound
from app.vault.types import record_types


async def make(document_id: UUID, today: date) -> bool:
    """Propose something for a document, if there is something to propose; whether there is a new proposal."""
    async with session_scope() as session:
        vault_id = await vault_of(session, document_id)
    if vault_id is None:
        return False
    try:
        async with session_scope(Actor.vault(vault_id)) as session:
            understood = await understand(session, document_id, types_to_guess())
            return understood is not None and await _make(session, understood, today)
    except (DocumentNotFound, KeysDestroyed):
        return False  # deleted meanwhile


def types_to_guess() -> list[str]:
    """The record types that a paper can be; credentials are typed in, not read."""
    return [name for name, each in record_types().items() if not each.credential]


async def _make(session: AsyncSession, understood: Understanding, today: date) -> bool:
    item_id, before = await service.filed_as(session, understood.document_id)
    proposal = propose(understood, today, before)
    if proposal is None:
        return False
    ids = understood.document_id, understood.version_id, understood.vault_id
    return await service.keep(session, proposal, *ids, item_id)
