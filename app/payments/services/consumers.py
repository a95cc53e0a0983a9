"""Consumers of a marketplace: a family of its own each, on the plan that the marketplace has sold, and what it used.

The marketplace takes the money. We count requests and credits, tell it of credits with each answer, and post what it
owes us when its monthly statement comes.
"""

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Row, Uuid, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.auth.principal import Principal
from app.db.runtime import current
from app.db.session import session_scope
from app.db.statements import Statement
from app.payments.models.consumers import ConsumerMonth
from app.payments.models.families import Family
from app.payments.schemas.consumers import StatementPosted, StatementWrite
from app.payments.services import families, grants, ledger
from app.payments.services.access import access_of
from app.payments.services.ledger import MARKETPLACE_FEE, RECEIVABLE, REVENUE, Leg

RAPIDAPI: Final = "rapidapi"
STATEMENT: Final = "marketplace.statement"
REMEMBER_SECONDS: Final = 60
REMEMBER: Final = 10_000
FREE: Final = "free"

_COUNT: Final = Statement(select(func.payments_count_consumer(bindparam("family_id", type_=Uuid()))))
_remembered: OrderedDict[tuple[str, str], tuple[float, "Consumer"]] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Consumer:
    """Who asks by way of a marketplace, and how many requests a minute their plan allows; None is no limit."""

    principal: Principal
    family_id: UUID
    per_minute: int | None


async def find_consumer(subject: str, tier: str) -> Consumer:
    """The consumer that the proxy names, on the plan of their subscription there; made with their first request."""
    until, consumer = _remembered.get((subject, tier), (0.0, None))
    if consumer is None or until < time.monotonic():
        consumer = await _open(subject, tier)
        _remembered[subject, tier] = (time.monotonic() + REMEMBER_SECONDS, consumer)
        _remembered.move_to_end((subject, tier))
        if len(_remembered) > REMEMBER:
            _remembered.popitem(last=False)
    return consumer


async def _open(subject: str, tier: str) -> Consumer:
    principal = await auth.consumer_account(RAPIDAPI, subject)
    async with session_scope() as session:
        family_id = await families.family_of(session, principal.user_id)
        before = await session.scalar(select(Family.granted_plan_version_id).where(Family.id == family_id))
        access = await access_of(session, family_id)
    sold = current().settings.rapidapi_plan_codes.get(tier.upper(), FREE)
    if (access.plan_code if before else FREE) != sold:
        await grants.grant_plan(family_id, None if sold == FREE else sold)
        async with session_scope() as session:
            access = await access_of(session, family_id)
    return Consumer(principal, family_id, access.limits.get("api_requests_per_minute"))


async def count(consumer: Consumer) -> int:
    """Count one request; returns the credits that were used and not told yet, and takes them for told."""
    async with session_scope() as session:
        untold: int = await _COUNT.scalar(session, family_id=consumer.family_id)
    return untold


async def list_months(session: AsyncSession, month: str) -> Sequence[Row[UUID, str, int, int]]:
    """What each consumer used in a month (`2026-11`), the busiest first. For operators."""
    columns = ConsumerMonth.family_id, ConsumerMonth.month, ConsumerMonth.requests, ConsumerMonth.credits
    busiest = ConsumerMonth.requests.desc(), ConsumerMonth.family_id
    return (await session.execute(select(*columns).where(ConsumerMonth.month == month).order_by(*busiest))).all()


async def post_statement(session: AsyncSession, data: StatementWrite, now: datetime) -> StatementPosted:
    """Post one line of a marketplace's monthly statement, once: what it owes us, and what it keeps. For operators."""
    reference = f"{RAPIDAPI}:{data.month}:{data.line}"
    legs = [
        Leg(RECEIVABLE, RAPIDAPI, data.currency, data.gross_cents - data.fee_cents),
        Leg(MARKETPLACE_FEE, RAPIDAPI, data.currency, data.fee_cents),
        Leg(REVENUE, RAPIDAPI, data.currency, -data.gross_cents),
    ]
    is_new = await ledger.post(session, kind=STATEMENT, reference=reference, legs=legs, family_id=None, occurred_at=now)
    return StatementPosted(reference=reference, is_new=is_new)
