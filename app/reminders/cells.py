"""What people wrote of reminders: JSON objects sealed at their place, for the vault or the person."""

from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.crypto import lookup_digest
from app.db.keys import KeyRing
from app.db.runtime import current
from app.reminders.models import Reminder
from app.vault.cells import open_body, seal_body

TABLE: Final = cast(Table, Reminder.__table__)
EMPTY: Final[dict[str, Any]] = {"title": "", "notes": "", "field": None, "label": "", "citation": None}


def open_words(ring: KeyRing, row: Reminder) -> dict[str, Any]:
    """The words of a reminder. Raises `ContentDamaged`."""
    words: dict[str, Any] = open_body(ring, TABLE, row.id, row.body)
    return words


def owner_of(row: Reminder) -> UUID:
    """Whose key seals it: the vault's or the person's, also before the row is written."""
    owner_id = row.vault_id or row.user_id
    assert owner_id is not None  # noqa: S101  a constraint of the table
    return owner_id


async def words_of(session: AsyncSession, row: Reminder) -> dict[str, Any]:
    """The words of a reminder, for whoever may see its owner's keys. Raises `ContentDamaged`, `KeysDestroyed`."""
    return open_words(await current().keys.ring(session, owner_of(row), row.body), row)


async def seal_words(session: AsyncSession, row: Reminder, changes: dict[str, Any]) -> None:
    """Change words of a reminder; those that are None stay. Raises `ContentDamaged`, `KeysDestroyed`."""
    before = await words_of(session, row) if row.body else EMPTY
    words = before | {name: value for name, value in changes.items() if value is not None}
    row.body = seal_body(await current().keys.ring(session, owner_of(row)), TABLE, row.id, words)


def source_digest(*parts: object) -> bytes:
    """By what a reminder is known that comes from a field or a passage: names that people gave are not stored."""
    key = current().settings.lookup_key_bytes
    return lookup_digest(key, "reminders.source", "\n".join(map(str, parts)))
