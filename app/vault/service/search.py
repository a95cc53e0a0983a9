"""Search of items across vaults: words, tags, types, dates; opened and compared in this process.

The database says which items the principal may read, and of which revision they are; nothing that somebody wrote is
looked for there.
"""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.db.keys import KeyRing
from app.db.runtime import current
from app.db.statements import Row, Statement
from app.vault.cells import open_body, ring_of, rings_of
from app.vault.errors import LimitReached
from app.vault.models import items, members
from app.vault.policy import USER, open_to_members, require_vaults
from app.vault.schemas.search import DatesWithin, ItemHit, ItemHits, ItemSearch
from app.vault.service.entries import Entries, Entry, entry_cache, entry_of, lies_within, signature
from app.vault.service.items import COLUMNS, IS_FAVOURITE, opened
from app.vault.service.scoring import Words, by_type, matches, scored
from app.vault.service.types import kinds_of
from app.vault.types import CUSTOM, RecordType

ROWS_AT_ONCE: Final = 1_000
_IDS: Final = items.c.id == any_(bindparam("ids", type_=ARRAY(Uuid)))
_VISIBLE: Final = (
    select(
        items.c.id,
        items.c.vault_id,
        items.c.type,
        items.c.revision,
        items.c.updated_at,
        items.c.trashed_at.is_not(None).label("trashed"),
    )
    .select_from(open_to_members(items))
    .where(members.c.user_id == USER)
    .limit(bindparam("most"))
)
EVERYWHERE: Final = Statement(_VISIBLE)
IN_VAULTS: Final = Statement(_VISIBLE.where(items.c.vault_id == any_(bindparam("vault_ids", type_=ARRAY(Uuid)))))
FAVOURITES: Final = Statement(
    select(items.c.id).select_from(open_to_members(items)).where(members.c.user_id == USER, IS_FAVOURITE)
)
BODIES: Final = Statement(
    select(items.c.id, items.c.vault_id, items.c.type, items.c.revision, items.c.body).where(_IDS)
)
SHOWN: Final = Statement(select(*COLUMNS).select_from(open_to_members(items)).where(members.c.user_id == USER, _IDS))

Kinds = Mapping[str, RecordType]
Ranked = tuple[int, UUID]


async def search_items(session: AsyncSession, principal: Principal, data: ItemSearch) -> ItemHits:
    """One page of the items that the principal may read and that fit, the best first.

    Raises `VaultNotFound`, `LimitReached`.
    """
    rows = await _visible(session, principal, data)
    kinds = await kinds_of(session, {row["type"] for row in rows})
    entries = await _entries(session, rows, kinds)
    wanted = [row for row in rows if _fits(data, row)]
    if data.favourite:
        favourites = {row["id"] for row in await FAVOURITES.fetch(session, user_id=principal.user_id)}
        wanted = [row for row in wanted if row["id"] in favourites]
    searched = Words.of(data.query)
    ranked = await asyncio.to_thread(_ranked, data, searched, wanted, entries, kinds)
    before = _parsed(data.cursor)
    left = ranked if before is None else [each for each in ranked if each < before]
    page = left[: data.limit]
    hits = await _hits(session, principal, searched, page, kinds)
    return ItemHits(hits=hits, total=len(ranked), next_cursor=_cursor(page[-1]) if len(left) > len(page) else None)


async def _visible(session: AsyncSession, principal: Principal, data: ItemSearch) -> Sequence[Row]:
    """What there is to search in: every item of the vaults. Raises `VaultNotFound`, `LimitReached`."""
    most = current().settings.search_items
    values: dict[str, Any] = {"user_id": principal.user_id, "most": most + 1}
    if data.vault_ids is not None:
        await require_vaults(session, principal, data.vault_ids)
        values["vault_ids"] = data.vault_ids
    rows = await (EVERYWHERE if data.vault_ids is None else IN_VAULTS).fetch(session, **values)
    if len(rows) > most:
        raise LimitReached(f"More than {most} records are too many to search at once: name some vaults")
    return rows


def _fits(data: ItemSearch, row: Row) -> bool:
    """By what the database knows of an item."""
    return (
        row["trashed"] == data.trashed
        and (data.types is None or row["type"] in data.types)
        and (data.changed_from is None or row["updated_at"].date() >= data.changed_from)
    )


async def _entries(session: AsyncSession, rows: Sequence[Row], kinds: Kinds) -> dict[UUID, Entry]:
    """The entries of all these items; those that are kept and still true are not opened again."""
    marks = {name: signature(kinds[name]) if name.startswith(CUSTOM) else 0 for name in {row["type"] for row in rows}}
    cache = entry_cache(current().settings.search_cache_bytes)
    by_vault = defaultdict[UUID, list[Row]](list)
    for row in rows:
        by_vault[row["vault_id"]].append(row)
    found: dict[UUID, Entry] = {}
    for vault_id, those in by_vault.items():
        kept = cache.get(vault_id)
        fresh, stale = _sorted_out(kept, those, marks)
        if stale:
            fresh |= await _opened(session, vault_id, stale, kinds, marks)
        if stale or len(fresh) != len(kept):
            cache.put(vault_id, fresh)
        found |= fresh
    return found


def _sorted_out(kept: Entries, rows: Iterable[Row], marks: Mapping[str, int]) -> tuple[dict[UUID, Entry], list[UUID]]:
    """The kept entries that are still true, and the ids of the items that must be opened."""
    fresh: dict[UUID, Entry] = {}
    stale: list[UUID] = []
    for row in rows:
        entry = kept.get(row["id"])
        if entry is not None and entry.mark == (row["revision"], marks[row["type"]]):
            fresh[row["id"]] = entry
        else:
            stale.append(row["id"])
    return fresh, stale


async def _opened(
    session: AsyncSession, vault_id: UUID, ids: Sequence[UUID], kinds: Kinds, marks: Mapping[str, int]
) -> dict[UUID, Entry]:
    found: dict[UUID, Entry] = {}
    for begin in range(0, len(ids), ROWS_AT_ONCE):
        bodies = await BODIES.fetch(session, ids=ids[begin : begin + ROWS_AT_ONCE])
        rows = [row for row in bodies if row["vault_id"] == vault_id]  # one that is moved just now is found next time
        ring = await ring_of(session, vault_id, *(row["body"] for row in rows))
        found |= await asyncio.to_thread(_opened_here, ring, rows, kinds, marks)
    return found


def _opened_here(ring: KeyRing, rows: Sequence[Row], kinds: Kinds, marks: Mapping[str, int]) -> dict[UUID, Entry]:
    entries: dict[UUID, Entry] = {}
    for row in rows:
        mark = row["revision"], marks.get(row["type"], 0)
        entries[row["id"]] = entry_of(mark, kinds[row["type"]], open_body(ring, items, row["id"], row["body"]))
    return entries


def _ranked(
    data: ItemSearch, searched: Words, rows: Sequence[Row], entries: Mapping[UUID, Entry], kinds: Kinds
) -> list[Ranked]:
    """What fits, the best first, of equal ones the newest."""
    of_types = by_type(searched, kinds, {row["type"] for row in rows})
    tags = frozenset(tag.casefold() for tag in data.tags)
    ranked: list[Ranked] = []
    for row in rows:
        entry = entries.get(row["id"])
        if entry is None or not (tags <= entry.tags and (data.dates is None or _within(data.dates, entry))):
            continue
        score = scored(searched, entry, of_types[row["type"]])
        if score is not None:
            ranked.append((score, row["id"]))
    ranked.sort(reverse=True)
    return ranked


def _within(dates: DatesWithin, entry: Entry) -> bool:
    return any(
        (dates.role is None or role == dates.role) and lies_within(value, dates.from_on, dates.to_on)
        for value, role in entry.dates
    )


async def _hits(
    session: AsyncSession, principal: Principal, searched: Words, page: Sequence[Ranked], kinds: Kinds
) -> list[ItemHit]:
    """The items themselves; one that was deleted since is left out."""
    rows = await SHOWN.fetch(session, ids=[item_id for _, item_id in page], user_id=principal.user_id)
    rings = await rings_of(session, rows)
    shown = {row["id"]: opened(kinds[row["type"]], rings[row["vault_id"]], row) for row in rows}
    found = ((score, shown[item_id]) for score, item_id in page if item_id in shown)
    return [ItemHit(item=item, score=score, matches=matches(searched, kinds[item.type], item)) for score, item in found]


def _cursor(last: Ranked) -> str:
    return urlsafe_b64encode(last[0].to_bytes(2) + last[1].bytes).decode()


def _parsed(cursor: str | None) -> Ranked | None:
    """The last of the page before."""
    if cursor is None:
        return None
    raw = urlsafe_b64decode(cursor)
    return int.from_bytes(raw[:2]), UUID(bytes=raw[2:])
