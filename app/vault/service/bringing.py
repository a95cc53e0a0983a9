"""Records and documents that come from elsewhere with their past: many at once, each whole or not at all."""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.crypto import owner_digest
from app.db.keys import KeyRing
from app.db.runtime import current
from app.vault.cells import open_body, seal_body, tag_digests
from app.vault.importing.entries import DocumentEntry, ItemEntry
from app.vault.models import document_versions, documents, item_versions, items
from app.vault.schemas.documents import DocumentCreate
from app.vault.service.content import StoredFile
from app.vault.service.room import NEAR, one_at_a_time
from app.vault.service.versions import add_version, create_document

ATTACHED: Final = "Attachments:"
_ATTACHED: Final = re.compile(rf"(^|\n\n){ATTACHED}\n(- .*\n?)+$")
ROWS_AT_ONCE: Final = 500


def with_links(content: dict[str, Any], links: Sequence[tuple[str, UUID]]) -> dict[str, Any]:
    """The content with links to documents at the end of its notes."""
    if not links:
        return content
    lines = "\n".join(f"- {name}: /v1/vault/documents/{document_id}" for name, document_id in links)
    notes = "\n\n".join(part for part in (content["notes"], f"{ATTACHED}\n{lines}") if part)
    return {**content, "notes": notes}


def digest_of(type_name: str, content: dict[str, Any]) -> bytes:
    """Equal for records that say the same, whatever is attached to them."""
    plain = {**content, "notes": _ATTACHED.sub("", content["notes"]), "type": type_name}
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).digest()


async def digests_in(session: AsyncSession, ring: KeyRing, vault_id: UUID, besides: set[UUID]) -> set[bytes]:
    """The digests of all records of a vault that are not in the trash, besides some."""
    found, last = set[bytes](), UUID(int=0)
    while True:
        mine = items.c.vault_id == vault_id, items.c.trashed_at.is_(None), items.c.id > last
        page = select(items.c.id, items.c.type, items.c.body).where(*mine).order_by(items.c.id).limit(ROWS_AT_ONCE)
        rows = (await session.execute(page)).all()
        for row in rows:
            if row.id not in besides:
                found.add(digest_of(row.type, open_body(ring, items, row.id, row.body)))
        if len(rows) < ROWS_AT_ONCE:
            return found
        last = rows[-1].id


async def room_for_items(session: AsyncSession, vault_id: UUID, wanted: int) -> int:
    """How many more records the vault may hold, at most `wanted`; near the limit until the transaction ends."""
    most = current().settings.items_per_vault
    held = select(func.count()).select_from(items).where(items.c.vault_id == vault_id)
    if most - (await session.scalar(held) or 0) < wanted + NEAR:
        await one_at_a_time(session, vault_id)
    return max(min(most - (await session.scalar(held) or 0), wanted), 0)


async def bring_items(
    session: AsyncSession, principal: Principal, ring: KeyRing, vault_id: UUID, entries: Sequence[ItemEntry]
) -> list[UUID]:
    """Put records into a vault, with their history, times and place in the trash; returns their ids.

    Access, room and content are the caller's to have checked. What was in the trash has its time there anew.
    """
    rows: list[dict[str, Any]] = []
    versions: list[dict[str, Any]] = []
    now: datetime = (await session.scalars(select(func.now()))).one()
    for entry in entries:
        item_id = new_id()
        common = {"vault_id": vault_id, "written_by": principal.user_id}
        row = {
            "id": item_id,
            "type": entry.type,
            "body": seal_body(ring, items, item_id, entry.content),
            "tag_digests": tag_digests(ring, entry.content["tags"]),
            "revision": entry.revision,
            "created_at": _by(now, entry.created_at),
            "updated_at": _by(now, entry.updated_at),
            "trashed_at": now if entry.trashed else None,
        }
        rows.append(common | row)
        for past in entry.history:
            version_id = new_id()
            body = seal_body(ring, item_versions, version_id, past.content)
            times = {"revision": past.revision, "written_at": _by(now, past.written_at)}
            versions.append({**common, "id": version_id, "item_id": item_id, "body": body, **times})
    if rows:
        await session.execute(insert(items), rows)
    if versions:
        await session.execute(insert(item_versions), versions)
    return [row["id"] for row in rows]


def _by(now: datetime, at: datetime | None) -> datetime:
    """A time that others tell: not in the future, and the present one if they tell none."""
    return min(at or now, now)


async def has_document(
    session: AsyncSession, ring: KeyRing, vault_id: UUID, title: str, sha256: bytes, besides: set[UUID]
) -> bool:
    """Whether the vault has a document with this title and content that is not in the trash, besides some."""
    digests = [owner_digest(key, "content", sha256) for key in ring.by_id.values()]
    equal = document_versions.c.vault_id == vault_id, document_versions.c.content_digest.in_(digests)
    current_one = document_versions.c.id == documents.c.current_version_id
    statement = select(documents.c.id, documents.c.body).join(document_versions, current_one)
    for row in await session.execute(statement.where(*equal, documents.c.trashed_at.is_(None))):
        if row.id not in besides and open_body(ring, documents, row.id, row.body)["title"] == title:
            return True
    return False


async def bring_document(
    session: AsyncSession,
    principal: Principal,
    vault_id: UUID,
    entry: DocumentEntry,
    files: Sequence[StoredFile],
) -> UUID:
    """Name stored files as the versions of a new document, the last one as the current one; returns its id.

    Raises `VaultNotFound`, `RoleTooLow`, `LimitReached`, `PlanLimitReached`.
    """
    data = DocumentCreate(vault_id=vault_id, title=entry.title, tags=list(entry.tags))
    document_id = (await create_document(session, principal, data, files[0])).id
    for file in files[1:]:
        await add_version(session, principal, document_id, file, if_match=None)
    now: datetime = (await session.scalars(select(func.now()))).one()
    for offset in (2**30, 0):  # the numbers must not meet while they change
        for file, source in zip(files, entry.files, strict=True):
            values = {"number": source.number + offset, "created_at": _by(now, source.created_at)}
            changed = update(document_versions).where(document_versions.c.id == file.version_id)
            await session.execute(changed.values(values))
    values = {
        "revision": max(entry.revision, len(files)),
        "created_at": _by(now, entry.created_at),
        "updated_at": _by(now, entry.updated_at),
        "trashed_at": now if entry.trashed else None,
    }
    await session.execute(update(documents).where(documents.c.id == document_id).values(values))
    return document_id
