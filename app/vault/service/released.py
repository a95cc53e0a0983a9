"""What an owner left to somebody: read within a scope that the legacy plan gives, and nothing beyond it.

Who may ask, and since when, is decided above. Here a scope becomes statements about one vault at a time, as long as it
is the owner's, assisted and not in the trash, and about nothing that is in the trash itself. The transaction acts for
that one vault, so row-level security keeps it there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, and_, false, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.acting import acting_for
from app.db.session import Actor
from app.vault.cells import open_body, ring_of
from app.vault.errors import DocumentNotFound, ItemNotFound, VaultNotFound
from app.vault.models import document_versions, documents, items, members, vaults
from app.vault.policy import open_to_members
from app.vault.schemas.documents import DocumentRead
from app.vault.schemas.items import ItemRead
from app.vault.service.content import CONTENT, VersionContent, content_of
from app.vault.service.documents import CURRENT, OWN_COLUMNS, VERSION_COLUMNS, opened
from app.vault.service.items import COLUMNS, opened_item
from app.vault.service.listing import FIRST_PAGE, Filters

READABLE_TIER: Final = "assisted"


@dataclass(frozen=True, slots=True)
class Gift:
    """A whole vault, or of one vault the records of a type, a record, or a document."""

    vault_id: UUID
    type: str | None = None
    item_id: UUID | None = None
    document_id: UUID | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is the vault with all that is in it."""
        return not (self.type or self.item_id or self.document_id)


@dataclass(frozen=True, slots=True)
class Scope:
    """All that one person was left by one owner."""

    owner_id: UUID
    gifts: tuple[Gift, ...]

    def of(self, vault_id: UUID) -> tuple[Gift, ...]:
        """The part that lies in one vault. Raises `VaultNotFound` if there is none."""
        found = tuple(gift for gift in self.gifts if gift.vault_id == vault_id)
        if not found:
            raise VaultNotFound
        return found


@dataclass(frozen=True, slots=True)
class ReleasedVault:
    """A vault of a scope as it stands now; nothing of a sealed one can be read here."""

    id: UUID
    name: str
    tier: str
    items: int
    documents: int


def _items(gifts: Iterable[Gift]) -> ColumnElement[bool]:
    named = [items.c.type == gift.type if gift.type else items.c.id == gift.item_id for gift in gifts if _of_item(gift)]
    return true() if any(gift.is_whole for gift in gifts) else or_(false(), *named)


def _of_item(gift: Gift) -> bool:
    return gift.type is not None or gift.item_id is not None


def _documents(gifts: Iterable[Gift]) -> ColumnElement[bool]:
    named = [documents.c.id == gift.document_id for gift in gifts if gift.document_id]
    return true() if any(gift.is_whole for gift in gifts) else or_(false(), *named)


def _of_owner(scope: Scope, table: Table, vault_id: UUID) -> list[ColumnElement[bool]]:
    """The conditions that every read starts from, for rows joined by `open_to_members`."""
    owned = and_(members.c.user_id == scope.owner_id, members.c.role == "owner")
    return [table.c.vault_id == vault_id, owned, vaults.c.tier == READABLE_TIER, table.c.trashed_at.is_(None)]


def _released_items(scope: Scope, vault_id: UUID, *columns: Any) -> Select[Any]:
    gifts = scope.of(vault_id)
    statement = select(*columns).select_from(open_to_members(items))
    return statement.where(*_of_owner(scope, items, vault_id), _items(gifts))


def _released_documents(scope: Scope, vault_id: UUID, *columns: Any) -> Select[Any]:
    gifts = scope.of(vault_id)
    statement = select(*columns).select_from(open_to_members(documents).join(document_versions, CURRENT))
    return statement.where(*_of_owner(scope, documents, vault_id), _documents(gifts))


async def list_released_vaults(session: AsyncSession, scope: Scope) -> list[ReleasedVault]:
    """The vaults of a scope that are still there and still the owner's, with how much of each belongs to it."""
    found = [
        await _vault(session, scope, vault_id) for vault_id in dict.fromkeys(gift.vault_id for gift in scope.gifts)
    ]
    return [vault for vault in found if vault]


async def _vault(session: AsyncSession, scope: Scope, vault_id: UUID) -> ReleasedVault | None:
    owned = members.c.vault_id == vault_id, members.c.user_id == scope.owner_id, members.c.role == "owner"
    present = select(vaults.c.body, vaults.c.tier).join(members, members.c.vault_id == vaults.c.id)
    async with acting_for(session, Actor.vault(vault_id)):
        row = (await session.execute(present.where(*owned, vaults.c.trashed_at.is_(None)))).one_or_none()
        if row is None:
            return None
        ring = await ring_of(session, vault_id, row.body)
        counts = [
            await session.scalar(_released_items(scope, vault_id, func.count())),
            await session.scalar(_released_documents(scope, vault_id, func.count())),
        ]
    name = open_body(ring, vaults, vault_id, row.body)["name"]
    return ReleasedVault(vault_id, name, row.tier, counts[0] or 0, counts[1] or 0)


async def list_released_items(
    session: AsyncSession, scope: Scope, vault_id: UUID, filters: Filters
) -> tuple[list[ItemRead], UUID | None]:
    """One page of records, newest first; and the one that the next page continues after. Raises `VaultNotFound`."""
    statement = _released_items(scope, vault_id, *COLUMNS)
    if filters.type:
        statement = statement.where(items.c.type == filters.type)
    async with acting_for(session, Actor.vault(vault_id)):
        rows, last = await _page(session, items, statement, filters)
        return [await opened_item(session, row) for row in rows], last


async def read_released_item(session: AsyncSession, scope: Scope, vault_id: UUID, item_id: UUID) -> ItemRead:
    """A record. Raises `VaultNotFound`, `ItemNotFound`."""
    statement = _released_items(scope, vault_id, *COLUMNS).where(items.c.id == item_id)
    async with acting_for(session, Actor.vault(vault_id)):
        row = (await session.execute(statement)).mappings().one_or_none()
        if row is None:
            raise ItemNotFound
        return await opened_item(session, row)


async def list_released_documents(
    session: AsyncSession, scope: Scope, vault_id: UUID, filters: Filters
) -> tuple[list[DocumentRead], UUID | None]:
    """One page of documents, newest first; and the one that the next page continues after. Raises `VaultNotFound`."""
    statement = _released_documents(scope, vault_id, *OWN_COLUMNS, *VERSION_COLUMNS)
    async with acting_for(session, Actor.vault(vault_id)):
        rows, last = await _page(session, documents, statement, filters)
        return [await opened(session, row) for row in rows], last


async def read_released_document(
    session: AsyncSession, scope: Scope, vault_id: UUID, document_id: UUID
) -> DocumentRead:
    """What is known of a document. Raises `VaultNotFound`, `DocumentNotFound`."""
    statement = _released_documents(scope, vault_id, *OWN_COLUMNS, *VERSION_COLUMNS)
    async with acting_for(session, Actor.vault(vault_id)):
        row = (await session.execute(statement.where(documents.c.id == document_id))).mappings().one_or_none()
        if row is None:
            raise DocumentNotFound
        return await opened(session, row)


async def open_released_document(
    session: AsyncSession, scope: Scope, vault_id: UUID, document_id: UUID
) -> VersionContent:
    """The file of a document as it is now, no earlier one. Raises `VaultNotFound`, `DocumentNotFound`."""
    statement = _released_documents(scope, vault_id, *CONTENT).where(documents.c.id == document_id)
    async with acting_for(session, Actor.vault(vault_id)):
        row = (await session.execute(statement)).mappings().one_or_none()
        if row is None:
            raise DocumentNotFound
        return await content_of(session, row)


async def _page(
    session: AsyncSession, table: Table, statement: Select[Any], filters: Filters
) -> tuple[Sequence[Any], UUID | None]:
    older = statement.where(table.c.id < (filters.before or FIRST_PAGE)).order_by(table.c.id.desc())
    rows = (await session.execute(older.limit(filters.limit + 1))).mappings().all()
    shown = rows[: filters.limit]
    return shown, shown[-1]["id"] if len(rows) > filters.limit else None
