"""Money given back by an operator: never more than is left, whoever asks at once.

What is asked for is reserved at the payment in the transaction that writes the refund down, and given up when the
provider refuses, or when the payment has been fetched with the refund in it.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import session_scope
from app.payments.errors import NotSoMuchLeft, OperationRunning, PaymentNotFound
from app.payments.models import Payment, Refund
from app.payments.providers.port import Provider
from app.payments.providers.registry import needed_provider
from app.payments.services import operations, resolving
from app.payments.services.commands import HANDLERS, Command, Handler, Order, Outcome
from app.payments.services.sync import sync_refund

CREATE: Final = "refund.create"


async def create_refund(payment_id: UUID, amount_cents: int | None, reason: str, cause: UUID) -> Outcome:
    """Give back an amount, or what is left. For operators.

    Raises `PaymentNotFound`, `NotSoMuchLeft`, `PaymentsOff`, and what `operations.execute` raises.
    """
    async with session_scope() as session:
        payment = (await session.scalars(select(Payment).where(Payment.id == payment_id))).one_or_none()
    if payment is None:
        raise PaymentNotFound
    provider = needed_provider()
    if done := await operations.resume(provider, payment.family_id, CREATE, cause):
        return done
    left = payment.received_cents - payment.refunded_cents - payment.refunding_cents
    amount = left if amount_cents is None else amount_cents
    if amount <= 0 or payment.is_disputed or payment.provider != provider.name:
        raise NotSoMuchLeft

    async def prepare(session: AsyncSession, _: UUID) -> None:
        await _reserve(session, payment_id, amount)

    request = {"payment": str(payment_id), "amount_cents": amount, "reason": reason}
    order = Order(payment.family_id, CREATE, payment.provider_id, request, cause, prepare=prepare)
    return await operations.execute(provider, order)


async def _reserve(session: AsyncSession, payment_id: UUID, amount_cents: int) -> None:
    room = Payment.refunded_cents + Payment.refunding_cents + amount_cents <= Payment.received_cents
    taken = update(Payment).where(Payment.id == payment_id, room)
    taken = taken.values(refunding_cents=Payment.refunding_cents + amount_cents)
    if await session.scalar(taken.returning(Payment.id)) is None:
        raise NotSoMuchLeft


async def read_refund(operation_id: UUID) -> Refund:
    """The refund that a command has made. For operators. Raises `OperationRunning` while it is not fetched yet."""
    async with session_scope() as session:
        made = await resolving.made_by(session, operation_id)
        mine = select(Refund).where(Refund.provider_id == made)
        refund = (await session.scalars(mine)).one_or_none()
    if refund is None:
        raise OperationRunning(operation_id=str(operation_id), headers=operations.RETRY_AFTER)
    return refund


async def _create(provider: Provider, command: Command) -> str | None:
    amount, reason = command.request["amount_cents"], command.request["reason"]
    refund = await provider.create_refund(command.operation, command.subject, amount_cents=amount, reason=reason)
    return refund.id


async def _give_up(session: AsyncSession, command: Command) -> None:
    mine = update(Payment).where(Payment.id == UUID(command.request["payment"]))
    await session.execute(mine.values(refunding_cents=Payment.refunding_cents - command.request["amount_cents"]))


async def _follow(provider: Provider, _: Command, provider_id: str | None) -> None:
    await sync_refund(provider, provider_id or "")


async def _finish(session: AsyncSession, command: Command, provider_id: str | None) -> None:
    await _give_up(session, command)
    mine = update(Refund).where(Refund.provider_id == provider_id, Refund.family_id == command.family_id)
    await session.execute(mine.values(operation_id=command.id))


HANDLERS[CREATE] = Handler(_create, find="refund", undo=_give_up, follow=_follow, finish=_finish)
