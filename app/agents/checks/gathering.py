"""What a check looks at: records without their secrets, proposals that are open, documents with their fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.intake import service as intake
from app.agents.intake.schemas import IntakeRead
from app.auth.principal import Principal
from app.rag import reading
from app.rag.reading import DocumentFields
from app.vault import service as vaults
from app.vault.schemas.items import ItemRead
from app.vault.types import RecordType, record_types

MOST_RECORDS: Final = 5_000
MOST_DOCUMENTS: Final = 500
AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Papers:
    """The records of a person, and what is known of their documents; `filed` tells the record of a document."""

    records: Sequence[ItemRead]
    open: Sequence[IntakeRead]
    filed: Mapping[UUID, UUID] = field(default_factory=dict)
    documents: Mapping[UUID, DocumentFields] = field(default_factory=dict)

    def of_types(self, *names: str) -> list[ItemRead]:
        """The records of these types."""
        return [each for each in self.records if each.type in names]

    def unfiled(self, *names: str) -> list[IntakeRead]:
        """Open proposals of these types."""
        return [each for each in self.open if each.type in names]


async def gather(session: AsyncSession, principal: Principal, vault_ids: Sequence[UUID] | None) -> Papers:
    """Everything in these vaults, or in all that the principal may read. Raises `VaultNotFound`."""
    if vault_ids:
        await vaults.require_vaults(session, principal, vault_ids)
    records: list[ItemRead] = []
    proposals: list[IntakeRead] = []
    for vault_id in vault_ids or (None,):
        records += await _records(session, principal, vault_id)
        proposals += await _proposals(session, principal, vault_id)
    known = {each.id for each in records}
    filed = {doc: item for doc, item in await intake.records_of(session, principal) if item in known}
    documents = await reading.fields_of(session, principal, list(filed)[:MOST_DOCUMENTS])
    return Papers(records, proposals, filed, documents)


async def _records(session: AsyncSession, principal: Principal, vault_id: UUID | None) -> list[ItemRead]:
    """Records that open nothing: of the others not even the title is looked at."""
    found: list[ItemRead] = []
    before: UUID | None = None
    while len(found) < MOST_RECORDS:
        filters = vaults.Filters(limit=AT_ONCE, before=before, vault_id=vault_id)
        page, before = await vaults.list_items(session, principal, filters)
        found += [each for each in page if (kind := type_of(each)) and not kind.credential]
        if before is None:
            break
    return found


async def _proposals(session: AsyncSession, principal: Principal, vault_id: UUID | None) -> list[IntakeRead]:
    return await intake.list_page(session, principal, limit=AT_ONCE, vault_id=vault_id, state="open")


def type_of(record: ItemRead) -> RecordType | None:
    """The built-in type of a record; None for types that people made."""
    return record_types().get(record.type)
