"""Items of sealed vaults: signed revisions one after the other, and the keys that a client has wrapped for members."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, func, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.db.runtime import current
from app.sealed.encoding import NO_DIGEST, digest
from app.sealed.members import MANAGERS
from app.sealed.revision import Revision
from app.vault.errors import LimitReached, StaleRevision
from app.vault.sealed import checking
from app.vault.sealed.errors import EpochWanted, SealedItemNotFound
from app.vault.sealed.models import revisions, sealed_items
from app.vault.sealed.schemas import (
    SealedItemBrief,
    SealedItemEntry,
    SealedItemRead,
    SealedItemWrite,
    SealedKeysMove,
    SealedRevisionRead,
)
from app.vault.sealed.service.access import head_of, move_head, require_clock, require_sealed
from app.vault.sealed.service.lists import newest_list

ANSWER_BYTES: Final = 4 * 1024 * 1024  # of revisions in one answer, unless one alone is larger


async def write_item(
    session: AsyncSession, principal: Principal, vault_id: UUID, item_id: UUID, data: SealedItemWrite
) -> SealedItemRead:
    """Keep the next revision of an item, or the first one, together with its keys.

    Raises `VaultNotFound`, `VaultNotSealed`, `RoleTooLow`, `EpochWanted`, `StaleRevision`, `LimitReached`, and what
    `checking` raises.
    """
    role = await require_sealed(session, principal, vault_id, "write")
    checking.require_size(current().settings.sealed_item_bytes, data.revision, data.keys)
    head = await head_of(session, vault_id, lock=True)
    if head["wanted"] and role in MANAGERS:
        raise EpochWanted
    require_clock(head, data.clock_before)
    newest = await newest_list(session, vault_id, head["counter"])
    checking.require(newest.has(principal.user_id))
    one = checking.next_revision(data.revision, vault_id, item_id, newest.member(principal.user_id), newest)
    before = await _present(session, vault_id, item_id)
    _require_next(before, one, data, head["epoch"])
    if before is None and head["items"] >= current().settings.items_per_vault:
        raise LimitReached("The vault holds as many items as it may")
    row = await _put(session, principal, one, data, head["epoch"])
    grows = len(data.revision) + len(data.keys) - (len(before["keys"]) if before else 0)
    await move_head(session, head, clock=data.clock, grows=grows, items=int(before is None))
    await audit.record(session, principal, vault_id, _act(before, one), item_id, revision=one.revision)
    return SealedItemRead(**_brief(row), keys=row["keys"], content=data.revision)


async def move_keys(
    session: AsyncSession, principal: Principal, vault_id: UUID, item_id: UUID, data: SealedKeysMove
) -> SealedItemBrief:
    """Let the keys of an item stand under the key of the present epoch.

    Raises `VaultNotFound`, `VaultNotSealed`, `RoleTooLow`, `SealedItemNotFound`, `StaleRevision`, `SealedInvalid`, ….
    """
    await require_sealed(session, principal, vault_id, "write")
    head = await head_of(session, vault_id, lock=True)
    before = await _present(session, vault_id, item_id)
    if before is None:
        raise SealedItemNotFound
    if data.counter != head["counter"] or digest(before["keys"]) != data.keys_before:
        raise StaleRevision
    kept, moved = (
        checking.boxes_of_keys(k, e) for k, e in ((before["keys"], before["epoch"]), (data.keys, head["epoch"]))
    )
    checking.require(kept == moved and len(data.keys) == len(before["keys"]))
    same = sealed_items.c.vault_id == vault_id, sealed_items.c.id == item_id
    values = {"keys": data.keys, "epoch": head["epoch"]}
    changed = update(sealed_items).where(*same).values(values).returning(sealed_items)
    return SealedItemBrief(**_brief((await session.execute(changed)).mappings().one()))


async def list_items(
    session: AsyncSession,
    principal: Principal,
    vault_id: UUID,
    after: UUID | None,
    limit: int,
    *,
    content: bool = False,
) -> tuple[list[SealedItemEntry], UUID | None]:
    """One page, in the order of ids, with the newest revisions if asked for and as many as an answer takes; and the
    item that the next page continues after. Raises `VaultNotFound`, `VaultNotSealed`.
    """
    await require_sealed(session, principal, vault_id, "read")
    statement = select(sealed_items).where(sealed_items.c.vault_id == vault_id).order_by(sealed_items.c.id)
    if after:
        statement = statement.where(sealed_items.c.id > after)
    rows = (await session.execute(statement.limit(limit + 1))).mappings().all()
    shown = rows[:limit]
    contents = await _contents(session, vault_id, shown) if content else {}
    shown = shown[: len(contents)] if content else shown
    entries = [
        SealedItemEntry(**_brief(row), keys=row["keys"] if content else None, content=contents.get(row["id"]))
        for row in shown
    ]
    return entries, entries[-1].item_id if len(rows) > len(entries) else None


async def _contents(session: AsyncSession, vault_id: UUID, rows: Sequence[Any]) -> dict[UUID, bytes]:
    """The newest revisions of the first of these items, as many as an answer takes."""
    newest = tuple_(revisions.c.item_id, revisions.c.revision).in_([(row["id"], row["revision"]) for row in rows])
    size = func.octet_length(revisions.c.content).label("size")
    sizes = select(revisions.c.item_id, size).where(revisions.c.vault_id == vault_id, newest)
    told = (await session.execute(sizes.order_by(revisions.c.item_id))).all()
    taken = [row.item_id for row in told[: _fitting([row.size for row in told])]]
    some = select(revisions.c.item_id, revisions.c.content).where(revisions.c.vault_id == vault_id, newest)
    found = await session.execute(some.where(revisions.c.item_id.in_(taken)))
    return {row.item_id: row.content for row in found}


async def read_item(session: AsyncSession, principal: Principal, vault_id: UUID, item_id: UUID) -> SealedItemRead:
    """An item with its newest revision. Raises `VaultNotFound`, `VaultNotSealed`, `SealedItemNotFound`."""
    await require_sealed(session, principal, vault_id, "read")
    row = await _present(session, vault_id, item_id)
    if row is None:
        raise SealedItemNotFound
    newest = _revisions(vault_id, item_id).where(revisions.c.revision == row["revision"])
    content = (await session.execute(newest)).mappings().one()["content"]
    return SealedItemRead(**_brief(row), keys=row["keys"], content=content)


async def list_revisions(
    session: AsyncSession, principal: Principal, vault_id: UUID, item_id: UUID, first: int, limit: int
) -> tuple[list[SealedRevisionRead], bool]:
    """Revisions from one on, as many as an answer takes; and whether there are more.

    Raises `VaultNotFound`, `VaultNotSealed`, `SealedItemNotFound`.
    """
    await require_sealed(session, principal, vault_id, "read")
    if await _present(session, vault_id, item_id) is None:
        raise SealedItemNotFound
    sizes = select(revisions.c.revision, func.octet_length(revisions.c.content).label("size"))
    sizes = sizes.where(revisions.c.vault_id == vault_id, revisions.c.item_id == item_id, revisions.c.revision >= first)
    told = (await session.execute(sizes.order_by(revisions.c.revision).limit(limit + 1))).all()
    taken = _fitting([row.size for row in told[:limit]])
    if not taken:
        return [], False
    page = _revisions(vault_id, item_id).where(revisions.c.revision.between(first, told[taken - 1].revision))
    rows = (await session.execute(page.order_by(revisions.c.revision))).mappings().all()
    return [SealedRevisionRead.model_validate(dict(row)) for row in rows], len(told) > taken


def _fitting(sizes: list[int]) -> int:
    total = 0
    for count, size in enumerate(sizes):
        total += size
        if total > ANSWER_BYTES and count:
            return count
    return len(sizes)


def _revisions(vault_id: UUID, item_id: UUID) -> Select[Any]:
    columns = revisions.c.revision, revisions.c.content, revisions.c.created_at
    return select(*columns).where(revisions.c.vault_id == vault_id, revisions.c.item_id == item_id)


async def _present(session: AsyncSession, vault_id: UUID, item_id: UUID) -> Any:
    same = sealed_items.c.vault_id == vault_id, sealed_items.c.id == item_id
    return (await session.execute(select(sealed_items).where(*same))).mappings().one_or_none()


def _require_next(before: Any, one: Revision, data: SealedItemWrite, epoch: int) -> None:
    """That the client knew the present revision and keys, adds one revision, and drops no key."""
    present = before["revision"] if before else 0
    if one.revision <= present or (digest(before["keys"]) if before else None) != data.keys_before:
        raise StaleRevision
    checking.check_chained(one, present + 1, before["body_digest"] if before else NO_DIGEST)
    keys = checking.boxes_of_keys(data.keys, epoch)
    known = checking.boxes_of_keys(before["keys"], before["epoch"]) if before else 0
    checking.require(known <= keys <= known + 1)


async def _put(session: AsyncSession, principal: Principal, one: Revision, data: SealedItemWrite, epoch: int) -> Any:
    ids = {"vault_id": one.vault, "id": one.item}
    values = {
        "revision": one.revision,
        "body_digest": one.digest(),
        "keys": data.keys,
        "epoch": epoch,
        "written_by": principal.user_id,
        "trashed_at": func.coalesce(sealed_items.c.trashed_at, func.now()) if one.deleted else None,
    }
    put = upsert(sealed_items).values(**ids, **values | {"trashed_at": func.now() if one.deleted else None})
    changed = put.on_conflict_do_update(index_elements=list(ids), set_={**values, "updated_at": func.now()})
    row = (await session.execute(changed.returning(sealed_items))).mappings().one()
    place = {"vault_id": one.vault, "item_id": one.item, "revision": one.revision}
    await session.execute(insert(revisions).values(**place, content=data.revision))
    return row


def _act(before: Any, one: Revision) -> str:
    if one.deleted:
        return "vault.item_trashed"
    if before is None:
        return "vault.item_created"
    return "vault.item_restored" if before["trashed_at"] else "vault.item_updated"


def _brief(row: Any) -> dict[str, Any]:
    names = SealedItemBrief.model_fields.keys() - {"item_id"}
    return {"item_id": row["id"], **{name: row[name] for name in names}}
