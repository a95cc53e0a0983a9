"""The ledger: what the database itself refuses, to the application's role and to the owner of the tables."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.cli.embedded.postgres import PostgresUrls
from app.core.clock import new_id
from app.db.engine import asyncpg_url
from app.db.runtime import Runtime
from app.db.session import Actor, session_scope
from app.payments.services import ledger
from app.payments.services.ledger import CASH, CLEARING, FEES, Leg
from tests.payments.books.conftest import make_family, rows_of

NOW = datetime(2027, 3, 1, tzinfo=UTC)
BALANCED = [Leg(CASH, "sim", "eur", 471), Leg(FEES, "sim", "eur", 29), Leg(CLEARING, "pi_1", "eur", -500)]


async def post(reference: str, legs: list[Leg] = BALANCED, family_id: UUID | None = None, **changes: Any) -> bool:
    async with session_scope() as session:
        values = {"kind": "test", "reference": reference, "family_id": family_id, "occurred_at": NOW}
        return await ledger.post(session, legs=legs, **(values | changes))


async def transaction_of(reference: str) -> UUID:
    (row,) = await rows_of(
        "SELECT id FROM payments_ledger_transactions WHERE reference = :reference", reference=reference
    )
    found: UUID = row.id
    return found


async def test_a_fact_is_posted_once_however_often_it_is_told(runtime: Runtime):
    reference = uuid4().hex

    told = await asyncio.gather(*(post(reference) for _ in range(20)))

    assert sorted(told) == [False] * 19 + [True]
    legs = await rows_of(
        "SELECT account, subject, currency, amount_cents FROM payments_ledger_legs WHERE transaction_id = :id "
        "ORDER BY position",
        id=await transaction_of(reference),
    )
    assert [tuple(leg) for leg in legs] == [
        ("cash", "sim", "eur", 471),
        ("fees", "sim", "eur", 29),
        ("clearing", "pi_1", "eur", -500),
    ]


async def test_a_fact_without_amounts_is_not_posted(runtime: Runtime):
    reference = uuid4().hex

    assert not await post(reference, [Leg(CASH, "sim", "eur", 0), Leg(FEES, "sim", "eur", 0)])
    assert await rows_of("SELECT 1 FROM payments_ledger_transactions WHERE reference = :r", r=reference) == []


@pytest.mark.parametrize(
    "legs",
    [
        [Leg(CASH, "sim", "eur", 500), Leg(CLEARING, "pi", "eur", -499)],
        [Leg(CASH, "sim", "eur", 500), Leg(CLEARING, "pi", "usd", -500)],
        [Leg(CASH, "sim", "eur", 500)],
    ],
    ids=["a cent is missing", "another currency", "one leg"],
)
async def test_what_does_not_balance_is_refused_at_commit(runtime: Runtime, legs: list[Leg]):
    reference = uuid4().hex

    with pytest.raises((DBAPIError, IntegrityError), match="does not balance"):
        await post(reference, legs)

    assert await rows_of("SELECT 1 FROM payments_ledger_transactions WHERE reference = :r", r=reference) == []


async def test_what_does_not_balance_is_refused_whoever_the_transaction_acts_for_at_its_end(runtime: Runtime):
    family_id, _ = await make_family()

    async def post_and_become_nobody() -> None:
        legs = [Leg(CASH, "sim", "eur", 1), Leg(CASH, "sim", "eur", 1)]
        values = {"kind": "test", "reference": uuid4().hex, "family_id": family_id, "occurred_at": NOW}
        async with session_scope(Actor.family(family_id)) as session:
            await ledger.post(session, legs=legs, **values)
            await session.execute(text("SELECT set_config('app.principal', '', true)"))

    with pytest.raises(DBAPIError, match="does not balance"):
        await post_and_become_nobody()


async def test_a_transaction_without_legs_is_refused(runtime: Runtime):
    with pytest.raises(DBAPIError, match="does not balance"):
        async with session_scope() as session:
            await session.execute(
                text(
                    "INSERT INTO payments_ledger_transactions (id, kind, reference, occurred_at) "
                    "VALUES (:id, 'test', :reference, now())"
                ),
                {"id": new_id(), "reference": uuid4().hex},
            )


async def test_no_leg_is_added_to_a_transaction_of_earlier(runtime: Runtime):
    await post(reference := uuid4().hex)
    leg = "INSERT INTO payments_ledger_legs VALUES (:id, :position, 'cash', 'sim', 'eur', :cents)"

    async def add() -> None:
        async with session_scope() as session:
            transaction_id = await transaction_of(reference)
            await session.execute(text(leg), {"id": transaction_id, "position": 7, "cents": 5})
            await session.execute(text(leg), {"id": transaction_id, "position": 8, "cents": -5})

    with pytest.raises(DBAPIError, match="is complete when it is committed"):
        await add()


CHANGES = [
    "UPDATE {table} SET {column} = {column}",
    "DELETE FROM {table}",
    "TRUNCATE {table} CASCADE",
]
TABLES = [("payments_ledger_transactions", "reference"), ("payments_ledger_legs", "amount_cents")]


@pytest.mark.parametrize(("table", "column"), TABLES)
@pytest.mark.parametrize("change", CHANGES, ids=["update", "delete", "truncate"])
async def test_what_is_written_stays_written_for_the_application(
    runtime: Runtime, change: str, table: str, column: str
):
    with pytest.raises(DBAPIError, match="permission denied"):
        async with session_scope() as session:
            await session.execute(text(change.format(table=table, column=column)))


@pytest.mark.parametrize(("table", "column"), TABLES)
@pytest.mark.parametrize("change", CHANGES, ids=["update", "delete", "truncate"])
async def test_what_is_written_stays_written_for_the_owner_of_the_tables(
    runtime: Runtime, postgres: PostgresUrls, change: str, table: str, column: str
):
    connection = await asyncpg.connect(asyncpg_url(postgres.owner))
    try:
        with pytest.raises(asyncpg.RestrictViolationError, match="is immutable"):
            await connection.execute(change.format(table=table, column=column))
    finally:
        await connection.close()


async def test_the_database_refuses_the_same_fact_twice(runtime: Runtime):
    await post(reference := uuid4().hex)

    with pytest.raises(IntegrityError, match="payments_ledger_transactions_kind_reference"):
        async with session_scope() as session:
            await session.execute(
                text(
                    "INSERT INTO payments_ledger_transactions (id, kind, reference, occurred_at) "
                    "VALUES (:id, 'test', :reference, now())"
                ),
                {"id": new_id(), "reference": reference},
            )


async def test_a_correction_points_at_what_it_corrects(runtime: Runtime):
    await post(wrong := uuid4().hex)
    turned = [Leg(leg.account, leg.subject, leg.currency, -leg.amount_cents) for leg in BALANCED]

    right = uuid4().hex
    assert await post(right, turned, corrects=await transaction_of(wrong))

    (row,) = await rows_of("SELECT corrects FROM payments_ledger_transactions WHERE reference = :r", r=right)
    assert row.corrects == await transaction_of(wrong)


async def test_a_family_sees_its_own_entries_only(runtime: Runtime):
    mine, _ = await make_family()
    other, _ = await make_family()
    await post(uuid4().hex, family_id=mine)
    await post(uuid4().hex, family_id=other)
    await post(uuid4().hex, family_id=None)

    async with session_scope(Actor.family(mine)) as session:
        seen = set(await session.scalars(text("SELECT family_id FROM payments_ledger_transactions")))
        legs = await session.scalar(text("SELECT count(*) FROM payments_ledger_legs"))

    assert (seen, legs) == ({mine}, 3)


async def test_a_family_can_not_post_for_another(runtime: Runtime):
    mine, _ = await make_family()
    other, _ = await make_family()

    async def post_for_the_other() -> None:
        async with session_scope(Actor.family(mine)) as session:
            values = {"kind": "test", "reference": uuid4().hex, "family_id": other, "occurred_at": NOW}
            await ledger.post(session, legs=BALANCED, **values)

    with pytest.raises(DBAPIError, match="row-level security"):
        await post_for_the_other()


async def test_many_writers_of_the_same_facts_write_each_once(runtime: Runtime):
    references = [uuid4().hex for _ in range(10)]

    told = await asyncio.gather(*(post(reference) for reference in references * 15))

    assert sum(told) == 10
    rows = await rows_of(
        "SELECT count(*) AS legs, sum(amount_cents) AS total FROM payments_ledger_legs l "
        "JOIN payments_ledger_transactions t ON t.id = l.transaction_id WHERE t.reference = ANY(:references)",
        references=references,
    )
    assert (rows[0].legs, rows[0].total) == (30, 0)
