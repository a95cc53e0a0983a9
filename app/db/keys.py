"""Data keys of vaults and users: made, unwrapped, remembered for a short time, rotated, destroyed."""

import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import crypto
from app.core.clock import new_id, utc_now
from app.core.crypto import DataKey, RootKeys, SealBroken
from app.core.metrics import cache_requests
from app.db.models import DataKeyRow

Purpose = Literal["vault", "user"]

REMEMBER_SECONDS = 30
REMEMBER_OWNERS = 4_096


class KeysDestroyed(Exception):
    """The owner has no data key any more: what it sealed is gone for good."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The data keys of one owner: `current` seals, every one of them opens."""

    current: DataKey
    by_id: dict[UUID, DataKey]

    def knows(self, cells: Iterable[bytes]) -> bool:
        """Whether every key that these cells name is among the keys."""
        known = tuple(key.header for key in self.by_id.values())
        return all(cell.startswith(known) for cell in cells)

    def seal(self, table: str, row_id: UUID, column: str, plaintext: bytes) -> bytes:
        """A cell bound to its place (see `app.core.crypto.seal_cell`)."""
        return crypto.seal_cell(self.current, table, row_id, column, plaintext)

    def open(self, table: str, row_id: UUID, column: str, cell: bytes) -> bytes:
        """The plaintext of a cell. Raises `SealBroken` for one that was altered or moved, also from another owner."""
        current = self.current
        key = current if cell.startswith(current.header) else self.by_id.get(crypto.key_id_of(cell))
        if key is None:
            raise SealBroken
        return crypto.open_cell(key, table, row_id, column, cell)


class KeyStore:
    """The way to data keys; one for each process."""

    def __init__(self, root_keys: RootKeys) -> None:
        self._root_keys = root_keys
        self._hit, self._missed = (cache_requests.labels("keys", outcome) for outcome in ("hit", "miss"))
        self._rings: OrderedDict[UUID, tuple[float, KeyRing]] = OrderedDict()

    async def create(self, session: AsyncSession, purpose: Purpose, owner_id: UUID) -> KeyRing:
        """The first data key of a new owner."""
        row, key = self._new_row(purpose, owner_id, version=1)
        session.add(row)
        await session.flush()
        return KeyRing(key, {key.id: key})

    async def ring(self, session: AsyncSession, owner_id: UUID, *cells: bytes) -> KeyRing:
        """The keys of an owner whom the session's principal may see, for sealing or to open `cells`.

        Remembered for `REMEMBER_SECONDS`, so a caller must have decided about access before; read again when a cell
        names a key that is not among them, as another process may have rotated. Raises `KeysDestroyed`.
        """
        remembered = self._rings.get(owner_id)
        if remembered and remembered[0] > time.monotonic() and remembered[1].knows(cells):
            self._hit.inc()
            return remembered[1]
        self._missed.inc()
        rows = await session.scalars(
            select(DataKeyRow).where(DataKeyRow.owner_id == owner_id).order_by(DataKeyRow.version)
        )
        return self.remember(owner_id, list(rows))

    def remember(self, owner_id: UUID, rows: list[DataKeyRow]) -> KeyRing:
        """Unwrap the key rows of an owner, oldest first. Raises `KeysDestroyed`."""
        self.forget(owner_id)
        if not rows:
            raise KeysDestroyed
        keys = [self._unwrap(row) for row in rows]
        ring = KeyRing(keys[-1], {key.id: key for key in keys})
        self._rings[owner_id] = (time.monotonic() + REMEMBER_SECONDS, ring)
        while len(self._rings) > REMEMBER_OWNERS:
            self._rings.popitem(last=False)
        return ring

    def forget(self, owner_id: UUID) -> None:
        """Drop what is remembered of an owner."""
        self._rings.pop(owner_id, None)

    async def rotate(self, session: AsyncSession, owner_id: UUID) -> KeyRing:
        """Give an owner a new current key; the older ones open until `destroy_retired`. Raises `KeysDestroyed`."""
        statement = select(DataKeyRow).where(DataKeyRow.owner_id == owner_id).order_by(DataKeyRow.version)
        rows = list(await session.scalars(statement.with_for_update()))
        if not rows:
            raise KeysDestroyed
        for row in rows:
            row.retired_at = row.retired_at or utc_now()
        purpose: Purpose = "vault" if rows[-1].purpose == "vault" else "user"
        new_row, _ = self._new_row(purpose, owner_id, version=rows[-1].version + 1)
        session.add(new_row)
        await session.flush()
        return self.remember(owner_id, [*rows, new_row])

    async def destroy_retired(self, session: AsyncSession, owner_id: UUID) -> int:
        """Delete the retired keys of an owner, once nothing is sealed by them any more; returns how many."""
        self.forget(owner_id)
        retired = delete(DataKeyRow).where(DataKeyRow.owner_id == owner_id, DataKeyRow.retired_at.is_not(None))
        return len((await session.scalars(retired.returning(DataKeyRow.id))).all())

    async def destroy(self, session: AsyncSession, owner_id: UUID) -> None:
        """Delete every key of an owner: what they sealed can't be read any more, backups included."""
        self.forget(owner_id)
        await session.execute(delete(DataKeyRow).where(DataKeyRow.owner_id == owner_id))

    async def rewrap(self, session: AsyncSession, limit: int = 500) -> int:
        """Wrap up to `limit` data keys by the newest root key; returns how many; repeat until 0."""
        current = self._root_keys.current
        statement = select(DataKeyRow).where(DataKeyRow.root_version != current).order_by(DataKeyRow.id).limit(limit)
        rows = list(await session.scalars(statement.with_for_update(skip_locked=True)))
        for row in rows:
            secret = self._root_keys.unwrap(row.wrapped, row.root_version, row.purpose, row.owner_id, row.version)
            wrapped = self._root_keys.wrap(secret, row.purpose, row.owner_id, row.version)
            await session.execute(
                update(DataKeyRow).where(DataKeyRow.id == row.id).values(wrapped=wrapped, root_version=current)
            )
        return len(rows)

    def _new_row(self, purpose: Purpose, owner_id: UUID, version: int) -> tuple[DataKeyRow, DataKey]:
        secret = crypto.new_secret()
        row = DataKeyRow(
            id=new_id(),
            purpose=purpose,
            owner_id=owner_id,
            version=version,
            root_version=self._root_keys.current,
            wrapped=self._root_keys.wrap(secret, purpose, owner_id, version),
            retired_at=None,
        )
        return row, crypto.data_key(row.id, owner_id, secret)

    def _unwrap(self, row: DataKeyRow) -> DataKey:
        secret = self._root_keys.unwrap(row.wrapped, row.root_version, row.purpose, row.owner_id, row.version)
        return crypto.data_key(row.id, row.owner_id, secret)
