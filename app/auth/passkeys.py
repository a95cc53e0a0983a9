"""Passkeys of people: registered, listed, renamed, deleted, and used to prove who somebody is."""

import asyncio
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import authenticators, challenges
from app.auth.acts import note
from app.auth.authenticators import Credential
from app.auth.errors import PasskeyNotFound, PasskeyRefused, TooManyPasskeys
from app.auth.factor_schemas import PasskeyCreate, PasskeyCreated, PasskeyOptions, PasskeyRead, PasskeyUpdate
from app.auth.models import Passkey
from app.auth.principal import Principal
from app.auth.profiles import profile
from app.auth.second_factor import first_recovery_codes, forget_recovery_codes_without_factor, hold_account
from app.auth.step_up import require_recent
from app.core.clock import new_id
from app.core.crypto import token_digest
from app.core.logging import get_log
from app.db.keys import KeyRing
from app.db.outbox import emit
from app.db.runtime import current

TABLE = "auth_passkeys"

log = get_log(__name__)


async def start_passkey(session: AsyncSession, principal: Principal) -> PasskeyOptions:
    """What an authenticator is asked for a new passkey. Raises `StepUpRequired`, `TooManyPasskeys`."""
    await require_recent(session, principal)
    known = await credentials_of(session, principal.user_id)
    _require_room(len(known))
    person = await profile(session, principal.user_id)
    token = await challenges.ask(session, "register", user_id=principal.user_id, session_id=principal.session_id)
    return PasskeyOptions(options=authenticators.creation_options(principal.user_id, person, token, known))


def _require_room(held: int) -> None:
    if held >= current().settings.passkeys_per_user:
        raise TooManyPasskeys("Delete one that is not needed any more")


async def create_passkey(session: AsyncSession, principal: Principal, data: PasskeyCreate) -> PasskeyCreated:
    """Keep the passkey that answers the options; recovery codes come with the first second factor.

    Raises `StepUpRequired`, `PasskeyRefused`, `TooManyPasskeys`. Emits `auth.second_factor_changed`.
    """
    await require_recent(session, principal)
    token = authenticators.challenge_in(data.passkey) or ""
    if await challenges.redeem(session, "register", token, session_id=principal.session_id) is None:
        raise PasskeyRefused("The options were used before, or have expired")
    credential = await asyncio.to_thread(authenticators.created, data.passkey, token)
    if credential is None:
        raise PasskeyRefused
    codes = await first_recovery_codes(session, principal.user_id)
    _require_room(len(await credentials_of(session, principal.user_id)))
    read = await _add(session, principal.user_id, data.name, credential)
    await emit(session, "auth.second_factor_changed", user_id=principal.user_id)
    await note(session, principal, principal.user_id, "auth.passkey_created", read.id)
    return PasskeyCreated(recovery_codes=codes, **read.model_dump())


async def _add(session: AsyncSession, user_id: UUID, name: str, credential: Credential) -> PasskeyRead:
    row_id = new_id()
    ring = await current().keys.ring(session, user_id)
    made = upsert(Passkey).values(
        id=row_id,
        user_id=user_id,
        credential_digest=_digest(credential.credential_id),
        body=_seal(ring, row_id, name, credential),
        sign_count=credential.sign_count,
    )
    added = made.on_conflict_do_nothing(index_elements=[Passkey.credential_digest]).returning(Passkey)
    row = await session.scalar(added)
    if row is None:
        raise PasskeyRefused("The passkey is registered already")
    return _read(row, ring)


def _digest(credential_id: bytes) -> bytes:
    return token_digest(authenticators.encoded(credential_id))


def _seal(ring: KeyRing, row_id: UUID, name: str, credential: Credential) -> bytes:
    content = {
        "name": name,
        "credential_id": authenticators.encoded(credential.credential_id),
        "public_key": authenticators.encoded(credential.public_key),
        "transports": credential.transports,
        "synced": credential.synced,
    }
    return ring.seal(TABLE, row_id, "body", orjson.dumps(content))


def _opened(row: Passkey, ring: KeyRing) -> tuple[str, Credential]:
    content = orjson.loads(ring.open(TABLE, row.id, "body", row.body))
    credential = Credential(
        credential_id=authenticators.decoded(content["credential_id"]),
        public_key=authenticators.decoded(content["public_key"]),
        transports=content["transports"],
        synced=content["synced"],
        sign_count=row.sign_count,
    )
    return content["name"], credential


def _read(row: Passkey, ring: KeyRing) -> PasskeyRead:
    name, credential = _opened(row, ring)
    return PasskeyRead(
        id=row.id, name=name, synced=credential.synced, created_at=row.created_at, last_used_at=row.last_used_at
    )


async def credentials_of(session: AsyncSession, user_id: UUID) -> list[Credential]:
    """All passkeys of a person, for authenticators to choose from."""
    rows = (await session.scalars(select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.id))).all()
    if not rows:
        return []
    ring = await current().keys.ring(session, user_id, *(row.body for row in rows))
    return [_opened(row, ring)[1] for row in rows]


async def list_passkeys(
    session: AsyncSession, principal: Principal, after: UUID | None, limit: int
) -> tuple[list[PasskeyRead], UUID | None]:
    """The principal's passkeys, newest first, older than `after`; with the last id if there are more."""
    statement = select(Passkey).where(Passkey.user_id == principal.user_id)
    if after:
        statement = statement.where(Passkey.id < after)
    rows = (await session.scalars(statement.order_by(Passkey.id.desc()).limit(limit + 1))).all()
    ring = await current().keys.ring(session, principal.user_id, *(row.body for row in rows))
    items = [_read(row, ring) for row in rows[:limit]]
    return items, items[-1].id if len(rows) > limit else None


async def update_passkey(
    session: AsyncSession, principal: Principal, passkey_id: UUID, data: PasskeyUpdate
) -> PasskeyRead:
    """Give a passkey another name. Raises `PasskeyNotFound`."""
    mine = Passkey.id == passkey_id, Passkey.user_id == principal.user_id
    row = await session.scalar(select(Passkey).where(*mine).with_for_update())
    if row is None:
        raise PasskeyNotFound
    ring = await current().keys.ring(session, principal.user_id, row.body)
    row.body = _seal(ring, row.id, data.name, _opened(row, ring)[1])
    await session.flush()
    return _read(row, ring)


async def delete_passkey(session: AsyncSession, principal: Principal, passkey_id: UUID) -> None:
    """Forget a passkey; without any second factor the recovery codes go, too.

    Raises `StepUpRequired`, `PasskeyNotFound`. Emits `auth.second_factor_changed`.
    """
    await require_recent(session, principal)
    await hold_account(session, principal.user_id)
    mine = Passkey.id == passkey_id, Passkey.user_id == principal.user_id
    if await session.scalar(delete(Passkey).where(*mine).returning(Passkey.id)) is None:
        raise PasskeyNotFound
    await forget_recovery_codes_without_factor(session, principal.user_id)
    await emit(session, "auth.second_factor_changed", user_id=principal.user_id)
    await note(session, principal, principal.user_id, "auth.passkey_deleted", passkey_id)


async def use_passkey(
    session: AsyncSession, answer: dict[str, Any], token: str, user_id: UUID | None = None
) -> UUID | None:
    """Whose passkey signed a challenge: of this person, or else of the one whom the credential itself names.

    The row is locked, so that a counter that was seen is not believed again.
    """
    digest = _digest(authenticators.credential_id_in(answer) or b"")
    row = await session.scalar(select(Passkey).where(Passkey.credential_digest == digest).with_for_update())
    named = authenticators.user_in(answer)
    if row is None or row.user_id != (user_id or named) or row.user_id != (named or user_id):
        return None
    ring = await current().keys.ring(session, row.user_id, row.body)
    count = await asyncio.to_thread(authenticators.next_sign_count, answer, token, _opened(row, ring)[1])
    if count is None:
        log.warning("passkey refused", passkey_id=str(row.id))
        return None
    used = update(Passkey).where(Passkey.id == row.id).values(sign_count=count, last_used_at=func.now())
    await session.execute(used, execution_options={"synchronize_session": False})
    return row.user_id
