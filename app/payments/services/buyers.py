"""A family as a customer of the provider: made when it first pays, once."""

from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.core.clock import new_id
from app.db.session import session_scope
from app.payments.errors import OperationRunning, ProviderUnreachable
from app.payments.models import BillingCustomer, Family
from app.payments.providers.port import Missing, Provider, Refused
from app.payments.services import operations
from app.payments.services.commands import HANDLERS, Command, Handler, Order

CREATE: Final = "customer.create"
UPDATE: Final = "customer.update"
DELETE: Final = "customer.delete"
MISMATCH: Final = "idempotency-mismatch"
RETRY_AFTER: Final = {"Retry-After": "2"}


async def find_customer(session: AsyncSession, provider: Provider, family_id: UUID) -> str | None:
    """The id of a family at the provider, if it has paid there before."""
    mine = BillingCustomer.family_id == family_id, BillingCustomer.provider == provider.name
    there = select(BillingCustomer.provider_id).where(*mine, BillingCustomer.livemode == provider.livemode)
    found: str | None = await session.scalar(there)
    return found


async def customer_of(provider: Provider, family_id: UUID) -> str:
    """The id of a family at the provider, made on first use.

    Raises `OperationRunning` while it is being made by another request, and what `operations.execute` raises.
    """
    async with session_scope() as session:
        known = await find_customer(session, provider, family_id)
    if known:
        return known
    subject = f"{provider.name}:{'live' if provider.livemode else 'test'}:{family_id}"
    order = Order(family_id, CREATE, subject, {"provider": provider.name, "livemode": provider.livemode})
    outcome = await operations.execute(provider, order)
    if outcome.state == "unknown":
        raise ProviderUnreachable(headers=RETRY_AFTER)
    if outcome.provider_id is None:
        raise OperationRunning(operation_id=str(outcome.operation_id), headers=RETRY_AFTER)
    return outcome.provider_id


async def _create(provider: Provider, command: Command) -> str | None:
    """Make the customer; if the person has changed their name since the first try, that one is found."""
    person = await _payer(command.family_id)
    try:
        return await provider.create_customer(
            command.operation, family_id=command.family_id, email=person.email, name=person.name
        )
    except Refused as error:
        found = await provider.find("customer", command.operation, None) if error.code == MISMATCH else None
        if found is None:
            raise
        return found


async def _payer(family_id: UUID) -> auth.Profile:
    async with session_scope() as session:
        owner_id = await session.scalar(select(Family.owner_id).where(Family.id == family_id))
        person = await auth.find_profile(session, owner_id) if owner_id else None
    if person is None:
        raise Missing("no-payer")
    return person


async def _keep(session: AsyncSession, command: Command, provider_id: str | None) -> None:
    values = {"id": new_id(), "family_id": command.family_id, "provider_id": provider_id, **command.request}
    await session.execute(upsert(BillingCustomer).values(**values).on_conflict_do_nothing())


async def follow_profile(provider: Provider, user_id: UUID) -> None:
    """Tell the provider what a payer is called now; it is sent until it arrives."""
    async with session_scope() as session:
        family_id = await session.scalar(select(Family.id).where(Family.owner_id == user_id))
        customer = await find_customer(session, provider, family_id) if family_id else None
    if family_id and customer:
        await operations.execute(provider, Order(family_id, UPDATE, customer, {"customer_id": customer}))


async def forget(provider: Provider, family_id: UUID) -> None:
    """Let the provider forget who somebody was that leaves for good; it is sent until it arrives."""
    async with session_scope() as session:
        customer = await find_customer(session, provider, family_id)
    if customer:
        await operations.execute(provider, Order(family_id, DELETE, customer))


async def _delete(provider: Provider, command: Command) -> str | None:
    await provider.delete_customer(command.operation, command.subject)
    return command.subject


async def _update(provider: Provider, command: Command) -> str | None:
    person, customer = await _payer(command.family_id), command.request["customer_id"]
    await provider.update_customer(command.operation, customer, email=person.email, name=person.name)
    return str(customer)


HANDLERS[CREATE] = Handler(_create, find="customer", done=_keep)
HANDLERS[DELETE] = Handler(_delete, insists=True)
HANDLERS[UPDATE] = Handler(_update, insists=True)
