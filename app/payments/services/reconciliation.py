"""Our books against the provider's: what is missing is fetched and applied, what stays different is shown to people.

Light (hourly): events, movements, invoices and disputes since the last run with an hour of overlap, and checkouts that
are open here past their end. Deep (nightly and on demand): the same from the beginning, every open checkout, and every
subscription. Both end with what must hold among our own sums.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id
from app.core.errors import AppError
from app.core.logging import get_log
from app.db.session import session_scope
from app.db.turns import take_turns
from app.jobs.service import create_job, open_subject
from app.payments.errors import ReconciliationNotFound
from app.payments.models import Difference, ReconciliationRun
from app.payments.providers.port import Provider, ProviderError
from app.payments.services import comparing, inbox, ledger, postings
from app.payments.services.comparing import Found, Theirs
from app.payments.services.sync import sync_checkout, sync_dispute, sync_invoice, sync_payment, sync_subscription

Depth = Literal["light", "deep"]

RECONCILE_JOB: Final = "payments.reconcile_on_demand"

OVERLAP: Final = timedelta(hours=1)
EVENTS_KEPT: Final = timedelta(days=30)
BEGINNING: Final = datetime(2020, 1, 1, tzinfo=UTC)

log = get_log(__name__)


@dataclass(slots=True)
class Report:
    """What a run saw and did. `differences` are those that are left."""

    depth: Depth
    compared: int = 0
    events_added: int = 0
    healed: int = 0
    differences: list[Found] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Look:
    """One kind of object: all of theirs, how ours are read, and how one is healed."""

    kind: str
    theirs: AsyncIterator[Theirs]
    load: comparing.Load
    heal: Callable[[Provider, Theirs], Awaitable[None]]


async def ask_for(session: AsyncSession, depth: Depth, user_id: UUID) -> tuple[UUID, UUID]:
    """Queue a run; the ids of the run and of its job. One of the same depth that has not ended is joined."""
    await take_turns(session, RECONCILE_JOB)
    waiting = await open_subject(session, RECONCILE_JOB, depth=depth)
    if waiting is not None:
        return waiting
    run_id = new_id()
    return run_id, await create_job(session, RECONCILE_JOB, subject_id=run_id, user_id=user_id, depth=depth)


async def reconcile(provider: Provider, depth: Depth = "light", run_id: UUID | None = None) -> Report:
    """Compare, heal, and write down what could not be healed. Raises `NotReached` if the provider is down."""
    started = await provider.now()
    since = BEGINNING if depth == "deep" else await _last_reached(provider.name) - OVERLAP
    report = Report(depth)
    report.events_added = await _add_events(provider, max(since, started - EVENTS_KEPT))
    seen: set[str] = set()
    for look in _looks(provider, since, started, depth):
        async for batch in comparing.batches(look.theirs):
            await _compare(provider, look, batch, report)
            if look.kind == comparing.MOVEMENT:
                seen.update(each.reference for each in batch)
    report.differences += await comparing.movements_only_ours(provider.name, since, seen)
    async with session_scope() as session:
        report.differences += await comparing.own_sums(session, started)
        await _write(session, provider.name, report, run_id or new_id(), reached_to=started)
    return report


def _looks(provider: Provider, since: datetime, started: datetime, depth: Depth) -> list[_Look]:
    open_here = comparing.checkouts(provider, None if depth == "deep" else started)
    looks = [
        _Look("checkout", open_here, comparing.our_checkouts, _by(sync_checkout)),
        _Look(comparing.MOVEMENT, comparing.movements(provider, since), comparing.our_movements, _heal_movement),
        _Look("invoice", comparing.invoices(provider, since), comparing.our_invoices, _by(sync_invoice)),
        _Look("dispute", comparing.disputes(provider, since), comparing.our_disputes, _by(sync_dispute)),
    ]
    if depth == "deep":
        all_of_them = comparing.subscriptions(provider)
        looks.append(_Look("subscription", all_of_them, comparing.our_subscriptions, _by(sync_subscription)))
    return looks


def _by(sync: Callable[[Provider, str], Awaitable[None]]) -> Callable[[Provider, Theirs], Awaitable[None]]:
    async def heal(provider: Provider, theirs: Theirs) -> None:
        await sync(provider, theirs.reference)

    return heal


async def _last_reached(provider: str) -> datetime:
    async with session_scope() as session:
        newest = select(func.max(ReconciliationRun.reached_to)).where(ReconciliationRun.provider == provider)
        return await session.scalar(newest) or BEGINNING + OVERLAP


async def _add_events(provider: Provider, since: datetime) -> int:
    """Put events into the inbox that never came."""
    added = 0
    async for hint in provider.list_events(since):
        async with session_scope() as session:
            added += await inbox.keep(session, provider.name, hint)
    return added


async def _compare(provider: Provider, look: _Look, batch: Sequence[Theirs], report: Report) -> None:
    """Heal what differs, and look again."""
    report.compared += len(batch)
    ours = await _load(look, provider.name, batch)
    different = [each for each in batch if comparing.differences(look.kind, each, ours.get(each.reference))]
    for each in different:
        try:
            await look.heal(provider, each)
        except (ProviderError, AppError) as error:
            name = type(error).__name__
            log.warning("payment difference not healed", kind=look.kind, reference=each.reference, error=name)
    if different:
        healed = await _load(look, provider.name, different)
        for each in different:
            left = comparing.differences(look.kind, each, healed.get(each.reference))
            report.differences += left
            report.healed += not left


async def _load(look: _Look, provider: str, batch: Sequence[Theirs]) -> dict[str, comparing.Fields]:
    async with session_scope() as session:
        return dict(await look.load(session, provider, [each.reference for each in batch]))


async def _heal_movement(provider: Provider, theirs: Theirs) -> None:
    """Apply the payment that a movement belongs to; what belongs to none of ours is posted by itself."""
    entry = theirs.source
    if entry.payment_id:
        await sync_payment(provider, entry.payment_id)
    async with session_scope() as session:
        await ledger.post(
            session,
            kind=f"provider.{entry.type}",
            reference=entry.id,
            legs=postings.of_other(provider.name, entry),
            family_id=None,
            occurred_at=entry.created_at,
        )


async def _write(session: AsyncSession, provider: str, report: Report, run_id: UUID, reached_to: datetime) -> None:
    """Keep the run and its differences; close those that are gone: all by a deep run, our own sums by a light one."""
    counts = {"compared": report.compared, "events_added": report.events_added, "healed": report.healed}
    run = ReconciliationRun(
        id=run_id,
        provider=provider,
        depth=report.depth,
        reached_to=reached_to,
        open_differences=len(report.differences),
        finished_at=func.now(),
        **counts,
    )
    session.add(run)
    await session.flush()
    for found in report.differences:
        await _open(session, provider, run_id, found)
    key = tuple_(Difference.kind, Difference.reference, Difference.field)
    gone = update(Difference).where(Difference.provider == provider, Difference.closed_at.is_(None))
    if report.differences:
        gone = gone.where(key.not_in([found.key for found in report.differences]))
    if report.depth == "light":
        gone = gone.where(Difference.kind == comparing.OWN_SUMS)
    await session.execute(gone.values(closed_at=func.now()))


async def _open(session: AsyncSession, provider: str, run_id: UUID, found: Found) -> None:
    values = {"kind": found.kind, "reference": found.reference, "field": found.field}
    texts = {"ours": found.ours, "theirs": found.theirs}
    row = upsert(Difference).values(id=new_id(), run_id=run_id, provider=provider, **values, **texts)
    await session.execute(row.on_conflict_do_nothing())
    log.error("payment books differ", difference=values)


async def list_runs(session: AsyncSession, limit: int = 100) -> list[ReconciliationRun]:
    """The newest runs."""
    return list(await session.scalars(select(ReconciliationRun).order_by(ReconciliationRun.id.desc()).limit(limit)))


async def was_run(session: AsyncSession, run_id: UUID) -> bool:
    """Whether this run has ended."""
    return await session.get(ReconciliationRun, run_id) is not None


async def read_run(session: AsyncSession, run_id: UUID) -> ReconciliationRun:
    """A run that ended. Raises `ReconciliationNotFound`."""
    run = await session.get(ReconciliationRun, run_id)
    if run is None:
        raise ReconciliationNotFound
    return run


async def list_differences(session: AsyncSession, limit: int = 100) -> list[Difference]:
    """What is open, oldest first."""
    still = select(Difference).where(Difference.closed_at.is_(None)).order_by(Difference.id).limit(limit)
    return list(await session.scalars(still))
