"""The log of a person's own account: what auth tells of it."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.recording import record_own
from app.auth.acts import records_acts
from app.auth.principal import Principal


@records_acts
async def record_act(
    session: AsyncSession, principal: Principal | None, user_id: UUID, action: str, subject_id: UUID | None
) -> None:
    """Write what happened to an account into its log."""
    await record_own(session, principal, user_id, action, subject_id)
