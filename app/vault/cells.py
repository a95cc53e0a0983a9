"""Cells of vaults: JSON objects sealed at their place."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.crypto import SealBroken, owner_digest
from app.core.logging import get_log
from app.db.keys import KeyRing, KeysDestroyed
from app.db.models import DataKeyRow
from app.db.runtime import current
from app.vault.errors import ContentDamaged, VaultNotFound

BODY = "body"

log = get_log(__name__)


async def ring_of(session: AsyncSession, vault_id: UUID, *cells: bytes) -> KeyRing:
    """The keys of a vault, among them those that sealed these cells.

    Raises `VaultNotFound`. The caller has decided about access, or what it seals is written only if access is given.
    """
    try:
        return await current().keys.ring(session, vault_id, *cells)
    except KeysDestroyed:
        raise VaultNotFound from None


async def rings_of(session: AsyncSession, rows: Sequence[Any]) -> dict[UUID, KeyRing]:
    """The keys that open these rows (with `vault_id` and `body`), by vault."""
    vault_ids = {row["vault_id"] for row in rows}
    if len(vault_ids) != 1:
        return await rings_of_vaults(session, vault_ids)
    vault_id = vault_ids.pop()
    return {vault_id: await ring_of(session, vault_id, *(row["body"] for row in rows))}


async def rings_of_vaults(session: AsyncSession, vault_ids: Collection[UUID]) -> dict[UUID, KeyRing]:
    """The keys of several vaults, read at once."""
    if not vault_ids:
        return {}
    statement = select(DataKeyRow).where(DataKeyRow.owner_id.in_(vault_ids)).order_by(DataKeyRow.version)
    keys: dict[UUID, list[DataKeyRow]] = {}
    for key in await session.scalars(statement):
        keys.setdefault(key.owner_id, []).append(key)
    return {vault_id: current().keys.remember(vault_id, found) for vault_id, found in keys.items()}


def seal_body(ring: KeyRing, table: Table, row_id: UUID, content: dict[str, Any]) -> bytes:
    """The `body` of a row."""
    return ring.seal(table.name, row_id, BODY, orjson.dumps(content))


def open_body(ring: KeyRing, table: Table, row_id: UUID, cell: bytes) -> Any:
    """What stands in the `body` of a row. Raises `ContentDamaged` for one that was altered or moved."""
    try:
        return orjson.loads(ring.open(table.name, row_id, BODY, cell))
    except SealBroken:
        log.error("cell damaged", table=table.name, row_id=str(row_id))
        raise ContentDamaged from None


def tag_digest(ring: KeyRing, tag: str) -> list[bytes]:
    """The digests under which rows with this tag may stand: one for each key of the vault."""
    return [owner_digest(key, "tag", tag.casefold().encode()) for key in ring.by_id.values()]


def tag_digests(ring: KeyRing, tags: list[str]) -> list[bytes]:
    """The digests to store with a row; they are under the key that seals its body."""
    return [owner_digest(ring.current, "tag", tag.casefold().encode()) for tag in tags]
