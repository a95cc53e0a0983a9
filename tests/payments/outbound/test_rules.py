"""Rules that need no provider: when a change takes effect, where people may be sent, what looks unusual."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from app.core.clock import new_id, utc_now
from app.db.runtime import Runtime
from app.db.session import session_scope
from app.payments.errors import NothingToChange, UrlNotAllowed, VerifyEmailFirst
from app.payments.models import BillingSubscription, Payment, Plan, PlanVersion
from app.payments.services.catalogue import Offer
from app.payments.services.checkout import require_own
from app.payments.services.risk import THRESHOLD, Signals, assess, require_trust
from app.payments.services.subscriptions import LENGTHS, effect_of
from tests.factories import make_user, principal_of
from tests.notifications.smtp import changed_settings
from tests.payments.books.conftest import make_family

INTERVALS = st.sampled_from(["month", "year"])


def offer(rank: int, interval: str, seats: int) -> Offer:
    return Offer(Plan(code=f"p{rank}", name="P", rank=rank), PlanVersion(), interval, seats, ())


@given(st.integers(1, 3), INTERVALS, st.integers(0, 3), st.integers(1, 3), INTERVALS, st.integers(0, 3))
def test_what_becomes_less_in_any_way_waits_for_the_end_of_the_period(rank, interval, seats, rank2, interval2, seats2):
    now = BillingSubscription(interval=interval, seats=seats)
    same = (rank, interval, seats) == (rank2, interval2, seats2)
    less = rank2 < rank or LENGTHS[interval2] < LENGTHS[interval] or (rank == rank2 and seats2 < seats)

    if same:
        with pytest.raises(NothingToChange):
            effect_of(rank, now, offer(rank2, interval2, seats2))
    else:
        assert effect_of(rank, now, offer(rank2, interval2, seats2)) == ("period_end" if less else "now")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/x?y=1", "https://app.lifevault.test/done", "https://APP.lifevault.test:443/"]
)
async def test_people_are_sent_back_to_origins_that_were_named(runtime: Runtime, url: str):
    with changed_settings(payment_return_origins=("https://app.lifevault.test",)):
        require_own(url)


@pytest.mark.anyio
@given(st.text(max_size=60))
async def test_nothing_else_is_an_own_address(runtime: Runtime, path: str):
    with pytest.raises(UrlNotAllowed):
        require_own(f"https://evil.example/{path}")


@pytest.mark.parametrize(
    ("signals", "score"),
    [
        ({}, 0),
        ({"domain": "mailinator.com"}, 50),
        ({"checkouts_in_hour": 4}, 0),
        ({"checkouts_in_hour": 5}, 30),
        ({"failures_in_day": 3}, 40),
        ({"failures_in_day": 3, "cards_in_day": 4}, 80),
        ({"countries_in_day": 3, "disputes": 1}, 60),
    ],
)
def test_each_signal_weighs_and_is_said_in_words(signals: dict[str, Any], score: int):
    found = assess(Signals(**{"domain": "example.org", **signals}))

    assert sum(each.weight for each in found) == score
    assert all(each.reason[0].islower() and len(each.reason) > 20 for each in found)
    assert [each.weight for each in found] == sorted((each.weight for each in found), reverse=True)


async def fail_payments(family_id: Any, count: int) -> None:
    async with session_scope() as session:
        for number in range(count):
            values = {"provider": "sim", "provider_id": f"pi_{uuid4().hex}", "status": "requires_payment_method"}
            amounts = {"currency": "eur", "amount_cents": 500, "received_cents": 0, "failure_code": "card_declined"}
            card = {"card_digest": bytes([number]) * 32, "card_country": ("DE", "FR", "US", "BR")[number % 4]}
            row = {"id": new_id(), "family_id": family_id, "provider_seen_at": utc_now()}
            await session.execute(insert(Payment).values(**row, **values, **amounts, **card))


@pytest.mark.anyio
async def test_who_fails_again_and_again_with_many_cards_confirms_their_address(runtime: Runtime):
    family_id, payer = await make_family(await make_user(verified=False))
    await fail_payments(family_id, 4)

    with pytest.raises(VerifyEmailFirst) as refused:
        async with session_scope(principal_of(payer).actor) as session:
            await require_trust(session, principal_of(payer), family_id)

    assert "several payments failed within a day" in refused.value.extra["reasons"]  # type: ignore[operator]


@pytest.mark.anyio
async def test_a_confirmed_address_is_enough_and_a_quiet_start_as_well(runtime: Runtime):
    busy, payer = await make_family()
    await fail_payments(busy, 4)
    quiet, newcomer = await make_family(await make_user(verified=False))

    for family_id, person in ((busy, payer), (quiet, newcomer)):
        async with session_scope(principal_of(person).actor) as session:
            await require_trust(session, principal_of(person), family_id)


def test_one_ordinary_signal_alone_stops_nobody():
    assert sum(each.weight for each in assess(Signals("example.org", failures_in_day=9))) < THRESHOLD
