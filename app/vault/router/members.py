"""Routes of members and invitations."""

from uuid import UUID

from fastapi import Response

from app.api.conditional import LISTED, IfNoneMatch, unless_same
from app.api.deps import SessionDep
from app.api.idempotency import idempotent
from app.api.problems import problems
from app.api.routes import Router
from app.vault import service
from app.vault.errors import (
    AlreadyMember,
    InvitationForSomebodyElse,
    InvitationNotFound,
    LimitReached,
    MemberNotFound,
    OwnerStays,
    RoleTooLow,
    TooManyInvitations,
    VaultNotFound,
    VaultNotShared,
    VaultSealed,
)
from app.vault.router.access import Reader, Writer
from app.vault.schemas.vaults import (
    InvitationAccept,
    InvitationCreate,
    InvitationList,
    InvitationRead,
    MemberList,
    MemberRead,
    MemberUpdate,
    VaultRead,
)

router = Router()


@router.get("/vaults/{vault_id}/members", response_model=MemberList, responses={**LISTED, **problems(VaultNotFound)})
async def list_members(
    vault_id: UUID, principal: Reader, session: SessionDep, if_none_match: IfNoneMatch = None
) -> Response:
    """List everybody in a vault."""
    found = await service.list_members(session, principal, vault_id)
    return unless_same(MemberList(items=found), if_none_match)


@router.patch(
    "/vaults/{vault_id}/members/{user_id}",
    responses=problems(VaultNotFound, MemberNotFound, RoleTooLow, OwnerStays, VaultSealed),
)
async def update_member(
    vault_id: UUID, user_id: UUID, data: MemberUpdate, principal: Writer, session: SessionDep
) -> MemberRead:
    """Give a member another role. Admins only.

    viewer: read · editor: also change items and documents · admin: also rename the vault and manage members.
    Who owns the vault is changed by an offer, see …/transfer.
    """
    return await service.update_member(session, principal, vault_id, user_id, data.role)


@router.delete(
    "/vaults/{vault_id}/members/{user_id}",
    status_code=204,
    responses=problems(VaultNotFound, MemberNotFound, RoleTooLow, OwnerStays),
)
async def remove_member(vault_id: UUID, user_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Remove a member, or leave. Access ends at once. Admins only, except for leaving.

    A sealed vault wants a new epoch then, which the client of somebody who manages it begins.
    """
    await service.remove_member(session, principal, vault_id, user_id)


@router.post("/vaults/{vault_id}/leave", status_code=204, responses=problems(VaultNotFound, OwnerStays))
async def leave_vault(vault_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Leave a vault. Its owner hands it over first."""
    await service.remove_member(session, principal, vault_id, principal.user_id)


@router.post(
    "/vaults/{vault_id}/invitations",
    status_code=201,
    responses=problems(VaultNotFound, RoleTooLow, VaultNotShared, AlreadyMember, LimitReached, TooManyInvitations),
)
@idempotent()
async def create_invitation(
    vault_id: UUID, data: InvitationCreate, principal: Writer, session: SessionDep
) -> InvitationRead:
    """Invite somebody by e-mail, with or without an account. Admins only.

    The token in the e-mail works once, for an account with this address. Inviting again replaces the earlier one.
    """
    return await service.create_invitation(session, principal, vault_id, data)


@router.post(
    "/vaults/{vault_id}/invitations/{invitation_id}/resend",
    responses=problems(VaultNotFound, InvitationNotFound, RoleTooLow, TooManyInvitations),
)
async def resend_invitation(
    vault_id: UUID, invitation_id: UUID, principal: Writer, session: SessionDep
) -> InvitationRead:
    """Send an open invitation again, with a new token and a new term; the token before is void. Admins only."""
    return await service.resend_invitation(session, principal, vault_id, invitation_id)


@router.get("/vaults/{vault_id}/invitations", responses=problems(VaultNotFound, RoleTooLow))
async def list_invitations(vault_id: UUID, principal: Reader, session: SessionDep) -> InvitationList:
    """List the open invitations of a vault. Admins only."""
    return InvitationList(items=await service.list_invitations(session, principal, vault_id))


@router.delete(
    "/vaults/{vault_id}/invitations/{invitation_id}",
    status_code=204,
    responses=problems(VaultNotFound, InvitationNotFound, RoleTooLow),
)
async def revoke_invitation(vault_id: UUID, invitation_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Revoke an invitation. Admins only."""
    await service.revoke_invitation(session, principal, vault_id, invitation_id)


@router.post(
    "/invitations/accept", responses=problems(InvitationNotFound, InvitationForSomebodyElse, AlreadyMember, VaultSealed)
)
async def accept_invitation(data: InvitationAccept, principal: Writer, session: SessionDep) -> VaultRead:
    """Accept an invitation that was sent to the address of your account; you see the vault from now on.

    One into a sealed vault is accepted at /v1/vault/sealed/invitations/accept.
    """
    return await service.accept_invitation(session, principal, data.token)
