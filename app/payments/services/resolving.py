"""Commands that were left behind: their process died, their answer did not come, their effects were not fetched."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.logging import get_log, where
from app.db.session import SYSTEM, session_scope
from app.payments.errors import OperationNotFound, PaymentDeclined, ProviderRefused, ProviderUnreachable
from app.payments.models import ProviderOperation
from app.payments.providers.port import Provider
from app.payments.services import operations
from app.payments.services.commands import HANDLERS, Command

NOT_REACHED: Final = "not-reached"

log = get_log(__name__)


async def resolve_due(provider: Provider, limit: int = 20) -> int:
    """Go on with commands whose process died, whose answer did not come, or whose effects were not fetched.

    Returns how many were due. For the system.
    """
    async with session_scope(SYSTEM) as session:
        due = (
            select(ProviderOperation.id)
            .where(
                ProviderOperation.state.in_(operations.UNSETTLED) | _is_unfollowed(),
                ProviderOperation.provider == provider.name,
            )
            .where(ProviderOperation.lease_until <= func.now())
            .order_by(ProviderOperation.lease_until)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        ids = list(await session.scalars(due))
        succeeded = select(ProviderOperation.id, ProviderOperation.provider_id).where(_is_unfollowed())
        made = {
            row.id: row.provider_id for row in await session.execute(succeeded.where(ProviderOperation.id.in_(ids)))
        }
        claimed = await operations.claim(session, select(ProviderOperation.id).where(ProviderOperation.id.in_(ids)))
    for command in claimed:
        await _resolve(provider, command, made)
    return len(claimed)


def _is_unfollowed() -> Any:
    return (ProviderOperation.state == "succeeded") & ProviderOperation.followed_at.is_(None)


async def _resolve(provider: Provider, command: Command, made: Mapping[UUID, str | None]) -> None:
    handler = HANDLERS[command.kind]
    try:
        if command.id in made:
            await operations.follow(provider, command, made[command.id])
        elif not command.is_uncertain and not handler.insists:
            await operations.fail(command, handler, f"refused:{NOT_REACHED}")
        else:
            await operations.run(provider, command)
    except (PaymentDeclined, ProviderRefused, ProviderUnreachable):
        pass  # it is written in the row
    except Exception as error:  # one command that can't be resolved must not hold up the others
        log.error(
            "payment command not resolved",
            operation_id=str(command.id),
            error=type(error).__name__,
            where=where(error),
        )
        await operations.put_back(command, "unknown", insists=True)


async def made_by(session: AsyncSession, operation_id: UUID) -> str | None:
    """The provider's id of what a command has made."""
    made = select(ProviderOperation.provider_id).where(ProviderOperation.id == operation_id)
    provider_id: str | None = await session.scalar(made)
    return provider_id


async def read_operation(session: AsyncSession, family_id: UUID, operation_id: UUID) -> ProviderOperation:
    """A command of a family. Raises `OperationNotFound`."""
    mine = ProviderOperation.id == operation_id, ProviderOperation.family_id == family_id
    row = (await session.scalars(select(ProviderOperation).where(*mine))).one_or_none()
    if row is None:
        raise OperationNotFound
    return row


async def list_unsettled(session: AsyncSession, after: UUID | None, limit: int) -> Sequence[ProviderOperation]:
    """Commands whose outcome is not known, oldest first. For operators."""
    rows = select(ProviderOperation).where(ProviderOperation.state.in_(operations.UNSETTLED))
    rows = rows.order_by(ProviderOperation.id).limit(limit)
    return (await session.scalars(rows.where(ProviderOperation.id > after) if after else rows)).all()
