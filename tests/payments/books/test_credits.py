"""Credits: held, settled, released, granted once, taken back with their money; never more than there are."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from app.core.clock import new_id
from app.db.runtime import Runtime
from app.db.session import Actor, session_scope
from app.payments.errors import HoldNotFound, PlanLimitReached
from app.payments.models import CreditAccount
from app.payments.services import credits, families
from app.payments.services.clock import follow, payments_now
from tests.factories import make_user
from tests.payments.books.conftest import (
    audit_of,
    grant_plan,
    make_family,
    make_invoice,
    make_plan,
    make_subscription,
    rows_of,
    set_subscription,
    version_id,
)

LATER = timedelta(days=300)


async def grant(family_id: UUID, amount: int, *, lasts: timedelta = LATER, **changes: Any) -> bool:
    values = {"source_kind": "test", "source_reference": uuid4().hex, "priority": 10} | changes
    async with session_scope() as session:
        return await credits.grant(session, family_id, credits=amount, expires_at=datetime.now(UTC) + lasts, **values)


async def hold(family_id: UUID, amount: int, key: str = "") -> credits.Hold:
    async with session_scope(Actor.family(family_id)) as session:
        return await credits.hold(session, family_id, key=key or uuid4().hex, amount=amount, seconds=60)


async def settle(held: credits.Hold, amount: int) -> None:
    async with session_scope(Actor.family(held.family_id)) as session:
        await credits.settle(session, held.id, amount)


async def release(held: credits.Hold) -> None:
    async with session_scope(Actor.family(held.family_id)) as session:
        await credits.release(session, held.id)


async def take_back(family_id: UUID, payment_id: UUID, back: int, received: int = 1_000, movements: int = 0) -> None:
    async with session_scope() as session:
        await credits.take_back(session, family_id, payment_id, back, received, movements)


async def balance(family_id: UUID) -> tuple[int, int, int]:
    async with session_scope(Actor.family(family_id)) as session:
        found = await credits.balance(session, family_id)
    await audit_of(family_id)
    return found.available, found.held, found.debt


async def bare_family() -> UUID:
    """A family whose plan brings no credits of its own."""
    family_id, _ = await make_family()
    await grant_plan(family_id, await make_plan({"credits_monthly": 0}))
    return family_id


@pytest.fixture
async def family_id(runtime: Runtime, enforced: None) -> UUID:
    return await bare_family()


async def test_what_is_held_is_set_aside_settled_and_the_rest_comes_back(family_id: UUID):
    await grant(family_id, 100)
    held = await hold(family_id, 30)
    assert await balance(family_id) == (70, 30, 0)

    await settle(held, 12)

    assert await balance(family_id) == (88, 0, 0)
    assert (await audit_of(family_id)).used == 12


async def test_what_is_released_comes_back_whole_and_once(family_id: UUID):
    await grant(family_id, 10)
    held = await hold(family_id, 10)

    for _ in range(3):
        await release(held)
    await settle(held, 10)

    assert await balance(family_id) == (10, 0, 0)


async def test_the_same_key_holds_once(family_id: UUID):
    await grant(family_id, 10)

    holds = await asyncio.gather(*(hold(family_id, 4, "the run") for _ in range(12)))

    assert len({each.id for each in holds}) == 1
    assert await balance(family_id) == (6, 4, 0)


async def test_settling_twice_uses_once(family_id: UUID):
    await grant(family_id, 10)
    held = await hold(family_id, 4)

    await asyncio.gather(*(settle(held, 4) for _ in range(5)))

    assert await balance(family_id) == (6, 0, 0)


async def test_work_that_cost_more_than_was_held_uses_what_there_is(family_id: UUID):
    await grant(family_id, 10)
    held = await hold(family_id, 4)

    await settle(held, 25)

    assert await balance(family_id) == (0, 0, 0)
    assert (await audit_of(family_id)).used == 10


async def test_more_than_there_is_is_refused_in_words(family_id: UUID):
    await grant(family_id, 3)

    with pytest.raises(PlanLimitReached) as refused:
        await hold(family_id, 4)

    assert refused.value.extra | {"plan": ""} == {
        "meter": "ai_credits",
        "available": 3,
        "debt": 0,
        "asked": 4,
        "plan": "",
    }
    assert await balance(family_id) == (3, 0, 0)


async def test_where_plans_limit_nothing_less_is_held_and_work_goes_on(runtime: Runtime):
    family_id = await bare_family()
    await grant(family_id, 3)

    assert [(await hold(family_id, 2)).amount for _ in range(3)] == [2, 1, 0]
    assert await balance(family_id) == (0, 3, 0)


async def test_an_unknown_hold_is_not_settled(family_id: UUID):
    with pytest.raises(HoldNotFound):
        await settle(credits.Hold(new_id(), family_id, 1, "held"), 1)


async def test_a_hold_of_another_family_is_unknown(family_id: UUID):
    await grant(family_id, 5)
    held = await hold(family_id, 5)
    other = await bare_family()

    with pytest.raises(HoldNotFound):
        await settle(credits.Hold(held.id, other, 5, "held"), 5)

    assert await balance(family_id) == (0, 5, 0)


async def test_credits_of_the_plan_go_first_then_what_ends_first(family_id: UUID):
    for name, priority, days in (("bought late", 10, 90), ("plan", 0, 20), ("bought soon", 10, 30)):
        await grant(family_id, 10, lasts=timedelta(days=days), priority=priority, source_reference=f"{family_id}{name}")

    await settle(await hold(family_id, 25), 25)

    used = await rows_of(
        "SELECT l.source_reference AS name, u.amount FROM payments_credit_uses u JOIN payments_credit_lots l "
        "ON l.id = u.lot_id WHERE u.family_id = :id ORDER BY l.priority, l.expires_at",
        id=family_id,
    )
    assert [(row.name.removeprefix(str(family_id)), row.amount) for row in used] == [
        ("plan", 10),
        ("bought soon", 10),
        ("bought late", 5),
    ]


async def test_a_source_grants_once(family_id: UUID):
    source = {"source_kind": "payment", "source_reference": uuid4().hex}

    granted = await asyncio.gather(*(grant(family_id, 50, **source) for _ in range(10)))

    assert sorted(granted) == [False] * 9 + [True]
    assert await balance(family_id) == (50, 0, 0)


async def test_what_has_ended_is_not_held_even_before_anybody_tidies_up(family_id: UUID):
    await grant(family_id, 10, lasts=timedelta(seconds=-1))
    await grant(family_id, 5)

    with pytest.raises(PlanLimitReached):
        await hold(family_id, 6)

    assert await balance(family_id) == (5, 0, 0)
    assert (await audit_of(family_id)).expired == 10


async def test_a_hold_that_is_forgotten_is_released(family_id: UUID):
    await grant(family_id, 10)
    await hold(family_id, 4)
    await rows_of(
        "UPDATE payments_credit_holds SET expires_at = now() - interval '1 s' WHERE family_id = :id RETURNING id",
        id=family_id,
    )

    async with session_scope() as session:
        while await credits.release_expired(session):  # of other families too, some hundred at a time
            pass

    assert await balance(family_id) == (10, 0, 0)


async def test_money_that_goes_back_takes_its_share_of_the_credits(family_id: UUID):
    await grant(family_id, 500, payment_id=(payment := new_id()))

    for back, left in ((333, 333), (1_000, 0), (333, 333), (0, 500)):
        await take_back(family_id, payment, back)
        assert await balance(family_id) == (left, 0, 0)


async def test_money_that_went_back_before_the_credits_came_takes_them_too(family_id: UUID):
    payment = new_id()
    await take_back(family_id, payment, 400)

    await grant(family_id, 500, payment_id=payment)

    assert await balance(family_id) == (300, 0, 0)


async def test_an_older_look_at_a_payment_changes_nothing(family_id: UUID):
    await grant(family_id, 100, payment_id=(payment := new_id()))
    await take_back(family_id, payment, 1_000, movements=2)

    await take_back(family_id, payment, 0, movements=1)

    assert await balance(family_id) == (0, 0, 0)


async def test_credits_that_were_used_and_whose_money_went_back_are_owed_and_stop_the_assistant(family_id: UUID):
    await grant(family_id, 100, payment_id=(payment := new_id()))
    await settle(await hold(family_id, 70), 70)

    await take_back(family_id, payment, 1_000)

    assert await balance(family_id) == (0, 0, 70)
    with pytest.raises(PlanLimitReached, match="whose payment went back"):
        await hold(family_id, 1)


async def test_a_debt_is_repaid_by_what_is_bought_next_and_comes_back_with_the_money(family_id: UUID):
    await grant(family_id, 100, payment_id=(payment := new_id()))
    await settle(await hold(family_id, 70), 70)
    await take_back(family_id, payment, 1_000)

    await grant(family_id, 100)
    assert await balance(family_id) == (30, 0, 0)

    await take_back(family_id, payment, 0)  # the dispute was won
    assert await balance(family_id) == (130, 0, 0)


async def test_what_is_held_is_taken_back_when_it_is_released(family_id: UUID):
    await grant(family_id, 100, payment_id=(payment := new_id()))
    held = await hold(family_id, 100)

    await take_back(family_id, payment, 1_000)
    assert await balance(family_id) == (0, 100, 100)

    await release(held)
    assert await balance(family_id) == (0, 0, 0)


async def test_what_is_held_is_owed_when_it_is_settled_after_its_money_went_back(family_id: UUID):
    await grant(family_id, 100, payment_id=(payment := new_id()))
    held = await hold(family_id, 100)
    await take_back(family_id, payment, 1_000)

    await settle(held, 40)

    assert await balance(family_id) == (0, 0, 40)


async def test_the_free_plan_brings_its_credits_once_a_month(runtime: Runtime, enforced: None):
    family_id, _ = await make_family()

    found = await asyncio.gather(*(balance(family_id) for _ in range(6)))

    assert set(found) == {(30, 0, 0)}
    lots = await rows_of("SELECT expires_at FROM payments_credit_lots WHERE family_id = :id", id=family_id)
    assert len(lots) == 1
    assert lots[0].expires_at.day == 1


async def test_a_subscription_brings_credits_for_its_month_and_an_upgrade_the_difference(
    runtime: Runtime, enforced: None
):
    family_id, _ = await make_family()
    subscription = await make_subscription(family_id, plan="plus")
    assert await balance(family_id) == (600, 0, 0)

    await set_subscription(subscription, plan_version_id=await version_id("family"))
    assert await balance(family_id) == (1_500, 0, 0)

    await set_subscription(subscription, plan_version_id=await version_id("plus"))
    assert await balance(family_id) == (1_500, 0, 0)


async def test_credits_of_a_subscription_follow_the_money_of_its_invoice(runtime: Runtime, enforced: None):
    family_id, _ = await make_family()
    subscription = await make_subscription(family_id, plan="plus")
    now = datetime.now(UTC)
    period = {"period_start": now - timedelta(days=1), "period_end": now + timedelta(days=29)}
    _, payment = await make_invoice(family_id, subscription, [{"amount_cents": 500, **period}], paid_at=now)
    assert await balance(family_id) == (600, 0, 0)

    await take_back(family_id, payment, 250, 500)

    assert await balance(family_id) == (300, 0, 0)


async def test_an_unpaid_plan_stops_the_assistant_and_a_payment_opens_it_again(runtime: Runtime, enforced: None):
    family_id, _ = await make_family()
    subscription = await make_subscription(family_id, plan="plus")
    await balance(family_id)

    await set_subscription(subscription, state="suspended")
    with pytest.raises(PlanLimitReached, match="last payment did not work"):
        await hold(family_id, 1)

    await set_subscription(subscription, state="active")
    assert (await hold(family_id, 1)).amount == 1


async def test_a_member_holds_credits_of_the_family_in_one_go_and_sees_none_of_its_accounts(
    runtime: Runtime, enforced: None
):
    family_id, owner = await make_family()
    await balance(family_id)

    async with session_scope(Actor.user(owner.id)) as session:
        held = await credits.hold_of(session, owner.id, key="ask", amount=2, seconds=60)
        again = await credits.hold_of(session, owner.id, key="ask", amount=2, seconds=60)
        assert session.info["actor"] == Actor.user(owner.id)
        seen = (await session.execute(select(CreditAccount))).all()

    assert (held.family_id, held.amount, again.id, seen) == (family_id, 2, held.id, [])
    assert await balance(family_id) == (28, 2, 0)


async def test_somebody_who_never_asked_about_plans_holds_credits_all_the_same(runtime: Runtime, enforced: None):
    person = await make_user()

    async with session_scope(Actor.user(person.id)) as session:
        held = await credits.hold_of(session, person.id, key="ask", amount=1, seconds=60)

    async with session_scope() as session:
        assert await families.family_of(session, person.id) == held.family_id
    assert await balance(held.family_id) == (29, 1, 0)


async def test_time_is_the_simulators_and_nobody_elses(runtime: Runtime):
    async with session_scope() as session:
        before = await payments_now(session)
        await follow(session, "stripe", before + timedelta(days=90))
        assert await payments_now(session) == before
        await follow(session, "sim", before + timedelta(days=90))
        assert timedelta(days=89) < await payments_now(session) - before < timedelta(days=91)
        await follow(session, "sim", datetime.now(UTC))
        assert await payments_now(session) == before
