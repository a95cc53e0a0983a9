"""Release cases: opened, moved by one step under the lock of their row, stopped by their owner.

Everything that changes a case goes through `locked` and `settle`: whoever holds the row decides on what stands in it
then, so a veto and a release at the same moment follow one another, and the veto has the last word either way.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.logging import get_log
from app.db.outbox import emit
from app.db.session import Actor, session_scope
from app.nominees import machine
from app.nominees.errors import CaseIsOver, CaseNotFound
from app.nominees.machine import Case, NotPossible, Rules, Trigger
from app.nominees.models import case_events, cases, releases
from app.nominees.policy import owned_case
from app.nominees.schemas.cases import CaseEventRead, CaseRead
from app.nominees.service.announcing import announce
from app.nominees.service.clock import legacy_now
from app.nominees.service.links import find_link
from app.nominees.service.noting import note_case
from app.nominees.service.proofs import attestations_of, proofs_of
from app.vault.service.listing import FIRST_PAGE

COLUMNS: Final = tuple(field.name for field in fields(Case) if field.name != "rules")

log = get_log(__name__)


def rules_of(plan: Any) -> Rules:
    """What a row of a plan says, for a case that begins now."""
    days, stage_days = 0, []
    for after in plan["stages"] or [0]:  # a plan of messages alone has one stage without gifts
        days += after
        stage_days.append(days)
    names = (field.name for field in fields(Rules) if field.name not in ("has_confirmer", "stage_days"))
    has_confirmer = plan["confirmer_id"] is not None
    return Rules(has_confirmer=has_confirmer, stage_days=tuple(stage_days), **{name: plan[name] for name in names})


def case_of(row: Any) -> Case:
    """A row as the machine knows it."""
    rules = Rules(**{**row["rules"], "stage_days": tuple(row["rules"]["stage_days"])})
    return Case(rules=rules, **{name: row[name] for name in COLUMNS})


async def locked(session: AsyncSession, case_id: UUID) -> Any:
    """The row of a case, which nobody else changes until the transaction ends. Raises `CaseNotFound`."""
    statement = select(cases).where(cases.c.id == case_id).with_for_update()
    row = (await session.execute(statement)).mappings().one_or_none()
    if row is None:
        raise CaseNotFound
    return row


async def open_case(
    session: AsyncSession, plan: Any, trigger: Trigger, now: datetime, by: Principal | None = None
) -> Any:
    """The row of a new case of a plan whose row is locked and which has none that is open.

    Emits what `settle` emits.
    """
    case, case_id, asked_by = machine.open_case(trigger, rules_of(plan), now), new_id(), by and by.nominee_id
    values = {"id": case_id, "user_id": plan["user_id"], "plan_id": plan["id"], "asked_by": asked_by, **asdict(case)}
    row = (await session.execute(insert(cases).values(values).returning(cases))).mappings().one()
    await _record(session, row, None, case, now, by)
    return row


async def settle(session: AsyncSession, row: Any, after: Case, now: datetime, by: Principal | None = None) -> None:
    """Write the next step of a locked case, with its log, letters and release. Emits `nominees.case_changed`."""
    before = case_of(row)
    values = {name: getattr(after, name) for name in COLUMNS}
    await session.execute(update(cases).where(cases.c.id == row["id"]).values(values))
    if after.state == "released" and before.state != "released":
        ids = {"user_id": row["user_id"], "plan_id": row["plan_id"], "case_id": row["id"]}
        await session.execute(insert(releases).values(id=new_id(), **ids, released_at=now))
    await _record(session, row, before, after, now, by)


async def _record(
    session: AsyncSession, row: Any, before: Case | None, after: Case, now: datetime, by: Principal | None
) -> None:
    happened = machine.what_happened(before, after)
    await _log(session, row, happened, now, by)
    for kind in happened:
        await note_case(session, row, kind, by)
    await announce(session, row, before, after, happened)
    ids = {"user_id": row["user_id"], "plan_id": row["plan_id"], "case_id": row["id"]}
    await emit(session, "nominees.case_changed", **ids, state=after.state)
    log.info("release case changed", case_id=str(row["id"]), state=after.state)


async def _log(session: AsyncSession, row: Any, happened: Sequence[str], now: datetime, by: Principal | None) -> None:
    count = select(func.count()).select_from(case_events).where(case_events.c.case_id == row["id"])
    known = await session.scalar(count) or 0
    ids = {"user_id": row["user_id"], "case_id": row["id"], "nominee_id": by and by.nominee_id, "at": now}
    rows = [{"id": new_id(), "ordinal": known + n, "kind": kind, **ids} for n, kind in enumerate(happened)]
    if rows:
        await session.execute(upsert(case_events), rows)


async def stop_case(session: AsyncSession, principal: Principal, case_id: UUID, now: datetime | None = None) -> None:
    """Stop a release, or take it back. Asking again changes nothing. Raises `CaseNotFound`, `CaseIsOver`."""
    row = await owned_case(session, principal, case_id, lock=True)
    await _stop(session, row, await legacy_now(session, now), principal)


async def _stop(session: AsyncSession, row: Any, now: datetime, by: Principal | None = None) -> None:
    if row["state"] == "stopped":
        return
    try:
        await settle(session, row, machine.stop(case_of(row), now), now, by)
    except NotPossible:
        raise CaseIsOver from None


async def find_stop(token: str) -> None:
    """See that a link of the owner's is good; nothing is changed. Raises `LegacyLinkNotFound`."""
    async with session_scope() as session:
        await find_link(session, "stop", token)


async def stop_by_link(token: str, now: datetime | None = None) -> None:
    """Stop a release by the link in a letter, which counts as a sign of life.

    Raises `LegacyLinkNotFound`, `CaseNotFound`, `CaseIsOver`.
    """
    async with session_scope() as session:
        link = await find_link(session, "stop", token)
    async with session_scope(Actor.user(link["user_id"])) as session:
        row = await locked(session, link["subject_id"])
        await _stop(session, row, await legacy_now(session, now))
    await auth.note_presence(link["user_id"])


async def list_cases(
    session: AsyncSession, principal: Principal, after: UUID | None, limit: int
) -> tuple[list[CaseRead], UUID | None]:
    """One page of the principal's cases, newest first; and the one that the next page continues after."""
    mine = cases.c.user_id == principal.user_id, cases.c.id < (after or FIRST_PAGE)
    statement = select(cases).where(*mine).order_by(cases.c.id.desc()).limit(limit + 1)
    rows = (await session.execute(statement)).mappings().all()
    shown = [await _read(session, row) for row in rows[:limit]]
    return shown, shown[-1].id if len(rows) > limit else None


async def read_case(session: AsyncSession, principal: Principal, case_id: UUID) -> CaseRead:
    """A case of the principal's, with all that happened in it. Raises `CaseNotFound`."""
    return await _read(session, await owned_case(session, principal, case_id))


async def _read(session: AsyncSession, row: Any) -> CaseRead:
    of_case = select(case_events).where(case_events.c.case_id == row["id"]).order_by(case_events.c.ordinal)
    events = (await session.execute(of_case)).mappings().all()
    shown = {
        **row,
        "attestations_needed": case_of(row).rules.attestations_needed,
        "events": [CaseEventRead.model_validate(dict(event)) for event in events],
        "attestations": await attestations_of(session, row["id"]),
        "proofs": await proofs_of(session, row["id"]),
    }
    return CaseRead.model_validate(shown)
