"""Sealed vaults for an export: every blob under its name in suite LV1, as a client finds it on a server."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.db.acting import acting_for
from app.db.session import Actor
from app.sealed import names
from app.vault.errors import ContentDamaged
from app.vault.models import members
from app.vault.sealed.models import accounts, chunks, epochs, heads, lists, revisions, sealed_items, wraps
from app.vault.sealed.service.access import require_sealed
from app.vault.sealed.service.files import chunk_content

ROWS_AT_ONCE: Final = 200

Scope = Callable[[], AbstractAsyncContextManager[AsyncSession]]


async def account_blobs(scope: Scope, user_id: UUID) -> dict[str, bytes]:
    """What opens with the person's password or recovery key; nothing if they have no sealed account."""
    async with scope() as session:
        statement = select(accounts).where(accounts.c.user_id == user_id)
        row = (await session.execute(statement)).mappings().one_or_none()
    if row is None:
        return {}
    kinds = {"state": names.state_name, "wraps": names.wraps_name, "pins": names.pins_name}
    return {name(user_id): row[kind] for kind, name in kinds.items()}


async def vault_blobs(scope: Scope, principal: Principal, vault_id: UUID) -> AsyncIterator[tuple[str, bytes | None]]:
    """Everything of a vault as it stands at the beginning; None in the place of a chunk that is damaged in our store.

    Raises `VaultNotFound`, `VaultNotSealed`.
    """
    async with scope() as session:
        await require_sealed(session, principal, vault_id, "read")
        async with acting_for(session, Actor.vault(vault_id)):  # a viewer can't keep others from writing
            keys, items = await _keys(session, principal, vault_id)
    for name, blob in keys.items():
        yield name, blob
    for item in items:
        yield names.item_keys_name(vault_id, item["id"]), item["keys"]
        for revision in range(1, item["revision"] + 1):
            yield names.revision_name(vault_id, item["id"], revision), await _revision(scope, vault_id, item, revision)
    async for chunk in _chunks(scope, vault_id):
        yield chunk


async def _keys(session: AsyncSession, principal: Principal, vault_id: UUID) -> tuple[dict[str, bytes], Any]:
    """Lists, keys and items that belong together: nobody begins an epoch or writes while they are read."""
    same = heads.c.vault_id == vault_id
    head = (await session.execute(select(heads).where(same).with_for_update(read=True))).mappings().one()
    found = {names.clock_name(vault_id): head["clock"]}
    for row in await session.execute(select(lists).where(lists.c.vault_id == vault_id)):
        found[names.members_name(vault_id, row.counter)] = row.envelope
    others = select(members.c.user_id).where(members.c.vault_id == vault_id, members.c.user_id != principal.user_id)
    mine = wraps.c.vault_id == vault_id, wraps.c.account_id.not_in(others)  # and those of legacy keys
    for row in await session.execute(select(wraps).where(*mine)):
        found[names.wrap_name(vault_id, row.epoch, row.account_id)] = row.envelope
    for row in await session.execute(select(epochs).where(epochs.c.vault_id == vault_id)):
        found[names.closing_name(vault_id, row.epoch)] = row.closing
        if row.link is not None:
            found[names.chain_name(vault_id, row.epoch)] = row.link
    columns = (sealed_items.c[name] for name in ("id", "keys", "revision"))
    of_vault = select(*columns).where(sealed_items.c.vault_id == vault_id).order_by(sealed_items.c.id)
    return found, (await session.execute(of_vault)).mappings().all()


async def _revision(scope: Scope, vault_id: UUID, item: Any, revision: int) -> bytes | None:
    place = {"vault_id": vault_id, "item_id": item["id"], "revision": revision}
    async with scope() as session:
        content: bytes | None = await session.scalar(select(revisions.c.content).filter_by(**place))
    return content


async def _chunks(scope: Scope, vault_id: UUID) -> AsyncIterator[tuple[str, bytes | None]]:
    last = UUID(int=0)
    while True:
        page = select(chunks).where(chunks.c.vault_id == vault_id, chunks.c.id > last).order_by(chunks.c.id)
        async with scope() as session:
            rows = (await session.execute(page.limit(ROWS_AT_ONCE))).mappings().all()
        for row in rows:
            name = names.chunk_name(vault_id, row["file_id"], row["number"])
            try:
                yield name, await chunk_content(row["blob_name"], row["size"], row["digest"])
            except ContentDamaged:
                yield name, None
        if len(rows) < ROWS_AT_ONCE:
            return
        last = rows[-1]["id"]
