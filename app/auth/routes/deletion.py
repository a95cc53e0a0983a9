"""The end of an account."""

from app.api.deps import SessionDep
from app.api.problems import problems
from app.api.routes import Router
from app.auth import service
from app.auth.errors import NotWaitingForDeletion, OwnershipRemains, SessionNeeded, StepUpRequired
from app.auth.routes.deps import Person
from app.auth.schemas import AccountDeletion, MeRead

router = Router(prefix="/me")


@router.delete("", status_code=202, responses=problems(SessionNeeded, StepUpRequired, OwnershipRemains))
async def delete_me(principal: Person, session: SessionDep) -> AccountDeletion:
    """Delete your account: all sessions and API keys end at once, and after some days everything is destroyed.

    Until `deletion_at` you can sign in and restore it. Vaults that you share must have another owner first; those that
    are yours alone are destroyed with their keys.
    """
    return AccountDeletion(deletion_at=await service.request_deletion(session, principal))


@router.post("/restore", responses=problems(SessionNeeded, NotWaitingForDeletion))
async def restore_me(principal: Person, session: SessionDep) -> MeRead:
    """Keep your account after all. Sign in again for everything but your profile."""
    return await service.restore_account(session, principal)
