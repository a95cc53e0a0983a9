"""Cells of vaults: JSON objects sealed at their place."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
import structlog
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.crypto import SealBroken, owner_digest
from app.db.keys import KeyRing, KeysDestroyed
from app.db.models import DataKeyRow
from app.db.runtime import current
from app.vault.errors import ContentDamaged, VaultNotFound

BODY = "body"
KEY_ID = slice(1, 17)  # of a cell, see `app.core.crypto.seal_cell`

log = structlog.get_logger()


async def ring_of(session: AsyncSession, vault_id: UUID, *cells: bytes) -> KeyRing:
    """The keys of a vault, among them those that sealed these cells.

    Another process may have given the vault a new key since the ring was remembered; then it is read again.
    Raises `VaultNotFound`. The caller has decided about access, or what it seals is written only if access is given.
    """
    keys = current().keys
    try:
        ring = await keys.ring(session, vault_id)
        known = {key_id.bytes for key_id in ring.by_id}
        if any(cell[KEY_ID] not in known for cell in cells):
            keys.forget(vault_id)
            ring = await keys.ring(session, vault_id)
    except KeysDestroyed:
        raise VaultNotFound from None
    return ring


async def rings_of(session: AsyncSession, rows: Sequence[Any]) -> dict[UUID, KeyRing]:
    """The keys that open these rows (with `vault_id` and `body`), by vault; read at once if of several."""
    vault_ids = {row["vault_id"] for row in rows}
    if len(vault_ids) == 1:
        vault_id = vault_ids.pop()
        return {vault_id: await ring_of(session, vault_id, *(row["body"] for row in rows))}
    statement = select(DataKeyRow).where(DataKeyRow.owner_id.in_(vault_ids)).order_by(DataKeyRow.version)
    keys: dict[UUID, list[DataKeyRow]] = {vault_id: [] for vault_id in vault_ids}
    for key in await session.scalars(statement) if vault_ids else ():
        keys[key.owner_id].append(key)
    try:
        return {vault_id: current().keys.remember(vault_id, found) for vault_id, found in keys.items()}
    except KeysDestroyed:
        raise VaultNotFound from None


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
