"""Sign-in of nominees: a link that was mailed, and a code that is mailed for it. There is no account and no password.

The token that they get is of a kind of its own: it opens what `app.nominees.router.visit` offers and nothing else.
"""

import hmac
import secrets
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.auth.parts import throttle
from app.core.clock import new_id
from app.core.crypto import lookup_digest, new_token, token_digest
from app.core.throttle import Limit
from app.db.acting import acting_for
from app.db.runtime import current
from app.db.session import Actor, act_for, session_scope
from app.nominees.errors import InvalidNomineeToken, TooManyLetters, WrongNomineeCode
from app.nominees.models import codes, nominees, sessions
from app.nominees.schemas.visits import NomineeToken
from app.nominees.service.entering import announce_entry
from app.nominees.service.guests import Guest
from app.nominees.service.letters import find_people, to_person
from app.nominees.service.links import find_link
from app.nominees.service.noting import as_nominee, note
from app.nominees.service.people import send_sign_in_link

MARK: Final = "lvn_"
MOST_WRONG: Final = 5
CODES: Final = Limit("nominee-codes", 5, 3_600)
LINKS: Final = Limit("nominee-links", 3, 3_600)
ASKING: Final = Limit("nominee-asking", 30, 3_600)
MOST_OWNERS: Final = 10


def _refuse(wait: int) -> None:
    if wait:
        raise TooManyLetters(f"Try again in {wait} seconds", headers={"Retry-After": str(wait)})


async def send_links(email: str, place: bytes) -> None:
    """Send sign-in links to an address, one for each owner who named it; no answer tells whether anybody did.

    Raises `TooManyLetters` for a place that asks too often.
    """
    _refuse(await throttle().hit(ASKING, place.hex()))
    digest = auth.email_digest(email)
    if await throttle().hit(LINKS, digest.hex()):
        return
    async with session_scope() as session:
        named = nominees.c.email_digest == digest, nominees.c.state == "accepted"
        found = select(nominees.c.id, nominees.c.user_id).where(*named).order_by(nominees.c.id.desc())
        rows = (await session.execute(found.limit(MOST_OWNERS))).all()
        for nominee_id, user_id in rows:
            async with acting_for(session, Actor.user(user_id)):
                [person] = await find_people(session, nominees.c.id == nominee_id)
                await send_sign_in_link(session, person, "legacy_sign_in")


async def find_sign_in(token: str) -> None:
    """See that a sign-in link is good; nothing is changed. Raises `LegacyLinkNotFound`."""
    async with session_scope() as session:
        await find_link(session, "sign_in", token)


async def send_code(token: str) -> None:
    """Mail a code for a link; earlier ones are void. Raises `LegacyLinkNotFound`, `TooManyLetters`."""
    async with session_scope() as session:
        link = await find_link(session, "sign_in", token)
        nominee_id = link["nominee_id"]
        _refuse(await throttle().hit(CODES, nominee_id.hex))
        code, seconds = f"{secrets.randbelow(10**6):06}", current().settings.nominee_code_seconds
        values = {
            "link_id": link["id"],
            "digest": _digest(link["id"], code),
            "attempts": 0,
            "expires_at": func.now() + timedelta(seconds=seconds),
        }
        ids = {"id": new_id(), "user_id": link["user_id"], "nominee_id": nominee_id}
        made = upsert(codes).values(**ids, **values).on_conflict_do_update(index_elements=["nominee_id"], set_=values)
        async with acting_for(session, Actor.user(link["user_id"])):
            await session.execute(made)
            [person] = await find_people(session, nominees.c.id == nominee_id)
            await to_person(session, person, "legacy_code", code=code, minutes=str(seconds // 60))


def _digest(link_id: UUID, code: str) -> bytes:
    return lookup_digest(current().settings.lookup_key_bytes, "nominee_codes.digest", f"{link_id} {code}")


async def sign_in(token: str, code: str) -> NomineeToken:
    """A token for whoever has the link and the code; a wrong code is counted.

    Raises `LegacyLinkNotFound`, `WrongNomineeCode`.
    """
    async with session_scope() as session:
        link = await find_link(session, "sign_in", token)
        if not await _is_right(session, link["id"], link["nominee_id"], code):
            opened = None
        else:
            async with acting_for(session, Actor.user(link["user_id"])):
                opened = await _open(session, link["user_id"], link["nominee_id"])
    if opened is None:
        raise WrongNomineeCode
    return opened


async def _is_right(session: AsyncSession, link_id: UUID, nominee_id: UUID, code: str) -> bool:
    """Whether a code is right: once, and as long as not too many were wrong, however many try at the same time."""
    mine = codes.c.nominee_id == nominee_id, codes.c.link_id == link_id, codes.c.expires_at > func.now()
    tried = update(codes).where(*mine, codes.c.attempts < MOST_WRONG).values(attempts=codes.c.attempts + 1)
    stored: bytes | None = await session.scalar(tried.returning(codes.c.digest))
    if stored is None or not hmac.compare_digest(stored, _digest(link_id, code)):
        return False
    await session.execute(delete(codes).where(codes.c.nominee_id == nominee_id))
    return True


async def _open(session: AsyncSession, user_id: UUID, nominee_id: UUID) -> NomineeToken:
    token, seconds = MARK + new_token(), current().settings.nominee_session_seconds
    values = {"digest": token_digest(token), "expires_at": func.now() + timedelta(seconds=seconds)}
    ids = {"id": new_id(), "user_id": user_id, "nominee_id": nominee_id}
    await session.execute(insert(sessions).values(**ids, **values))
    await session.execute(update(nominees).where(nominees.c.id == nominee_id).values(verified_at=func.now()))
    await note(session, as_nominee(nominee_id), user_id, "nominee_signed_in", nominee_id)
    await announce_entry(session, nominee_id)
    return NomineeToken(access_token=token, token_type="bearer", expires_in=seconds)  # noqa: S106


async def enter_as_nominee(session: AsyncSession, token: str) -> Guest:
    """Begin the transaction of a request for the nominee of a token. Raises `InvalidNomineeToken`."""
    if not token.startswith(MARK):
        raise InvalidNomineeToken
    live = sessions.c.digest == token_digest(token), sessions.c.expires_at > func.now()
    columns = sessions.c.id, sessions.c.nominee_id, sessions.c.user_id
    accepted = sessions.join(nominees, (nominees.c.id == sessions.c.nominee_id) & (nominees.c.state == "accepted"))
    async with session_scope() as system:
        row = (await system.execute(select(*columns).select_from(accepted).where(*live))).one_or_none()
    if row is None:
        raise InvalidNomineeToken
    session_id, nominee_id, owner_id = row
    guest = Guest(as_nominee(nominee_id), session_id, nominee_id, owner_id)
    act_for(session, guest.principal.actor)
    return guest


async def sign_out(session: AsyncSession, guest: Guest) -> None:
    """End the sign-in."""
    async with acting_for(session, guest.owner):
        await session.execute(delete(sessions).where(sessions.c.id == guest.session_id))
