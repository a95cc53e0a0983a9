"""People who have accepted an invitation into a sealed vault and wait for a client that lets them in."""

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth import service as auth
from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.acting import acting_for
from app.db.session import SYSTEM, Actor
from app.vault.cells import open_body, ring_of, seal_body
from app.vault.errors import AlreadyMember
from app.vault.models import members
from app.vault.sealed.errors import CandidateNotFound, VaultNotSealed
from app.vault.sealed.models import candidates, heads
from app.vault.sealed.schemas import SealedCandidateRead
from app.vault.sealed.service.access import require_sealed
from app.vault.sealed.service.accounts import own_state
from app.vault.service.invitations import use_invitation


async def accept_invitation(session: AsyncSession, principal: Principal, token: str) -> SealedCandidateRead:
    """Wait to be let into the sealed vault that one's own address was invited to; the token works once.

    Raises `InvitationNotFound`, `InvitationForSomebodyElse`, `VaultNotSealed`, `SealedAccountNeeded`, `AlreadyMember`.
    """
    await own_state(session, principal.user_id)
    person = await auth.profile(session, principal.user_id)
    async with acting_for(session, SYSTEM):  # nobody but the system may see it yet: the token proves the right to it
        row = await use_invitation(session, token, person.email)
        vault_id, row_id = row["vault_id"], new_id()
        if await session.scalar(select(heads.c.vault_id).where(heads.c.vault_id == vault_id)) is None:
            raise VaultNotSealed
        member = members.c.vault_id == vault_id, members.c.user_id == principal.user_id
        if await session.scalar(select(members.c.id).where(*member)) is not None:
            raise AlreadyMember
        ring = await ring_of(session, vault_id)
        about = {"name": person.name, "email": person.email}
        granted = {"role": row["role"], "invited_by": row["invited_by"]}
        ids = {"id": row_id, "vault_id": vault_id, "user_id": principal.user_id}
        put = upsert(candidates).values(**ids, **granted, body=seal_body(ring, candidates, row_id, about))
        made = put.on_conflict_do_update(index_elements=["vault_id", "user_id"], set_=granted)
        found = (await session.execute(made.returning(candidates))).mappings().one()
        await audit.record(session, principal, vault_id, "vault.invitation_accepted", principal.user_id, **granted)
    return _read(found, about)


async def list_candidates(session: AsyncSession, principal: Principal, vault_id: UUID) -> list[SealedCandidateRead]:
    """Who waits, the first to accept first. Raises `VaultNotFound`, `VaultNotSealed`, `RoleTooLow`."""
    await require_sealed(session, principal, vault_id, "manage")
    statement = select(candidates).where(candidates.c.vault_id == vault_id).order_by(candidates.c.id)
    async with acting_for(session, Actor.vault(vault_id)):
        rows = (await session.execute(statement)).mappings().all()
    ring = await ring_of(session, vault_id, *(row["body"] for row in rows))
    return [_read(row, open_body(ring, candidates, row["id"], row["body"])) for row in rows]


async def refuse_candidate(session: AsyncSession, principal: Principal, vault_id: UUID, user_id: UUID) -> None:
    """Let somebody wait no longer: who manages the vault, or they themselves.

    Raises `VaultNotFound`, `VaultNotSealed`, `RoleTooLow`, `CandidateNotFound`.
    """
    if user_id != principal.user_id:
        await require_sealed(session, principal, vault_id, "manage")
    this = candidates.c.vault_id == vault_id, candidates.c.user_id == user_id
    async with acting_for(session, Actor.vault(vault_id)):
        if await session.scalar(delete(candidates).where(*this).returning(candidates.c.id)) is None:
            raise CandidateNotFound
        await audit.record(session, principal, vault_id, "vault.candidate_refused", user_id)


def _read(row: object, about: dict[str, str]) -> SealedCandidateRead:
    values = {name: row[name] for name in ("vault_id", "role", "invited_by", "created_at")}  # type: ignore[index]
    return SealedCandidateRead(account_id=row["user_id"], **values, **about)  # type: ignore[index]
