"""Signals about payments that look unusual, each with its weight and its words. They add friction, never more.

Nobody is locked out of anything they have: whoever passes the threshold confirms their e-mail address before the next
checkout, and that is all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.auth.principal import Principal
from app.db.acting import acting_for
from app.db.session import SYSTEM
from app.payments.errors import VerifyEmailFirst
from app.payments.models import Dispute, Payment, ProviderOperation

THRESHOLD: Final = 50
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
MANY_CHECKOUTS: Final = 5
MANY_FAILURES: Final = 3
MANY_CARDS: Final = 4
MANY_COUNTRIES: Final = 3
THROWAWAY: Final = frozenset(
    {
        "10minutemail.com",
        "dispostable.com",
        "fakeinbox.com",
        "getairmail.com",
        "getnada.com",
        "guerrillamail.com",
        "maildrop.cc",
        "mailinator.com",
        "mailnesia.com",
        "mintemail.com",
        "mohmal.com",
        "sharklasers.com",
        "spamgourmet.com",
        "temp-mail.org",
        "tempmail.com",
        "throwawaymail.com",
        "trashmail.com",
        "yopmail.com",
    }
)
"""Domains that give a mailbox to everybody for minutes."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known about somebody who wants to pay."""

    domain: str
    checkouts_in_hour: int = 0
    failures_in_day: int = 0
    cards_in_day: int = 0
    countries_in_day: int = 0
    disputes: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason, in words, and what it weighs."""

    weight: int
    reason: str


def assess(signals: Signals) -> Sequence[Finding]:
    """What is unusual, the heaviest first; the sum of the weights is the score."""
    rules = (
        (signals.domain in THROWAWAY, 50, "the e-mail address is of a service for throw-away addresses"),
        (signals.checkouts_in_hour >= MANY_CHECKOUTS, 30, "many checkouts were begun within an hour"),
        (signals.failures_in_day >= MANY_FAILURES, 40, "several payments failed within a day"),
        (signals.cards_in_day >= MANY_CARDS, 40, "many different cards were tried within a day"),
        (signals.countries_in_day >= MANY_COUNTRIES, 30, "the cards are from several countries"),
        (signals.disputes > 0, 30, "an earlier payment was disputed"),
    )
    found = [Finding(weight, reason) for applies, weight, reason in rules if applies]
    return sorted(found, key=lambda each: -each.weight)


async def require_trust(session: AsyncSession, principal: Principal, family_id: UUID) -> None:
    """See that nothing is unusual, or the address is confirmed. Raises `VerifyEmailFirst` with the reasons."""
    me = await auth.read_me(session, principal)
    if me.email_verified:
        return
    async with acting_for(session, SYSTEM):
        found = assess(await _signals(session, family_id, me.email))
    if sum(each.weight for each in found) >= THRESHOLD:
        raise VerifyEmailFirst(reasons=[each.reason for each in found])


async def _signals(session: AsyncSession, family_id: UUID, email: str) -> Signals:
    recent = Payment.family_id == family_id, Payment.created_at > func.now() - DAY
    cards = select(
        func.count().filter(Payment.failure_code.is_not(None)),
        func.count(Payment.card_digest.distinct()),
        func.count(Payment.card_country.distinct()),
    )
    failures, different, countries = (await session.execute(cards.where(*recent))).one()
    begun = ProviderOperation.family_id == family_id, ProviderOperation.created_at > func.now() - HOUR
    checkouts = select(func.count()).where(*begun, ProviderOperation.kind == "checkout.create")
    disputes = select(func.count()).where(Dispute.family_id == family_id)
    return Signals(
        domain=email.rpartition("@")[2].lower(),
        checkouts_in_hour=await session.scalar(checkouts) or 0,
        failures_in_day=failures,
        cards_in_day=different,
        countries_in_day=countries,
        disputes=await session.scalar(disputes) or 0,
    )
