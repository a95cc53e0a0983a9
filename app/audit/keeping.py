"""The log kept: chains that have grown get a new checkpoint, all of them are walked in turn."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, union, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.chain import current_key_version
from app.audit.marks import Mark, drop_mark, signed_mark, store_mark, stored_chain_ids
from app.audit.models import chains, checkpoints, entries
from app.audit.verifying import Broken, database_mark, owner_lives, verify_chain, walk_on
from app.core.logging import get_log
from app.db.session import session_scope

LATE: Final = timedelta(minutes=15)  # longer than a transaction may take to commit an entry of its beginning
EVERY: Final = timedelta(days=1)
CHAINS_AT_ONCE: Final = 1_000

log = get_log(__name__)


async def checkpoint_grown() -> int:
    """Give a checkpoint to every chain that has grown since the last ones; returns how many."""
    newest = select(func.coalesce(func.max(checkpoints.c.created_at) - LATE, func.to_timestamp(0))).scalar_subquery()
    async with session_scope() as session:
        grown = await session.scalars(select(entries.c.chain_id).where(entries.c.at > newest).distinct())
    return sum([await checkpoint(chain_id) for chain_id in grown.all()])


async def checkpoint_all(*, anew: bool = False) -> int:
    """Give every chain a checkpoint under the newest root key: older keys can be taken away then. Returns how many."""
    async with session_scope() as session:
        found = await session.scalars(select(chains.c.id))
    return sum([await checkpoint(chain_id, anew=anew) for chain_id in found.all()])


async def checkpoint(chain_id: UUID, *, anew: bool = False) -> bool:
    """Walk a chain from its last checkpoint to its end, and sign that; a chain that is broken keeps its checkpoint.

    Returns whether it was signed; `anew` walks all of it, and signs what has not changed, too.
    The blob store comes first: what is lost between the two is made up for by the next run.
    """
    async with session_scope() as session:
        before = await database_mark(session, chain_id)
        walked = await walk_on(session, chain_id, whole=anew)
    if walked is None:
        return False
    if isinstance(walked, Broken):
        report(walked)
        return False
    if before and before.head == walked and before.key_version == current_key_version() and not anew:
        return False
    mark = signed_mark(walked)
    await store_mark(mark)
    async with session_scope() as session:
        await _keep(session, mark)
    return True


async def _keep(session: AsyncSession, mark: Mark) -> None:
    """Put a checkpoint in the place of an older one, or of one under an older key."""
    values: dict[str, Any] = {
        "sequence": mark.head.sequence,
        "hash": mark.head.hash,
        "key_version": mark.key_version,
        "signature": mark.signature,
        "created_at": func.now(),
    }
    there = select(chains.c.id).where(chains.c.id == mark.head.chain_id)  # it may have gone with its owner meanwhile
    if await session.scalar(there) is None:
        return
    statement = upsert(checkpoints).values(chain_id=mark.head.chain_id, **values)
    older = checkpoints.c.sequence <= mark.head.sequence
    await session.execute(statement.on_conflict_do_update(index_elements=["chain_id"], set_=values, where=older))


async def verify_due(now: datetime) -> list[Broken]:
    """Walk the chains that nobody walked for a day, those that waited longest first; returns the broken ones."""
    last = checkpoints.c.verified_at
    due = select(chains.c.id).join_from(chains, checkpoints, isouter=True)
    waiting = due.where(last.is_(None) | (last < now - EVERY)).order_by(last.nulls_first())
    async with session_scope() as session:
        found = await session.scalars(waiting.limit(CHAINS_AT_ONCE))
    results = [await verify(chain_id) for chain_id in found.all()]
    return [broken for broken in results if broken]


async def verify(chain_id: UUID) -> Broken | None:
    """Walk a whole chain, and note when that was."""
    async with session_scope() as session:
        broken = await verify_chain(session, chain_id)
        if broken is None:
            walked = update(checkpoints).where(checkpoints.c.chain_id == chain_id)
            await session.execute(walked.values(verified_at=func.now()))
    if broken:
        report(broken)
    return broken


async def known_chain_ids() -> list[UUID]:
    """Every chain of which there is anything: a head, entries, a checkpoint here or in the blob store."""
    anywhere = union(select(chains.c.id), select(entries.c.chain_id), select(checkpoints.c.chain_id))
    async with session_scope() as session:
        found = set(await session.scalars(anywhere))
    return sorted(found | {chain_id async for chain_id in stored_chain_ids()})


async def sweep_marks() -> list[Broken]:
    """Look at each checkpoint in the blob store that has no chain: it went with its owner, or somebody took it away.

    Returns the latter.
    """
    async with session_scope() as session:
        there = set(await session.scalars(select(chains.c.id)))
    missing = [chain_id async for chain_id in stored_chain_ids() if chain_id not in there]
    results = [await verify(chain_id) for chain_id in missing]
    for chain_id in missing:
        async with session_scope() as session:
            if not await owner_lives(session, chain_id):
                await drop_mark(chain_id)
    return [broken for broken in results if broken]


def report(broken: Broken) -> None:
    """Tell the operator."""
    log.error("audit chain broken", chain_id=str(broken.chain_id), sequence=broken.sequence, reason=broken.reason)
