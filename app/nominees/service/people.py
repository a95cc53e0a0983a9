"""Nominees: named by an owner, invited by e-mail, asked again when their address changes."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.auth.parts import throttle
from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.throttle import Limit
from app.db.acting import acting_for
from app.db.runtime import current
from app.db.session import Actor, session_scope
from app.db.turns import take_turns
from app.nominees.cells import open_body, owner_ring, seal_body
from app.nominees.errors import (
    AlreadyNamed,
    InvitationAnswered,
    NomineeInUse,
    NomineeNotFound,
    OwnAddress,
    TooManyLetters,
    TooManyNominees,
)
from app.nominees.models import cases, gifts, legacy_keys, messages, nominees, plans, sessions
from app.nominees.policy import plans_naming, refuse_while_open
from app.nominees.schemas.people import NomineeCreate, NomineeRead, NomineeUpdate
from app.nominees.service.letters import Person, find_people, to_owner, to_person
from app.nominees.service.links import find_link, make_link, void_links
from app.nominees.service.noting import as_nominee, note, note_own
from app.vault.service.listing import FIRST_PAGE

BY_OWNER: Final = Limit("nominee-letters", 100, 3_600)
TO_ADDRESS: Final = Limit("nominee-lettered", 10, 3_600)


async def create_nominee(session: AsyncSession, principal: Principal, data: NomineeCreate) -> NomineeRead:
    """Name a person and invite them.

    Raises `StepUpRequired`, `SessionNeeded`, `TooManyNominees`, `AlreadyNamed`, `OwnAddress`, `TooManyLetters`.
    """
    await auth.require_recent(session, principal)
    await _require_room(session, principal.user_id)
    digest = await _free_address(session, principal, data.email)
    nominee_id, ring = new_id(), await owner_ring(session, principal.user_id)
    values = {
        "id": nominee_id,
        "user_id": principal.user_id,
        "email_digest": digest,
        "body": seal_body(ring, nominees, nominee_id, data.model_dump()),
    }
    try:
        await session.execute(insert(nominees).values(values))
    except IntegrityError:
        raise AlreadyNamed from None
    await note_own(session, principal, "nominee_named", nominee_id)
    await invite(session, await _person(session, nominee_id))
    return await read_nominee(session, principal, nominee_id)


async def _require_room(session: AsyncSession, user_id: UUID) -> None:
    """Two new ones at once are counted one after the other."""
    await take_turns(session, f"nominees of {user_id}")
    held = await session.scalar(select(func.count()).select_from(nominees).where(nominees.c.user_id == user_id))
    if (held or 0) >= current().settings.nominees_per_user:
        raise TooManyNominees("Remove one first")


async def _free_address(session: AsyncSession, principal: Principal, email: str) -> bytes:
    """The digest of an address that the owner may use. Raises `OwnAddress`, `AlreadyNamed`."""
    digest = auth.email_digest(email)
    if digest == auth.email_digest((await auth.profile(session, principal.user_id)).email):
        raise OwnAddress
    named = exists().where(nominees.c.user_id == principal.user_id, nominees.c.email_digest == digest)
    if await session.scalar(select(named)):
        raise AlreadyNamed
    return digest


async def _person(session: AsyncSession, nominee_id: UUID) -> Person:
    return (await find_people(session, nominees.c.id == nominee_id))[0]


async def count_letter(user_id: UUID, email: str) -> None:
    """Nobody's mailbox is to be flooded through us. Raises `TooManyLetters`."""
    counted = throttle()
    digest = auth.email_digest(email)
    if wait := await counted.hit(BY_OWNER, user_id.hex) or await counted.hit(TO_ADDRESS, digest.hex()):
        raise TooManyLetters(f"Try again in {wait} seconds", headers={"Retry-After": str(wait)})


async def invite(session: AsyncSession, person: Person) -> None:
    """Send an invitation, which replaces earlier ones. Raises `TooManyLetters`."""
    await count_letter(person.user_id, person.email)
    await send_invitation(session, person)


async def send_invitation(session: AsyncSession, person: Person) -> None:
    """As `invite`, where the owner is not there to flood anybody."""
    seconds = current().settings.nominee_invitation_seconds
    await void_links(session, person.id, "invitation")
    token = await make_link(session, person.user_id, "invitation", nominee_id=person.id, seconds=seconds)
    await session.execute(update(nominees).where(nominees.c.id == person.id).values(invited_at=func.now()))
    await to_person(session, person, "legacy_invitation", token=token, days=str(seconds // 86_400))


async def invite_again(session: AsyncSession, principal: Principal, nominee_id: UUID) -> NomineeRead:
    """Send the invitation again.

    Raises `SessionNeeded`, `NomineeNotFound`, `InvitationAnswered`, `TooManyLetters`.
    """
    auth.require_session(principal)
    row = await _mine(session, principal, nominee_id)
    if row["state"] == "accepted":
        raise InvitationAnswered
    await session.execute(update(nominees).where(nominees.c.id == nominee_id).values(state="invited"))
    await invite(session, await _person(session, nominee_id))
    await note_own(session, principal, "nominee_invited", nominee_id)
    return await read_nominee(session, principal, nominee_id)


async def list_nominees(
    session: AsyncSession, principal: Principal, after: UUID | None, limit: int
) -> tuple[list[NomineeRead], UUID | None]:
    """One page of the principal's nominees, newest first; and the one that the next page continues after."""
    mine = nominees.c.user_id == principal.user_id, nominees.c.id < (after or FIRST_PAGE)
    statement = select(nominees).where(*mine).order_by(nominees.c.id.desc()).limit(limit + 1)
    rows = (await session.execute(statement)).mappings().all()
    shown = [await _read(session, row) for row in rows[:limit]]
    return shown, shown[-1].id if len(rows) > limit else None


async def read_nominee(session: AsyncSession, principal: Principal, nominee_id: UUID) -> NomineeRead:
    """A nominee of the principal. Raises `NomineeNotFound`."""
    return await _read(session, await _mine(session, principal, nominee_id))


async def _mine(session: AsyncSession, principal: Principal, nominee_id: UUID, *, lock: bool = False) -> Any:
    statement = select(nominees).where(nominees.c.id == nominee_id, nominees.c.user_id == principal.user_id)
    row = (await session.execute(statement.with_for_update() if lock else statement)).mappings().one_or_none()
    if row is None:
        raise NomineeNotFound
    return row


async def require_nominees(session: AsyncSession, principal: Principal, nominee_ids: set[UUID]) -> None:
    """See that all of these are nominees of the principal. Raises `NomineeNotFound`."""
    mine = nominees.c.id.in_(nominee_ids), nominees.c.user_id == principal.user_id
    if await session.scalar(select(func.count()).select_from(nominees).where(*mine)) != len(nominee_ids):
        raise NomineeNotFound


async def _read(session: AsyncSession, row: Any) -> NomineeRead:
    ring = await owner_ring(session, row["user_id"], row["body"])
    return NomineeRead.model_validate({**row, **open_body(ring, nominees, row["id"], row["body"])})


async def update_nominee(
    session: AsyncSession, principal: Principal, nominee_id: UUID, data: NomineeUpdate
) -> NomineeRead:
    """Change a nominee; a new address is worth nothing until it is accepted, and the old one nothing at once.

    Raises `StepUpRequired`, `SessionNeeded`, `NomineeNotFound`, `AlreadyNamed`, `OwnAddress`, `TooManyLetters`,
    `CaseIsOpen`.
    """
    await auth.require_recent(session, principal)
    row = await _mine(session, principal, nominee_id, lock=True)
    ring = await owner_ring(session, principal.user_id, row["body"])
    before = open_body(ring, nominees, nominee_id, row["body"])
    content = before | data.model_dump(exclude_none=True)
    values: dict[str, Any] = {"body": seal_body(ring, nominees, nominee_id, content)}
    moved = auth.email_digest(content["email"]) != row["email_digest"]
    if moved:
        await refuse_while_open(session, cases.c.plan_id.in_(plans_naming(nominee_id)))
        digest = await _free_address(session, principal, content["email"])
        values |= {"email_digest": digest, "state": "invited", "answered_at": None, "verified_at": None}
    await session.execute(update(nominees).where(nominees.c.id == nominee_id).values(values))
    await note_own(session, principal, "nominee_moved" if moved else "nominee_changed", nominee_id)
    if moved:
        await shut_out(session, nominee_id)
        await invite(session, await _person(session, nominee_id))
    return await read_nominee(session, principal, nominee_id)


async def shut_out(session: AsyncSession, nominee_id: UUID) -> None:
    """End the sign-ins of a nominee, and make their links useless."""
    await void_links(session, nominee_id)
    await session.execute(delete(sessions).where(sessions.c.nominee_id == nominee_id))


async def delete_nominee(session: AsyncSession, principal: Principal, nominee_id: UUID) -> None:
    """Forget a nominee who stands in no plan and on no sheet.

    Raises `StepUpRequired`, `SessionNeeded`, `NomineeNotFound`, `NomineeInUse`.
    """
    await auth.require_recent(session, principal)
    await _mine(session, principal, nominee_id, lock=True)
    in_use = or_(
        exists().where(gifts.c.nominee_id == nominee_id),
        exists().where(messages.c.nominee_id == nominee_id),
        exists().where(plans.c.confirmer_id == nominee_id),
        exists().where(legacy_keys.c.nominee_ids.contains([nominee_id]), legacy_keys.c.user_id == principal.user_id),
    )
    if await session.scalar(select(in_use)):
        raise NomineeInUse
    await session.execute(delete(nominees).where(nominees.c.id == nominee_id))
    await note_own(session, principal, "nominee_removed", nominee_id)


async def find_invitation(token: str) -> str:
    """The name of whoever invites; nothing is changed. Raises `LegacyLinkNotFound`."""
    async with session_scope() as session:
        link = await find_link(session, "invitation", token)
        return (await auth.profile(session, link["user_id"])).name


async def answer_invitation(token: str, *, accept: bool) -> None:
    """Accept or decline to be a nominee; the owner is told. Raises `LegacyLinkNotFound`."""
    async with session_scope() as session:
        link = await find_link(session, "invitation", token)
        async with acting_for(session, Actor.user(link["user_id"])):
            await void_links(session, link["nominee_id"], "invitation")
            values = {"state": "accepted" if accept else "declined", "answered_at": func.now()}
            if accept:
                values["verified_at"] = func.now()
            invited = nominees.c.id == link["nominee_id"], nominees.c.state == "invited"
            await session.execute(update(nominees).where(*invited).values(values))
            nominee, answer = as_nominee(link["nominee_id"]), f"invitation_{values['state']}"
            await note(session, nominee, link["user_id"], answer, link["nominee_id"])
            await _tell(session, await _person(session, link["nominee_id"]))


async def _tell(session: AsyncSession, person: Person) -> None:
    """Tell the owner the answer; and a nominee who accepted, how to get in."""
    answer = "accepted" if person.state == "accepted" else "declined"
    await to_owner(session, person.user_id, "legacy_invitation_answered", nominee=person.name, answer=answer)
    if person.state == "accepted":
        await send_sign_in_link(session, person, "legacy_welcome")


async def send_sign_in_link(session: AsyncSession, person: Person, template: str, **context: str) -> None:
    """Send a nominee a letter with a link by which they sign in, together with a code."""
    seconds = current().settings.nominee_link_seconds
    token = await make_link(session, person.user_id, "sign_in", nominee_id=person.id, seconds=seconds)
    await to_person(session, person, template, token=token, link_days=str(seconds // 86_400), **context)
