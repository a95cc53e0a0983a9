"""Acts of legacy in the log: the owner's own, and the vault's where somebody reads it. Without the log, no act."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import RELEASED, Principal


def as_nominee(nominee_id: UUID) -> Principal:
    """Who acts by a link that only a nominee has."""
    return Principal(nominee_id, frozenset({RELEASED}), nominee_id=nominee_id)


async def note(
    session: AsyncSession,
    principal: Principal | None,
    owner_id: UUID,
    act: str,
    subject_id: UUID | None,
    **ids: UUID | str | int,
) -> None:
    """Write an act into the owner's log. The session acts for the owner; no principal: the system."""
    await audit.record_own(session, principal, owner_id, f"nominees.{act}", subject_id, **ids)


async def note_own(
    session: AsyncSession, principal: Principal, act: str, subject_id: UUID, **ids: UUID | str | int
) -> None:
    """Write what an owner did into their log."""
    await note(session, principal, principal.user_id, act, subject_id, **ids)


async def note_case(session: AsyncSession, case: Any, kind: str, by: Principal | None) -> None:
    """Write a step of a case into its owner's log."""
    await note(session, by, case["user_id"], f"case_{kind}", case["id"], plan_id=case["plan_id"])


async def note_read(
    session: AsyncSession, nominee: Principal, owner_id: UUID, kind: str, subject_id: UUID | None, vault_id: UUID | None
) -> None:
    """Write what a nominee read into the owner's log and into that of the vault. The session acts for the owner."""
    await note(session, nominee, owner_id, f"{kind}_read", subject_id)
    if vault_id:
        await audit.record(session, nominee, vault_id, f"nominees.{kind}_read", subject_id)
