"""Disputes that operators answer. What they write is sealed until the provider has it, and not kept after."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import select

from app.auth.principal import Principal
from app.db.session import session_scope
from app.payments.errors import DisputeNotFound
from app.payments.models import Dispute
from app.payments.providers.port import Provider
from app.payments.providers.registry import needed_provider
from app.payments.services import operations
from app.payments.services.commands import HANDLERS, Command, Handler, Order, Outcome
from app.payments.services.sync import sync_dispute

ANSWER: Final = "dispute.answer"


async def list_disputes(after: UUID | None, limit: int) -> Sequence[Dispute]:
    """Disputes, newest first. For operators."""
    rows = select(Dispute).order_by(Dispute.id.desc()).limit(limit)
    async with session_scope() as session:
        return (await session.scalars(rows.where(Dispute.id < after) if after else rows)).all()


async def read_dispute(dispute_id: UUID) -> Dispute:
    """A dispute. For operators. Raises `DisputeNotFound`."""
    async with session_scope() as session:
        dispute = (await session.scalars(select(Dispute).where(Dispute.id == dispute_id))).one_or_none()
    if dispute is None:
        raise DisputeNotFound
    return dispute


async def answer_dispute(
    principal: Principal, dispute_id: UUID, evidence: Mapping[str, str], *, submit: bool, cause: UUID
) -> Outcome:
    """Send evidence; once submitted it can't be changed. For operators.

    Raises `DisputeNotFound`, `PaymentsOff`, and what `operations.execute` raises.
    """
    dispute = await read_dispute(dispute_id)
    provider = needed_provider()
    if done := await operations.resume(provider, dispute.family_id, ANSWER, cause):
        return done
    order = Order(
        dispute.family_id, ANSWER, dispute.provider_id, {"submit": submit}, cause, principal.user_id, evidence
    )
    return await operations.execute(provider, order)


async def _answer(provider: Provider, command: Command) -> str | None:
    submit: bool = command.request["submit"]
    return (await provider.answer_dispute(command.operation, command.subject, command.secret, submit=submit)).id


async def _follow(provider: Provider, command: Command, _: str | None) -> None:
    await sync_dispute(provider, command.subject)


HANDLERS[ANSWER] = Handler(_answer, follow=_follow)
