"""Which family a customer of a provider is."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.payments.models import BillingCustomer, Family


async def locked_family_of(session: AsyncSession, provider: str, customer_id: str) -> UUID | None:
    """The family that a customer is, locked until the transaction ends; None for customers of somebody else.

    Everything about one family is applied one after another, so nothing that is applied can deadlock.
    """
    mine = BillingCustomer.provider == provider, BillingCustomer.provider_id == customer_id
    family = select(Family.id).join(BillingCustomer, BillingCustomer.family_id == Family.id).where(*mine)
    family_id: UUID | None = await session.scalar(family.with_for_update(of=Family, key_share=True))
    return family_id
