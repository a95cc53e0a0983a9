"""The checks, for routes and tools."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import Date, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.checks.findings import find
from app.agents.checks.gathering import gather
from app.agents.checks.legacy import areas
from app.agents.checks.schemas import LegacyCheck, LifeCheck
from app.auth.principal import Principal


async def life_check(
    session: AsyncSession, principal: Principal, vault_ids: Sequence[UUID] | None = None, today: date | None = None
) -> LifeCheck:
    """What is missing, ends soon or contradicts something. Raises `VaultNotFound`."""
    today = today or await _today(session)
    papers = await gather(session, principal, vault_ids)
    return LifeCheck(
        checked_on=today,
        records=len(papers.records),
        documents=len(papers.documents),
        findings=find(papers, today),
    )


async def legacy_check(
    session: AsyncSession, principal: Principal, vault_ids: Sequence[UUID] | None = None, today: date | None = None
) -> LegacyCheck:
    """What is prepared for the people one leaves behind. Raises `VaultNotFound`."""
    today = today or await _today(session)
    found = areas(await gather(session, principal, vault_ids))
    prepared = sum(area.state == "present" for area in found)
    return LegacyCheck(checked_on=today, prepared=prepared, areas=found)


async def _today(session: AsyncSession) -> date:
    return (await session.scalars(select(func.current_date(type_=Date)))).one()
