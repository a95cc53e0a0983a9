"""Records and documents that come from elsewhere with their past: many at once, each whole or not at all."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.crypto import owner_digest
from app.db.acting import acting_for
from app.db.keys import KeyRing
from app.db.runtime import current
from app.vault.cells import open_body, seal_body, tag_digests
from app.vault.importing.entries import DocumentEntry, ItemEntry
from app.vault.models import document_versions, documents, favourites, item_versions, items, links, types
from app.vault.schemas.documents import DocumentCreate
from app.vault.schemas.types import TypeCreate
from app.vault.service.content import StoredFile
from app.vault.service.room import NEAR, one_at_a_time
from app.vault.service.types import add_type, name_of, require_type_room, type_id_of
from app.vault.service.versions import add_version, create_document

ROWS_AT_ONCE: Final = 500
SORTED: Final = orjson.OPT_SORT_KEYS
PART_OF: Final = "part_of"


@dataclass(frozen=True, slots=True)
class LinkEnds:
    """A relation, by the name that is stored, between two things; a kind is `item` or `document`."""

    source_kind: str
    source_id: UUID
    target_kind: str
    target_id: UUID
    relation: str
    label: str = ""


def digest_of(type_name: str, content: dict[str, Any]) -> bytes:
    """Equal for records that say the same."""
    return hashlib.sha256(orjson.dumps({**content, "type": type_name}, option=orjson.OPT_SORT_KEYS)).digest()


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
    session: AsyncSession,
    principal: Principal,
    ring: KeyRing,
    vault_id: UUID,
    entries: Sequence[ItemEntry],
    type_names: Mapping[str, str],
) -> list[UUID]:
    """Put records into a vault, with their history, times and place in the trash; returns their ids.

    Access, room and content are the caller's to have checked; `type_names` are the names here of types that people
    made. What was in the trash has its time there anew.
    """
    rows: list[dict[str, Any]] = []
    versions: list[dict[str, Any]] = []
    now: datetime = (await session.scalars(select(func.now()))).one()
    for entry in entries:
        item_id = new_id()
        common = {"vault_id": vault_id, "written_by": principal.user_id}
        row = {
            "id": item_id,
            "type": type_names.get(entry.type, entry.type),
            "type_id": type_id_of(type_names.get(entry.type, entry.type)),
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
    ids: list[UUID] = [row["id"] for row in rows]
    liked = [item_id for item_id, entry in zip(ids, entries, strict=True) if entry.favourite]
    if liked:
        async with acting_for(session, principal.actor):  # favourites are the person's, not the vault's
            values = [{"user_id": principal.user_id, "item_id": item_id} for item_id in liked]
            await session.execute(insert(favourites), values)
    for item_id in ids:
        await audit.record(session, principal, vault_id, "vault.item_created", item_id)
    return ids


def _by(now: datetime, at: datetime | None) -> datetime:
    """A time that others tell: not in the future, and the present one if they tell none."""
    return min(at or now, now)


async def bring_types(
    session: AsyncSession, principal: Principal, ring: KeyRing, vault_id: UUID, definitions: Mapping[str, TypeCreate]
) -> dict[str, str]:
    """The names here of record types that people made elsewhere; an equal one that the vault has serves as well.

    Raises `LimitReached`.
    """
    rows = (await session.execute(select(types.c.id, types.c.body).where(types.c.vault_id == vault_id))).all()
    known: dict[bytes, UUID] = {
        orjson.dumps(open_body(ring, types, row.id, row.body), option=SORTED): row.id for row in rows
    }
    names: dict[str, str] = {}
    for name, made in definitions.items():
        definition = made.model_dump(exclude={"vault_id"})
        same = known.get(orjson.dumps(definition, option=SORTED))
        if same is None:
            await require_type_room(session, vault_id)
            type_id = (await add_type(session, principal, vault_id, definition)).id
            assert type_id is not None  # noqa: S101
            same = type_id
            await audit.record(session, principal, vault_id, "vault.type_created", same)
        names[name] = name_of(same)
    return names


async def bring_links(
    session: AsyncSession, principal: Principal, ring: KeyRing, vault_id: UUID, ends: Sequence[LinkEnds]
) -> None:
    """Relate things of a vault that has them already; a link that is there stays as it is."""
    for each in ends:
        link_id = new_id()
        values = {
            "id": link_id,
            "vault_id": vault_id,
            f"source_{each.source_kind}_id": each.source_id,
            f"target_{each.target_kind}_id": each.target_id,
            "relation": each.relation,
            "body": seal_body(ring, links, link_id, {"label": each.label}),
            "written_by": principal.user_id,
        }
        made = upsert(links).values(values).on_conflict_do_nothing().returning(links.c.id)
        if await session.scalar(made) is not None:
            ids: dict[str, UUID | str] = {
                "relation": each.relation,
                "source_id": each.source_id,
                "target_id": each.target_id,
            }
            await audit.record(session, principal, vault_id, "vault.link_created", link_id, **ids)


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
