"""Accounts at foreign issuers: whose token opens which account of ours.

An account is found by issuer and subject, never by an address, which may have another owner there tomorrow. Somebody
whose address has an account already links the two while signed in.
"""

import time
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import bindparam, delete, literal_column, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.accounts import add_user, mark_verified
from app.auth.acts import note
from app.auth.addresses import valid_email
from app.auth.errors import IdentityNotFound, IdentityTaken, UnknownIdentity
from app.auth.issuer_keys import issuers
from app.auth.models import Identity, User
from app.auth.parts import per_runtime
from app.auth.presence import SEEN_SECONDS, note_presence
from app.auth.principal import SCOPES, Principal
from app.auth.profiles import Profile
from app.auth.schemas import IdentityRead
from app.auth.seen import Seen
from app.auth.step_up import require_recent
from app.auth.tokens import Verified
from app.core.clock import new_id
from app.core.crypto import length_prefixed, lookup_digest
from app.core.foreign_tokens import ForeignClaims, take_apart, verify
from app.core.issuers import ForeignIssuer
from app.core.security import InvalidToken
from app.db.keys import KeyRing
from app.db.runtime import Runtime, current
from app.db.session import enter, session_scope
from app.db.statements import Statement

REMEMBER_SECONDS: Final = 60
LONGEST_NAME: Final = 200

IS_LINKED = Statement(
    select(literal_column("1"))
    .join_from(Identity, User, User.id == Identity.user_id)
    .where(
        Identity.id == bindparam("identity_id"), Identity.user_id == bindparam("user_id"), User.deletion_at.is_(None)
    )
)


async def enter_by_foreign_token(session: AsyncSession, token: str) -> Principal:
    """Begin the transaction of a request for the account of a foreign token; somebody new may get one.

    Raises `InvalidToken`, `UnknownIdentity`, `IssuerUnavailable`.
    """
    principal = _verified().get(token)
    if principal is None:
        issuer, claims = await _verify(token)
        principal = await _principal(issuer, claims)
        _verified().add(token, min(claims.expires_at, int(time.time()) + REMEMBER_SECONDS), principal)
    await enter_linked(session, principal)
    return principal


async def enter_linked(session: AsyncSession, principal: Principal) -> None:
    """Begin the transaction of somebody who comes by a foreign account, if it still opens theirs.

    Raises `UnknownIdentity`.
    """
    assert principal.identity_id  # noqa: S101
    question = IS_LINKED.with_ids(identity_id=principal.identity_id, user_id=principal.user_id)
    if not await enter(session, principal.actor, question):
        raise UnknownIdentity
    if _seen().is_stale(principal.user_id):
        await _seen().mark(principal.user_id, note_presence(principal.user_id))


@per_runtime
def _seen(_: Runtime) -> Seen:
    return Seen(SEEN_SECONDS)


@per_runtime
def _verified(_: Runtime) -> Verified:
    return Verified()


async def _verify(token: str) -> tuple[ForeignIssuer, ForeignClaims]:
    if not issuers():
        raise InvalidToken
    signed = take_apart(token)
    issuer, keys = issuers().get(signed.issuer, (None, None))
    if issuer is None or keys is None or signed.algorithm not in issuer.algorithms:
        raise InvalidToken
    key = await keys.find(signed.key_id, signed.algorithm)
    if key is None:
        raise InvalidToken
    return issuer, verify(signed, issuer, key)


async def _principal(issuer: ForeignIssuer, claims: ForeignClaims) -> Principal:
    identity = await find_identity(claims.issuer, claims.subject)
    if identity is None:
        await _create(issuer, claims)
        identity = await find_identity(claims.issuer, claims.subject)
    if identity is None:
        raise UnknownIdentity
    scopes = frozenset(issuer.scope.split() or SCOPES)
    return Principal(identity.user_id, scopes & SCOPES.keys(), identity_id=identity.id)


async def find_identity(issuer: str, subject: str) -> Identity | None:
    """Which account of ours an account of an issuer opens."""
    async with session_scope() as session:
        found: Identity | None = await session.scalar(
            select(Identity).where(Identity.digest == _digest(issuer, subject))
        )
    return found


def _digest(issuer: str, subject: str) -> bytes:
    parts = length_prefixed(issuer.encode(), subject.encode())
    return lookup_digest(current().settings.lookup_key_bytes, "auth_identities.digest", parts.hex())


async def _create(issuer: ForeignIssuer, claims: ForeignClaims) -> None:
    """An account for somebody new, if the settings allow it; of two requests at once, one makes it."""
    if not issuer.create_accounts or claims.email is None:
        raise UnknownIdentity
    try:
        email = valid_email(claims.email)
    except ValueError:
        raise UnknownIdentity from None
    name = " ".join((claims.name or "").split())[:LONGEST_NAME] or email.partition("@")[0]
    async with session_scope() as session:
        user_id, is_new = await add_user(session, Profile(email, name), None)
        if is_new:
            await mark_verified(session, user_id)
            await link_identity(session, user_id, claims.issuer, claims.subject)
        else:
            await current().keys.destroy(session, user_id)


async def link_identity(session: AsyncSession, user_id: UUID, issuer: str, subject: str) -> Identity:
    """Let an account of an issuer open one of ours. Raises `IdentityTaken`."""
    row_id = new_id()
    ring = await current().keys.ring(session, user_id)
    body = orjson.dumps({"issuer": issuer, "subject": subject})
    cell = ring.seal("auth_identities", row_id, "body", body)
    made = upsert(Identity).values(id=row_id, user_id=user_id, digest=_digest(issuer, subject), body=cell)
    added = made.on_conflict_do_nothing(index_elements=[Identity.digest]).returning(Identity)
    row: Identity | None = await session.scalar(added)
    if row is None:
        raise IdentityTaken
    return row


async def create_identity(session: AsyncSession, principal: Principal, token: str) -> IdentityRead:
    """Let a foreign account open the principal's.

    Raises `SessionNeeded`, `StepUpRequired`, `InvalidToken`, `IssuerUnavailable`, `IdentityTaken`.
    """
    await require_recent(session, principal)
    _, claims = await _verify(token)
    row = await link_identity(session, principal.user_id, claims.issuer, claims.subject)
    await note(session, principal, principal.user_id, "auth.identity_created", row.id)
    return _read(row, await current().keys.ring(session, principal.user_id, row.body))


async def list_identities(
    session: AsyncSession, principal: Principal, after: UUID | None, limit: int
) -> tuple[list[IdentityRead], UUID | None]:
    """What opens the principal's account, newest first, older than `after`; with the last id if there are more."""
    statement = select(Identity).where(Identity.user_id == principal.user_id)
    if after:
        statement = statement.where(Identity.id < after)
    rows = (await session.scalars(statement.order_by(Identity.id.desc()).limit(limit + 1))).all()
    ring = await current().keys.ring(session, principal.user_id, *(row.body for row in rows))
    items = [_read(row, ring) for row in rows[:limit]]
    return items, items[-1].id if len(rows) > limit else None


def _read(row: Identity, ring: KeyRing) -> IdentityRead:
    content = orjson.loads(ring.open("auth_identities", row.id, "body", row.body))
    return IdentityRead(id=row.id, created_at=row.created_at, **content)


async def delete_identity(session: AsyncSession, principal: Principal, identity_id: UUID) -> None:
    """Let a foreign account open the principal's no more, at once. Raises `StepUpRequired`, `IdentityNotFound`."""
    await require_recent(session, principal)
    mine = Identity.id == identity_id, Identity.user_id == principal.user_id
    if await session.scalar(delete(Identity).where(*mine).returning(Identity.id)) is None:
        raise IdentityNotFound
    await note(session, principal, principal.user_id, "auth.identity_deleted", identity_id)
