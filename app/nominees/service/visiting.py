"""What a nominee who is signed in may see of plans and do in cases: ask, confirm, attest, withdraw."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.acting import acting_for
from app.db.session import Actor, session_scope
from app.nominees import machine
from app.nominees.cells import owner_ring, seal_body
from app.nominees.errors import (
    CaseIsOver,
    CaseNotFound,
    CoolingDown,
    LegacyPlanNotFound,
    PlanNotArmed,
    ProofMissing,
)
from app.nominees.machine import BEFORE_RELEASE, NotPossible
from app.nominees.models import attestations, cases, nominees, plans, proofs
from app.nominees.policy import case_for, plans_for, plans_naming
from app.nominees.schemas.visits import CaseForNominee, PlanForNominee, Visit
from app.nominees.service.cases import case_of, locked, open_case, settle
from app.nominees.service.clock import legacy_now
from app.nominees.service.guests import Guest
from app.nominees.service.letters import find_people, owner_name, to_owner
from app.nominees.service.links import find_link, use_link
from app.nominees.service.noting import as_nominee, note
from app.nominees.service.people import shut_out
from app.nominees.service.proofs import attestations_of, proofs_of


async def read_visit(session: AsyncSession, guest: Guest) -> Visit:
    """The plans that name the guest and are in force, with the case that is going on."""
    async with acting_for(session, guest.owner):
        [me] = await find_people(session, nominees.c.id == guest.nominee_id)
        armed = plans.c.id.in_(plans_naming(guest.nominee_id)), plans.c.armed_at.is_not(None)
        rows = (await session.execute(select(plans).where(*armed).order_by(plans.c.id))).mappings().all()
        shown = [await _plan(session, guest, row) for row in rows]
        return Visit(owner=await owner_name(session, guest.owner_id), name=me.name, plans=shown)


async def _plan(session: AsyncSession, guest: Guest, plan: Any) -> PlanForNominee:
    receives = plan["id"] in (await session.scalars(plans_for(guest.nominee_id))).all()
    trusted = plan["confirmer_id"] == guest.nominee_id
    open_one = select(cases).where(cases.c.plan_id == plan["id"], cases.c.state != "closed")
    row = (await session.execute(open_one)).mappings().one_or_none()
    return PlanForNominee(
        id=plan["id"],
        roles=[*(["nominee"] if receives else []), *(["trusted"] if trusted else [])],
        may_be_asked=plan["may_be_asked"] and receives,
        case=await _case(session, guest, plan, row) if row else None,
    )


async def _case(session: AsyncSession, guest: Guest, plan: Any, row: Any) -> CaseForNominee:
    case, words = case_of(row), await attestations_of(session, row["id"])
    mine = any(word.nominee_id == guest.nominee_id for word in words)
    receives = plan["id"] in (await session.scalars(plans_for(guest.nominee_id))).all()
    wanted = bool(case.rules.attestations_needed) and receives and case.state in BEFORE_RELEASE and not mine
    return CaseForNominee(
        id=row["id"],
        state=case.state,
        ending=case.ending,
        opened_at=case.opened_at,
        due_at=case.due_at,
        confirmation_wanted=case.state == "confirming"
        and plan["confirmer_id"] == guest.nominee_id
        and not case.confirmed,
        attestation_wanted=wanted,
        attestations=words,
        attestations_needed=case.rules.attestations_needed,
        proofs=await proofs_of(session, row["id"]),
    )


async def ask(session: AsyncSession, guest: Guest, plan_id: UUID, now: datetime | None = None) -> Visit:
    """Ask for a release; where one is going on already, nothing changes.

    Raises `LegacyPlanNotFound`, `PlanNotArmed`, `CoolingDown`.
    """
    async with acting_for(session, guest.owner):
        mine = plans.c.id == plan_id, plans.c.id.in_(plans_for(guest.nominee_id))
        plan = (await session.execute(select(plans).where(*mine).with_for_update())).mappings().one_or_none()
        if plan is None:
            raise LegacyPlanNotFound
        if plan["armed_at"] is None or not plan["may_be_asked"]:
            raise PlanNotArmed
        state = await session.scalar(select(cases.c.state).where(cases.c.plan_id == plan_id, cases.c.state != "closed"))
        if state == "stopped":
            raise CoolingDown
        if state is None:
            await open_case(session, plan, "asked", await legacy_now(session, now), guest.principal)
    return await read_visit(session, guest)


async def confirm(
    session: AsyncSession, guest: Guest, case_id: UUID, *, agree: bool, now: datetime | None = None
) -> Visit:
    """A trusted person's word. Raises `CaseNotFound`, `CaseIsOver`."""
    async with acting_for(session, guest.owner):
        row = await case_for(session, guest.nominee_id, case_id, lock=True)
        await _confirm(session, row, guest.principal, await legacy_now(session, now), agree=agree)
    return await read_visit(session, guest)


async def _confirm(session: AsyncSession, row: Any, by: Principal, now: datetime, *, agree: bool) -> None:
    trusted = await session.scalar(select(plans.c.confirmer_id).where(plans.c.id == row["plan_id"]))
    if trusted is None or trusted != by.nominee_id:
        raise CaseNotFound
    try:
        after = machine.confirm(case_of(row), now, agrees=agree)
    except NotPossible:
        raise CaseIsOver from None
    await settle(session, row, after, now, by)


async def find_confirmation(token: str) -> str:
    """The name of the owner whose release a link asks about; nothing is changed. Raises `LegacyLinkNotFound`."""
    async with session_scope() as session:
        link = await find_link(session, "confirm", token)
        return await owner_name(session, link["user_id"])


async def confirm_by_link(token: str, *, agree: bool, now: datetime | None = None) -> None:
    """A trusted person's word, by the link in a letter; it works once.

    Raises `LegacyLinkNotFound`, `CaseNotFound`, `CaseIsOver`.
    """
    async with session_scope() as session:
        link = await find_link(session, "confirm", token)
    async with session_scope(Actor.user(link["user_id"])) as session:
        row = await locked(session, link["subject_id"])
        await _confirm(session, row, as_nominee(link["nominee_id"]), await legacy_now(session, now), agree=agree)
        await use_link(session, link["id"])


async def attest(session: AsyncSession, guest: Guest, case_id: UUID, note: str, now: datetime | None = None) -> Visit:
    """A nominee's word that the owner has died; said again it changes nothing.

    Raises `CaseNotFound`, `CaseIsOver`, `ProofMissing`.
    """
    async with acting_for(session, guest.owner):
        row = await case_for(session, guest.nominee_id, case_id, lock=True)
        if row["plan_id"] not in (await session.scalars(plans_for(guest.nominee_id))).all():
            raise CaseNotFound
        time = await legacy_now(session, now)
        try:
            after = machine.attest(case_of(row), time)
        except NotPossible:
            raise CaseIsOver from None
        await _require_proof(session, case_id)
        said = attestations.c.case_id == case_id, attestations.c.nominee_id == guest.nominee_id
        if await session.scalar(select(attestations.c.id).where(*said)) is None:
            await _write_attestation(session, guest, case_id, note)
            await settle(session, row, after, time, guest.principal)
    return await read_visit(session, guest)


async def _require_proof(session: AsyncSession, case_id: UUID) -> None:
    if await session.scalar(select(func.count()).select_from(proofs).where(proofs.c.case_id == case_id)) == 0:
        raise ProofMissing


async def _write_attestation(session: AsyncSession, guest: Guest, case_id: UUID, note: str) -> None:
    row_id, ring = new_id(), await owner_ring(session, guest.owner_id)
    ids = {"id": row_id, "user_id": guest.owner_id, "case_id": case_id, "nominee_id": guest.nominee_id}
    body = seal_body(ring, attestations, row_id, {"note": note})
    await session.execute(insert(attestations).values(**ids, body=body))


async def withdraw(session: AsyncSession, guest: Guest) -> None:
    """Be nobody's nominee any more; the owner is told, who may invite again."""
    async with acting_for(session, guest.owner):
        values = {"state": "declined", "answered_at": func.now()}
        await session.execute(update(nominees).where(nominees.c.id == guest.nominee_id).values(values))
        [person] = await find_people(session, nominees.c.id == guest.nominee_id)
        await shut_out(session, guest.nominee_id)
        await note(session, guest.principal, guest.owner_id, "nominee_withdrew", guest.nominee_id)
        name = "legacy_invitation_answered"
        await to_owner(session, guest.owner_id, name, nominee=person.name, answer="declined")
