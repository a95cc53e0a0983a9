"""Invitations by e-mail, for people with or without an account."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth import service as auth
from app.auth.parts import throttle
from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.crypto import new_token, token_digest
from app.core.throttle import Limit
from app.db.acting import acting_for
from app.db.keys import KeyRing
from app.db.outbox import emit
from app.db.runtime import current
from app.db.session import SYSTEM, Actor
from app.notifications.service import queue_mail
from app.vault.cells import open_body, ring_of, seal_body
from app.vault.errors import (
    AlreadyMember,
    InvitationForSomebodyElse,
    InvitationNotFound,
    TooManyInvitations,
    VaultNotShared,
    VaultSealed,
)
from app.vault.models import invitations, members, vaults
from app.vault.policy import SEALED, require
from app.vault.schemas.vaults import InvitationCreate, InvitationRead, VaultRead
from app.vault.sealed.models import candidates
from app.vault.service.members import list_members
from app.vault.service.room import require_below
from app.vault.service.vaults import read_vault

BY_PERSON: Final = Limit("invitations", 100, 3_600)
TO_ADDRESS: Final = Limit("invited", 5, 3_600)
OPEN: Final = invitations.c.expires_at > func.now()


async def create_invitation(
    session: AsyncSession, principal: Principal, vault_id: UUID, data: InvitationCreate
) -> InvitationRead:
    """Invite an address and send the token there; an earlier invitation of the same address is replaced.

    Raises `VaultNotFound`, `RoleTooLow`, `VaultNotShared`, `AlreadyMember`, `LimitReached`, `TooManyInvitations`.
    """
    await require(session, principal, vault_id, "manage", any_tier=True)
    vault = await read_vault(session, principal, vault_id)
    if vault.kind == "personal":
        raise VaultNotShared
    present = await list_members(session, principal, vault_id)
    digest = auth.email_digest(data.email)
    if any(auth.email_digest(member.email) == digest for member in present):
        raise AlreadyMember
    await _count(principal, digest)
    ring = await ring_of(session, vault_id)
    token = new_token()
    async with acting_for(session, Actor.vault(vault_id)):
        await session.execute(
            delete(invitations).where(invitations.c.vault_id == vault_id, invitations.c.email_digest == digest)
        )
        await _require_room(session, vault_id)
        row = await _insert(session, principal, ring, vault_id, data, digest, token)
    await _send(session, principal, vault, row["role"], data.email, token)
    await audit.record(session, principal, vault_id, "vault.invitation_created", row["id"], role=data.role)
    return _opened(ring, row)


async def resend_invitation(
    session: AsyncSession, principal: Principal, vault_id: UUID, invitation_id: UUID
) -> InvitationRead:
    """Send an open invitation again, with a new token and a new term.

    Raises `VaultNotFound`, `RoleTooLow`, `InvitationNotFound`, `TooManyInvitations`.
    """
    await require(session, principal, vault_id, "manage", any_tier=True)
    vault = await read_vault(session, principal, vault_id)
    token = new_token()
    again = {"token_digest": token_digest(token), "expires_at": func.now() + _life()}
    this = invitations.c.id == invitation_id, invitations.c.vault_id == vault_id, OPEN
    async with acting_for(session, Actor.vault(vault_id)):
        sent = update(invitations).where(*this).values(again).returning(*invitations.c)
        row = (await session.execute(sent)).mappings().one_or_none()
    if row is None:
        raise InvitationNotFound
    await _count(principal, row["email_digest"])
    shown = _opened(await ring_of(session, vault_id, row["body"]), row)
    await _send(session, principal, vault, shown.role, shown.email, token)
    await audit.record(session, principal, vault_id, "vault.invitation_resent", invitation_id)
    return shown


async def _send(
    session: AsyncSession, principal: Principal, vault: VaultRead, role: str, email: str, token: str
) -> None:
    inviter = await auth.profile(session, principal.user_id)
    async with acting_for(session, Actor.vault(vault.id)):
        await queue_mail(
            session,
            owner_id=vault.id,
            to=email,
            template="invitation",
            vault=vault.name,
            inviter=inviter.name,
            role=role,
            token=token,
            hours=str(current().settings.invitation_seconds // 3600),
        )


def _life() -> timedelta:
    return timedelta(seconds=current().settings.invitation_seconds)


async def _count(principal: Principal, digest: bytes) -> None:
    """Nobody's mailbox is to be flooded through us. Raises `TooManyInvitations`."""
    counted = throttle()
    wait = await counted.hit(BY_PERSON, principal.user_id.hex) or await counted.hit(TO_ADDRESS, digest.hex())
    if wait:
        raise TooManyInvitations(f"Try again in {wait} seconds", headers={"Retry-After": str(wait)})


async def _require_room(session: AsyncSession, vault_id: UUID) -> None:
    present = select(func.count()).select_from(members).where(members.c.vault_id == vault_id)
    waiting = select(func.count()).select_from(invitations).where(invitations.c.vault_id == vault_id, OPEN)
    accepted = select(func.count()).select_from(candidates).where(candidates.c.vault_id == vault_id)
    both = select(present.scalar_subquery() + waiting.scalar_subquery() + accepted.scalar_subquery())
    refusal = "The vault has as many members and open invitations as it may"
    await require_below(session, both, current().settings.members_per_vault, vault_id, refusal)


async def _insert(
    session: AsyncSession,
    principal: Principal,
    ring: KeyRing,
    vault_id: UUID,
    data: InvitationCreate,
    digest: bytes,
    token: str,
) -> Any:
    invitation_id = new_id()
    values = {
        "id": invitation_id,
        "vault_id": vault_id,
        "role": data.role,
        "token_digest": token_digest(token),
        "email_digest": digest,
        "body": seal_body(ring, invitations, invitation_id, {"email": data.email}),
        "invited_by": principal.user_id,
        "expires_at": func.now() + _life(),
    }
    return (await session.execute(insert(invitations).values(values).returning(invitations))).mappings().one()


async def list_invitations(session: AsyncSession, principal: Principal, vault_id: UUID) -> list[InvitationRead]:
    """The open invitations of a vault, the oldest first. Raises `VaultNotFound`, `RoleTooLow`."""
    await require(session, principal, vault_id, "manage", any_tier=True)
    statement = select(invitations).where(invitations.c.vault_id == vault_id, OPEN).order_by(invitations.c.id)
    async with acting_for(session, Actor.vault(vault_id)):
        rows = (await session.execute(statement)).mappings().all()
    ring = await ring_of(session, vault_id, *(row["body"] for row in rows))
    return [_opened(ring, row) for row in rows]


async def revoke_invitation(session: AsyncSession, principal: Principal, vault_id: UUID, invitation_id: UUID) -> None:
    """Make an invitation useless. Raises `VaultNotFound`, `RoleTooLow`, `InvitationNotFound`."""
    await require(session, principal, vault_id, "manage", any_tier=True)
    this = invitations.c.id == invitation_id, invitations.c.vault_id == vault_id
    async with acting_for(session, Actor.vault(vault_id)):
        if await session.scalar(delete(invitations).where(*this).returning(invitations.c.id)) is None:
            raise InvitationNotFound
        await audit.record(session, principal, vault_id, "vault.invitation_revoked", invitation_id)


async def accept_invitation(session: AsyncSession, principal: Principal, token: str) -> VaultRead:
    """Become a member of the vault that the principal's own address was invited to; the token works once.

    Raises `InvitationNotFound`, `InvitationForSomebodyElse`, `AlreadyMember`; `VaultSealed` for one into which a
    client lets people. Emits `vault.member_added`.
    """
    person = await auth.profile(session, principal.user_id)
    async with acting_for(session, SYSTEM):  # nobody but the system may see it yet: the token proves the right to it
        row = await use_invitation(session, token, person.email)
        vault_id, member_id = row["vault_id"], new_id()
        if await session.scalar(select(vaults.c.tier).where(vaults.c.id == vault_id)) == SEALED:
            raise VaultSealed("Accept it with a client, at /v1/vault/sealed/invitations/accept")
        ring = await ring_of(session, vault_id)
        body = seal_body(ring, members, member_id, {"name": person.name, "email": person.email})
        values = {"id": member_id, "vault_id": vault_id, "user_id": principal.user_id, "role": row["role"]}
        joined = upsert(members).values(**values, body=body).on_conflict_do_nothing().returning(members.c.id)
        if await session.scalar(joined) is None:
            raise AlreadyMember
        ids = {"role": row["role"], "invitation_id": row["id"], "invited_by": row["invited_by"]}
        await audit.record(session, principal, vault_id, "vault.member_added", principal.user_id, **ids)
    await emit(session, "vault.member_added", vault_id=vault_id, user_id=principal.user_id)
    return await read_vault(session, principal, vault_id)


async def use_invitation(session: AsyncSession, token: str, email: str) -> Any:
    """Take the open invitation of this token and address; the row is gone then. For the system.

    Raises `InvitationNotFound`, `InvitationForSomebodyElse`.
    """
    used = delete(invitations).where(invitations.c.token_digest == token_digest(token), OPEN)
    row = (await session.execute(used.returning(invitations))).mappings().one_or_none()
    if row is None or not await _is_live(session, row["vault_id"]):
        raise InvitationNotFound
    if row["email_digest"] != auth.email_digest(email):
        raise InvitationForSomebodyElse
    return row


async def _is_live(session: AsyncSession, vault_id: UUID) -> bool:
    live = select(vaults.c.id).where(vaults.c.id == vault_id, vaults.c.trashed_at.is_(None))
    return await session.scalar(live) is not None


def _opened(ring: KeyRing, row: Any) -> InvitationRead:
    return InvitationRead(
        id=row["id"],
        vault_id=row["vault_id"],
        email=open_body(ring, invitations, row["id"], row["body"])["email"],
        role=row["role"],
        invited_by=row["invited_by"],
        expires_at=row["expires_at"],
        created_at=row["created_at"],
    )
