"""A chain walked from its first entry to its end: what is changed, missing, moved, added or cut is found.

An entry is held by its hash, that by the hash of the next one, and each by a tag that only the application can make.
The end is held by the checkpoints: one in the database, one in the blob store, both signed.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, case, cast, extract, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import chain
from app.audit.chain import Head
from app.audit.marks import Mark, mark_of, stored_mark
from app.audit.models import chains, checkpoints, entries
from app.core.crypto import RootKeyMissing

ROWS_AT_ONCE: Final = 1_000
MICROS: Final = case(
    (func.isfinite(entries.c.at), cast(extract("epoch", entries.c.at) * 1_000_000, BigInteger)), else_=-1
)
HELD: Final = (*(column for column in entries.c if column is not entries.c.at), MICROS.label("micros"))

MISSING: Final = "an entry is missing"
CHANGED: Final = "the entry was changed, or one before it was added, taken out or moved"
FORGED: Final = "the entry was not made by the application"
NO_KEY: Final = "the root key that vouches for it is not configured"
AFTER_END: Final = "there are entries after the end"
OTHER_END: Final = "the end is not that of the last entry"
CUT: Final = "entries that a checkpoint has seen are missing"
REWRITTEN: Final = "the entry is not the one that a checkpoint has seen"
FORGED_MARK: Final = "a checkpoint is not signed by the application"
MARK_LOST: Final = "a checkpoint is missing in the database or in the blob store"
GONE: Final = "the whole chain is missing"


@dataclass(frozen=True, slots=True)
class Broken:
    """The first entry of a chain that does not hold, and why."""

    chain_id: UUID
    sequence: int
    reason: str


class _Breaks(Exception):
    def __init__(self, sequence: int, reason: str) -> None:
        super().__init__(reason)
        self.sequence = sequence
        self.reason = reason


async def verify_chain(session: AsyncSession, chain_id: UUID) -> Broken | None:
    """The first entry of a chain that does not hold, if there is one. The session acts for the system."""
    try:
        await _verify(session, chain_id)
    except _Breaks as found:
        if await _was_purged(session, chain_id):  # while it was walked
            return None
        return Broken(chain_id, found.sequence, found.reason)
    return None


async def _verify(session: AsyncSession, chain_id: UUID) -> None:
    in_database, in_store = await database_mark(session, chain_id), await stored_mark(chain_id)
    end = await _end(session, chain_id)
    marks = [mark for mark in (in_database, in_store) if mark]
    if end is None:
        if marks or await _count(session, chain_id):
            raise _Breaks(1, GONE)
        return
    _check_marks(marks)
    await _walk(session, end, marks, Head(chain_id, 0, chain.FIRST))
    if in_database and not in_store:
        raise _Breaks(in_database.head.sequence, MARK_LOST)
    if in_store and not in_database:
        raise _Breaks(in_store.head.sequence, MARK_LOST)


async def walk_on(session: AsyncSession, chain_id: UUID, *, whole: bool = False) -> Head | Broken | None:
    """The end of a chain, walked to from the last checkpoint, or from the first entry; None if there is no chain."""
    mark, end = await database_mark(session, chain_id), await _end(session, chain_id)
    if end is None:
        return None
    try:
        _check_marks([mark] if mark else [])
        start = mark.head if mark and not whole else Head(chain_id, 0, chain.FIRST)
        return await _walk(session, end, [mark] if mark else [], start)
    except _Breaks as found:
        return Broken(chain_id, found.sequence, found.reason)


async def _walk(session: AsyncSession, end: Head, marks: Sequence[Mark], start: Head) -> Head:
    """Walk from `start`, which is known to hold, to `end`, past the checkpoints."""
    seen = {mark.head.sequence: mark.head.hash for mark in marks}
    vouched = max(seen, default=0)
    last = start
    async for entry in _entries(session, start, end):
        _check(entry, last, vouched)
        last = Head(end.chain_id, entry["sequence"], entry["hash"])
        if seen.get(last.sequence, last.hash) != last.hash:
            raise _Breaks(last.sequence, REWRITTEN)
    if last.sequence < max(vouched, end.sequence):
        raise _Breaks(last.sequence + 1, CUT if last.sequence < vouched else MISSING)
    if last.sequence > end.sequence or last.hash != end.hash:
        raise _Breaks(last.sequence, OTHER_END)
    return last


def _check(entry: Any, last: Head, vouched: int) -> None:
    """See that an entry follows the last one. A checkpoint vouches for entries whose root key is no longer there."""
    number = last.sequence + 1
    if entry["sequence"] != number:
        raise _Breaks(number, MISSING)
    if entry["hash"] != _hash(entry, last.hash):
        raise _Breaks(number, CHANGED)
    try:
        tag = chain.entry_tag(entry["chain_id"], entry["key_version"], entry["hash"])
    except RootKeyMissing:
        if number > vouched:
            raise _Breaks(number, NO_KEY) from None
    else:
        if tag != entry["tag"]:
            raise _Breaks(number, FORGED)


def _hash(entry: Any, before: bytes) -> bytes | None:
    try:
        return chain.entry_hash(entry, before)
    except OverflowError:  # a number that no entry of ours has
        return None


def _check_marks(marks: Sequence[Mark]) -> None:
    for mark in marks:
        try:
            signed = chain.is_signed(mark.head, mark.key_version, mark.signature)
        except RootKeyMissing:
            raise _Breaks(mark.head.sequence, NO_KEY) from None
        if not signed:
            raise _Breaks(mark.head.sequence, FORGED_MARK)


async def _entries(session: AsyncSession, start: Head, end: Head) -> AsyncIterator[Any]:
    """The entries after `start` in their order, up to `end`: what came later is for the next time."""
    last = start.sequence
    while True:
        of_chain = entries.c.chain_id == end.chain_id, entries.c.sequence > last, entries.c.sequence <= end.sequence
        statement = select(*HELD).where(*of_chain).order_by(entries.c.sequence).limit(ROWS_AT_ONCE)
        rows = (await session.execute(statement)).mappings().all()
        for row in rows:
            yield row
        if len(rows) < ROWS_AT_ONCE:
            return
        last = rows[-1]["sequence"]


async def _end(session: AsyncSession, chain_id: UUID) -> Head | None:
    """The end of a chain as it says itself; nothing may stand behind it, or before the first entry."""
    of_chain = entries.c.chain_id == chain_id
    highest = select(func.max(entries.c.sequence)).where(of_chain).scalar_subquery()
    lowest = select(func.min(entries.c.sequence)).where(of_chain).scalar_subquery()
    statement = select(chains.c.sequence, chains.c.hash, highest.label("highest"), lowest.label("lowest"))
    row = (await session.execute(statement.where(chains.c.id == chain_id))).one_or_none()
    if row is None:
        return None
    if (row.highest or 0) > row.sequence:
        raise _Breaks(row.sequence + 1, AFTER_END)
    if row.lowest is not None and row.lowest < 1:
        raise _Breaks(1, CHANGED)
    return Head(chain_id, row.sequence, row.hash)


async def database_mark(session: AsyncSession, chain_id: UUID) -> Mark | None:
    """The checkpoint of a chain in the database."""
    row = (await session.execute(select(checkpoints).where(checkpoints.c.chain_id == chain_id))).mappings().first()
    return mark_of(row) if row else None


async def _was_purged(session: AsyncSession, chain_id: UUID) -> bool:
    return not await _count(session, chain_id) and not await owner_lives(session, chain_id)


async def _count(session: AsyncSession, chain_id: UUID) -> int:
    held = select(func.count()).select_from(entries).where(entries.c.chain_id == chain_id)
    return await session.scalar(held) or 0


async def owner_lives(session: AsyncSession, chain_id: UUID) -> bool:
    """Whether there is a vault or an account with the id of this chain."""
    return bool(await session.scalar(select(func.audit_owner_lives(chain_id))))
