"""Legacy keys: made with their sheets, of which the server keeps its own part alone.

The secret is in the sheets that are handed out in the same answer, and nowhere else; what is made readable for the
public half (sealed vaults, exports) stays so however often other keys change.
"""

import asyncio
import base64
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.auth.principal import Principal
from app.core import pdf
from app.core.clock import new_id
from app.nominees import age
from app.nominees.cells import open_row, owner_ring, seal_body
from app.nominees.errors import LegacyKeyNotFound, LegacyKeyTaken, NotOurShare, SheetsUnsuitable
from app.nominees.models import legacy_keys, nominees
from app.nominees.schemas.keys import LegacyKeyCreate, LegacyKeyRead, LegacyKeyRegister, ServerSheet
from app.nominees.service.clock import legacy_now
from app.nominees.service.letters import Person, find_people
from app.nominees.service.noting import note_own
from app.nominees.service.people import require_nominees
from app.nominees.shamir import LegacySheets, ShareError, read_share, share_among_three
from app.nominees.shamir.legacy import GROUPS_NEEDED, SERVER
from app.nominees.sheets import Holder, Sheet, sheets_pdf
from app.sealed.errors import SealedError
from app.sealed.identity import PublicIdentity
from app.sealed.legacy import legacy_keys as keys_of_secret

SECRET_BYTES: Final = 32
GROUPS: Final = 3
FONT: Final = pdf.FONTS / f"{pdf.REGULAR}.ttf"  # has the letters of every European name


async def create_legacy_key(session: AsyncSession, principal: Principal, data: LegacyKeyCreate) -> bytes:
    """New keys; returns their sheets as PDF, the owner's first, which are not kept and can't be had again.

    Raises `StepUpRequired`, `SessionNeeded`, `NomineeNotFound`, `SheetsUnsuitable`.
    """
    await auth.require_recent(session, principal)
    people = await _holders(session, principal, data.nominee_ids, data.nominees_needed)
    set_id, secret = new_id(), os.urandom(SECRET_BYTES)
    parts = share_among_three(secret, data.nominees_needed, len(people))
    public = keys_of_secret(set_id, secret).identity.public
    made_on = (await legacy_now(session)).date()
    await _insert(session, principal, public, people, data.nominees_needed, made_on, parts.server)
    await note_own(session, principal, "key_created", public.account)
    owner = (await auth.profile(session, principal.user_id)).name
    sheets = _sheets(set_id, owner, people, parts, data, made_on)
    return await asyncio.to_thread(_print, sheets)


async def _holders(
    session: AsyncSession, principal: Principal, nominee_ids: Sequence[UUID], needed: int
) -> list[Person]:
    chosen = set(nominee_ids)
    if needed > len(chosen):
        raise SheetsUnsuitable
    await require_nominees(session, principal, chosen)
    return await find_people(session, nominees.c.id.in_(chosen))


async def _insert(
    session: AsyncSession,
    principal: Principal,
    public: PublicIdentity,
    people: Sequence[Person],
    needed: int,
    made_on: date,
    server_sheet: str,
) -> None:
    ring = await owner_ring(session, principal.user_id)
    values = {
        "id": public.account,
        "user_id": principal.user_id,
        "public_key": public.to_bytes(),
        "nominees_needed": needed,
        "nominee_ids": [person.id for person in people],
        "made_on": made_on,
        "body": seal_body(ring, legacy_keys, public.account, {"server_sheet": server_sheet}),
    }
    try:
        await session.execute(insert(legacy_keys).values(values))
    except IntegrityError:
        raise LegacyKeyTaken from None


def _sheets(
    set_id: UUID, owner: str, people: Sequence[Person], parts: LegacySheets, data: LegacyKeyCreate, made_on: date
) -> list[Sheet]:
    holders = [(Holder.OWNER, owner, parts.owner)]
    holders += [(Holder.NOMINEE, each.name, words) for each, words in zip(people, parts.nominees, strict=True)]
    return [
        Sheet(
            holder=holder,
            holder_name=name,
            owner_name=owner,
            set_id=set_id,
            made_on=made_on,
            words=words,
            nominees_needed=data.nominees_needed,
            nominees=len(people),
            fingerprint=data.fingerprint,
        )
        for holder, name, words in holders
    ]


def _print(sheets: Sequence[Sheet]) -> bytes:
    return sheets_pdf(sheets, Path(FONT))


async def register_legacy_key(session: AsyncSession, principal: Principal, data: LegacyKeyRegister) -> LegacyKeyRead:
    """Keys whose secret never was here: only the public half and the server's part are kept.

    Raises `StepUpRequired`, `SessionNeeded`, `NomineeNotFound`, `SheetsUnsuitable`, `NotOurShare`, `LegacyKeyTaken`.
    """
    await auth.require_recent(session, principal)
    people = await _holders(session, principal, data.nominee_ids, data.nominees_needed)
    public = _checked(data)
    made_on = (await legacy_now(session)).date()
    await _insert(session, principal, public, people, data.nominees_needed, made_on, data.server_sheet)
    await note_own(session, principal, "key_registered", public.account)
    return (await list_legacy_keys(session, principal))[0]


def _checked(data: LegacyKeyRegister) -> PublicIdentity:
    """The public half, if the words are the server's part of owner | server | nominees, any two of three."""
    try:
        share = read_share(data.server_sheet)
        public = PublicIdentity.from_bytes(base64.b64decode(data.public_key))
    except (ShareError, SealedError):
        raise NotOurShare from None
    scheme = share.group, share.member_threshold, share.of.group_threshold, share.of.group_count
    if scheme != (SERVER, 1, GROUPS_NEEDED, GROUPS) or public.account != data.id:
        raise NotOurShare
    return public


async def list_legacy_keys(session: AsyncSession, principal: Principal) -> list[LegacyKeyRead]:
    """The principal's legacy keys, newest first."""
    mine = select(legacy_keys).where(legacy_keys.c.user_id == principal.user_id)
    newest = mine.order_by(legacy_keys.c.created_at.desc(), legacy_keys.c.id.desc())
    return [_read(row) for row in (await session.execute(newest)).mappings()]


def _read(row: Any) -> LegacyKeyRead:
    recipient = age.recipient_text(PublicIdentity.from_bytes(row["public_key"]).exchange)
    public_key = base64.b64encode(row["public_key"]).decode()
    return LegacyKeyRead.model_validate({**row, "public_key": public_key, "recipient": recipient})


async def legacy_public_key(session: AsyncSession, user_id: UUID) -> PublicIdentity | None:
    """The present public half of an owner's legacy keys; None if they have made none."""
    newest = select(legacy_keys.c.public_key).where(legacy_keys.c.user_id == user_id)
    found = await session.scalar(newest.order_by(legacy_keys.c.created_at.desc(), legacy_keys.c.id.desc()).limit(1))
    return PublicIdentity.from_bytes(found) if found else None


async def read_server_sheet(session: AsyncSession, principal: Principal, legacy_key_id: UUID) -> ServerSheet:
    """The server's part, for the owner who has lost the rest.

    Raises `StepUpRequired`, `SessionNeeded`, `LegacyKeyNotFound`.
    """
    await auth.require_recent(session, principal)
    mine = legacy_keys.c.id == legacy_key_id, legacy_keys.c.user_id == principal.user_id
    row = (await session.execute(select(legacy_keys).where(*mine))).mappings().one_or_none()
    if row is None:
        raise LegacyKeyNotFound
    content = await open_row(session, legacy_keys, row)
    await note_own(session, principal, "server_sheet_read", legacy_key_id)
    return ServerSheet(legacy_key_id=legacy_key_id, words=content["server_sheet"])


async def delete_legacy_key(session: AsyncSession, principal: Principal, legacy_key_id: UUID) -> None:
    """Forget the server's part: from now on only the owner's and the nominees' sheets open together.

    Raises `StepUpRequired`, `SessionNeeded`, `LegacyKeyNotFound`.
    """
    await auth.require_recent(session, principal)
    mine = legacy_keys.c.id == legacy_key_id, legacy_keys.c.user_id == principal.user_id
    if await session.scalar(delete(legacy_keys).where(*mine).returning(legacy_keys.c.id)) is None:
        raise LegacyKeyNotFound
    await note_own(session, principal, "key_deleted", legacy_key_id)
