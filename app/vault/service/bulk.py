"""Many items changed at once: all of them, or none and the reason for each that stands in the way."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.core.errors import AppError
from app.db.runtime import current
from app.vault.cells import open_body, rings_of, seal_body, tag_digests
from app.vault.errors import BulkRefused, ItemNotFound, LimitReached, NotInTrash, RoleTooLow
from app.vault.models import item_versions, items, members
from app.vault.policy import allows, open_to_members, require
from app.vault.schemas.bulk import BulkChange, BulkMove, BulkResult, BulkTag
from app.vault.schemas.items import MOST_TAGS
from app.vault.service.items import superseded
from app.vault.service.moving import move_items

Rows = Sequence[Any]


async def change_items(session: AsyncSession, principal: Principal, data: BulkChange) -> BulkResult:
    """Change items of whatever vaults, all or none.

    Raises `BulkRefused` with the `code` of a problem for each item that has one, `LimitReached`; for a move also
    `VaultNotFound`, `RoleTooLow`. Emits what the single changes emit.
    """
    wanted = list(dict.fromkeys(data.item_ids))
    most = current().settings.bulk_items
    if len(wanted) > most:
        raise LimitReached(f"At most {most} records can be changed at once")
    if isinstance(data, BulkMove):
        await require(session, principal, data.vault_id, "write")
    rows = await _held(session, principal, wanted, in_trash=data.action in ("restore", "purge"))
    changed = await _change(session, principal, data, rows)
    for row in sorted(rows, key=lambda each: (each["vault_id"], each["id"])):
        if row["id"] in changed and data.action in ACTIONS:
            await audit.record(session, principal, row["vault_id"], ACTIONS[data.action], row["id"])
    return BulkResult(
        changed=[item_id for item_id in wanted if item_id in changed],
        unchanged=[item_id for item_id in wanted if item_id not in changed],
    )


async def _held(session: AsyncSession, principal: Principal, wanted: list[UUID], *, in_trash: bool) -> Rows:
    """The rows of these items, locked in one order, if all of them may be changed. Raises `BulkRefused`."""
    visible = select(items.c.id, items.c.trashed_at, members.c.role).select_from(open_to_members(items))
    mine = items.c.id.in_(wanted), members.c.user_id == principal.user_id
    seen = {row["id"]: row for row in (await session.execute(visible.where(*mine))).mappings()}
    _refuse({item_id: _problem(seen.get(item_id), in_trash=in_trash) for item_id in wanted})
    held = select(items).where(items.c.id.in_(wanted)).order_by(items.c.id).with_for_update()
    rows = (await session.execute(held)).mappings().all()
    # Between the look and the lock somebody else may have been quicker.
    present = {row["id"]: {**row, "role": "editor"} for row in rows}
    _refuse({item_id: _problem(present.get(item_id), in_trash=in_trash) for item_id in wanted})
    return rows


def _problem(row: Any, *, in_trash: bool) -> type[AppError] | None:
    """Why an item can't be changed; as for a single one."""
    if row is None or (row["trashed_at"] and not in_trash):
        return ItemNotFound
    if not allows(row["role"], "write"):
        return RoleTooLow
    return NotInTrash if in_trash and not row["trashed_at"] else None


def _refuse(problems: dict[UUID, type[AppError] | None]) -> None:
    refused = [
        {"item_id": str(item_id), "code": problem.code(), "title": problem.title}
        for item_id, problem in problems.items()
        if problem
    ]
    if refused:
        detail = f"{len(refused)} of {len(problems)} records stand in the way"
        raise BulkRefused(detail, refused=refused)


async def _change(session: AsyncSession, principal: Principal, data: BulkChange, rows: Rows) -> set[UUID]:
    if isinstance(data, BulkMove):
        moved = [row for row in rows if row["vault_id"] != data.vault_id]
        await move_items(session, principal, moved, data.vault_id)
        return {row["id"] for row in moved}
    if isinstance(data, BulkTag):
        return await _tag(session, principal, data, rows)
    await CHANGES[data.action](session, [row["id"] for row in rows])
    return {row["id"] for row in rows}


async def _trash(session: AsyncSession, ids: list[UUID]) -> None:
    await session.execute(update(items).where(items.c.id.in_(ids)).values(trashed_at=func.now()))


async def _restore(session: AsyncSession, ids: list[UUID]) -> None:
    await session.execute(update(items).where(items.c.id.in_(ids)).values(trashed_at=None))


async def _purge(session: AsyncSession, ids: list[UUID]) -> None:
    await session.execute(delete(items).where(items.c.id.in_(ids)))


CHANGES: Final[dict[str, Callable[[AsyncSession, list[UUID]], Awaitable[None]]]] = {
    "trash": _trash,
    "restore": _restore,
    "purge": _purge,
}


ACTIONS: Final = {
    "trash": "vault.item_trashed",
    "restore": "vault.item_restored",
    "purge": "vault.item_purged",
    "tag": "vault.item_updated",
    "untag": "vault.item_updated",
}
"""What is logged of each item; a move logs itself."""


async def _tag(session: AsyncSession, principal: Principal, data: BulkTag, rows: Rows) -> set[UUID]:
    """Add or remove tags, each change a new revision. Raises `BulkRefused` if one has more tags than it may."""
    rings = await rings_of(session, rows)
    changes, versions = [], []
    problems: dict[UUID, type[AppError] | None] = {}
    for row in rows:
        ring = rings[row["vault_id"]]
        before = open_body(ring, items, row["id"], row["body"])
        tags = _with(before["tags"], data.tags) if data.action == "tag" else _without(before["tags"], data.tags)
        problems[row["id"]] = LimitReached if len(tags) > MOST_TAGS else None
        if tags != before["tags"]:
            body = seal_body(ring, items, row["id"], {**before, "tags": tags})
            changes.append({"row_id": row["id"], "body": body, "tag_digests": tag_digests(ring, tags)})
            versions.append(superseded(ring, row, before))
    _refuse(problems)
    if changes:
        bound: dict[str, Any] = {name: bindparam(name) for name in ("body", "tag_digests")}
        meta = {"revision": items.c.revision + 1, "written_by": principal.user_id, "updated_at": func.now()}
        statement = update(items).where(items.c.id == bindparam("row_id")).values(bound | meta)
        await session.execute(statement, changes)
        await session.execute(insert(item_versions), versions)
    return {change["row_id"] for change in changes}


def _with(tags: list[str], more: list[str]) -> list[str]:
    """Tags are the same in whatever case they are written, as where they are looked for."""
    known = {tag.casefold() for tag in tags}
    added: dict[str, str] = {}
    for tag in more:
        added.setdefault(tag.casefold(), tag)
    return tags + [tag for name, tag in added.items() if name not in known]


def _without(tags: list[str], less: list[str]) -> list[str]:
    gone = {tag.casefold() for tag in less}
    return [tag for tag in tags if tag.casefold() not in gone]
