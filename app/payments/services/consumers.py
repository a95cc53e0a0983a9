"""Consumers of a marketplace: a family of its own each, on the plan that the marketplace has sold, and what it used.

The marketplace takes the money. We count requests and credits, tell it of credits with each answer, and post what it
owes us when its monthly statement comes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Uuid, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.auth.principal import Principal
from app.core.cache import Made
from app.core.crypto import lookup_digest
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
FREE: Final = "free"

_COUNT: Final = Statement(select(func.payments_count_consumer(bindparam("family_id", type_=Uuid()))))


@dataclass(frozen=True, slots=True)
class Consumer:
    """Who asks by way of a marketplace, and how many requests a minute their plan allows; None is no limit."""

    principal: Principal
    family_id: UUID
    per_minute: int | None


async def find_consumer(subject: str, tier: str) -> Consumer:
    """The consumer that the proxy names, on the plan of their subscription there; made with their first request."""
    runtime = current()
    key = lookup_digest(runtime.settings.lookup_key_bytes, "consumers.cache", f"{subject}\0{tier}").hex()

    async def make() -> Made:
        consumer = await _open(subject, tier)
        tags = f"user:{consumer.principal.user_id}", f"family:{consumer.family_id}"
        return Made(_written(consumer), tags)

    return _read(await runtime.cache.get("consumers", key, REMEMBER_SECONDS, make))


def _written(consumer: Consumer) -> dict[str, Any]:
    principal = consumer.principal
    return {
        "user_id": str(principal.user_id),
        "scopes": sorted(principal.scopes),
        "identity_id": str(principal.identity_id) if principal.identity_id else None,
        "family_id": str(consumer.family_id),
        "per_minute": consumer.per_minute,
    }


def _read(kept: Mapping[str, Any]) -> Consumer:
    identity_id = UUID(kept["identity_id"]) if kept["identity_id"] else None
    principal = Principal(UUID(kept["user_id"]), frozenset(kept["scopes"]), identity_id=identity_id)
    return Consumer(principal, UUID(kept["family_id"]), kept["per_minute"])


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
