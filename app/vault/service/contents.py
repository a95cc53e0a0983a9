"""What can be read of changed things, sent along with the feed of changes."""

from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.db.statements import Row
from app.vault.schemas.documents import DocumentRead
from app.vault.schemas.items import ItemRead
from app.vault.schemas.links import LinkRead
from app.vault.schemas.types import RecordTypeRead
from app.vault.schemas.vaults import MemberRead, VaultRead
from app.vault.service.documents import documents_by_id
from app.vault.service.items import items_by_id
from app.vault.service.links import links_by_id
from app.vault.service.members import list_members
from app.vault.service.types import types_by_id
from app.vault.service.vaults import vaults_by_id

Content: TypeAlias = ItemRead | DocumentRead | VaultRead | MemberRead | RecordTypeRead | LinkRead
Contents: TypeAlias = dict[tuple[str, UUID, UUID], Content]


async def contents_of(session: AsyncSession, principal: Principal, rows: Sequence[Row]) -> Contents:
    """What the principal may read now of the things that these changes are about."""
    by_kind: dict[str, set[UUID]] = {}
    for row in rows:
        by_kind.setdefault(row["kind"], set()).add(row["subject_id"])
    found: Contents = {}
    for item in await items_by_id(session, principal, by_kind.get("item", set())):
        found["item", item.vault_id, item.id] = item
    for document in await documents_by_id(session, principal, by_kind.get("document", set())):
        found["document", document.vault_id, document.id] = document
    for vault in await vaults_by_id(session, principal, by_kind.get("vault", set())):
        found["vault", vault.id, vault.id] = vault
    for kind in await types_by_id(session, principal, by_kind.get("type", set())):
        assert kind.id is not None  # noqa: S101  people made it
        assert kind.vault_id is not None  # noqa: S101
        found["type", kind.vault_id, kind.id] = kind
    for link in await links_by_id(session, principal, by_kind.get("link", set())):
        found["link", link.vault_id, link.id] = link
    vault_ids = {row["vault_id"] for row in rows if row["kind"] == "member"}
    for vault in await vaults_by_id(session, principal, vault_ids):
        for member in await list_members(session, principal, vault.id):
            found["member", vault.id, member.user_id] = member
    return found
