"""The log as people read it: entries, and the signed end of it."""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import chain
from app.audit.chain import Head
from app.audit.errors import LogBroken
from app.audit.models import chains, checkpoints, entries
from app.audit.policy import require_manager, require_member
from app.audit.schemas import EntryRead, HeadRead, KeyRead
from app.auth.principal import Principal
from app.core.logging import get_log
from app.db.runtime import current

log = get_log(__name__)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which part of a log is asked for: at most `limit` entries before the entry `before`."""

    limit: int = 20
    before: int | None = None
    action: str | None = None
    actions: tuple[str, ...] | None = None
    actor_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


async def list_entries(
    session: AsyncSession, principal: Principal, vault_id: UUID, filters: Filters
) -> tuple[list[EntryRead], int | None]:
    """One page of a vault's log, the last entry first; and the entry that the next page continues before.

    Raises `LogNotFound`, `LogForManagers`.
    """
    await require_manager(session, principal, vault_id)
    return await entries_of(session, vault_id, filters)


async def list_own(session: AsyncSession, principal: Principal, filters: Filters) -> tuple[list[EntryRead], int | None]:
    """One page of what happened to the principal's account; like `list_entries`."""
    return await entries_of(session, principal.user_id, filters)


async def entries_of(session: AsyncSession, chain_id: UUID, filters: Filters) -> tuple[list[EntryRead], int | None]:
    """One page of a chain, for whoever has decided about access."""
    statement = select(entries).where(entries.c.chain_id == chain_id, *_conditions(filters))
    page = statement.order_by(entries.c.sequence.desc()).limit(filters.limit + 1)
    rows = (await session.execute(page)).mappings().all()
    shown = [_shown(row) for row in rows[: filters.limit]]
    return shown, shown[-1].sequence if len(rows) > filters.limit else None


def _conditions(filters: Filters) -> list[Any]:
    conditions: list[Any] = []
    if filters.before:
        conditions.append(entries.c.sequence < filters.before)
    if filters.action:
        conditions.append(entries.c.action == filters.action)
    if filters.actions is not None:
        conditions.append(entries.c.action.in_(filters.actions))
    if filters.actor_id:
        conditions.append(entries.c.actor_id == filters.actor_id)
    if filters.since:
        conditions.append(entries.c.at >= filters.since)
    if filters.until:
        conditions.append(entries.c.at < filters.until)
    return conditions


def _shown(row: Any) -> EntryRead:
    values = {name: row[name] for name in EntryRead.model_fields if name not in ("ids", "hash")}
    return EntryRead(**values, ids=orjson.loads(row["ids"]), hash=row["hash"].hex())


async def read_head(session: AsyncSession, principal: Principal, vault_id: UUID) -> HeadRead:
    """The signed end of a vault's log. Raises `LogNotFound`, `LogBroken`."""
    await require_member(session, principal, vault_id)
    return await head_of(session, vault_id)


async def head_of(session: AsyncSession, chain_id: UUID) -> HeadRead:
    """The end of a chain, signed if it is the last entry's, and not behind the last checkpoint. Raises `LogBroken`."""
    statement = (
        select(chains.c.sequence, chains.c.hash, checkpoints.c.sequence.label("checked"))
        .join_from(chains, checkpoints, isouter=True)
        .where(chains.c.id == chain_id)
    )
    row = (await session.execute(statement)).one_or_none()
    head = Head(chain_id, row.sequence, row.hash) if row else Head(chain_id, 0, chain.FIRST)
    if row and row.checked and row.checked > row.sequence:
        log.error("audit chain cut", chain_id=str(chain_id))
        raise LogBroken
    version = chain.current_key_version()
    return HeadRead(
        chain_id=chain_id,
        sequence=head.sequence,
        hash=head.hash.hex(),
        signature=_base64(chain.sign(head, version)),
        key_version=version,
        key=_base64(chain.public_key(version)),
    )


def public_keys() -> list[KeyRead]:
    """The keys that heads are checked with, the newest first."""
    versions = sorted(current().settings.root_key_ring, reverse=True)
    return [KeyRead(version=each, algorithm="Ed25519", key=_base64(chain.public_key(each))) for each in versions]


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
