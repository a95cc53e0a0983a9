"""What happens to an account is told to whoever keeps a log of it, in the transaction in which it happens."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal

Recorder: TypeAlias = Callable[[AsyncSession, Principal | None, UUID, str, UUID | None], Awaitable[None]]

_recorders: Final[list[Recorder]] = []


def records_acts(recorder: Recorder) -> Recorder:
    """Register a function that is told of every act; if it fails, the act does."""
    _recorders.append(recorder)
    return recorder


async def note(
    session: AsyncSession, principal: Principal | None, user_id: UUID, action: str, subject_id: UUID | None = None
) -> None:
    """Tell of an act. The session acts for the person or the system; no principal: nobody was signed in."""
    for recorder in _recorders:
        await recorder(session, principal, user_id, action, subject_id)
