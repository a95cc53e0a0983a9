"""Revenue by the day, and the reports, against an example that was worked out by hand."""

import asyncio
import csv
import io
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.embedded.postgres import PostgresUrls
from app.db.runtime import Runtime
from app.db.session import session_scope
from app.payments.services import clock, credits, ledger, reports, revenue
from app.payments.services.ledger import CLEARING, CREDIT_LIABILITY, DEFERRED, REVENUE, TAX_PAYABLE, Leg
from app.payments.services.revenue import Earning, end_of
from tests.factories import auth, make_user
from tests.notifications.smtp import changed_settings
from tests.payments.books.conftest import make_family, make_invoice, make_subscription, rows_of

pytestmark = pytest.mark.slow

JANUARY = datetime(2031, 1, 1, tzinfo=UTC)
YEAR = datetime(2032, 1, 1, tzinfo=UTC)


async def set_time(at: datetime | None) -> None:
    async with session_scope() as session:
        await clock.follow(session, "sim", at or datetime.now(UTC))


@pytest.fixture
async def later(runtime: Runtime) -> Any:
    """The clock can be moved, and stands right again afterwards."""
    yield set_time
    await set_time(None)


async def pay(currency: str, lines: list[dict[str, Any]], paid_at: datetime, **changes: Any) -> UUID:
    """A paid invoice of a new family's subscription, and its entry in the ledger."""
    family_id, _ = await make_family()
    subscription = await make_subscription(family_id, started_at=paid_at)
    invoice, _ = await make_invoice(family_id, subscription, lines, paid_at=paid_at, currency=currency, **changes)
    tax = changes.get("tax_cents", 0)
    net = sum(line["amount_cents"] - line.get("discount_cents", 0) for line in lines)
    legs = [
        Leg(CLEARING, "pi", currency, net + tax),
        Leg(DEFERRED, str(subscription), currency, -net),
        Leg(TAX_PAYABLE, "", currency, -tax),
    ]
    async with session_scope() as session:
        facts = {"kind": "invoice.paid", "reference": f"in_{invoice.hex}", "family_id": family_id}
        await ledger.post(session, legs=legs, occurred_at=paid_at, **facts)
    return subscription


def line(cents: int, start: datetime, end: datetime, **changes: Any) -> dict[str, Any]:
    return {"amount_cents": cents, "period_start": start, "period_end": end, **changes}


def month_line(cents: int, **changes: Any) -> dict[str, Any]:
    return line(cents, JANUARY, JANUARY + timedelta(days=31), **changes)


async def recognise() -> None:
    while True:
        async with session_scope() as session:
            if not await revenue.recognise(session):
                return


async def days_of(subscription: UUID) -> dict[date, int]:
    rows = await rows_of(
        "SELECT t.occurred_at, l.amount_cents FROM payments_ledger_legs l JOIN payments_ledger_transactions t "
        "ON t.id = l.transaction_id WHERE l.account = 'deferred' AND l.subject = :s AND t.kind = 'revenue.earned' "
        "ORDER BY t.occurred_at",
        s=str(subscription),
    )
    return {row.occurred_at.date(): row.amount_cents for row in rows}


async def test_a_month_is_earned_day_by_day_to_the_cent(later):
    subscription = await pay("aaa", [month_line(500)], JANUARY)
    await later(JANUARY + timedelta(days=10, hours=1))
    await recognise()

    days = await days_of(subscription)

    # 500 / 31 = 16.129…: 16, 32, 48, 64, 80, 96, 112, 129, 145, 161 by the end of each day
    assert list(days.values()) == [16, 16, 16, 16, 16, 16, 16, 17, 16, 16]
    assert list(days) == [date(2031, 1, day) for day in range(1, 11)]

    await later(JANUARY + timedelta(days=400))
    await recognise()
    days = await days_of(subscription)
    assert (sum(days.values()), len(days), max(days)) == (500, 31, date(2031, 1, 31))


async def test_recognising_again_and_at_once_posts_nothing_twice(later):
    subscription = await pay("aab", [month_line(3_100)], JANUARY)
    await later(JANUARY + timedelta(days=5, hours=3))

    await asyncio.gather(*(recognise() for _ in range(5)))

    assert await days_of(subscription) == {date(2031, 1, day): 100 for day in range(1, 6)}


async def test_a_late_payment_earns_the_days_before_it_on_its_own_day(later):
    paid_at = JANUARY + timedelta(days=3, hours=12)
    subscription = await pay("aac", [month_line(3_100)], paid_at)
    await later(JANUARY + timedelta(days=6))
    await recognise()

    assert await days_of(subscription) == {date(2031, 1, 4): 400, date(2031, 1, 5): 100, date(2031, 1, 6): 100}


async def test_a_credit_of_a_change_is_earned_backwards(later):
    middle = JANUARY + timedelta(days=16)
    lines = [
        line(-240, middle, JANUARY + timedelta(days=31), is_proration=True),
        line(435, middle, JANUARY + timedelta(days=31), is_proration=True),
    ]
    subscription = await pay("aad", lines, middle)
    await later(JANUARY + timedelta(days=40))
    await recognise()

    days = await days_of(subscription)
    assert sum(days.values()) == 195
    assert set(days.values()) == {13}  # (435 - 240) / 15 days


async def test_the_deferred_revenue_of_each_day_is_what_the_ledger_has(later):
    await pay("aae", [line(9_000, JANUARY, YEAR), month_line(500, discount_cents=77)], JANUARY, tax_cents=1_900)
    await pay("aae", [month_line(901)], JANUARY + timedelta(days=2, hours=7))
    await later(JANUARY + timedelta(days=500))
    await recognise()

    async with session_scope() as session:
        found = await reports.deferred(session, date(2030, 12, 31), date(2031, 12, 31))

    days = [each for each in found.days if each.currency == "aae"]
    assert len(days) == 366
    assert [each for each in days if each.deferred_cents != each.ledger_cents] == []
    by_day = {each.day: each.deferred_cents for each in days}
    assert by_day[date(2030, 12, 31)] == 0
    # the first day: 9000 - 24 (9000/365 = 24.65) + 423 - 13 (423/31 = 13.6)
    assert by_day[date(2031, 1, 1)] == 9_000 - 24 + 423 - 13
    # the third: 9000 - 73 (73.97) + 423 - 40 (40.9) + 901 - 87 (87.19)
    assert by_day[date(2031, 1, 3)] == 9_000 - 73 + 423 - 40 + 901 - 87
    assert by_day[date(2031, 12, 31)] == 0


@given(st.integers(-100_000, 100_000), st.integers(1, 800), st.integers(0, 86_399), st.data())
def test_the_days_of_a_line_sum_up_to_it_and_never_go_back(net: int, days: int, seconds: int, data: st.DataObject):
    start = JANUARY + timedelta(seconds=seconds)
    earning = Earning(net, start, start + timedelta(days=days))
    ends = [end_of((start + timedelta(days=number)).date()) for number in range(days + 1)]
    earned = [earning.by(end) for end in ends]

    assert earned[-1] == net
    assert all((after - before) * (1 if net >= 0 else -1) >= 0 for before, after in pairwise(earned))


async def test_bought_credits_are_earned_when_they_are_used(later):
    family_id, _ = await make_family()
    await later(JANUARY)
    _, payment = await make_invoice(family_id, None, [], paid_at=JANUARY)
    await rows_of(
        "UPDATE payments_payments SET received_cents = 1000, amount_cents = 1000, currency = 'aaf' WHERE id = :id "
        "RETURNING id",
        id=payment,
    )
    async with session_scope() as session:
        legs = [Leg(CLEARING, "pi", "aaf", 1_000), Leg(CREDIT_LIABILITY, f"pi_{payment.hex}", "aaf", -1_000)]
        reference = {"kind": "credits.bought", "reference": f"pi_{payment.hex}", "family_id": family_id}
        await ledger.post(session, legs=legs, occurred_at=JANUARY, **reference)
        await credits.grant(
            session,
            family_id,
            source_kind="payment",
            source_reference=str(payment),
            credits=300,
            expires_at=YEAR,
            priority=-1,
            payment_id=payment,
        )
        held = await credits.hold(session, family_id, key="a", amount=100, seconds=60)
        await credits.settle(session, held.id, 100)

    for _ in range(3):
        async with session_scope() as session:
            await revenue.recognise_credits(session)
            left = await ledger.balance(session, CREDIT_LIABILITY, f"pi_{payment.hex}", "aaf")
            earned = await ledger.balance(session, REVENUE, "credits", "aaf")

    assert (left, earned) == (-667, -333)

    await later(YEAR + timedelta(days=1))  # what was not used has ended
    async with session_scope() as session:
        await credits.attend(session, family_id)
        await revenue.recognise_credits(session)
        assert await ledger.balance(session, CREDIT_LIABILITY, f"pi_{payment.hex}", "aaf") == 0


async def test_recurring_revenue_at_a_time_is_what_plans_bring_in_then(later):
    middle, end = JANUARY + timedelta(days=10), JANUARY + timedelta(days=31)
    plus, family, seat = "lv:plus:v1:month:eur", "lv:family:v1:month:eur", "lv:family:v1:seat:year:eur"
    one = await pay("aag", [month_line(500, lookup_key=plus)], JANUARY)
    await rows_of(
        "UPDATE payments_subscriptions SET provider_id = provider_id WHERE id = :id RETURNING id",
        id=one,
    )
    lines = [
        line(-339, middle, end, lookup_key=plus, is_proration=True),
        line(610, middle, end, lookup_key=family, is_proration=True),
    ]
    (row,) = await rows_of("SELECT family_id FROM payments_subscriptions WHERE id = :id", id=one)
    await make_invoice(row.family_id, one, lines, paid_at=middle, currency="aag")
    await pay("aag", [line(3_000, JANUARY, YEAR, lookup_key=seat, quantity=2, discount_cents=1_500)], JANUARY)

    async with session_scope() as session:
        before = await reports.recurring_revenue(session, JANUARY + timedelta(days=5))
        after = await reports.recurring_revenue(session, JANUARY + timedelta(days=15))
        late = await reports.recurring_revenue(session, end + timedelta(days=5))

    assert before.monthly_cents["aag"] == 500 + 125  # 2 seats at 1500 a year, half off
    assert after.monthly_cents["aag"] == 900 + 125
    assert (late.monthly_cents["aag"], late.yearly_cents["aag"]) == (125, 1_500)


async def test_churn_counts_what_ran_at_the_start_and_ended(runtime: Runtime):
    start = datetime(2040, 1, 1, tzinfo=UTC)
    for ended_at in (None, None, start + timedelta(days=9), start + timedelta(days=90)):
        subscription = await pay("aah", [line(500, start, start + timedelta(days=30))], start - timedelta(days=5))
        if ended_at:
            await rows_of(
                "UPDATE payments_subscriptions SET ended_at = :at WHERE id = :id RETURNING id",
                at=ended_at,
                id=subscription,
            )
    # everything that other tests began runs, too: it is the difference that counts
    async with session_scope() as session:
        found = await reports.churn(session, start, start + timedelta(days=30))
        older = await reports.churn(session, start - timedelta(days=10), start - timedelta(days=6))

    assert found.running_at_start - older.running_at_start - older.begun == 4
    assert found.ended == 1


@pytest.fixture
async def operator(runtime: Runtime) -> Any:
    person = await make_user()
    with changed_settings(operators=(person.email.upper(),)):
        yield person


ADMIN = "/v1/payments/admin"
PATHS = [
    "trial-balance",
    "recurring-revenue",
    "churn",
    "deferred?first=2031-01-01&last=2031-01-05",
    "ledger",
    "ledger.csv",
]


@pytest.mark.parametrize("path", PATHS)
async def test_reports_do_not_exist_for_anybody_but_operators(client: httpx.AsyncClient, operator, path: str):
    stranger = await make_user()
    unconfirmed = await make_user(verified=False)
    with changed_settings(operators=(operator.email, unconfirmed.email)):
        for person in (stranger, unconfirmed):
            response = await client.get(f"{ADMIN}/{path}", headers=auth(person))
            assert (response.status_code, response.json()["code"]) == (404, "not-found")

        assert (await client.get(f"{ADMIN}/{path}", headers=auth(operator))).status_code == 200


async def test_the_trial_balance_is_zero_now_and_then(client: httpx.AsyncClient, operator):
    await pay("aai", [month_line(500)], JANUARY)

    now = (await client.get(f"{ADMIN}/trial-balance", headers=auth(operator))).json()
    then = (await client.get(f"{ADMIN}/trial-balance?as_of=2031-01-01T00:00:00Z", headers=auth(operator))).json()
    before = (await client.get(f"{ADMIN}/trial-balance?as_of=2030-12-31T23:59:59Z", headers=auth(operator))).json()

    assert set(now["sums"].values()) | set(then["sums"].values()) == {0}
    deferred = {"account": "deferred", "currency": "aai", "cents": -500}
    assert deferred in then["accounts"]
    assert "aai" not in before["sums"]


async def test_the_ledger_is_streamed_and_paged_whole(client: httpx.AsyncClient, operator, postgres: PostgresUrls):
    async with session_scope() as session:
        nasty = [Leg(CLEARING, '=cmd|"x",y', "aaj", -5), Leg(DEFERRED, "", "aaj", 5)]
        for _ in range(1_050):
            await ledger.post(
                session, kind="test", reference=uuid4().hex, legs=nasty, family_id=None, occurred_at=JANUARY
            )
    (count,) = await rows_of("SELECT count(*) AS legs FROM payments_ledger_legs")

    response = await client.get(f"{ADMIN}/ledger.csv", headers=auth(operator))
    rows = list(csv.DictReader(io.StringIO(response.text)))

    assert response.headers["content-type"].startswith("text/csv")
    assert len(rows) == count.legs
    mine = [row for row in rows if row["currency"] == "aaj"]
    assert {(row["account"], row["subject"], row["amount_cents"]) for row in mine} == {
        ("clearing", '\'=cmd|"x",y', "-5"),
        ("deferred", "", "5"),
    }
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await client.get(f"{ADMIN}/ledger?limit=100{cursor}", headers=auth(operator))).json()
        seen += [entry["id"] for entry in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == len({row["id"] for row in rows})


async def test_a_span_of_time_that_makes_no_sense_is_refused(client: httpx.AsyncClient, operator):
    for query in ("first=2031-01-02&last=2031-01-01", "first=2031-01-01&last=2032-06-01"):
        response = await client.get(f"{ADMIN}/deferred?{query}", headers=auth(operator))
        assert (response.status_code, response.json()["code"]) == (400, "invalid-time-span")
