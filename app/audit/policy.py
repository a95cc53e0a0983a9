"""Who reads the log of a vault. Who is in a vault is known above, so that room registers the answer here."""

from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.errors import LogForManagers, LogNotFound
from app.auth.principal import Principal

Access: TypeAlias = Literal["member", "manager"]
Answer: TypeAlias = Callable[[AsyncSession, Principal, UUID], Awaitable[Access | None]]

_answers: list[Answer] = []


def decides_access(answer: Answer) -> Answer:
    """Register the function that tells what a principal is in a vault; None for a stranger."""
    _answers[:] = [answer]
    return answer


async def require_member(session: AsyncSession, principal: Principal, vault_id: UUID) -> Access:
    """What a principal is in a vault. Raises `LogNotFound`."""
    access = await _answers[0](session, principal, vault_id) if _answers else None
    if access is None:
        raise LogNotFound
    return access


async def require_manager(session: AsyncSession, principal: Principal, vault_id: UUID) -> None:
    """See that a principal manages a vault. Raises `LogNotFound`, `LogForManagers`."""
    if await require_member(session, principal, vault_id) != "manager":
        raise LogForManagers
